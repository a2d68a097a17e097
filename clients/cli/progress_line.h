// SPDX-License-Identifier: Apache-2.0
// One line at the foot of a terminal that says how far a run is.
#pragma once

#include <ostream>
#include <string>

#include "conformance/runner/suite.h"

namespace tcproctor::cli {

// "57 of 211, 12s, about 31s left".
std::string progress_text(const conformance::Progress& progress);

class ProgressLine {
 public:
  // Without a terminal it does nothing.
  ProgressLine(std::ostream& terminal, bool is_terminal)
      : terminal_(terminal), is_terminal_(is_terminal) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const conformance::Progress& progress);
  // Before anything else is written to the terminal.
  void clear();

 private:
  std::ostream& terminal_;
  const bool is_terminal_;
  bool shown_ = false;
};

}  // namespace tcproctor::cli
