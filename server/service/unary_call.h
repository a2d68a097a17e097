// SPDX-License-Identifier: Apache-2.0
// A unary RPC that names a session: finds it, carries the call out on the session's loop, and
// answers when the loop does. A client that vanishes gives its operation up.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "server/service/gate.h"
#include "server/service/grpc_status.h"
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
      if (state->answered) return;
      // Others may wait for the same.
      if (state->entered) state->operation = session.requests().leave(state->request_id);
      if (state->operation != 0) session.cancel(state->operation);
    });
  }

  using Begin = absl::AnyInvocable<OperationId(Session&, Done<Response>)>;

  // `begin` carries the call out on the loop and returns what the session's method returned.
  void run(std::shared_ptr<Session> session, Begin begin) {
    start(std::move(session), [this, begin = std::move(begin)](Session& self) mutable {
      const std::shared_ptr<State> state = state_;
      const OperationId operation = begin(self, [this, state](absl::StatusOr<Response> response) {
        answer(*state, std::move(response));
      });
      // From here on `this` may be gone.
      state->operation = operation;
      if (state->cancelled && !state->answered && operation != 0) self.cancel(operation);
    });
  }

  // The same for a call that has a request id: it is carried out unless it was before.
  // `request` lives as long as the call.
  void run_once(const std::shared_ptr<Session>& session, const std::string& request_id,
                const google::protobuf::Message* request, Begin begin) {
    state_->request_id = request_id;
    start(session, [this, request, begin = std::move(begin)](Session& self) mutable {
      const std::shared_ptr<State> state = state_;
      if (state->cancelled) return answer(*state, absl::CancelledError("given up"));
      const absl::StatusOr<bool> is_new = self.requests().enter(
          state->request_id, *request,
          [this, state](const RequestBook::Answer& first) { answer_from(*state, first); });
      if (!is_new.ok()) return answer(*state, is_new.status());
      state->entered = true;
      if (!*is_new) return;
      // From here on `this` may be gone.
      const OperationId operation = begin(self, [session = state->session, id = state->request_id](
                                                    absl::StatusOr<Response> response) {
        session->requests().answer(id, kept(std::move(response)));
      });
      self.requests().set_operation(state->request_id, operation);
    });
  }

 private:
  // Outlives the reactor: a late cancellation must find something. All but `session` belongs to the
  // loop's thread.
  struct State {
    std::shared_ptr<Session> session;
    std::string request_id;  // empty: none
    bool entered = false;    // it is in the session's book
    OperationId operation = 0;
    bool answered = false;
    bool cancelled = false;
  };

  // `work` on the loop, if the session takes calls.
  void start(const std::shared_ptr<Session>& session, absl::AnyInvocable<void(Session&)> work) {
    state_->session = session;
    const bool posted = state_->session->post(
        [this, state = state_, work = std::move(work)](Session& self) mutable {
          const absl::Status status = self.begin_call();
          if (!status.ok()) return answer(*state, status);
          work(self);
          if (self.alive()) self.settle();
        });
    if (!posted) Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon is shutting down"));
  }

  static RequestBook::Answer kept(absl::StatusOr<Response> response) {
    if (!response.ok()) return response.status();
    return std::make_shared<const Response>(*std::move(response));
  }
  void answer_from(State& state, const RequestBook::Answer& first) {
    if (!first.ok()) return answer(state, first.status());
    // The request was the same, so the answer is of this type.
    answer(state, static_cast<const Response&>(**first));
  }

  void answer(State& state, absl::StatusOr<Response> response) {
    state.answered = true;
    if (response.ok()) *response_ = std::move(*response);
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
grpc::ServerUnaryReactor* call_session(grpc::CallbackServerContext* context, const Gate& gate,
                                       const std::string& session_id, const Request* request,
                                       Response* response,
                                       OperationId (Session::*method)(const Request&,
                                                                      Done<Response>)) {
  absl::StatusOr<std::shared_ptr<Session>> session = gate.session(*context, session_id);
  if (!session.ok()) return finish_now(context, session.status());
  auto* const call = new UnaryCall<Response>(response);
  // The request lives as long as the call.
  auto begin = [request, method](Session& self, Done<Response> done) {
    return (self.*method)(*request, std::move(done));
  };
  std::string request_id = Gate::request_id(*context);
  if (request_id.empty()) {
    call->run(*std::move(session), begin);
  } else {
    call->run_once(*std::move(session), std::move(request_id), request, begin);
  }
  return call;
}

}  // namespace tcproctor::server
