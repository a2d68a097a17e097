// SPDX-License-Identifier: Apache-2.0
#include "stack/run/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "stack/tcp/check.h"

namespace tcproctor::run {
namespace {

// Timers and posted tasks get their turn after this many descriptors.
constexpr int kMaxEvents = 64;

uint32_t epoll_events(Readiness wanted) {
  return (wanted.readable ? static_cast<uint32_t>(EPOLLIN) | EPOLLRDHUP : 0u) |
         (wanted.writable ? static_cast<uint32_t>(EPOLLOUT) : 0u);
}

Readiness readiness(uint32_t events) {
  return {.readable = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0,
          .writable = (events & EPOLLOUT) != 0,
          .error = (events & (EPOLLERR | EPOLLHUP)) != 0};
}

bool control(int epoll_fd, int operation, int fd, uint32_t events, uint32_t serial) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(serial) << 32 | static_cast<uint32_t>(fd);
  return epoll_ctl(epoll_fd, operation, fd, &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::create() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const bool ok = epoll_fd >= 0 && wake_fd >= 0 && timer_fd >= 0 &&
                  control(epoll_fd, EPOLL_CTL_ADD, wake_fd, EPOLLIN, 0) &&
                  control(epoll_fd, EPOLL_CTL_ADD, timer_fd, EPOLLIN, 0);
  if (!ok) {
    const absl::Status status = absl::InternalError(absl::StrCat(
        "event loop: cannot create epoll, eventfd or timerfd: ", std::strerror(errno)));
    for (const int fd : {epoll_fd, wake_fd, timer_fd}) {
      if (fd >= 0) close(fd);
    }
    return status;
  }
  return std::unique_ptr<EventLoop>(new EventLoop(epoll_fd, wake_fd, timer_fd));
}

EventLoop::EventLoop(int epoll_fd, int wake_fd, int timer_fd)
    : epoll_fd_(epoll_fd), wake_fd_(wake_fd), timer_fd_(timer_fd) {}

EventLoop::~EventLoop() {
  TCPROCTOR_CHECK(thread_.load() == std::thread::id());
  timers_.clear();
  watches_.clear();
  close(timer_fd_);
  close(wake_fd_);
  close(epoll_fd_);
}

void EventLoop::run() {
  thread_ = std::this_thread::get_id();
  for (;;) {
    run_due_timers();
    run_posted();
    {
      const std::lock_guard lock(mutex_);
      // post() refuses from stop() on, so an empty queue stays empty.
      if (stopped_ && posted_.empty()) break;
    }
    wait_and_dispatch();
  }
  thread_ = std::thread::id();
}

void EventLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake();
}

bool EventLoop::post(Task task) {
  bool was_empty;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    was_empty = posted_.empty();
    posted_.push_back(std::move(task));
  }
  // Whoever made the queue non-empty has woken the loop already.
  if (was_empty && !in_loop_thread()) wake();
  return true;
}

void EventLoop::wake() const {
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so the loop will wake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

absl::Status EventLoop::watch(int fd, Readiness wanted, ReadyCallback on_ready) {
  if (watches_.contains(fd)) {
    return absl::AlreadyExistsError(absl::StrCat("descriptor ", fd, " is already watched"));
  }
  const uint32_t serial = next_serial_++;
  if (!control(epoll_fd_, EPOLL_CTL_ADD, fd, epoll_events(wanted), serial)) {
    return absl::InvalidArgumentError(
        absl::StrCat("descriptor ", fd, " cannot be watched: ", std::strerror(errno)));
  }
  watches_[fd] = std::make_shared<Watch>(Watch{serial, std::move(on_ready)});
  return absl::OkStatus();
}

absl::Status EventLoop::change_watch(int fd, Readiness wanted) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) {
    return absl::NotFoundError(absl::StrCat("descriptor ", fd, " is not watched"));
  }
  if (!control(epoll_fd_, EPOLL_CTL_MOD, fd, epoll_events(wanted), it->second->serial)) {
    return absl::InvalidArgumentError(
        absl::StrCat("descriptor ", fd, " cannot be watched: ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

void EventLoop::unwatch(int fd) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) return;
  watches_.erase(it);
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::run_due_timers() {
  // One reading of the clock: a timer that reschedules itself for "now" does not keep the rest out.
  const SteadyTime now = steady_now();
  for (size_t budget = timers_.size(); budget > 0; --budget) {
    if (!timers_.run_one(now)) break;
  }
}

void EventLoop::run_posted() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (Task& task : running_) {
    task();
    task = nullptr;  // its captures go before the next task runs
  }
  running_.clear();
}

bool EventLoop::work_pending() {
  const std::lock_guard lock(mutex_);
  return stopped_ || !posted_.empty();
}

void EventLoop::arm_timer() {
  const std::optional<SteadyTime> next = timers_.next();
  if (next == armed_) return;
  itimerspec spec{};
  if (next) {
    // 0 would disarm; a moment in the past fires at once.
    const auto ns = std::max<int64_t>(next->time_since_epoch().count(), 1);
    spec.it_value.tv_sec = ns / 1'000'000'000;
    spec.it_value.tv_nsec = ns % 1'000'000'000;
  }
  TCPROCTOR_CHECK(timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  armed_ = next;
}

void EventLoop::wait_and_dispatch() {
  const std::optional<SteadyTime> next = timers_.next();
  const bool due = next && *next <= steady_now();
  if (!due && !busy_poll_) arm_timer();
  std::array<epoll_event, kMaxEvents> events;
  const int timeout = busy_poll_ || due || work_pending() ? 0 : -1;
  const int count = epoll_wait(epoll_fd_, events.data(), kMaxEvents, timeout);
  TCPROCTOR_CHECK(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events[static_cast<size_t>(i)].data.u64;
    const int fd = static_cast<int>(static_cast<uint32_t>(data));
    if (fd == wake_fd_ || fd == timer_fd_) {
      uint64_t ignored;
      [[maybe_unused]] const ssize_t drained = read(fd, &ignored, sizeof ignored);
      if (fd == timer_fd_) armed_.reset();
      continue;
    }
    const auto it = watches_.find(fd);
    // An earlier callback of this round may have ended this watch, or put another in its place.
    if (it == watches_.end() || it->second->serial != static_cast<uint32_t>(data >> 32)) continue;
    const std::shared_ptr<Watch> watch = it->second;
    watch->on_ready(readiness(events[static_cast<size_t>(i)].events));
  }
}

}  // namespace tcproctor::run
