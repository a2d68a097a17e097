// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/client.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/convert.h"

namespace tcproctor::client {
namespace {

void set_deadline(grpc::ClientContext& context, Client::Deadline deadline) {
  if (deadline == Client::kNoDeadline) return;
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
}

// Reads a stream to its end, or until `on_message` returns false: then the call is cancelled and
// the CANCELLED that follows is no error.
template <typename Reader, typename Message>
absl::Status drain(grpc::ClientContext& context, Reader& reader,
                   const std::function<bool(const Message&)>& on_message) {
  Message message;
  bool stopped = false;
  while (reader.Read(&message)) {
    if (!stopped && !on_message(message)) {
      stopped = true;
      context.TryCancel();
    }
  }
  const grpc::Status status = reader.Finish();
  return stopped ? absl::OkStatus() : to_status(status);
}

template <typename Request>
Request of_connection(const v1::ConnectionRef& connection) {
  Request request;
  *request.mutable_connection() = connection;
  return request;
}

template <typename Request>
Request of_session(std::string_view session) {
  Request request;
  request.set_session(std::string(session));
  return request;
}

constexpr char kRequestIdKey[] = "tcproctor-request-id";

}  // namespace

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Client::unary(Stub& stub,
                                       grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                                       const Request& request, Deadline deadline) const {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  if (!request_id_.empty()) context.AddMetadata(kRequestIdKey, request_id_);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return to_status(status);
  return response;
}

absl::StatusOr<Client> Client::connect(std::string_view address, absl::Duration timeout,
                                       const Tls& tls) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = make_channel(address, tls);
  if (!channel.ok()) return channel.status();
  Client client(*std::move(channel));
  // A TCP of somebody else may offer Endpoint and no Sessions.
  const absl::StatusOr<v1::ServerInfo> info = client.server_info(timeout);
  const absl::Status& status = info.status();
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    return absl::Status(
        status.code(),
        absl::StrCat("no daemon answers at ", std::string(address), " (", status.message(), ")",
                     tls.empty() ? ""
                                 : "; or TLS failed: the key is not that of our certificate, the "
                                   "daemon's is of none of our CAs, or it does not take ours"));
  }
  if (absl::IsPermissionDenied(status)) return status;
  if (info.ok() && !info->api().empty() && info->api() != kApi) {
    return absl::FailedPreconditionError(
        absl::StrCat("the daemon at ", std::string(address), " (version ", info->version(),
                     ") speaks ", info->api(), ", this client speaks ", std::string(kApi)));
  }
  return client;
}

absl::Status Client::require(std::initializer_list<std::string_view> capabilities) const {
  const absl::StatusOr<v1::ServerInfo> info = server_info();
  if (!info.ok()) return info.status();
  for (const std::string_view wanted : capabilities) {
    const auto& has = info->capabilities();
    if (std::find(has.begin(), has.end(), wanted) != has.end()) continue;
    const auto why = info->missing().find(std::string(wanted));
    return absl::UnimplementedError(absl::StrCat(
        "the daemon (version ", info->version(), ") lacks ", std::string(wanted),
        why == info->missing().end() ? std::string(": it is too old") : ": " + why->second));
  }
  return absl::OkStatus();
}

Client Client::with_request_id(std::string request_id) const {
  Client copy = *this;
  copy.request_id_ = std::move(request_id);
  return copy;
}

Client::Client(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)),
      sessions_(v1::Sessions::NewStub(channel_)),
      endpoint_(v1::Endpoint::NewStub(channel_)),
      wire_(v1::Wire::NewStub(channel_)),
      suite_(v1::Suite::NewStub(channel_)) {}

absl::StatusOr<v1::ServerInfo> Client::server_info(Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::GetServerInfo, v1::GetServerInfoRequest(),
               deadline);
}

absl::StatusOr<v1::Session> Client::create_session(const v1::CreateSessionRequest& request,
                                                   Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::CreateSession, request, deadline);
}

absl::StatusOr<v1::Session> Client::get_session(std::string_view session, Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::GetSession,
               of_session<v1::GetSessionRequest>(session), deadline);
}

absl::StatusOr<v1::ListSessionsResponse> Client::list_sessions(Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::ListSessions, v1::ListSessionsRequest(), deadline);
}

absl::StatusOr<v1::Session> Client::renew_lease(const v1::RenewLeaseRequest& request,
                                                Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::RenewLease, request, deadline);
}

absl::StatusOr<v1::Session> Client::reset_session(std::string_view session,
                                                  Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::ResetSession,
               of_session<v1::ResetSessionRequest>(session), deadline);
}

absl::Status Client::delete_session(std::string_view session, Deadline deadline) const {
  return unary(*sessions_, &v1::Sessions::Stub::DeleteSession,
               of_session<v1::DeleteSessionRequest>(session), deadline)
      .status();
}

absl::StatusOr<v1::OpenResponse> Client::open(const v1::OpenRequest& request,
                                              Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Open, request, deadline);
}

absl::StatusOr<v1::AcceptResponse> Client::accept(const v1::AcceptRequest& request,
                                                  Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Accept, request, deadline);
}

absl::StatusOr<v1::SendResponse> Client::send(const v1::SendRequest& request,
                                              Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Send, request, deadline);
}

absl::StatusOr<v1::ReceiveResponse> Client::receive(const v1::ReceiveRequest& request,
                                                    Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Receive, request, deadline);
}

absl::StatusOr<v1::CallResponse> Client::close(const v1::CloseRequest& request,
                                               Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Close, request, deadline);
}

absl::StatusOr<v1::CallResponse> Client::release(const v1::ConnectionRef& connection,
                                                 Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Release,
               of_connection<v1::ReleaseRequest>(connection), deadline);
}

absl::StatusOr<v1::CallResponse> Client::abort(const v1::ConnectionRef& connection,
                                               Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Abort, of_connection<v1::AbortRequest>(connection),
               deadline);
}

absl::StatusOr<v1::ConnectionStatus> Client::status(const v1::ConnectionRef& connection,
                                                    Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Status,
               of_connection<v1::StatusRequest>(connection), deadline);
}

absl::StatusOr<v1::ListResponse> Client::list(const v1::ListRequest& request,
                                              Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::List, request, deadline);
}

absl::StatusOr<v1::ConnectionOptions> Client::get_options(const v1::ConnectionRef& connection,
                                                          Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::GetOptions,
               of_connection<v1::GetOptionsRequest>(connection), deadline);
}

absl::StatusOr<v1::ConnectionOptions> Client::set_options(const v1::SetOptionsRequest& request,
                                                          Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::SetOptions, request, deadline);
}

absl::StatusOr<v1::WaitStateResponse> Client::wait_state(const v1::WaitStateRequest& request,
                                                         Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::WaitState, request, deadline);
}

absl::Status Client::serve(const v1::ServeRequest& request, Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Serve, request, deadline).status();
}

absl::StatusOr<v1::TrafficResponse> Client::traffic(const v1::TrafficRequest& request,
                                                    Deadline deadline) const {
  return unary(*endpoint_, &v1::Endpoint::Stub::Traffic, request, deadline);
}

absl::Status Client::watch(const v1::WatchRequest& request,
                           const std::function<bool(const v1::ConnectionEvent&)>& on_event,
                           Deadline deadline) const {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  const auto reader = endpoint_->Watch(&context, request);
  return drain(context, *reader, on_event);
}

absl::StatusOr<v1::InjectResponse> Client::inject(const v1::InjectRequest& request,
                                                  Deadline deadline) const {
  return unary(*wire_, &v1::Wire::Stub::Inject, request, deadline);
}

absl::Status Client::hold(const v1::HoldRequest& request, Deadline deadline) const {
  return unary(*wire_, &v1::Wire::Stub::Hold, request, deadline).status();
}

absl::StatusOr<v1::ReleaseHeldResponse> Client::release_held(const v1::ReleaseHeldRequest& request,
                                                             Deadline deadline) const {
  return unary(*wire_, &v1::Wire::Stub::Release, request, deadline);
}

absl::StatusOr<v1::ExpectResponse> Client::expect(const v1::ExpectRequest& request,
                                                  Deadline deadline) const {
  return unary(*wire_, &v1::Wire::Stub::Expect, request, deadline);
}

absl::Status Client::impair(const v1::ImpairRequest& request, Deadline deadline) const {
  return unary(*wire_, &v1::Wire::Stub::Impair, request, deadline).status();
}

absl::Status Client::log(const v1::LogRequest& request,
                         const std::function<bool(const v1::LogEntry&)>& on_entry,
                         Deadline deadline) const {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  const auto reader = wire_->Log(&context, request);
  return drain(context, *reader, on_entry);
}

absl::StatusOr<std::string> Client::pcap(const v1::PcapRequest& request, Deadline deadline) const {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  const auto reader = wire_->Pcap(&context, request);
  std::string file;
  const std::function<bool(const v1::PcapChunk&)> append = [&file](const v1::PcapChunk& chunk) {
    file += chunk.data();
    return true;
  };
  const absl::Status status = drain(context, *reader, append);
  if (!status.ok()) return status;
  return file;
}

absl::StatusOr<v1::ListCasesResponse> Client::list_cases(std::string_view filter,
                                                         Deadline deadline) const {
  v1::ListCasesRequest request;
  request.set_filter(std::string(filter));
  return unary(*suite_, &v1::Suite::Stub::ListCases, request, deadline);
}

absl::Status Client::run_cases(const v1::RunCasesRequest& request,
                               const std::function<bool(const v1::RunCasesResponse&)>& on_message,
                               Deadline deadline) const {
  grpc::ClientContext context;
  set_deadline(context, deadline);
  const auto reader = suite_->RunCases(&context, request);
  return drain(context, *reader, on_message);
}

absl::StatusOr<v1::ExplainResponse> Client::explain(const v1::ExplainRequest& request,
                                                    Deadline deadline) const {
  return unary(*suite_, &v1::Suite::Stub::Explain, request, deadline);
}

}  // namespace tcproctor::client
