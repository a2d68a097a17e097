// SPDX-License-Identifier: Apache-2.0
// Messages on their way to a client: queued from any thread, written by gRPC one after another,
// ended once. A client that does not read makes the queue grow to its limit, and no further.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace tcproctor::server {

template <class Message>
class OutQueue {
 public:
  static constexpr size_t kMaxQueued = 10'000;

  // `start_write` and `finish` are the reactor's; the reactor may be gone when `finish` returns.
  OutQueue(std::function<void(const Message*)> start_write,
           std::function<void(const grpc::Status&)> finish)
      : start_write_(std::move(start_write)), finish_(std::move(finish)) {}

  // False: the queue is full, nothing was taken. After close() messages are dropped.
  bool push(Message message) {
    std::lock_guard lock(mutex_);
    if (closing_) return true;
    if (queue_.size() >= kMaxQueued) return false;
    queue_.push_back(std::move(message));
    if (!writing_) write_next();
    return true;
  }

  // Ends the call when what is queued has been written. The first one counts.
  void close(grpc::Status status) {
    std::unique_lock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    final_status_ = std::move(status);
    if (!writing_) end(lock);
  }

  size_t queued() {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

  // From the reactor's OnWriteDone. True: everything queued was written and the call goes on.
  bool on_write_done(bool ok) {
    std::unique_lock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) queue_.clear();
    if (!queue_.empty()) {
      write_next();
      return false;
    }
    if (!closing_) return true;
    end(lock);
    return false;
  }

 private:
  void write_next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    start_write_(&queue_.front());
  }
  void end(std::unique_lock<std::mutex>& lock) {
    const grpc::Status status = final_status_;
    const std::function<void(const grpc::Status&)> finish = finish_;
    lock.unlock();
    finish(status);
  }

  const std::function<void(const Message*)> start_write_;
  const std::function<void(const grpc::Status&)> finish_;
  std::mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status final_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tcproctor::server
