// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/service/gate.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::server {

class SessionsService final : public v1::Sessions::CallbackService {
 public:
  // `gate` must outlive the service.
  SessionsService(const Gate& gate, v1::ServerInfo info) : gate_(gate), info_(std::move(info)) {}

  grpc::ServerUnaryReactor* CreateSession(grpc::CallbackServerContext* context,
                                          const v1::CreateSessionRequest* request,
                                          v1::Session* response) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const v1::GetSessionRequest* request,
                                       v1::Session* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const v1::ListSessionsRequest* request,
                                         v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* RenewLease(grpc::CallbackServerContext* context,
                                       const v1::RenewLeaseRequest* request,
                                       v1::Session* response) override;
  grpc::ServerUnaryReactor* ResetSession(grpc::CallbackServerContext* context,
                                         const v1::ResetSessionRequest* request,
                                         v1::Session* response) override;
  grpc::ServerUnaryReactor* DeleteSession(grpc::CallbackServerContext* context,
                                          const v1::DeleteSessionRequest* request,
                                          v1::DeleteSessionResponse* response) override;
  grpc::ServerUnaryReactor* GetEnvironment(grpc::CallbackServerContext* context,
                                           const v1::GetEnvironmentRequest* request,
                                           v1::Environment* response) override;
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;

 private:
  const Gate& gate_;
  const v1::ServerInfo info_;
};

}  // namespace tcproctor::server
