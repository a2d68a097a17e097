// SPDX-License-Identifier: Apache-2.0
// The loop's side of a server stream: subscribed to a session, it pushes or pulls messages into a
// StreamCall until the session ends, the client goes or there is no more.
#pragma once

#include <memory>
#include <utility>

#include "server/service/stream.h"
#include "server/session/registry.h"
#include "server/session/session.h"

namespace tcproctor::server {

template <class Response>
class SessionStream : public std::enable_shared_from_this<SessionStream<Response>> {
 public:
  explicit SessionStream(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  virtual ~SessionStream() = default;

  // Makes the reactor for gRPC and begins on the loop.
  grpc::ServerWriteReactor<Response>* start() {
    auto self = this->shared_from_this();
    call_ = new StreamCall<Response>([self] { self->post_pump(); },
                                     [self] { self->post_close(absl::CancelledError("")); });
    auto* call = call_;
    const bool posted = session_->post([self](Session& session) { self->begin(session); });
    if (!posted) call->close(to_grpc(absl::UnavailableError("the daemon is stopping")));
    return call;
  }

 protected:
  // On the loop's thread. Reads the request; an error ends the stream.
  virtual absl::Status open(Session& session) = 0;
  // Sends what there is to send now, as long as has_room(). Closes when all is sent.
  virtual void pump() {}
  virtual void on_event(const v1::ConnectionEvent&) {}

  bool has_room() { return !closed_ && call_->queued() < kQueueAhead; }
  void send(Response message) {
    if (!closed_ && !call_->send(std::move(message))) {
      close(absl::ResourceExhaustedError(
          "the client reads too slowly: 10,000 messages wait for it, the limit of a stream"));
    }
  }
  void close(const absl::Status& status) {
    if (closed_) return;
    closed_ = true;
    if (subscription_ != 0) session_->unsubscribe(subscription_);
    call_->close(to_grpc(status));
  }
  void post_pump() {
    (void)session_->post([self = this->shared_from_this()](Session&) {
      if (!self->closed_) self->pump();
    });
  }
  Session& session() { return *session_; }

 private:
  static constexpr size_t kQueueAhead = 256;

  void begin(Session& session) {
    absl::Status status = session.check();
    if (status.ok()) status = open(session);
    if (!status.ok()) {
      close(status);
      return;
    }
    session.renew();
    // The session's own iteration over its subscribers is never disturbed: all work is posted.
    subscription_ = session.subscribe({
        [self = this->shared_from_this()](const v1::ConnectionEvent& event) {
          if (!self->closed_) self->on_event(event);
        },
        [self = this->shared_from_this()] { self->post_pump(); },
        [self = this->shared_from_this()] {
          // What the stream's cursor stood in is gone.
          self->post_close(absl::AbortedError("the session was reset"));
        },
        [self = this->shared_from_this()](const absl::Status& why) { self->end(why); },
    });
    pump();
  }
  void end(const absl::Status& why) {
    subscription_ = 0;
    close(why);
  }
  void post_close(absl::Status status) {
    (void)session_->post([self = this->shared_from_this(), status = std::move(status)](Session&) {
      self->close(status);
    });
  }

  const std::shared_ptr<Session> session_;
  StreamCall<Response>* call_ = nullptr;  // gRPC's; valid until close()
  Session::SubscriptionId subscription_ = 0;
  bool closed_ = false;
};

template <class Stream, class Response, class Request>
grpc::ServerWriteReactor<Response>* start_stream(Registry& registry, const Request& request) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry.find(request.session());
  if (!session.ok()) return refuse_stream<Response>(session.status());
  return std::make_shared<Stream>(*std::move(session), request)->start();
}

}  // namespace tcproctor::server
