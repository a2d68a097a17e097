// SPDX-License-Identifier: Apache-2.0
// Scripts of packetdrill's dialect: their system calls, shell commands and code.
#include <cstddef>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>

#include "conformance/runner/packetdrill_stage_testing.h"

namespace tcproctor::conformance {
namespace {

bool is_accept(const v1::Command& command) {
  return command.has_socket_call() && command.socket_call().has_accept();
}

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(PacketdrillCalls, WhatIsReadIsVerifiedToo) {
  FakeTcp tcp;
  tcp.on_call = [](FakeSession&,
                   const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_read()) return std::nullopt;
    v1::SocketCallResponse response;
    response.set_data(std::string(100, 'x'));
    response.set_result(100);
    return response;
  };
  const Ran ran = run_script(cat(kAccepted, kReads), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.clause(0).failure.differences,
              ElementsAre(HasSubstr("not those that were sent")));
}

TEST(PacketdrillCalls, ArgumentsReachTheSocket) {
  FakeTcp tcp;
  const Ran ran = run_script(
      R"(0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_KEY, "\xa1\x0b\\x\x4", 4) = 0
+0 read(3, NULL, 1000) = 0
+0 recv(3, NULL, 1000, 0) = 0
)",
      tcp.candidate(), {}, kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  ASSERT_THAT(tcp.calls, SizeIs(4));
  EXPECT_EQ(tcp.calls[1].set_option().value(), "\xa1\x0b\\xx4");
  for (const size_t read : {2, 3}) {
    EXPECT_TRUE(tcp.calls[read].read().null_buffer());
    EXPECT_EQ(tcp.calls[read].read().size(), 1000u);
  }
}

// --- results ---

struct Ended {
  const char* name;
  const char* result;  // as the script has it
  v1::SocketCallResponse answer;
  const char* difference;  // empty: it is right
};

v1::SocketCallResponse returned(int64_t result) {
  v1::SocketCallResponse response;
  response.set_result(result);
  return response;
}

void PrintTo(const Ended& ended, std::ostream* out) {
  *out << ended.name;
}

class CallResult : public ::testing::TestWithParam<Ended> {};
TEST_P(CallResult, IsComparedWithItsErrno) {
  FakeTcp tcp;
  tcp.on_call = [](FakeSession&,
                   const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_write()) return std::nullopt;
    return GetParam().answer;
  };
  const Ran ran = run_script(cat(kAccepted, "+0 write(4, ..., 100) = ", GetParam().result, "\n"),
                             tcp.candidate());
  const std::string difference = GetParam().difference;
  EXPECT_EQ(ran.outcome.verdict, difference.empty() ? v1::VERDICT_PASS : v1::VERDICT_FAIL);
  if (difference.empty()) return;
  EXPECT_THAT(ran.outcome.reason, HasSubstr("write() has come to another end"));
  EXPECT_THAT(ran.clause(0).failure.differences, ElementsAre(difference));
  EXPECT_EQ(ran.clause(0).failure.location, "t.pkt:9:1");
}
INSTANTIATE_TEST_SUITE_P(
    Calls, CallResult,
    ::testing::Values(Ended{"Right", "100", returned(100), ""},
                      Ended{"Fewer", "100", returned(99), "result: expected 100, got 99"},
                      Ended{"WouldBlock", "-1 EAGAIN (later)", failed(11, "EAGAIN"), ""},
                      Ended{"FailsUnexpectedly", "100", failed(11, "EAGAIN"),
                            "result: expected 100, got -1 EAGAIN"},
                      Ended{"SucceedsUnexpectedly", "-1 EPIPE (broken)", returned(100),
                            "result: expected -1, got 100"},
                      Ended{"FailsOtherwise", "-1 EPIPE (broken)", failed(104, "ECONNRESET"),
                            "errno: expected EPIPE, got ECONNRESET"}),
    [](const auto& param) { return std::string(param.param.name); });

// --- calls that block ---

// A read that the script takes to end 0.2 s after it began, when something is sent at `sent`.
Ran blocking_read(const std::string& sent, const std::string& result = "100") {
  FakeTcp tcp;
  tcp.reads_block = true;
  return run_script(cat(kAccepted, "+0...0.2 read(4, ..., 100) = ", result, "\n", sent,
                        " < P. 1:101(100) ack 1 win 1000\n* > . 1:1(0) ack 101\n"),
                    tcp.candidate());
}

TEST(PacketdrillCalls, ABlockingCallEndsWhenAndAsTheScriptSays) {
  const Ran ran = blocking_read("+.2");
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  const Ran other = blocking_read("+.2", "99");
  EXPECT_EQ(other.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(other.clause(0).failure.differences, ElementsAre("result: expected 99, got 100"));
}

TEST(PacketdrillCalls, ABlockingCallThatEndsAtAnotherTimeIsAViolation) {
  for (const char* sent : {"+.1", "+.3"}) {
    const Ran ran = blocking_read(sent);
    EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL) << sent;
    EXPECT_THAT(ran.outcome.reason, HasSubstr("read() ended at another time")) << sent;
  }
}

TEST(PacketdrillCalls, ABlockingCallThatGoesOnIsAViolation) {
  FakeTcp tcp;
  tcp.reads_block = true;
  const Ran ran = run_script(cat(kAccepted, "+0...0.2 read(4, ..., 100) = 100\n"), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("read() has not ended"));
}

TEST(PacketdrillCalls, ACallThatNeverReturnsIsAViolation) {
  FakeTcp tcp;
  v1::Report registered;
  registered.set_registered(true);
  FakeCandidate candidate = answering(tcp.candidate(), is_accept, registered);
  candidate.on_waiting = nullptr;  // and never answered
  const Ran ran = run_script(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("accept() does not return"));
}

// --- code, commands, capabilities ---

// A script with such a block, of a socket whose tcpi_unacked is 3.
Ran with_code(const std::string& code) {
  FakeTcp tcp;
  tcp.on_call = [](FakeSession&,
                   const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_get_option()) return std::nullopt;
    v1::SocketCallResponse response;
    std::string& info = *response.mutable_data();
    info.resize(offsetof(tcp_info, tcpi_unacked) + sizeof(tcp_info::tcpi_unacked));
    info[offsetof(tcp_info, tcpi_unacked)] = 3;
    return response;
  };
  return run_script(cat(kAccepted, "+0 %{ ", code, " }%\n"), tcp.candidate());
}

TEST(PacketdrillCalls, AnAssertionThatDoesNotHoldIsAViolation) {
  const Ran holds = with_code("assert tcpi_unacked == 3");
  EXPECT_EQ(holds.outcome.verdict, v1::VERDICT_PASS) << holds.outcome.reason;
  const Ran fails = with_code("assert tcpi_unacked == 4, tcpi_unacked");
  EXPECT_EQ(fails.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(fails.outcome.reason, HasSubstr("an assertion does not hold"));
  EXPECT_EQ(fails.clause(0).failure.came, "assert tcpi_unacked == 4, tcpi_unacked: 3");
}

TEST(PacketdrillCalls, WhatASocketDoesNotTellIsASkip) {
  const Ran ran = with_code("assert tcpi_snd_cwnd == 10");
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("nothing here tells tcpi_snd_cwnd"));
}

TEST(PacketdrillCalls, AnUnknownCommandIsASkipAndReachesNobody) {
  FakeTcp tcp;
  const Ran ran = run_script(cat(kAccepted, "+0 `rm -rf /`\n"), tcp.candidate(), {}, kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("host-shell: rm -rf /"));
  EXPECT_THAT(tcp.calls, SizeIs(4));  // socket, bind, listen, accept
}

TEST(PacketdrillCalls, ATargetWithoutSocketCallsIsASkip) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.capabilities = {"open.passive"};
  const Ran ran = run_script(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("lacks the capability sockets"));
  EXPECT_THAT(tcp.calls, SizeIs(0));
}

TEST(PacketdrillCalls, ACallThatTheTargetHasNotIsASkip) {
  FakeTcp tcp;
  const Ran ran = run_script(
      kAccepted, answering(tcp.candidate(), is_accept,
                           refusal(grpc::StatusCode::UNIMPLEMENTED, "no accept() here")));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("no accept() here"));
}

TEST(PacketdrillCalls, CommandsBecomeRequestsAndWhatTheMachineHasNotIsASkip) {
  const std::string script =
      "`tc qdisc replace dev tun0 root pfifo limit 0\n"
      "ip tcp_metrics flush all\n"
      "echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect`\n"
      "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
  FakeTcp tcp;
  const Ran ran = run_script(script, tcp.candidate(), {}, kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  ASSERT_THAT(tcp.calls, SizeIs(4));
  // Settings first: they are sent together.
  EXPECT_EQ(tcp.calls[0].setting().name(), "module.tcp_cubic.hystart_detect");
  EXPECT_EQ(tcp.calls[1].queue().kind(), "pfifo");
  EXPECT_TRUE(tcp.calls[1].queue().has_limit());
  EXPECT_TRUE(tcp.calls[2].has_flush_metrics());
  FakeTcp other;
  other.on_call =
      [](FakeSession&,
         const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_setting()) return std::nullopt;
    return failed(1, "EPERM");
  };
  const Ran lacks = run_script(script, other.candidate());
  EXPECT_EQ(lacks.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(lacks.outcome.reason,
              HasSubstr("does not take module.tcp_cubic.hystart_detect = 3: EPERM"));
}

}  // namespace
}  // namespace tcproctor::conformance
