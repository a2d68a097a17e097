// SPDX-License-Identifier: Apache-2.0
#include "server/service/endpoint_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/service/stream_writer.h"
#include "server/service/unary_call.h"

namespace tcproctor::server {
namespace {

// Events that wait for a slow reader before the stream is given up.
constexpr size_t kMaxQueuedEvents = 100'000;

bool wanted(const v1::WatchRequest& request, const v1::ConnectionEvent& event) {
  if (request.end() != v1::END_UNSPECIFIED && request.end() != event.end()) return false;
  return request.connection() == 0 || request.connection() == event.connection() ||
         request.connection() == event.listener();
}

}  // namespace

grpc::ServerUnaryReactor* EndpointService::Open(grpc::CallbackServerContext* context,
                                                const v1::OpenRequest* request,
                                                v1::OpenResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::open);
}

grpc::ServerUnaryReactor* EndpointService::Accept(grpc::CallbackServerContext* context,
                                                  const v1::AcceptRequest* request,
                                                  v1::AcceptResponse* response) {
  return call_session(context, gate_, request->listener().session(), request, response,
                      &Session::accept);
}

grpc::ServerUnaryReactor* EndpointService::Send(grpc::CallbackServerContext* context,
                                                const v1::SendRequest* request,
                                                v1::SendResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::send);
}

grpc::ServerUnaryReactor* EndpointService::Receive(grpc::CallbackServerContext* context,
                                                   const v1::ReceiveRequest* request,
                                                   v1::ReceiveResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::receive);
}

grpc::ServerUnaryReactor* EndpointService::Close(grpc::CallbackServerContext* context,
                                                 const v1::CloseRequest* request,
                                                 v1::CallResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::close);
}

grpc::ServerUnaryReactor* EndpointService::Release(grpc::CallbackServerContext* context,
                                                   const v1::ReleaseRequest* request,
                                                   v1::CallResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::release);
}

grpc::ServerUnaryReactor* EndpointService::Abort(grpc::CallbackServerContext* context,
                                                 const v1::AbortRequest* request,
                                                 v1::CallResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::abort);
}

grpc::ServerUnaryReactor* EndpointService::Status(grpc::CallbackServerContext* context,
                                                  const v1::StatusRequest* request,
                                                  v1::ConnectionStatus* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::status);
}

grpc::ServerUnaryReactor* EndpointService::List(grpc::CallbackServerContext* context,
                                                const v1::ListRequest* request,
                                                v1::ListResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::list);
}

grpc::ServerUnaryReactor* EndpointService::GetOptions(grpc::CallbackServerContext* context,
                                                      const v1::GetOptionsRequest* request,
                                                      v1::ConnectionOptions* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::get_options);
}

grpc::ServerUnaryReactor* EndpointService::SetOptions(grpc::CallbackServerContext* context,
                                                      const v1::SetOptionsRequest* request,
                                                      v1::ConnectionOptions* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::set_options);
}

grpc::ServerUnaryReactor* EndpointService::WaitState(grpc::CallbackServerContext* context,
                                                     const v1::WaitStateRequest* request,
                                                     v1::WaitStateResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::wait_state);
}

grpc::ServerUnaryReactor* EndpointService::Serve(grpc::CallbackServerContext* context,
                                                 const v1::ServeRequest* request,
                                                 v1::ServeResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::serve);
}

grpc::ServerUnaryReactor* EndpointService::Traffic(grpc::CallbackServerContext* context,
                                                   const v1::TrafficRequest* request,
                                                   v1::TrafficResponse* response) {
  return call_session(context, gate_, request->connection().session(), request, response,
                      &Session::traffic);
}

grpc::ServerWriteReactor<v1::ConnectionEvent>* EndpointService::Watch(
    grpc::CallbackServerContext* context, const v1::WatchRequest* request) {
  const auto writer = StreamWriter<v1::ConnectionEvent>::create();
  const absl::StatusOr<std::shared_ptr<Session>> session =
      gate_.session(*context, request->session());
  if (!session.ok()) {
    writer->finish(session.status());
    return writer.get();
  }
  auto subscription = std::make_shared<Session::SubscriptionId>(0);
  auto unsubscribe = [session = *session, subscription] {
    session->post([subscription](Session& self) { self.unsubscribe(*subscription); });
  };
  writer->set_on_cancelled(unsubscribe);
  (*session)->post([writer, request = *request, subscription, unsubscribe](Session& self) {
    absl::Status status = self.begin_call();
    if (status.ok()) status = self.check_side(request.end());
    if (status.ok() && request.connection() != 0) {
      status = self.check_connection(request.connection());
    }
    if (!status.ok()) return writer->finish(status);
    *subscription =
        self.subscribe({.on_event =
                            [writer, request, unsubscribe](const v1::ConnectionEvent& event) {
                              if (!wanted(request, event)) return;
                              if (!writer->push(event)) return unsubscribe();
                              if (writer->queued() > kMaxQueuedEvents) {
                                writer->finish(absl::ResourceExhaustedError(absl::StrCat(
                                    "more than ", kMaxQueuedEvents, " events wait to be read")));
                              }
                            },
                        .on_activity = nullptr,
                        .on_reset = nullptr,
                        .on_end = [writer](const absl::Status& why) { writer->finish(why); }});
  });
  return writer.get();
}

}  // namespace tcproctor::server
