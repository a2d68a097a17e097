// SPDX-License-Identifier: Apache-2.0
// The way of every unary call: find the session, go to its loop, call its method, answer when the
// method answers. Cancellation and deadline of the RPC give the waiting operation up.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/session/registry.h"
#include "server/session/session.h"

namespace tcproctor::server {

// The canonical codes of both have the same numbers.
inline grpc::Status to_grpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()));
}

// A reactor that gives up its operation when the RPC is cancelled or its deadline passes. It lives
// until finished, and is finished exactly once: by the operation's answer.
class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(std::shared_ptr<Session> session)
      : state_(std::make_shared<State>(State{std::move(session)})) {}

  void OnCancel() override {
    // The reactor may be gone when the loop gets here; the state is not.
    if (!state_->session) return;
    (void)state_->session->post([state = state_](Session& session) {
      state->cancelled = true;
      if (state->operation != 0) session.cancel(state->operation);
    });
  }
  void OnDone() override { delete this; }

  template <class Response>
  void answer(Response* response, absl::StatusOr<Response> result) {
    if (result.ok()) *response = *std::move(result);
    Finish(to_grpc(result.status()));
  }

 private:
  // Belongs to the loop's thread, but for `session`, which never changes.
  struct State {
    std::shared_ptr<Session> session;
    OperationId operation = 0;
    bool cancelled = false;
  };

 public:
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  const std::shared_ptr<State> state_;
};

inline grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* context,
                                        const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(to_grpc(status));
  return reactor;
}

// `method` is one of Session's calls. `request` and `response` live as long as the RPC.
template <class Request, class Response>
grpc::ServerUnaryReactor* call_session(Registry& registry, grpc::CallbackServerContext* context,
                                       const std::string& session_id, const Request* request,
                                       Response* response,
                                       OperationId (Session::*method)(const Request&,
                                                                      Done<Response>)) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry.find(session_id);
  if (!session.ok()) return refuse(context, session.status());
  auto* call = new UnaryCall(*session);
  const bool posted = (*session)->post([=, state = call->state()](Session& live) {
    if (absl::Status status = live.check(); !status.ok()) {
      call->Finish(to_grpc(status));
      return;
    }
    live.renew();
    state->operation = (live.*method)(*request, [call, response](absl::StatusOr<Response> result) {
      call->answer(response, std::move(result));
    });
    if (state->operation != 0 && state->cancelled) live.cancel(state->operation);
    live.settle();
  });
  if (!posted) call->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon is stopping"));
  return call;
}

}  // namespace tcproctor::server
