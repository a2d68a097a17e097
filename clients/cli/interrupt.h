// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a question that can be asked.
#pragma once

namespace tcproctor::cli {

// While it lives, the first SIGINT or SIGTERM is only noted; the second ends the process as usual.
// One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  static bool noted();
};

}  // namespace tcproctor::cli
