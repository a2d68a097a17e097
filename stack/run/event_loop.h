// SPDX-License-Identifier: Apache-2.0
// One thread's event loop over epoll: descriptors, timers on CLOCK_MONOTONIC, and closures posted
// from other threads. It sleeps when there is nothing to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/run/clock.h"
#include "stack/run/timer_queue.h"

namespace tcproctor::run {

// What a descriptor is watched for, and what it turned out to be.
struct Readiness {
  bool readable = false;
  bool writable = false;
  // Only reported (epoll reports it whether asked for or not): error or hang-up on the descriptor.
  bool error = false;
};

// post(), stop() and in_loop_thread() may be called from any thread. Everything else belongs to the
// loop's thread: the one in run(), or the owner's before run() was called and after it returned.
class EventLoop {
 public:
  // INTERNAL when the kernel gives no descriptor.
  static absl::StatusOr<std::unique_ptr<EventLoop>> create();
  // Drops what was never run. The loop must not be running.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Serves until stop(). Every task for which post() said true has been run when it returns.
  void run();
  void stop();

  // Runs `task` in the loop's thread, in the order of posting. False after stop(): the task was
  // dropped unrun.
  bool post(Task task);
  bool in_loop_thread() const { return std::this_thread::get_id() == thread_.load(); }

  // Calls `on_ready` (level-triggered) while `fd` is ready as wanted. One watch per descriptor:
  // ALREADY_EXISTS; INVALID_ARGUMENT for a descriptor that epoll cannot watch. The descriptor stays
  // the caller's, who must unwatch() before closing it. A watch that wants nothing is only told of
  // errors.
  using ReadyCallback = absl::AnyInvocable<void(Readiness)>;
  absl::Status watch(int fd, Readiness wanted, ReadyCallback on_ready);
  // NOT_FOUND when `fd` is not watched.
  absl::Status change_watch(int fd, Readiness wanted);
  // From here on its callback is not called any more; may be called from within that callback.
  void unwatch(int fd);

  // Never sleeps: what becomes ready is served at once instead of after a wake-up (tens of
  // microseconds), at the price of a whole core. Off unless asked for.
  void set_busy_poll(bool on) { busy_poll_ = on; }

  // Precision is that of timerfd (well under 1 ms on an idle machine); never early.
  TimerId schedule(SteadyTime when, Task task) { return timers_.schedule(when, std::move(task)); }
  bool cancel(TimerId id) { return timers_.cancel(id); }

 private:
  struct Watch {
    uint32_t serial;  // tells a watch from an earlier one on the same descriptor number
    ReadyCallback on_ready;
  };
  EventLoop(int epoll_fd, int wake_fd, int timer_fd);

  void run_due_timers();
  void run_posted();
  void arm_timer();
  void wait_and_dispatch();
  bool work_pending();
  void wake() const;

  const int epoll_fd_;
  const int wake_fd_;   // eventfd
  const int timer_fd_;  // timerfd
  std::atomic<std::thread::id> thread_{};
  bool busy_poll_ = false;

  TimerQueue<SteadyTime> timers_;
  std::optional<SteadyTime> armed_;
  // Looked up by descriptor, never iterated. Shared: a callback may unwatch itself while it runs.
  absl::flat_hash_map<int, std::shared_ptr<Watch>> watches_;
  uint32_t next_serial_ = 1;
  std::vector<Task> running_;  // swapped with posted_, keeps its capacity

  // std::mutex, not absl::Mutex: Debian's Abseil is not instrumented for ThreadSanitizer.
  std::mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tcproctor::run
