// SPDX-License-Identifier: Apache-2.0
// The files in which a run is told, beside --json: the same flags for run and merge.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "clients/cli/context.h"
#include "clients/cli/flag_set.h"
#include "conformance/runner/result.h"

namespace tcproctor::cli {

class ReportFiles {
 public:
  // --junit, --html, --tap
  void define(FlagSet& flags);
  // INVALID_ARGUMENT: two of the flags want standard output.
  absl::Status check(const Context& context) const;
  // Whether one of them goes to standard output: then nothing else does.
  bool takes_stdout() const { return junit_ == "-" || html_ == "-" || tap_ == "-"; }
  absl::Status write(const conformance::RunReport& report) const;

 private:
  std::string junit_, html_, tap_;
};

}  // namespace tcproctor::cli
