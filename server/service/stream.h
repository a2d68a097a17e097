// SPDX-License-Identifier: Apache-2.0
// A server stream fed from a session's loop. Messages are queued by the loop and written by gRPC
// one after another; a client that does not read makes the queue grow to its limit, and is cut off
// then.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/service/unary.h"

namespace tcproctor::server {

// Owned by gRPC: deletes itself in OnDone. The loop side holds it through `hold()` and may use it
// until it has called close().
template <class Response>
class StreamCall : public grpc::ServerWriteReactor<Response> {
 public:
  static constexpr size_t kMaxQueued = 10'000;

  // `on_drained`: everything queued was written. `on_cancel`: the client went away; close() must
  // follow. Both are called on gRPC's threads.
  StreamCall(std::function<void()> on_drained, std::function<void()> on_cancel)
      : on_drained_(std::move(on_drained)), on_cancel_(std::move(on_cancel)) {}

  // False: the queue is full, nothing was taken.
  bool send(Response message) {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= kMaxQueued) return false;
    queue_.push_back(std::move(message));
    if (!writing_) write_next();
    return true;
  }

  // Ends the stream when what is queued has been written. Once.
  void close(grpc::Status status) {
    std::unique_lock lock(mutex_);
    closing_ = true;
    final_status_ = std::move(status);
    if (!writing_) finish(lock);
  }

  size_t queued() {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) queue_.clear();
    if (!queue_.empty()) {
      write_next();
    } else if (closing_) {
      finish(lock);
    } else {
      lock.unlock();
      on_drained_();
    }
  }
  void OnCancel() override { on_cancel_(); }
  void OnDone() override { delete this; }

 private:
  void write_next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    this->StartWrite(&queue_.front());
  }
  // The reactor may be deleted as soon as Finish is called, so the lock goes first.
  void finish(std::unique_lock<std::mutex>& lock) {
    grpc::Status status = final_status_;
    lock.unlock();
    this->Finish(status);
  }

  const std::function<void()> on_drained_;
  const std::function<void()> on_cancel_;
  std::mutex mutex_;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status final_status_ ABSL_GUARDED_BY(mutex_);
};

template <class Response>
grpc::ServerWriteReactor<Response>* refuse_stream(const absl::Status& status) {
  auto* call = new StreamCall<Response>([] {}, [] {});
  call->close(to_grpc(status));
  return call;
}

}  // namespace tcproctor::server
