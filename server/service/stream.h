// SPDX-License-Identifier: Apache-2.0
// A server stream fed from a session's loop.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>

#include "server/service/out_queue.h"
#include "server/service/unary.h"

namespace tcproctor::server {

// Owned by gRPC: deletes itself in OnDone. The loop's side may use it until it has called close().
template <class Response>
class StreamCall : public grpc::ServerWriteReactor<Response> {
 public:
  // `on_drained`: everything queued was written. `on_cancel`: the client went away; close() must
  // follow. Both are called on gRPC's threads.
  StreamCall(std::function<void()> on_drained, std::function<void()> on_cancel)
      : on_drained_(std::move(on_drained)), on_cancel_(std::move(on_cancel)) {}

  bool send(Response message) { return queue_.push(std::move(message)); }
  void close(grpc::Status status) { queue_.close(std::move(status)); }
  size_t queued() { return queue_.queued(); }

  void OnWriteDone(bool ok) override {
    if (queue_.on_write_done(ok)) on_drained_();
  }
  void OnCancel() override { on_cancel_(); }
  void OnDone() override { delete this; }

 private:
  const std::function<void()> on_drained_;
  const std::function<void()> on_cancel_;
  OutQueue<Response> queue_{[this](const Response* message) { this->StartWrite(message); },
                            [this](const grpc::Status& status) { this->Finish(status); }};
};

template <class Response>
grpc::ServerWriteReactor<Response>* refuse_stream(const absl::Status& status) {
  auto* call = new StreamCall<Response>([] {}, [] {});
  call->close(to_grpc(status));
  return call;
}

}  // namespace tcproctor::server
