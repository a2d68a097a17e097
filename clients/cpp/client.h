// SPDX-License-Identifier: Apache-2.0
// A daemon's services as plain functions: one per RPC, request in, response or absl::Status out.
//
//   auto client = tcproctor::client::Client::connect("unix:/run/tcproctor.sock");
//   if (!client.ok()) …
//   tcproctor::v1::OpenRequest request; …
//   absl::StatusOr<tcproctor::v1::OpenResponse> response = client->open(request);
//
// What the fields mean stands in proto/tcproctor/v1/*.proto. A reset, a refusal, a timeout of the
// protocol are data in the response; a status that is not OK means that the call was misused, the
// session is gone (NOT_FOUND) or the daemon cannot be reached (UNAVAILABLE). clients/cpp/session.h
// has the more comfortable objects built on this.
//
// A Client is a handle: copies share one connection; all functions may be called from any thread.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/channel.h"
#include "tcproctor/v1/drive.grpc.pb.h"
#include "tcproctor/v1/endpoint.grpc.pb.h"
#include "tcproctor/v1/sessions.grpc.pb.h"
#include "tcproctor/v1/suite.grpc.pb.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::client {

class Client {
 public:
  // What this client speaks: ServerInfo.api.
  static constexpr std::string_view kApi = "tcproctor.v1";

  // Connects and makes sure that something answers. UNAVAILABLE: nobody listens there, or one side
  // does not take the other's certificate; DEADLINE_EXCEEDED: no answer within `timeout`;
  // INVALID_ARGUMENT: no address, or no such files (see channel.h); PERMISSION_DENIED: the daemon
  // has no rule for our certificate; FAILED_PRECONDITION: it speaks another version of the API.
  static absl::StatusOr<Client> connect(std::string_view address,
                                        absl::Duration timeout = absl::Seconds(10),
                                        const Tls& tls = {});

  // Over a channel of your own; nothing is sent.
  explicit Client(std::shared_ptr<grpc::Channel> channel);

  // OK when the daemon has all these capabilities (ServerInfo.capabilities), e.g. "end.kernel".
  // Else UNIMPLEMENTED, which says what is missing. Ask before you use what came after 0.1.0: a
  // daemon ignores fields it does not know.
  absl::Status require(std::initializer_list<std::string_view> capabilities) const;

  // The same connection; its calls carry this request id, so that one of them may be repeated when
  // its answer was lost: what was done is not done twice (see sessions.proto).
  Client with_request_id(std::string request_id) const;

  // The last argument of each function is a watchdog in real time, by default none. How long the
  // protocol may take is a field of the request, in session time.
  using Deadline = absl::Duration;
  static constexpr Deadline kNoDeadline = absl::InfiniteDuration();

  // Sessions.
  absl::StatusOr<v1::ServerInfo> server_info(Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::Session> create_session(const v1::CreateSessionRequest& request,
                                             Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::Session> get_session(std::string_view session,
                                          Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ListSessionsResponse> list_sessions(Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::Session> renew_lease(const v1::RenewLeaseRequest& request,
                                          Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::Session> reset_session(std::string_view session,
                                            Deadline deadline = kNoDeadline) const;
  absl::Status delete_session(std::string_view session, Deadline deadline = kNoDeadline) const;

  // Endpoint.
  absl::StatusOr<v1::OpenResponse> open(const v1::OpenRequest& request,
                                        Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::AcceptResponse> accept(const v1::AcceptRequest& request,
                                            Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::SendResponse> send(const v1::SendRequest& request,
                                        Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ReceiveResponse> receive(const v1::ReceiveRequest& request,
                                              Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::CallResponse> close(const v1::CloseRequest& request,
                                         Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::CallResponse> release(const v1::ConnectionRef& connection,
                                           Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::CallResponse> abort(const v1::ConnectionRef& connection,
                                         Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ConnectionStatus> status(const v1::ConnectionRef& connection,
                                              Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ListResponse> list(const v1::ListRequest& request,
                                        Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ConnectionOptions> get_options(const v1::ConnectionRef& connection,
                                                    Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ConnectionOptions> set_options(const v1::SetOptionsRequest& request,
                                                    Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::WaitStateResponse> wait_state(const v1::WaitStateRequest& request,
                                                   Deadline deadline = kNoDeadline) const;
  absl::Status serve(const v1::ServeRequest& request, Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::TrafficResponse> traffic(const v1::TrafficRequest& request,
                                              Deadline deadline = kNoDeadline) const;
  // Until `on_event` returns false (OK), the session ends or the deadline passes.
  absl::Status watch(const v1::WatchRequest& request,
                     const std::function<bool(const v1::ConnectionEvent&)>& on_event,
                     Deadline deadline = kNoDeadline) const;

  // Wire.
  absl::StatusOr<v1::InjectResponse> inject(const v1::InjectRequest& request,
                                            Deadline deadline = kNoDeadline) const;
  absl::Status hold(const v1::HoldRequest& request, Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ReleaseHeldResponse> release_held(const v1::ReleaseHeldRequest& request,
                                                       Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ExpectResponse> expect(const v1::ExpectRequest& request,
                                            Deadline deadline = kNoDeadline) const;
  absl::Status impair(const v1::ImpairRequest& request, Deadline deadline = kNoDeadline) const;
  // Until the log's end (or, following, the session's) or `on_entry` returns false (OK).
  absl::Status log(const v1::LogRequest& request,
                   const std::function<bool(const v1::LogEntry&)>& on_entry,
                   Deadline deadline = kNoDeadline) const;
  // The log as the octets of a pcap file.
  absl::StatusOr<std::string> pcap(const v1::PcapRequest& request,
                                   Deadline deadline = kNoDeadline) const;

  // Suite.
  absl::StatusOr<v1::ListCasesResponse> list_cases(std::string_view filter,
                                                   Deadline deadline = kNoDeadline) const;
  absl::Status run_cases(const v1::RunCasesRequest& request,
                         const std::function<bool(const v1::RunCasesResponse&)>& on_message,
                         Deadline deadline = kNoDeadline) const;
  absl::StatusOr<v1::ExplainResponse> explain(const v1::ExplainRequest& request,
                                              Deadline deadline = kNoDeadline) const;

  // For services this class does not wrap: Drive, health, reflection.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> unary(Stub& stub,
                                 grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                                 const Request& request, Deadline deadline) const;

  std::shared_ptr<grpc::Channel> channel_;
  std::string request_id_;
  std::shared_ptr<v1::Sessions::Stub> sessions_;
  std::shared_ptr<v1::Endpoint::Stub> endpoint_;
  std::shared_ptr<v1::Wire::Stub> wire_;
  std::shared_ptr<v1::Suite::Stub> suite_;
};

}  // namespace tcproctor::client
