// SPDX-License-Identifier: Apache-2.0
#include "server/service/endpoint_service.h"

#include "server/service/session_stream.h"
#include "server/service/unary.h"

namespace tcproctor::server {
namespace {

// Events of one end, of one connection, or of all, from the subscription on.
class WatchStream final : public SessionStream<v1::ConnectionEvent> {
 public:
  WatchStream(std::shared_ptr<Session> session, const v1::WatchRequest& request)
      : SessionStream(std::move(session)), request_(request) {}

 protected:
  absl::Status open(Session& session) override {
    return request_.connection() == 0 ? absl::OkStatus()
                                      : session.check_connection(request_.connection());
  }
  void on_event(const v1::ConnectionEvent& event) override {
    if (request_.end() != v1::END_UNSPECIFIED && event.end() != request_.end()) return;
    if (request_.connection() != 0 && event.connection() != request_.connection()) return;
    send(event);
  }

 private:
  const v1::WatchRequest request_;
};

}  // namespace

EndpointService::Reactor* EndpointService::Open(Context* context, const v1::OpenRequest* request,
                                                v1::OpenResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::open);
}

EndpointService::Reactor* EndpointService::Accept(Context* context,
                                                  const v1::AcceptRequest* request,
                                                  v1::AcceptResponse* response) {
  return call_session(registry_, context, request->listener().session(), request, response,
                      &Session::accept);
}

EndpointService::Reactor* EndpointService::Send(Context* context, const v1::SendRequest* request,
                                                v1::SendResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::send);
}

EndpointService::Reactor* EndpointService::Receive(Context* context,
                                                   const v1::ReceiveRequest* request,
                                                   v1::ReceiveResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::receive);
}

EndpointService::Reactor* EndpointService::Close(Context* context, const v1::CloseRequest* request,
                                                 v1::CallResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::close);
}

EndpointService::Reactor* EndpointService::Release(Context* context,
                                                   const v1::ReleaseRequest* request,
                                                   v1::CallResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::release);
}

EndpointService::Reactor* EndpointService::Abort(Context* context, const v1::AbortRequest* request,
                                                 v1::CallResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::abort);
}

EndpointService::Reactor* EndpointService::Status(Context* context,
                                                  const v1::StatusRequest* request,
                                                  v1::ConnectionStatus* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::status);
}

EndpointService::Reactor* EndpointService::List(Context* context, const v1::ListRequest* request,
                                                v1::ListResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::list);
}

EndpointService::Reactor* EndpointService::GetOptions(Context* context,
                                                      const v1::GetOptionsRequest* request,
                                                      v1::ConnectionOptions* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::get_options);
}

EndpointService::Reactor* EndpointService::SetOptions(Context* context,
                                                      const v1::SetOptionsRequest* request,
                                                      v1::ConnectionOptions* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::set_options);
}

EndpointService::Reactor* EndpointService::WaitState(Context* context,
                                                     const v1::WaitStateRequest* request,
                                                     v1::WaitStateResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::wait_state);
}

EndpointService::Reactor* EndpointService::Serve(Context* context, const v1::ServeRequest* request,
                                                 v1::ServeResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::serve);
}

EndpointService::Reactor* EndpointService::Traffic(Context* context,
                                                   const v1::TrafficRequest* request,
                                                   v1::TrafficResponse* response) {
  return call_session(registry_, context, request->connection().session(), request, response,
                      &Session::traffic);
}

grpc::ServerWriteReactor<v1::ConnectionEvent>* EndpointService::Watch(
    Context*, const v1::WatchRequest* request) {
  return start_stream<WatchStream, v1::ConnectionEvent>(registry_, *request);
}

}  // namespace tcproctor::server
