// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "clients/cpp/convert.h"
#include "clients/testing/fake_daemon.h"

namespace tcproctor::client {
namespace {

using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    v1::Session info;
    info.set_id("s1");
    *info.mutable_lease() = to_proto(absl::Milliseconds(300));
    info.mutable_a()->add_addresses("192.0.2.1/24");
    info.mutable_b()->add_addresses("192.0.2.2/24");
    info.mutable_b()->add_addresses("2001:db8::2/64");
    daemon_.sessions.create.answer(info);
  }

  Client client() {
    absl::StatusOr<Client> client = Client::connect(daemon_.address());
    EXPECT_TRUE(client.ok()) << client.status();
    return *client;
  }
  Session session() {
    absl::StatusOr<Session> session = Session::create(client(), v1::CreateSessionRequest());
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }

  tcproctor::testing::FakeDaemon daemon_;
};

TEST_F(SessionTest, IsDeletedWithTheObject) {
  {
    const Session one = session();
    EXPECT_EQ(one.id(), "s1");
    EXPECT_TRUE(daemon_.sessions.remove.requests().empty());
  }
  ASSERT_EQ(daemon_.sessions.remove.requests().size(), 1U);
  EXPECT_EQ(daemon_.sessions.remove.last().session(), "s1");
}

TEST_F(SessionTest, IsDeletedOnceAlthoughMovedAndRemoved) {
  {
    Session one = session();
    Session two = std::move(one);
    EXPECT_TRUE(two.remove().ok());
    EXPECT_TRUE(two.remove().ok());
  }
  EXPECT_EQ(daemon_.sessions.remove.requests().size(), 1U);
}

TEST_F(SessionTest, RenewsItsLease) {
  const Session one = session();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (daemon_.sessions.renew.requests().size() < 2 && absl::Now() < deadline)
    absl::SleepFor(absl::Milliseconds(5));
  ASSERT_GE(daemon_.sessions.renew.requests().size(), 2U);
  EXPECT_EQ(daemon_.sessions.renew.last().session(), "s1");
  EXPECT_TRUE(one.lease_status().ok());
}

TEST_F(SessionTest, TellsThatTheLeaseIsLost) {
  daemon_.sessions.renew.fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "lease ran out"));
  const Session one = session();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (one.lease_status().ok() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_TRUE(absl::IsNotFound(one.lease_status()));
  EXPECT_EQ(daemon_.sessions.renew.requests().size(), 1U);
}

TEST_F(SessionTest, KnowsTheFirstAddressOfAnEnd) {
  const Session one = session();
  EXPECT_EQ(one.address(v1::END_A), "192.0.2.1");
  EXPECT_EQ(one.address(v1::END_B), "192.0.2.2");
}

TEST_F(SessionTest, ConnectsToTheOtherEnd) {
  v1::OpenResponse response;
  response.set_outcome(v1::OUTCOME_CONNECTION_REFUSED);
  response.set_connection(7);
  daemon_.endpoint.open.answer(response);
  const Session one = session();
  const absl::StatusOr<Opened> opened =
      one.connect(v1::END_A, 80, {.wait = true, .timeout = absl::Seconds(2)});
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->outcome, v1::OUTCOME_CONNECTION_REFUSED);
  EXPECT_EQ(opened->connection.id(), 7U);
  const v1::OpenRequest request = daemon_.endpoint.open.last();
  EXPECT_TRUE(request.active());
  EXPECT_TRUE(request.wait());
  EXPECT_EQ(request.end(), v1::END_A);
  EXPECT_EQ(request.remote().address(), "192.0.2.2");
  EXPECT_EQ(request.remote().port(), 80U);
  EXPECT_EQ(request.timeout().seconds(), 2);
}

TEST_F(SessionTest, ListenerThatCouldNotBeMadeIsAStatus) {
  v1::OpenResponse response;
  response.set_outcome(v1::OUTCOME_ADDRESS_IN_USE);
  daemon_.endpoint.open.answer(response);
  const absl::StatusOr<Connection> listener = session().listen(v1::END_B, 80);
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(listener.status().message()), HasSubstr("ADDRESS_IN_USE"));
}

TEST_F(SessionTest, InfiniteTimeoutsAreNotSent) {
  const Session one = session();
  ASSERT_TRUE(one.connection(3).accept().ok());
  EXPECT_FALSE(daemon_.endpoint.accept.last().has_timeout());
  ASSERT_TRUE(one.connection(3).accept(absl::ZeroDuration()).ok());
  EXPECT_TRUE(daemon_.endpoint.accept.last().has_timeout());
}

TEST_F(SessionTest, SendCutsWhatIsTooLargeForOneCall) {
  const std::string data((size_t{1} << 20) + 10, 'x');
  std::vector<v1::SendResponse> answers(2);
  for (v1::SendResponse& answer : answers) answer.set_outcome(v1::OUTCOME_OK);
  answers[0].set_accepted(size_t{1} << 20);
  answers[1].set_accepted(10);
  daemon_.endpoint.send.answer_all(answers);
  const absl::StatusOr<v1::SendResponse> sent = session().connection(3).send(data, {.push = true});
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->accepted(), data.size());
  const std::vector<v1::SendRequest> requests = daemon_.endpoint.send.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_FALSE(requests[0].push());
  EXPECT_TRUE(requests[1].push());
  EXPECT_EQ(requests[1].data().size(), 10U);
}

TEST_F(SessionTest, SendStopsWhereTheConnectionStops) {
  v1::SendResponse answer;
  answer.set_outcome(v1::OUTCOME_CONNECTION_RESET);
  daemon_.endpoint.send.answer(answer);
  const absl::StatusOr<v1::SendResponse> sent =
      session().connection(3).send(std::string(size_t{3} << 20, 'x'));
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->outcome(), v1::OUTCOME_CONNECTION_RESET);
  EXPECT_EQ(daemon_.endpoint.send.requests().size(), 1U);
}

TEST_F(SessionTest, WaitForNamesTheStateThatIsThere) {
  v1::WaitStateResponse response;
  response.set_outcome(v1::OUTCOME_WOULD_BLOCK);
  response.mutable_status()->set_state(v1::TCP_STATE_SYN_SENT);
  daemon_.endpoint.wait_state.answer(response);
  const absl::StatusOr<v1::ConnectionStatus> status =
      session().connection(3).wait_for(v1::TCP_STATE_ESTABLISHED, absl::Seconds(1));
  EXPECT_EQ(status.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.status().message()), HasSubstr("SYN_SENT"));
}

TEST_F(SessionTest, WhatASegmentLeavesOutMayBeAnything) {
  v1::ExpectResponse response;
  response.set_result(v1::ExpectResponse::RESULT_MATCHED);
  daemon_.wire.expect.answer(response);
  v1::Segment wanted;
  wanted.mutable_tcp()->set_acknowledgment_number(0);
  const absl::StatusOr<v1::ExpectResponse> answer =
      session().expect(v1::END_B, wanted, absl::Seconds(1));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->result(), v1::ExpectResponse::RESULT_MATCHED);
  const v1::ExpectRequest asked = daemon_.wire.expect.last();
  EXPECT_EQ(asked.from(), v1::END_B);
  EXPECT_TRUE(asked.pattern().fields().tcp().has_acknowledgment_number());
  EXPECT_FALSE(asked.pattern().fields().tcp().has_sequence_number());
  EXPECT_FALSE(asked.pattern().fields().has_payload());
}

TEST_F(SessionTest, ReadsTheLogAndTheCapture) {
  std::vector<v1::LogEntry> entries(3);
  for (size_t i = 0; i < entries.size(); ++i) entries[i].set_number(i + 1);
  daemon_.wire.log.answer_all(entries);
  std::vector<v1::PcapChunk> chunks(2);
  chunks[0].set_data("ab");
  chunks[1].set_data("cd");
  daemon_.wire.pcap.answer_all(chunks);
  const Session one = session();
  ASSERT_EQ(one.log()->size(), 3U);
  EXPECT_EQ(*one.pcap(), "abcd");
}

TEST_F(SessionTest, AStreamCanBeLeft) {
  daemon_.wire.log.answer_all(std::vector<v1::LogEntry>(3));
  int seen = 0;
  EXPECT_TRUE(client().log(v1::LogRequest(), [&](const v1::LogEntry&) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_F(SessionTest, NobodyListening) {
  const absl::StatusOr<Client> client = Client::connect("unix:/nonexistent/socket");
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(client.status().message()),
              HasSubstr("no daemon answers at unix:/nonexistent/socket"));
}

}  // namespace
}  // namespace tcproctor::client
