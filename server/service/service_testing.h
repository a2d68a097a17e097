// SPDX-License-Identifier: Apache-2.0
// For tests: a daemon without listeners, its stubs, and shorthands over them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "server/daemon.h"
#include "tcproctor/v1/drive.grpc.pb.h"
#include "tcproctor/v1/endpoint.grpc.pb.h"
#include "tcproctor/v1/sessions.grpc.pb.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::server {

inline google::protobuf::Duration duration_ms(int64_t ms) {
  google::protobuf::Duration duration;
  duration.set_seconds(ms / 1000);
  duration.set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
  return duration;
}

// A call of one of the stubs, with a deadline that no test should reach.
class Call : public grpc::ClientContext {
 public:
  explicit Call(std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    set_deadline(std::chrono::system_clock::now() + deadline);
  }
};

// How a call of any method, with one message without content, ends.
inline grpc::Status call_without_content(const std::shared_ptr<grpc::Channel>& channel,
                                         const std::string& method) {
  grpc::GenericStub stub(channel);
  Call call;
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  const auto done = [&] { queue.Next(&tag, &ok); };
  const auto stream = stub.PrepareCall(&call, method, &queue);
  stream->StartCall(&call);
  done();
  const grpc::Slice nothing;
  stream->WriteLast(grpc::ByteBuffer(&nothing, 1), {}, &call);
  done();
  grpc::ByteBuffer answer;
  stream->Read(&answer, &call);
  done();
  grpc::Status status;
  stream->Finish(&status, &call);
  done();
  queue.Shutdown();
  return status;
}

class Stubs {
 public:
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : sessions(v1::Sessions::NewStub(channel)),
        endpoint(v1::Endpoint::NewStub(channel)),
        wire(v1::Wire::NewStub(channel)),
        drive(v1::Drive::NewStub(channel)) {}

  const std::unique_ptr<v1::Sessions::Stub> sessions;
  const std::unique_ptr<v1::Endpoint::Stub> endpoint;
  const std::unique_ptr<v1::Wire::Stub> wire;
  const std::unique_ptr<v1::Drive::Stub> drive;

  v1::Session create(const v1::CreateSessionRequest& request) {
    Call call;
    v1::Session session;
    const grpc::Status status = sessions->CreateSession(&call, request, &session);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return session;
  }
  grpc::Status remove(const std::string& session) {
    Call call;
    v1::DeleteSessionRequest request;
    request.set_session(session);
    v1::DeleteSessionResponse response;
    return sessions->DeleteSession(&call, request, &response);
  }
  v1::ListSessionsResponse list_sessions() {
    Call call;
    call.set_wait_for_ready(true);  // a socket exists a moment before somebody listens on it
    v1::ListSessionsResponse response;
    EXPECT_TRUE(sessions->ListSessions(&call, {}, &response).ok());
    return response;
  }
  v1::OpenResponse open(const v1::OpenRequest& request) {
    Call call;
    v1::OpenResponse response;
    const grpc::Status status = endpoint->Open(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::OpenResponse listen(const std::string& session, v1::End end, uint32_t port) {
    v1::OpenRequest request;
    request.set_session(session);
    request.set_end(end);
    request.mutable_local()->set_port(port);
    return open(request);
  }
  v1::OpenResponse connect(const std::string& session, v1::End end, const std::string& address,
                           uint32_t port) {
    v1::OpenRequest request;
    request.set_session(session);
    request.set_end(end);
    request.set_active(true);
    request.set_wait(true);
    request.mutable_remote()->set_address(address);
    request.mutable_remote()->set_port(port);
    *request.mutable_timeout() = duration_ms(5000);
    return open(request);
  }
  v1::AcceptRequest accept_request(const std::string& session, uint64_t listener) {
    v1::AcceptRequest request;
    request.mutable_listener()->set_session(session);
    request.mutable_listener()->set_id(listener);
    return request;
  }
  v1::AcceptResponse accept(const std::string& session, uint64_t listener) {
    Call call;
    v1::AcceptRequest request = accept_request(session, listener);
    *request.mutable_timeout() = duration_ms(5000);
    v1::AcceptResponse response;
    const grpc::Status status = endpoint->Accept(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::SendResponse send(const std::string& session, uint64_t connection, const std::string& data) {
    Call call;
    v1::SendRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    request.set_data(data);
    *request.mutable_timeout() = duration_ms(5000);
    v1::SendResponse response;
    const grpc::Status status = endpoint->Send(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::ReceiveResponse receive(const std::string& session, uint64_t connection, uint32_t min = 1) {
    Call call;
    v1::ReceiveRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    request.set_min_bytes(min);
    request.set_max_bytes(1 << 20);
    *request.mutable_timeout() = duration_ms(5000);
    v1::ReceiveResponse response;
    const grpc::Status status = endpoint->Receive(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::Outcome close(const std::string& session, uint64_t connection) {
    Call call;
    v1::CloseRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    v1::CallResponse response;
    const grpc::Status status = endpoint->Close(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.outcome();
  }
  v1::WaitStateResponse wait_state(const std::string& session, uint64_t connection,
                                   v1::TcpState state) {
    Call call;
    v1::WaitStateRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    request.add_states(state);
    *request.mutable_timeout() = duration_ms(5000);
    v1::WaitStateResponse response;
    const grpc::Status status = endpoint->WaitState(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  void serve(const std::string& session, uint64_t connection, v1::ServiceKind kind,
             uint64_t bytes = 0) {
    Call call;
    v1::ServeRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    request.set_kind(kind);
    request.set_bytes(bytes);
    request.set_seed(9);
    v1::ServeResponse response;
    const grpc::Status status = endpoint->Serve(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  v1::TrafficResponse traffic(const std::string& session, uint64_t connection) {
    Call call(std::chrono::seconds(60));
    v1::TrafficRequest request;
    request.mutable_connection()->set_session(session);
    request.mutable_connection()->set_id(connection);
    request.set_wait(true);
    v1::TrafficResponse response;
    const grpc::Status status = endpoint->Traffic(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

// Two ends of our stack in memory, on the real clock.
inline v1::CreateSessionRequest memory_pair() {
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_stack();
  request.mutable_wire()->set_link(v1::LINK_KIND_MEMORY);
  return request;
}

}  // namespace tcproctor::server
