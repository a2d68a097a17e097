// SPDX-License-Identifier: Apache-2.0
// Scripts of packetdrill's dialect against a daemon whose TCP is made of lambdas: what they ask
// for, and which verdict they come to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/case_run.h"
#include "conformance/runner/fake_daemon_testing.h"
#include "conformance/runner/numbers.h"
#include "conformance/script/flags.h"
#include "conformance/script/packetdrill_parser.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint32_t kIsnB = 5000;

// A segment of the TCP that goes back where `asked` came from.
v1::Segment reply(const v1::Segment& asked, uint32_t flags, uint32_t sequence,
                  const std::string& payload = "") {
  v1::Segment segment;
  v1::TcpHeader& tcp = *segment.mutable_tcp();
  tcp.set_source_port(asked.tcp().destination_port());
  tcp.set_destination_port(asked.tcp().source_port());
  tcp.set_flags(flags);
  tcp.set_sequence_number(sequence);
  tcp.set_acknowledgment_number(asked.tcp().sequence_number() +
                                static_cast<uint32_t>(asked.payload().size()) +
                                ((asked.tcp().flags() & (kSyn | kFin)) != 0 ? 1 : 0));
  tcp.set_window(1000);
  segment.set_payload(payload);
  return segment;
}

// A TCP that answers SYN and data, and sends what is written, in segments of `mss`.
class FakeTcp {
 public:
  explicit FakeTcp(size_t mss = 1000) : mss_(mss) {}

  // As `candidate` of a FakeDaemon, whose life this object must outlast.
  FakeCandidate candidate() {
    FakeCandidate made;
    made.capabilities = {"sockets"};
    made.on_segment = [this](FakeSession& session, const v1::Segment& segment) {
      take(session, segment);
    };
    made.on_command = [this](FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
      if (!command.has_socket_call()) return std::nullopt;
      v1::Report report;
      *report.mutable_socket_call() = answer(session, command.socket_call());
      return report;
    };
    return made;
  }

  // Instead of the usual answer; nothing: that one. May be empty.
  std::function<std::optional<v1::SocketCallResponse>(FakeSession&, const v1::SocketCallRequest&)>
      on_call;
  std::function<void(v1::Segment&)> spoil;  // what is sent; may be empty
  std::vector<v1::SocketCallRequest> calls;

 private:
  void take(FakeSession& session, const v1::Segment& segment) {
    last_ = segment;
    const uint32_t flags = segment.tcp().flags();
    if ((flags & kSyn) != 0) {
      session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kSyn | kAck, kIsnB));
    } else if (!segment.payload().empty()) {
      unread_ += segment.payload();
      session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kAck, kIsnB + 1 + sent_));
    }
  }

  v1::SocketCallResponse answer(FakeSession& session, const v1::SocketCallRequest& request) {
    calls.push_back(request);
    if (on_call) {
      std::optional<v1::SocketCallResponse> own = on_call(session, request);
      if (own.has_value()) return *own;
    }
    v1::SocketCallResponse response;
    if (request.has_socket() || request.has_accept()) response.set_result(next_descriptor_++);
    if (request.has_accept()) response.mutable_address()->set_port(last_.tcp().source_port());
    if (request.has_write()) {
      send(session, request.write().data());
      response.set_result(static_cast<int64_t>(request.write().data().size()));
    }
    if (request.has_read()) {
      response.set_data(std::exchange(unread_, ""));
      response.set_result(static_cast<int64_t>(response.data().size()));
    }
    return response;
  }

  void send(FakeSession& session, const std::string& data) {
    for (size_t at = 0; at < data.size(); at += mss_) {
      const bool last = at + mss_ >= data.size();
      v1::Segment segment =
          reply(last_, kAck | (last ? kPsh : 0), kIsnB + 1 + sent_, data.substr(at, mss_));
      sent_ += static_cast<uint32_t>(segment.payload().size());
      if (spoil) spoil(segment);
      session.put(v1::END_B, v1::ORIGIN_END, segment);
    }
  }

  const size_t mss_;
  v1::Segment last_;
  uint32_t sent_ = 0;
  int next_descriptor_ = 3;
  std::string unread_;
};

v1::SocketCallResponse failed(int error, const std::string& name) {
  v1::SocketCallResponse response;
  response.set_result(-1);
  response.set_error(error);
  response.set_error_name(name);
  return response;
}

struct Ran {
  CaseOutcome outcome;
  std::unique_ptr<FakeDaemon> daemon;
};

Ran run(const std::string& script, FakeCandidate candidate, ForeignChecks checks = {},
        std::string_view target = kTargetVirtual, absl::Duration watchdog = absl::Minutes(1)) {
  Ran ran;
  const absl::StatusOr<Case> parsed = parse_packetdrill(script, "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  if (!parsed.ok()) return ran;
  ran.daemon = std::make_unique<FakeDaemon>(std::move(candidate));
  CaseRunOptions options;
  options.channel = ran.daemon->channel();
  options.target = std::string(target);
  options.seed = 7;
  options.foreign = checks;
  options.watchdog = watchdog;
  ran.outcome = run_case(*parsed, options);
  return ran;
}

constexpr char kAccepted[] = R"(
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000
+0 > S. 0:0(0) ack 1
+.1 < . 1:1(0) ack 1 win 1000
+0 accept(3, ..., ...) = 4
)";

constexpr char kWrites[] = "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n";
constexpr char kReads[] =
    "+0 < P. 1:101(100) ack 1 win 1000\n+0 > . 1:1(0) ack 101\n+0 read(4, ..., 500) = 100\n";

TEST(PacketdrillStage, ALifeWithPayloadBothWays) {
  FakeTcp tcp;
  const Ran ran = run(cat(kAccepted, kReads), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  FakeTcp writer;
  const Ran wrote = run(cat(kAccepted, kWrites), writer.candidate());
  EXPECT_EQ(wrote.outcome.verdict, v1::VERDICT_PASS) << wrote.outcome.reason;
}

TEST(PacketdrillStage, SegmentsAreNotAddedUpUnderStrictSegments) {
  FakeTcp tcp;
  const Ran ran =
      run(cat("--strict_segments\n", kAccepted, kWrites), tcp.candidate(), {}, kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.clauses[0].failure.differences,
              ElementsAre(HasSubstr("length: expected 2500, got 1000"), HasSubstr("flags")));
}

TEST(PacketdrillStage, ThePayloadIsVerifiedUnlessItIsNotToBe) {
  FakeTcp tcp;
  tcp.spoil = [](v1::Segment& segment) { (*segment.mutable_payload())[3] ^= 1; };
  const Ran ran = run(cat(kAccepted, kWrites), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.clauses[0].failure.differences,
              ElementsAre(HasSubstr("octet 3 of the stream")));
  FakeTcp again;
  again.spoil = tcp.spoil;
  const Ran relaxed = run(cat(kAccepted, kWrites), again.candidate(), {.payload = false});
  EXPECT_EQ(relaxed.outcome.verdict, v1::VERDICT_PASS) << relaxed.outcome.reason;
}

TEST(PacketdrillStage, WhatIsReadIsVerifiedToo) {
  FakeTcp tcp;
  tcp.on_call = [](FakeSession&,
                   const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_read()) return std::nullopt;
    v1::SocketCallResponse response;
    response.set_data(std::string(100, 'x'));
    response.set_result(100);
    return response;
  };
  const Ran ran = run(cat(kAccepted, kReads), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.clauses[0].failure.differences,
              ElementsAre(HasSubstr("not those that were sent")));
}

TEST(PacketdrillStage, ChecksumsAreVerifiedUnlessTheyAreNotToBe) {
  const auto verdict = [](ForeignChecks checks) {
    FakeTcp tcp;
    FakeCandidate candidate = tcp.candidate();
    candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
      if ((segment.tcp().flags() & kSyn) == 0) return;
      session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kSyn | kAck, kIsnB));
      session.log.back().set_transport_checksum_valid(false);
    };
    return run("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n"
               "+0 < S 0:0(0) win 1000\n+0 > S. 0:0(0) ack 1\n",
               std::move(candidate), checks)
        .outcome.verdict;
  };
  EXPECT_EQ(verdict({}), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict({.checksums = false}), v1::VERDICT_PASS);
}

TEST(PacketdrillStage, SilenceBehindTheLastLineIsLookedAtWhenAskedFor) {
  const std::string script = cat(kAccepted, "+0 write(4, ..., 100) = 100\n");
  FakeTcp tcp;
  EXPECT_EQ(run(script, tcp.candidate()).outcome.verdict, v1::VERDICT_PASS);
  FakeTcp again;
  const Ran ran = run(script, again.candidate(), {.silence = true});
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("a packet that no line awaits"));
  FakeTcp silent;
  const Ran quiet = run(kAccepted, silent.candidate(), {.silence = true});
  EXPECT_EQ(quiet.outcome.verdict, v1::VERDICT_PASS) << quiet.outcome.reason;
}

TEST(PacketdrillStage, MssMakesSuperSegmentsOfTheKernelAndPiecesForOthers) {
  const std::string script = cat("--mss=1000\n", kAccepted,
                                 "+0 < FP. 1:2501(2500) ack 1 win 1000\n+0 < . 2502:2502(0) ack 1 "
                                 "win 1000\n");
  const auto trains = [&](std::string_view target) {
    FakeTcp tcp;
    const Ran ran = run(script, tcp.candidate(), {}, target);
    EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
    std::vector<std::string> told;
    for (const v1::Command& command : ran.daemon->commands()) {
      if (!command.has_inject()) continue;
      std::string& train = told.emplace_back();
      for (const v1::TimedSegment& one : command.inject().train()) {
        append(train, train.empty() ? "" : " ", one.segment().payload().size(), "/", one.gso_size(),
               "/", one.segment().tcp().sequence_number(), "/", one.segment().tcp().flags());
      }
    }
    return told;
  };
  const uint32_t last = kAck | kPsh | kFin;
  EXPECT_THAT(trains(kTargetKernel),
              ElementsAre("0/0/0/2", "0/0/1/16", cat("2500/1000/1/", last), "0/0/2502/16"));
  EXPECT_THAT(trains(kTargetVirtual),
              ElementsAre("0/0/0/2", "0/0/1/16",
                          cat("1000/0/1/16 1000/0/1001/16 500/0/2001/", last), "0/0/2502/16"));
}

constexpr char kConnects[] = R"(
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0)
)";

// A SYN from that port, as connect() sends it.
void syn(FakeSession& session, uint32_t port, uint32_t isn) {
  v1::Segment segment;
  segment.mutable_tcp()->set_source_port(port);
  segment.mutable_tcp()->set_destination_port(8080);
  segment.mutable_tcp()->set_flags(kSyn);
  segment.mutable_tcp()->set_sequence_number(isn);
  session.put(v1::END_B, v1::ORIGIN_END, segment);
}

TEST(PacketdrillStage, TheSynOfAnotherSocketIsPassedOver) {
  FakeTcp tcp;
  int connected = 0;
  tcp.on_call = [&](FakeSession& session,
                    const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_connect()) return std::nullopt;
    // The first socket sends its SYN again before the second sends its own.
    if (++connected == 2) syn(session, 50001, 100);
    syn(session, 50000 + static_cast<uint32_t>(connected), 100 * static_cast<uint32_t>(connected));
    return failed(115, "EINPROGRESS");
  };
  const Ran ran = run(cat(kConnects,
                          "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4\n"
                          "+0 connect(4, ..., ...) = -1 EINPROGRESS (Operation)\n"
                          "+0 > S 0:0(0)\n"
                          "+0 < R. 0:0(0) ack 1 win 0\n"),
                      tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  const v1::Segment& rst = ran.daemon->sessions()[0]->log.back().segment();
  EXPECT_EQ(rst.tcp().destination_port(), 50002u);
  EXPECT_EQ(rst.tcp().acknowledgment_number(), 201u);
}

TEST(PacketdrillStage, ADissolvedConnectionEndsAndConnectsAnew) {
  FakeTcp tcp;
  uint32_t port = 50000;
  tcp.on_call = [&](FakeSession& session,
                    const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_connect()) return std::nullopt;
    if (request.connect().unspecified_family()) {
      v1::Segment rst;
      rst.mutable_tcp()->set_source_port(port);
      rst.mutable_tcp()->set_destination_port(8080);
      rst.mutable_tcp()->set_flags(kRst | kAck);
      rst.mutable_tcp()->set_sequence_number(101);
      rst.mutable_tcp()->set_acknowledgment_number(1);
      session.put(v1::END_B, v1::ORIGIN_END, rst);
      return v1::SocketCallResponse();
    }
    ++port;
    syn(session, port, 100 * (port - 50000));
    return failed(115, "EINPROGRESS");
  };
  FakeCandidate candidate = tcp.candidate();
  candidate.on_segment = nullptr;
  const Ran ran = run(cat(kConnects,
                          "+0 < S. 0:0(0) ack 1 win 1000\n"
                          "+0 connect(3, AF_UNSPEC, ...) = 0\n"
                          "+0 > R. 1:1(0) ack 1\n"
                          "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation)\n"
                          "+0 > S 0:0(0)\n"),
                      std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
}

TEST(PacketdrillStage, AnEchoMayBeOneThatNobodySentOnlyWhenTheScriptSaysSo) {
  const auto reason = [](const std::string& flags) {
    FakeTcp tcp;
    tcp.on_call =
        [](FakeSession& session,
           const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
      if (!request.has_connect()) return std::nullopt;
      syn(session, 50001, 100);
      v1::Timestamps& own =
          *session.log.back().mutable_segment()->mutable_tcp()->add_options()->mutable_timestamps();
      own.set_value(77);
      own.set_echo_reply(0);
      return failed(115, "EINPROGRESS");
    };
    FakeCandidate candidate = tcp.candidate();
    candidate.on_segment = nullptr;
    std::string script = kConnects;
    script.replace(script.rfind("S 0:0(0)"), 8, "S 0:0(0) <nop,nop,TS val 1 ecr 0>");
    return run(cat(flags, script, "+0 < S. 0:0(0) ack 1 win 9 <nop,nop,TS val 1 ecr 9999>\n"),
               std::move(candidate))
        .outcome.reason;
  };
  EXPECT_THAT(reason(""), HasSubstr("no outbound packet had TS val 9999"));
  EXPECT_EQ(reason("--tcp_ts_ecr_scaled\n"), "");
}

TEST(PacketdrillStage, ArgumentsReachTheSocket) {
  FakeTcp tcp;
  const Ran ran = run(
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

TEST(PacketdrillStage, CommandsBecomeRequestsAndWhatTheMachineHasNotIsASkip) {
  const std::string script =
      "`tc qdisc replace dev tun0 root pfifo limit 0\n"
      "ip tcp_metrics flush all\n"
      "echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect`\n"
      "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
  FakeTcp tcp;
  const Ran ran = run(script, tcp.candidate(), {}, kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  ASSERT_THAT(tcp.calls, SizeIs(4));
  EXPECT_EQ(tcp.calls[0].queue().kind(), "pfifo");
  EXPECT_TRUE(tcp.calls[0].queue().has_limit());
  EXPECT_TRUE(tcp.calls[1].has_flush_metrics());
  EXPECT_EQ(tcp.calls[2].setting().name(), "module.tcp_cubic.hystart_detect");
  FakeTcp other;
  other.on_call =
      [](FakeSession&,
         const v1::SocketCallRequest& request) -> std::optional<v1::SocketCallResponse> {
    if (!request.has_setting()) return std::nullopt;
    return failed(1, "EPERM");
  };
  const Ran lacks = run(script, other.candidate());
  EXPECT_EQ(lacks.outcome.verdict, v1::VERDICT_SKIP);
  EXPECT_THAT(lacks.outcome.reason,
              HasSubstr("does not take module.tcp_cubic.hystart_detect = 3: EPERM"));
}

// --- what breaks is an ERROR with its cause ---

TEST(PacketdrillStage, ADaemonThatHangsIsAnError) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.hangs = [](const FakeSession&, const v1::Command& command) {
    return command.has_socket_call();
  };
  const Ran ran = run(kAccepted, std::move(candidate), {}, kTargetVirtual, absl::Milliseconds(500));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("hangs: the session was not over within 500ms"));
}

TEST(PacketdrillStage, AWireThatLosesIsAnError) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.on_command = [inner = candidate.on_command](
                             FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
    if (!command.has_expect()) return inner(session, command);
    v1::Report report;
    report.set_error_code(grpc::StatusCode::DATA_LOSS);
    report.set_error_message("the capture lost 3 frames");
    return report;
  };
  const Ran ran = run(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("the capture lost 3 frames"));
  EXPECT_THAT(ran.outcome.clauses[0].failure.location, "t.pkt:6:1");
}

TEST(PacketdrillStage, AStreamThatBreaksIsAnError) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.breaks = [](const FakeSession&, const v1::Command& command) {
    return command.has_socket_call() && command.socket_call().has_accept();
  };
  const Ran ran = run(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("the fake daemon went away"));
}

TEST(PacketdrillStage, ACallThatNeverReturnsIsAViolation) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  // Registered, and never answered.
  candidate.on_command = [inner = candidate.on_command](
                             FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
    if (!command.has_socket_call() || !command.socket_call().has_accept()) {
      return inner(session, command);
    }
    v1::Report report;
    report.set_registered(true);
    return report;
  };
  const Ran ran = run(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("accept() does not return"));
}

TEST(ForeignChecksTest, AreNamed) {
  const absl::StatusOr<ForeignChecks> all = parse_foreign_checks("silence,payload,checksums");
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->silence && all->payload && all->checksums);
  const absl::StatusOr<ForeignChecks> none = parse_foreign_checks("none");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->silence || none->payload || none->checksums);
  EXPECT_THAT(std::string(parse_foreign_checks("payloads").status().message()),
              HasSubstr("\"payloads\": want some of payload, checksums, silence; or none"));
}

}  // namespace
}  // namespace tcproctor::conformance
