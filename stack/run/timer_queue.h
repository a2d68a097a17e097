// SPDX-License-Identifier: Apache-2.0
// Closures to be run at given times. Exact and deterministic: what is due runs in the order of its
// time, and at equal times in the order in which it was scheduled. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "stack/host/deadline_heap.h"
#include "stack/tcp/time.h"

namespace tcproctor::run {

using Task = absl::AnyInvocable<void()>;

// Names a scheduled closure; never 0 and not reused, so a late cancel() harms nobody.
using TimerId = uint64_t;

template <class TimePoint>
class TimerQueue {
 public:
  TimerId schedule(TimePoint when, Task task) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].task = std::move(task);
    heap_.set(slot, when);
    return id_of(slot);
  }

  // True when it was still to run and now will not.
  bool cancel(TimerId id) {
    const auto slot = static_cast<uint32_t>(id);
    if (slot >= slots_.size() || id_of(slot) != id || !heap_.has(slot)) return false;
    const Task dropped = take(slot);  // destroyed last: its captures may call back into the queue
    return true;
  }

  size_t size() const { return heap_.size(); }

  std::optional<TimePoint> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.top_time();
  }

  // Runs the first closure that is due at `now`; false when none is. The closure may schedule and
  // cancel, itself included.
  bool run_one(TimePoint now) {
    if (heap_.empty() || heap_.top_time() > now) return false;
    Task task = take(heap_.top_slot());
    task();
    return true;
  }

  // Drops everything without running it.
  void clear() {
    while (!heap_.empty()) const Task dropped = take(heap_.top_slot());
  }

 private:
  struct TimerSlot {
    Task task;
    uint32_t generation = 1;
  };

  TimerId id_of(uint32_t slot) const {
    return static_cast<uint64_t>(slots_[slot].generation) << 32 | slot;
  }

  Task take(uint32_t slot) {
    heap_.clear(slot);
    ++slots_[slot].generation;
    free_.push_back(slot);
    return std::exchange(slots_[slot].task, nullptr);
  }

  std::vector<TimerSlot> slots_;
  std::vector<uint32_t> free_;
  host::DeadlineHeap<TimePoint> heap_;
};

}  // namespace tcproctor::run
