// SPDX-License-Identifier: Apache-2.0
#include "server/service/sockets_service.h"

#include "server/service/unary_call.h"

namespace tcproctor::server {

grpc::ServerUnaryReactor* SocketsService::Call(grpc::CallbackServerContext* context,
                                               const v1::SocketCallRequest* request,
                                               v1::SocketCallResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::socket_call);
}

}  // namespace tcproctor::server
