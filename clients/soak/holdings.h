// SPDX-License-Identifier: Apache-2.0
// What a process holds of the machine, as /proc tells it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace tcproctor::soak {

struct Holdings {
  uint64_t descriptors = 0;
  uint64_t namespaces = 0;  // network namespaces behind them, each counted once
  uint64_t resident_kib = 0;
};

// FAILED_PRECONDITION: there is no such process, or it may not be looked at.
absl::StatusOr<Holdings> holdings_of(pid_t pid);

}  // namespace tcproctor::soak
