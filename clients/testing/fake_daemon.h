// SPDX-License-Identifier: Apache-2.0
// A daemon for tests: keeps what it was asked and answers what it was told to, over a real gRPC
// server on a Unix socket of its own.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tcproctor/v1/endpoint.grpc.pb.h"
#include "tcproctor/v1/sessions.grpc.pb.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::testing {

// One RPC: the requests so far, and what is answered.
template <typename Request, typename Response>
class FakeRpc {
 public:
  void answer(const Response& response) {
    const absl::MutexLock lock(&mutex_);
    responses_ = {response};
  }
  // One after the other; the last is repeated. For a stream they are its messages.
  void answer_all(const std::vector<Response>& responses) {
    const absl::MutexLock lock(&mutex_);
    responses_ = responses;
  }
  void fail(const grpc::Status& status) {
    const absl::MutexLock lock(&mutex_);
    status_ = status;
  }
  std::vector<Request> requests() const {
    const absl::MutexLock lock(&mutex_);
    return requests_;
  }
  Request last() const {
    const absl::MutexLock lock(&mutex_);
    return requests_.empty() ? Request() : requests_.back();
  }

  grpc::Status unary(const Request* request, Response* response) {
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(*request);
    if (!responses_.empty()) *response = responses_.front();
    if (responses_.size() > 1) responses_.erase(responses_.begin());
    return status_;
  }
  template <typename Writer>
  grpc::Status stream(const Request* request, Writer* writer) {
    std::vector<Response> responses;
    grpc::Status status;
    {
      const absl::MutexLock lock(&mutex_);
      requests_.push_back(*request);
      responses = responses_;
      status = status_;
    }
    for (const Response& response : responses) writer->Write(response);
    return status;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<Response> responses_ ABSL_GUARDED_BY(mutex_);
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

struct FakeSessions : v1::Sessions::Service {
  using Context = grpc::ServerContext;
  FakeRpc<v1::CreateSessionRequest, v1::Session> create;
  FakeRpc<v1::GetSessionRequest, v1::Session> get;
  FakeRpc<v1::ListSessionsRequest, v1::ListSessionsResponse> list;
  FakeRpc<v1::RenewLeaseRequest, v1::Session> renew;
  FakeRpc<v1::ResetSessionRequest, v1::Session> reset;
  FakeRpc<v1::DeleteSessionRequest, v1::DeleteSessionResponse> remove;
  FakeRpc<v1::GetServerInfoRequest, v1::ServerInfo> info;

  grpc::Status CreateSession(Context*, const v1::CreateSessionRequest* in,
                             v1::Session* out) override {
    return create.unary(in, out);
  }
  grpc::Status GetSession(Context*, const v1::GetSessionRequest* in, v1::Session* out) override {
    return get.unary(in, out);
  }
  grpc::Status ListSessions(Context*, const v1::ListSessionsRequest* in,
                            v1::ListSessionsResponse* out) override {
    return list.unary(in, out);
  }
  grpc::Status RenewLease(Context*, const v1::RenewLeaseRequest* in, v1::Session* out) override {
    return renew.unary(in, out);
  }
  grpc::Status ResetSession(Context*, const v1::ResetSessionRequest* in,
                            v1::Session* out) override {
    return reset.unary(in, out);
  }
  grpc::Status DeleteSession(Context*, const v1::DeleteSessionRequest* in,
                             v1::DeleteSessionResponse* out) override {
    return remove.unary(in, out);
  }
  grpc::Status GetServerInfo(Context*, const v1::GetServerInfoRequest* in,
                             v1::ServerInfo* out) override {
    return info.unary(in, out);
  }
};

struct FakeEndpoint : v1::Endpoint::Service {
  using Context = grpc::ServerContext;
  FakeRpc<v1::OpenRequest, v1::OpenResponse> open;
  FakeRpc<v1::AcceptRequest, v1::AcceptResponse> accept;
  FakeRpc<v1::SendRequest, v1::SendResponse> send;
  FakeRpc<v1::ReceiveRequest, v1::ReceiveResponse> receive;
  FakeRpc<v1::CloseRequest, v1::CallResponse> close;
  FakeRpc<v1::ReleaseRequest, v1::CallResponse> release;
  FakeRpc<v1::AbortRequest, v1::CallResponse> abort;
  FakeRpc<v1::StatusRequest, v1::ConnectionStatus> status;
  FakeRpc<v1::ListRequest, v1::ListResponse> list;
  FakeRpc<v1::GetOptionsRequest, v1::ConnectionOptions> get_options;
  FakeRpc<v1::SetOptionsRequest, v1::ConnectionOptions> set_options;
  FakeRpc<v1::WatchRequest, v1::ConnectionEvent> watch;
  FakeRpc<v1::WaitStateRequest, v1::WaitStateResponse> wait_state;
  FakeRpc<v1::ServeRequest, v1::ServeResponse> serve;
  FakeRpc<v1::TrafficRequest, v1::TrafficResponse> traffic;

  grpc::Status Open(Context*, const v1::OpenRequest* in, v1::OpenResponse* out) override {
    return open.unary(in, out);
  }
  grpc::Status Accept(Context*, const v1::AcceptRequest* in, v1::AcceptResponse* out) override {
    return accept.unary(in, out);
  }
  grpc::Status Send(Context*, const v1::SendRequest* in, v1::SendResponse* out) override {
    return send.unary(in, out);
  }
  grpc::Status Receive(Context*, const v1::ReceiveRequest* in, v1::ReceiveResponse* out) override {
    return receive.unary(in, out);
  }
  grpc::Status Close(Context*, const v1::CloseRequest* in, v1::CallResponse* out) override {
    return close.unary(in, out);
  }
  grpc::Status Release(Context*, const v1::ReleaseRequest* in, v1::CallResponse* out) override {
    return release.unary(in, out);
  }
  grpc::Status Abort(Context*, const v1::AbortRequest* in, v1::CallResponse* out) override {
    return abort.unary(in, out);
  }
  grpc::Status Status(Context*, const v1::StatusRequest* in, v1::ConnectionStatus* out) override {
    return status.unary(in, out);
  }
  grpc::Status List(Context*, const v1::ListRequest* in, v1::ListResponse* out) override {
    return list.unary(in, out);
  }
  grpc::Status GetOptions(Context*, const v1::GetOptionsRequest* in,
                          v1::ConnectionOptions* out) override {
    return get_options.unary(in, out);
  }
  grpc::Status SetOptions(Context*, const v1::SetOptionsRequest* in,
                          v1::ConnectionOptions* out) override {
    return set_options.unary(in, out);
  }
  grpc::Status Watch(Context*, const v1::WatchRequest* in,
                     grpc::ServerWriter<v1::ConnectionEvent>* out) override {
    return watch.stream(in, out);
  }
  grpc::Status WaitState(Context*, const v1::WaitStateRequest* in,
                         v1::WaitStateResponse* out) override {
    return wait_state.unary(in, out);
  }
  grpc::Status Serve(Context*, const v1::ServeRequest* in, v1::ServeResponse* out) override {
    return serve.unary(in, out);
  }
  grpc::Status Traffic(Context*, const v1::TrafficRequest* in, v1::TrafficResponse* out) override {
    return traffic.unary(in, out);
  }
};

struct FakeWire : v1::Wire::Service {
  using Context = grpc::ServerContext;
  FakeRpc<v1::InjectRequest, v1::InjectResponse> inject;
  FakeRpc<v1::LogRequest, v1::LogEntry> log;
  FakeRpc<v1::ExpectRequest, v1::ExpectResponse> expect;
  FakeRpc<v1::PcapRequest, v1::PcapChunk> pcap;

  grpc::Status Inject(Context*, const v1::InjectRequest* in, v1::InjectResponse* out) override {
    return inject.unary(in, out);
  }
  grpc::Status Log(Context*, const v1::LogRequest* in,
                   grpc::ServerWriter<v1::LogEntry>* out) override {
    return log.stream(in, out);
  }
  grpc::Status Expect(Context*, const v1::ExpectRequest* in, v1::ExpectResponse* out) override {
    return expect.unary(in, out);
  }
  grpc::Status Pcap(Context*, const v1::PcapRequest* in,
                    grpc::ServerWriter<v1::PcapChunk>* out) override {
    return pcap.stream(in, out);
  }
};

class FakeDaemon {
 public:
  // `more`: services besides the three below; they must outlive the daemon.
  explicit FakeDaemon(const std::vector<grpc::Service*>& more = {}) {
    std::string folder = std::filesystem::temp_directory_path() / "tcproctor-test-XXXXXX";
    if (!mkdtemp(folder.data())) std::abort();
    folder_ = folder;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&sessions);
    builder.RegisterService(&endpoint);
    builder.RegisterService(&wire);
    for (grpc::Service* service : more) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (!server_) std::abort();
  }
  ~FakeDaemon() {
    server_->Shutdown(std::chrono::system_clock::now());
    std::filesystem::remove_all(folder_);
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  std::string address() const { return "unix:" + folder_ + "/socket"; }
  // For the files of a test; goes with the daemon.
  const std::string& folder() const { return folder_; }

  FakeSessions sessions;
  FakeEndpoint endpoint;
  FakeWire wire;

 private:
  std::string folder_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tcproctor::testing
