// SPDX-License-Identifier: Apache-2.0
// "Call me at that time of the session": one interface over an event loop (real clock) and over a
// virtual clock, so that what lives on a session cannot tell which of the two it runs on.
#pragma once

#include <optional>
#include <utility>

#include "stack/run/clock.h"
#include "stack/run/event_loop.h"
#include "stack/run/timer_queue.h"
#include "stack/tcp/time.h"

namespace tcproctor::run {

// Not thread-safe: belongs to the session's loop.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual tcp::Instant now() const = 0;
  // Runs `task` once at `when` (at once-but-later when that has passed), never from within this
  // call.
  virtual TimerId schedule(tcp::Instant when, Task task) = 0;
  // True when it was still to run and now will not.
  virtual bool cancel(TimerId id) = 0;
};

// On an event loop. Its epoch is its construction. The loop must outlive it; tasks that are still
// scheduled when it goes must be cancelled by those who scheduled them.
class RealScheduler final : public Scheduler {
 public:
  explicit RealScheduler(EventLoop& loop) : loop_(loop) {}
  tcp::Instant now() const override { return clock_.now(); }
  TimerId schedule(tcp::Instant when, Task task) override {
    return loop_.schedule(clock_.to_steady(when), std::move(task));
  }
  bool cancel(TimerId id) override { return loop_.cancel(id); }

 private:
  EventLoop& loop_;
  RealClock clock_;
};

// On a virtual clock that only the owner moves. Starts at 0.
class VirtualScheduler final : public Scheduler {
 public:
  tcp::Instant now() const override { return clock_.now(); }
  TimerId schedule(tcp::Instant when, Task task) override {
    return timers_.schedule(when < now() ? now() : when, std::move(task));
  }
  bool cancel(TimerId id) override { return timers_.cancel(id); }

  // When the next task is due; nothing = no task is scheduled.
  std::optional<tcp::Instant> next() const { return timers_.next(); }

  // Runs the next task if it is due at or before `limit`, with the clock moved to its time.
  bool run_next(tcp::Instant limit) {
    const std::optional<tcp::Instant> next = timers_.next();
    if (!next || *next > limit) return false;
    clock_.advance_to(*next);
    timers_.run_one(clock_.now());
    return true;
  }

  // Runs everything that is due up to and at `until`, each task at its own time, and leaves the
  // clock at `until`. A task that for ever reschedules itself for the same moment never ends: it is
  // a bug.
  void run_until(tcp::Instant until) {
    while (run_next(until)) {
    }
    if (clock_.now() < until) clock_.advance_to(until);
  }

 private:
  VirtualClock clock_;
  TimerQueue<tcp::Instant> timers_;
};

}  // namespace tcproctor::run
