// SPDX-License-Identifier: Apache-2.0
// Calls that can be repeated: what a request id makes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

class RequestIdTest : public ::testing::Test {
 protected:
  std::unique_ptr<Daemon> daemon_ = *Daemon::start({.listen = {}, .max_sessions = 4});
  Stubs stubs_{daemon_->in_process_channel()};
};

TEST_F(RequestIdTest, ARequestIdMakesACallRepeatable) {
  v1::CreateSessionRequest request = memory_pair();
  request.set_request_id("once");
  const std::string first = stubs_.create(request).id();
  EXPECT_EQ(stubs_.create(request).id(), first);
  request.set_label("another");
  Call call;
  v1::Session session;
  const grpc::Status status = stubs_.sessions->CreateSession(&call, request, &session);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("request_id"));
}

// A call of Endpoint with a request id.
template <class Request, class Response>
grpc::Status call_once(Stubs& stubs, const std::string& request_id,
                       grpc::Status (v1::Endpoint::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                       const Request& request, Response* response,
                       std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
  Call call(deadline);
  call.AddMetadata("tcproctor-request-id", request_id);
  return (stubs.endpoint.get()->*method)(&call, request, response);
}

TEST_F(RequestIdTest, ARepeatedCallIsDoneOnce) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  const uint64_t a = stubs_.connect(id, v1::END_A, "192.0.2.2", 80).connection();
  const uint64_t b = stubs_.accept(id, listener).connection();
  v1::SendRequest send;
  send.mutable_connection()->set_session(id);
  send.mutable_connection()->set_id(a);
  send.set_data("hello");
  for (int i = 0; i < 3; ++i) {
    v1::SendResponse sent;
    EXPECT_TRUE(call_once(stubs_, "1", &v1::Endpoint::Stub::Send, send, &sent).ok());
    EXPECT_EQ(sent.accepted(), 5u);
  }
  v1::ReceiveRequest receive;
  receive.mutable_connection()->set_session(id);
  receive.mutable_connection()->set_id(b);
  receive.set_max_bytes(100);
  *receive.mutable_timeout() = duration_ms(300);
  for (int i = 0; i < 3; ++i) {
    v1::ReceiveResponse received;
    EXPECT_TRUE(call_once(stubs_, "2", &v1::Endpoint::Stub::Receive, receive, &received).ok());
    EXPECT_EQ(received.data(), "hello");
  }
  v1::ReceiveResponse more;
  EXPECT_TRUE(call_once(stubs_, "3", &v1::Endpoint::Stub::Receive, receive, &more).ok());
  EXPECT_EQ(more.outcome(), v1::OUTCOME_WOULD_BLOCK) << more.data();
  // Another request, be it of the same kind or not.
  send.set_data("other");
  v1::SendResponse sent;
  const grpc::Status reused = call_once(stubs_, "1", &v1::Endpoint::Stub::Send, send, &sent);
  EXPECT_EQ(reused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(reused.error_message(), HasSubstr("request_id: was used for another request"));
  EXPECT_EQ(call_once(stubs_, "1", &v1::Endpoint::Stub::Receive, receive, &more).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  // The ids of another session are others.
  const std::string other = stubs_.create(memory_pair()).id();
  v1::OpenRequest open;
  open.set_session(other);
  open.set_end(v1::END_B);
  open.mutable_local()->set_port(80);
  v1::OpenResponse opened;
  EXPECT_TRUE(call_once(stubs_, "1", &v1::Endpoint::Stub::Open, open, &opened).ok());
}

TEST_F(RequestIdTest, ACallRepeatedWhileTheFirstWaitsWaitsForItsAnswer) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  v1::AcceptRequest accept = stubs_.accept_request(id, listener);
  *accept.mutable_timeout() = duration_ms(20'000);
  v1::AcceptResponse answers[3];
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      // The first gives up: the operation goes on for the others.
      const auto deadline = i == 0 ? std::chrono::milliseconds(300) : std::chrono::seconds(30);
      const grpc::Status status =
          call_once(stubs_, "1", &v1::Endpoint::Stub::Accept, accept, &answers[i], deadline);
      EXPECT_EQ(status.error_code(),
                i == 0 ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::OK);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  threads[0].join();
  const uint64_t a = stubs_.connect(id, v1::END_A, "192.0.2.2", 80).connection();
  EXPECT_NE(a, 0u);
  threads[1].join();
  threads[2].join();
  EXPECT_NE(answers[1].connection(), 0u);
  EXPECT_EQ(answers[2].connection(), answers[1].connection());
}

TEST_F(RequestIdTest, WhatAVanishedClientWasAnsweredIsFoundByItsRepetition) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  const v1::AcceptRequest accept = stubs_.accept_request(id, listener);  // without end
  v1::AcceptResponse answer;
  EXPECT_EQ(call_once(stubs_, "1", &v1::Endpoint::Stub::Accept, accept, &answer,
                      std::chrono::milliseconds(200))
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  // Until the daemon has noticed; before that the repetition would wait in its place.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_TRUE(call_once(stubs_, "1", &v1::Endpoint::Stub::Accept, accept, &answer).ok());
  EXPECT_EQ(answer.outcome(), v1::OUTCOME_CANCELLED);
}

TEST_F(RequestIdTest, SessionsAreMadeAndDeletedOnce) {
  const auto with_id = [](grpc::ClientContext& call, const std::string& request_id) {
    call.AddMetadata("tcproctor-request-id", request_id);
  };
  std::string id;
  for (int i = 0; i < 3; ++i) {
    Call call;
    with_id(call, "make");
    v1::Session session;
    ASSERT_TRUE(stubs_.sessions->CreateSession(&call, memory_pair(), &session).ok());
    if (id.empty()) id = session.id();
    EXPECT_EQ(session.id(), id);
  }
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 1);
  v1::DeleteSessionRequest request;
  request.set_session(id);
  const auto remove = [&](const std::string& request_id) {
    Call call;
    if (!request_id.empty()) with_id(call, request_id);
    v1::DeleteSessionResponse response;
    return stubs_.sessions->DeleteSession(&call, request, &response).error_code();
  };
  EXPECT_EQ(remove("gone"), grpc::StatusCode::OK);
  EXPECT_EQ(remove("gone"), grpc::StatusCode::OK);
  EXPECT_EQ(remove("other"), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(remove(""), grpc::StatusCode::NOT_FOUND);
  // A late repetition of the creation makes no second one.
  Call call;
  with_id(call, "make");
  v1::Session session;
  const grpc::Status late = stubs_.sessions->CreateSession(&call, memory_pair(), &session);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(late.error_message(), HasSubstr("was deleted"));
}

}  // namespace
}  // namespace tcproctor::server
