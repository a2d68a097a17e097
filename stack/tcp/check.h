// SPDX-License-Identifier: Apache-2.0
// Invariants that are checked in production builds as well.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tcproctor::tcp {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: invariant violated: %s\n", file, line, condition);
  std::abort();
}

}  // namespace tcproctor::tcp

// Aborts with file and line when `condition` is false. For programming errors only, never for
// input.
#define TCPROCTOR_CHECK(condition)                                    \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::tcproctor::tcp::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
