// SPDX-License-Identifier: Apache-2.0
// Time as the stack sees it: it never reads a clock, it is told `now`.
#pragma once

#include <chrono>
#include <cstdint>

namespace tcproctor::tcp {

// A span of time. Nanoseconds, signed, 64 bits (292 years).
using Duration = std::chrono::nanoseconds;

// The clock of one session: real (CLOCK_MONOTONIC since the session began) or virtual (moved only
// by the user). The stack cannot tell which.
struct SessionClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<SessionClock, Duration>;
  static constexpr bool is_steady = true;
};

// A moment on the session's clock; the epoch is the session's beginning.
using Instant = SessionClock::time_point;

}  // namespace tcproctor::tcp
