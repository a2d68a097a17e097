// SPDX-License-Identifier: Apache-2.0
// How long what is due on a loop has to wait: because the machine gives its thread no processor, or
// because the loop is busy. A timer that comes every few milliseconds shows it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "stack/run/clock.h"
#include "stack/run/event_loop.h"
#include "stack/tcp/time.h"

namespace tcproctor::server {

// Lives on the loop's thread.
class StallProbe {
 public:
  // Also the shortest wait that is told.
  static constexpr std::chrono::milliseconds kInterval{5};

  // `on_stall`: up to now what was due waited that long.
  StallProbe(run::EventLoop& loop, std::function<void(tcp::Duration)> on_stall)
      : loop_(loop), on_stall_(std::move(on_stall)) {
    arm();
  }
  ~StallProbe() { loop_.cancel(timer_); }
  StallProbe(const StallProbe&) = delete;
  StallProbe& operator=(const StallProbe&) = delete;

 private:
  void arm() {
    const run::SteadyTime due = run::steady_now() + kInterval;
    timer_ = loop_.schedule(due, [this, due] {
      const auto waited = run::steady_now() - due;
      arm();
      if (waited >= kInterval) on_stall_(waited);
    });
  }

  run::EventLoop& loop_;
  const std::function<void(tcp::Duration)> on_stall_;
  run::TimerId timer_{};
};

}  // namespace tcproctor::server
