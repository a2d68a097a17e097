// SPDX-License-Identifier: Apache-2.0
// A unary RPC that names a session: finds it, carries the call out on the session's loop, and
// answers when the loop does. A client that vanishes gives its operation up.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "server/service/grpc_status.h"
#include "server/session/registry.h"
#include "server/session/session.h"

namespace tcproctor::server {

template <class Response>
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(Response* response) : response_(response) {}

  void OnDone() override { delete this; }
  void OnCancel() override {
    state_->session->post([state = state_](Session& session) {
      state->cancelled = true;
      if (!state->answered && state->operation != 0) session.cancel(state->operation);
    });
  }

  // `begin` carries the call out on the loop and returns what the session's method returned.
  void run(std::shared_ptr<Session> session,
           absl::AnyInvocable<OperationId(Session&, Done<Response>)> begin) {
    state_->session = std::move(session);
    const bool posted = state_->session->post([this, state = state_,
                                               begin = std::move(begin)](Session& self) mutable {
      const absl::Status status = self.begin_call();
      if (!status.ok()) return answer(*state, status);
      const OperationId operation = begin(self, [this, state](absl::StatusOr<Response> response) {
        answer(*state, std::move(response));
      });
      // From here on `this` may be gone.
      state->operation = operation;
      if (state->cancelled && !state->answered && operation != 0) self.cancel(operation);
      if (self.alive()) self.settle();
    });
    if (!posted) Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon is shutting down"));
  }

 private:
  // Outlives the reactor: a late cancellation must find something. All but `session` belongs to the
  // loop's thread.
  struct State {
    std::shared_ptr<Session> session;
    OperationId operation = 0;
    bool answered = false;
    bool cancelled = false;
  };

  void answer(State& state, absl::StatusOr<Response> response) {
    state.answered = true;
    if (response.ok()) *response_ = *std::move(response);
    Finish(to_grpc(response.status()));
  }

  Response* const response_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A unary RPC that is answered by somebody else's callback, and cannot be given up.
class PlainCall final : public grpc::ServerUnaryReactor {
 public:
  void OnDone() override { delete this; }
};

// An answer that is known at once.
inline grpc::ServerUnaryReactor* finish_now(grpc::CallbackServerContext* context,
                                            const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(to_grpc(status));
  return reactor;
}

template <class Request, class Response>
grpc::ServerUnaryReactor* call_session(grpc::CallbackServerContext* context,
                                       const Registry& registry, const std::string& session_id,
                                       const Request* request, Response* response,
                                       OperationId (Session::*method)(const Request&,
                                                                      Done<Response>)) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry.find(session_id);
  if (!session.ok()) return finish_now(context, session.status());
  auto* const call = new UnaryCall<Response>(response);
  // The request lives as long as the call.
  call->run(*std::move(session), [request, method](Session& self, Done<Response> done) {
    return (self.*method)(*request, std::move(done));
  });
  return call;
}

}  // namespace tcproctor::server
