// SPDX-License-Identifier: Apache-2.0
// The session's clock: real or virtual. Only here does the stack's time touch the machine's.
#pragma once

#include <chrono>

#include "stack/tcp/check.h"
#include "stack/tcp/time.h"

namespace tcproctor::run {

// CLOCK_MONOTONIC in nanoseconds: the time of event loops and of the kernel's timers.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

inline SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back. 0 is the session's beginning.
  virtual tcp::Instant now() const = 0;
};

// CLOCK_MONOTONIC since construction.
class RealClock final : public Clock {
 public:
  RealClock() : epoch_(steady_now()) {}
  tcp::Instant now() const override { return from_steady(steady_now()); }

  tcp::Instant from_steady(SteadyTime time) const { return tcp::Instant(time - epoch_); }
  // Saturates: an Instant far in the future stays in the future.
  SteadyTime to_steady(tcp::Instant instant) const {
    const tcp::Duration room = tcp::Duration::max() - epoch_.time_since_epoch();
    const tcp::Duration since = instant.time_since_epoch();
    return since > room ? SteadyTime::max() : epoch_ + since;
  }

 private:
  SteadyTime epoch_;
};

// Moved by its owner only; starts at 0.
class VirtualClock final : public Clock {
 public:
  tcp::Instant now() const override { return now_; }
  // `to` must not lie before now().
  void advance_to(tcp::Instant to) {
    TCPROCTOR_CHECK(to >= now_);
    now_ = to;
  }

 private:
  tcp::Instant now_{};
};

}  // namespace tcproctor::run
