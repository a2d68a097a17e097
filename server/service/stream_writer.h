// SPDX-License-Identifier: Apache-2.0
// The server's half of a streaming RPC: messages are queued from any thread and written one after
// the other.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/service/grpc_status.h"

namespace tcproctor::server {

template <class Message>
class StreamWriter final : public grpc::ServerWriteReactor<Message> {
 public:
  // Owns itself until the RPC is over; whoever pushes holds a share as well.
  static std::shared_ptr<StreamWriter> create() {
    std::shared_ptr<StreamWriter> writer(new StreamWriter());
    writer->self_ = writer;
    return writer;
  }

  // Called on a gRPC thread: everything queued was written; the client is gone. Set before the
  // service's method returns.
  void set_on_drained(std::function<void()> callback) { on_drained_ = std::move(callback); }
  void set_on_cancelled(std::function<void()> callback) { on_cancelled_ = std::move(callback); }

  // False when the stream is over.
  bool push(Message message) {
    const std::lock_guard lock(mutex_);
    if (finishing_ || broken_) return false;
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) this->StartWrite(&queue_.front());
    return true;
  }
  // After what is queued. Only the first call counts.
  void finish(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    finishing_ = to_grpc(status);
    if (queue_.empty()) this->Finish(*finishing_);
  }
  size_t queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

  void OnWriteDone(bool ok) override {
    bool drained = false;
    {
      const std::lock_guard lock(mutex_);
      queue_.pop_front();
      if (!ok) {
        broken_ = true;
        queue_.clear();
        if (!finishing_) finishing_ = grpc::Status::CANCELLED;
      }
      if (!queue_.empty()) {
        this->StartWrite(&queue_.front());
      } else if (finishing_) {
        this->Finish(*finishing_);
      } else {
        drained = true;
      }
    }
    if (drained && on_drained_) on_drained_();
  }
  void OnCancel() override {
    if (on_cancelled_) on_cancelled_();
    finish(absl::CancelledError("the client gave the call up"));
  }
  void OnDone() override {
    // They may hold what holds this.
    on_drained_ = nullptr;
    on_cancelled_ = nullptr;
    const std::shared_ptr<StreamWriter> last = std::move(self_);
  }

 private:
  StreamWriter() = default;

  mutable std::mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);  // the first is being written
  std::optional<grpc::Status> finishing_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> on_drained_;
  std::function<void()> on_cancelled_;
  std::shared_ptr<StreamWriter> self_;
};

}  // namespace tcproctor::server
