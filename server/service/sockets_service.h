// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/service/gate.h"
#include "tcproctor/v1/sockets.grpc.pb.h"

namespace tcproctor::server {

class SocketsService final : public v1::Sockets::CallbackService {
 public:
  // `gate` must outlive the service.
  explicit SocketsService(const Gate& gate) : gate_(gate) {}

  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context,
                                 const v1::SocketCallRequest* request,
                                 v1::SocketCallResponse* response) override;

 private:
  const Gate& gate_;
};

}  // namespace tcproctor::server
