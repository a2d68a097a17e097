// SPDX-License-Identifier: Apache-2.0
// tcproctor.v1.Endpoint: the user/TCP interface, delegated to the session.
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/endpoint.grpc.pb.h"

namespace tcproctor::server {

class EndpointService final : public v1::Endpoint::CallbackService {
 public:
  explicit EndpointService(Registry& registry) : registry_(registry) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  Reactor* Open(Context* context, const v1::OpenRequest* request,
                v1::OpenResponse* response) override;
  Reactor* Accept(Context* context, const v1::AcceptRequest* request,
                  v1::AcceptResponse* response) override;
  Reactor* Send(Context* context, const v1::SendRequest* request,
                v1::SendResponse* response) override;
  Reactor* Receive(Context* context, const v1::ReceiveRequest* request,
                   v1::ReceiveResponse* response) override;
  Reactor* Close(Context* context, const v1::CloseRequest* request,
                 v1::CallResponse* response) override;
  Reactor* Release(Context* context, const v1::ReleaseRequest* request,
                   v1::CallResponse* response) override;
  Reactor* Abort(Context* context, const v1::AbortRequest* request,
                 v1::CallResponse* response) override;
  Reactor* Status(Context* context, const v1::StatusRequest* request,
                  v1::ConnectionStatus* response) override;
  Reactor* List(Context* context, const v1::ListRequest* request,
                v1::ListResponse* response) override;
  Reactor* GetOptions(Context* context, const v1::GetOptionsRequest* request,
                      v1::ConnectionOptions* response) override;
  Reactor* SetOptions(Context* context, const v1::SetOptionsRequest* request,
                      v1::ConnectionOptions* response) override;
  Reactor* WaitState(Context* context, const v1::WaitStateRequest* request,
                     v1::WaitStateResponse* response) override;
  Reactor* Serve(Context* context, const v1::ServeRequest* request,
                 v1::ServeResponse* response) override;
  Reactor* Traffic(Context* context, const v1::TrafficRequest* request,
                   v1::TrafficResponse* response) override;
  grpc::ServerWriteReactor<v1::ConnectionEvent>* Watch(Context* context,
                                                       const v1::WatchRequest* request) override;

 private:
  Registry& registry_;
};

}  // namespace tcproctor::server
