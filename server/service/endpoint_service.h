// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/service/gate.h"
#include "tcproctor/v1/endpoint.grpc.pb.h"

namespace tcproctor::server {

class EndpointService final : public v1::Endpoint::CallbackService {
 public:
  // `gate` must outlive the service.
  explicit EndpointService(const Gate& gate) : gate_(gate) {}

  grpc::ServerUnaryReactor* Open(grpc::CallbackServerContext* context,
                                 const v1::OpenRequest* request,
                                 v1::OpenResponse* response) override;
  grpc::ServerUnaryReactor* Accept(grpc::CallbackServerContext* context,
                                   const v1::AcceptRequest* request,
                                   v1::AcceptResponse* response) override;
  grpc::ServerUnaryReactor* Send(grpc::CallbackServerContext* context,
                                 const v1::SendRequest* request,
                                 v1::SendResponse* response) override;
  grpc::ServerUnaryReactor* Receive(grpc::CallbackServerContext* context,
                                    const v1::ReceiveRequest* request,
                                    v1::ReceiveResponse* response) override;
  grpc::ServerUnaryReactor* Close(grpc::CallbackServerContext* context,
                                  const v1::CloseRequest* request,
                                  v1::CallResponse* response) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context,
                                    const v1::ReleaseRequest* request,
                                    v1::CallResponse* response) override;
  grpc::ServerUnaryReactor* Abort(grpc::CallbackServerContext* context,
                                  const v1::AbortRequest* request,
                                  v1::CallResponse* response) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const v1::StatusRequest* request,
                                   v1::ConnectionStatus* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest* request,
                                 v1::ListResponse* response) override;
  grpc::ServerUnaryReactor* GetOptions(grpc::CallbackServerContext* context,
                                       const v1::GetOptionsRequest* request,
                                       v1::ConnectionOptions* response) override;
  grpc::ServerUnaryReactor* SetOptions(grpc::CallbackServerContext* context,
                                       const v1::SetOptionsRequest* request,
                                       v1::ConnectionOptions* response) override;
  grpc::ServerWriteReactor<v1::ConnectionEvent>* Watch(grpc::CallbackServerContext* context,
                                                       const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* WaitState(grpc::CallbackServerContext* context,
                                      const v1::WaitStateRequest* request,
                                      v1::WaitStateResponse* response) override;
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context,
                                  const v1::ServeRequest* request,
                                  v1::ServeResponse* response) override;
  grpc::ServerUnaryReactor* Traffic(grpc::CallbackServerContext* context,
                                    const v1::TrafficRequest* request,
                                    v1::TrafficResponse* response) override;

 private:
  const Gate& gate_;
};

}  // namespace tcproctor::server
