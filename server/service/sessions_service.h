// SPDX-License-Identifier: Apache-2.0
// tcproctor.v1.Sessions: making, finding and ending sessions; what this daemon is.
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::server {

// What kinds of sessions this machine allows, found out by trying; and for each that it does not,
// what is missing.
v1::ServerInfo probe_machine();

class SessionsService final : public v1::Sessions::CallbackService {
 public:
  SessionsService(Registry& registry, v1::ServerInfo info)
      : registry_(registry), info_(std::move(info)) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  Reactor* CreateSession(Context* context, const v1::CreateSessionRequest* request,
                         v1::Session* response) override;
  Reactor* GetSession(Context* context, const v1::GetSessionRequest* request,
                      v1::Session* response) override;
  Reactor* ListSessions(Context* context, const v1::ListSessionsRequest* request,
                        v1::ListSessionsResponse* response) override;
  Reactor* RenewLease(Context* context, const v1::RenewLeaseRequest* request,
                      v1::Session* response) override;
  Reactor* ResetSession(Context* context, const v1::ResetSessionRequest* request,
                        v1::Session* response) override;
  Reactor* DeleteSession(Context* context, const v1::DeleteSessionRequest* request,
                         v1::DeleteSessionResponse* response) override;
  Reactor* GetServerInfo(Context* context, const v1::GetServerInfoRequest* request,
                         v1::ServerInfo* response) override;

 private:
  Registry& registry_;
  const v1::ServerInfo info_;
};

}  // namespace tcproctor::server
