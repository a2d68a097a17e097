// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/sockets.grpc.pb.h"

namespace tcproctor::server {

class SocketsService final : public v1::Sockets::CallbackService {
 public:
  // `registry` must outlive the service.
  explicit SocketsService(Registry& registry) : registry_(registry) {}

  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context,
                                 const v1::SocketCallRequest* request,
                                 v1::SocketCallResponse* response) override;

 private:
  Registry& registry_;
};

}  // namespace tcproctor::server
