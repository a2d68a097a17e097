// SPDX-License-Identifier: Apache-2.0
// A thread with an event loop per core; sessions are dealt out to them in turn.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "stack/run/event_loop.h"

namespace tcproctor::run {

class LoopPool {
 public:
  // `count` loops, 1..256; 0 = one per core this process may use. Threads are running on return.
  static absl::StatusOr<std::unique_ptr<LoopPool>> create(size_t count = 0);
  // stop() and then the loops themselves.
  ~LoopPool();
  LoopPool(const LoopPool&) = delete;
  LoopPool& operator=(const LoopPool&) = delete;

  size_t size() const { return loops_.size(); }
  EventLoop& loop(size_t index) { return *loops_[index]; }
  // The next loop in turn. Any thread.
  EventLoop& assign() { return *loops_[next_.fetch_add(1) % loops_.size()]; }

  // Stops every loop and waits for its thread. Not from a loop's own thread. Idempotent.
  void stop();

 private:
  LoopPool() = default;

  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
  std::atomic<size_t> next_{0};
};

}  // namespace tcproctor::run
