// SPDX-License-Identifier: Apache-2.0
#include "server/service/sessions_service.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "server/host/namespace_broker.h"
#include "server/service/unary_call.h"

namespace tcproctor::server {
namespace {

// The answers of several loops.
struct Gathering {
  std::mutex mutex;
  std::vector<std::optional<v1::Session>> sessions;
  size_t missing = 0;
};

}  // namespace

grpc::ServerUnaryReactor* SessionsService::CreateSession(grpc::CallbackServerContext* context,
                                                         const v1::CreateSessionRequest* request,
                                                         v1::Session* response) {
  const absl::StatusOr<Caller> caller = gate_.caller(*context);
  if (!caller.ok()) return finish_now(context, caller.status());
  v1::CreateSessionRequest wanted = *request;
  if (wanted.request_id().empty()) wanted.set_request_id(Gate::request_id(*context));
  auto* const call = new PlainCall();
  gate_.registry().create(wanted, *caller, false,
                          [call, response](absl::StatusOr<Registry::Created> created) {
                            if (created.ok()) *response = std::move(created->description);
                            call->Finish(to_grpc(created.status()));
                          });
  return call;
}

grpc::ServerUnaryReactor* SessionsService::GetSession(grpc::CallbackServerContext* context,
                                                      const v1::GetSessionRequest* request,
                                                      v1::Session* response) {
  absl::StatusOr<std::shared_ptr<Session>> session = gate_.session(*context, request->session());
  if (!session.ok()) return finish_now(context, session.status());
  auto* const call = new UnaryCall<v1::Session>(response);
  call->run(*std::move(session), [](Session& self, Done<v1::Session> done) -> OperationId {
    done(self.describe());
    return 0;
  });
  return call;
}

grpc::ServerUnaryReactor* SessionsService::ListSessions(grpc::CallbackServerContext* context,
                                                        const v1::ListSessionsRequest*,
                                                        v1::ListSessionsResponse* response) {
  const absl::StatusOr<Caller> caller = gate_.caller(*context);
  if (!caller.ok()) return finish_now(context, caller.status());
  const std::vector<std::shared_ptr<Session>> sessions = gate_.registry().all(*caller);
  if (sessions.empty()) return finish_now(context, absl::OkStatus());
  auto* const call = new PlainCall();
  auto gathering = std::make_shared<Gathering>();
  gathering->sessions.resize(sessions.size());
  gathering->missing = sessions.size();
  auto add = [call, response, gathering](size_t index, std::optional<v1::Session> session) {
    {
      const std::lock_guard lock(gathering->mutex);
      gathering->sessions[index] = std::move(session);
      if (--gathering->missing > 0) return;
    }
    for (std::optional<v1::Session>& each : gathering->sessions) {
      if (each) *response->add_sessions() = *std::move(each);
    }
    call->Finish(grpc::Status::OK);
  };
  for (size_t i = 0; i < sessions.size(); ++i) {
    const bool posted = sessions[i]->post([add, i](Session& session) {
      add(i, session.alive() ? std::optional(session.describe()) : std::nullopt);
    });
    if (!posted) add(i, std::nullopt);
  }
  return call;
}

grpc::ServerUnaryReactor* SessionsService::RenewLease(grpc::CallbackServerContext* context,
                                                      const v1::RenewLeaseRequest* request,
                                                      v1::Session* response) {
  absl::StatusOr<std::shared_ptr<Session>> session = gate_.session(*context, request->session());
  if (!session.ok()) return finish_now(context, session.status());
  auto* const call = new UnaryCall<v1::Session>(response);
  call->run(*std::move(session), [request](Session& self, Done<v1::Session> done) -> OperationId {
    const absl::Status status = self.renew(*request);
    if (status.ok()) {
      done(self.describe());
    } else {
      done(status);
    }
    return 0;
  });
  return call;
}

grpc::ServerUnaryReactor* SessionsService::ResetSession(grpc::CallbackServerContext* context,
                                                        const v1::ResetSessionRequest* request,
                                                        v1::Session* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::reset);
}

grpc::ServerUnaryReactor* SessionsService::DeleteSession(grpc::CallbackServerContext* context,
                                                         const v1::DeleteSessionRequest* request,
                                                         v1::DeleteSessionResponse*) {
  const absl::StatusOr<Caller> caller = gate_.caller(*context);
  if (!caller.ok()) return finish_now(context, caller.status());
  const std::string request_id = Gate::request_id(*context);
  Registry& registry = gate_.registry();
  const absl::StatusOr<std::shared_ptr<Session>> session =
      registry.find(request->session(), *caller);
  absl::Status status = check_request_id(request_id);
  if (status.ok()) status = session.status();
  if (absl::IsNotFound(status) && registry.removed_by(request->session(), *caller, request_id)) {
    return finish_now(context, absl::OkStatus());
  }
  if (!status.ok()) return finish_now(context, status);
  auto* const call = new PlainCall();
  registry.remove(
      *session, session_deleted((*session)->id()), [call] { call->Finish(grpc::Status::OK); },
      request_id);
  return call;
}

grpc::ServerUnaryReactor* SessionsService::GetEnvironment(grpc::CallbackServerContext* context,
                                                          const v1::GetEnvironmentRequest* request,
                                                          v1::Environment* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::environment);
}

grpc::ServerUnaryReactor* SessionsService::GetServerInfo(grpc::CallbackServerContext* context,
                                                         const v1::GetServerInfoRequest*,
                                                         v1::ServerInfo* response) {
  *response = info_;
  if (const absl::Status broker = namespace_broker_status(); !broker.ok()) {
    for (const char* of_the_machine : {"end.kernel", "link.veth", "link.tun", "link.interface"}) {
      auto& can = *response->mutable_capabilities();
      can.erase(std::remove(can.begin(), can.end(), of_the_machine), can.end());
      (*response->mutable_missing())[of_the_machine] = std::string(broker.message());
    }
  }
  return finish_now(context, absl::OkStatus());
}

}  // namespace tcproctor::server
