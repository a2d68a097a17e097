// SPDX-License-Identifier: Apache-2.0
// A command line carried out as main() would, for tests.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "clients/cli/verb.h"

namespace tcproctor::cli {

struct Printed {
  int exit = 0;
  std::string out, err;
};

// Without colours.
inline Printed run_words(const std::vector<std::string>& words, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Context context(in, out, err, /*colours=*/false);
  const int exit = run_command(context, words);
  return {exit, out.str(), err.str()};
}

}  // namespace tcproctor::cli
