// SPDX-License-Identifier: Apache-2.0
// Scripts of packetdrill's dialect: their packets, and what breaks under them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/packetdrill_stage_testing.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kWrites[] = "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n";
TEST(PacketdrillStage, ALifeWithPayloadBothWays) {
  FakeTcp tcp;
  const Ran ran = run_script(cat(kAccepted, kReads), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  FakeTcp writer;
  const Ran wrote = run_script(cat(kAccepted, kWrites), writer.candidate());
  EXPECT_EQ(wrote.outcome.verdict, v1::VERDICT_PASS) << wrote.outcome.reason;
}

TEST(PacketdrillStage, SegmentsAreNotAddedUpUnderStrictSegments) {
  FakeTcp tcp;
  const Ran ran = run_script(cat("--strict_segments\n", kAccepted, kWrites), tcp.candidate(), {},
                             kTargetKernel);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.clause(0).failure.differences,
              ElementsAre(HasSubstr("length: expected 2500, got 1000"), HasSubstr("flags")));
}

// --- packets that do not match ---

struct Spoiled {
  const char* name;
  std::function<void(v1::Segment&)> spoil;  // of the first segment of two
  const char* difference;                   // empty: none
};
void PrintTo(const Spoiled& spoiled, std::ostream* out) {
  *out << spoiled.name;
}

class Mismatch : public ::testing::TestWithParam<Spoiled> {};
TEST_P(Mismatch, IsAViolationThatSaysWhatDiffers) {
  FakeTcp tcp;
  bool first = true;
  tcp.spoil = [&](v1::Segment& segment) {
    if (std::exchange(first, false)) GetParam().spoil(segment);
  };
  const Ran ran = run_script(cat(kAccepted,
                                 "+0 write(4, ..., 1000) = 1000\n"
                                 "+0 > P. 1:1001(1000) ack 1 win 1000\n"),
                             tcp.candidate(), {}, kTargetKernel);
  const std::string difference = GetParam().difference;
  EXPECT_EQ(ran.outcome.verdict, difference.empty() ? v1::VERDICT_PASS : v1::VERDICT_FAIL);
  if (difference.empty()) return;
  EXPECT_THAT(ran.outcome.reason, HasSubstr("another packet came than expected"));
  EXPECT_THAT(ran.clause(0).failure.differences, ElementsAre(HasSubstr(difference)));
  EXPECT_EQ(ran.clause(0).failure.location, "t.pkt:10:1");
  EXPECT_THAT(ran.clause(0).failure.expected, ElementsAre("P. 1:1001(1000) ack 1 win 1000"));
}
INSTANTIATE_TEST_SUITE_P(
    Packets, Mismatch,
    ::testing::Values(
        Spoiled{"Right", [](v1::Segment&) {}, ""},
        Spoiled{"Flags", [](v1::Segment& s) { s.mutable_tcp()->set_flags(kAck); },
                "flags: expected P., got ."},
        Spoiled{"Acknowledgment",
                [](v1::Segment& s) {
                  s.mutable_tcp()->set_acknowledgment_number(s.tcp().acknowledgment_number() + 7);
                },
                "ack: expected 1, got 8"},
        Spoiled{"Window", [](v1::Segment& s) { s.mutable_tcp()->set_window(999); },
                "win: expected 1000, got 999"},
        Spoiled{"Urgent", [](v1::Segment& s) { s.mutable_tcp()->set_urgent_pointer(5); },
                "urg: expected 0, got 5"},
        Spoiled{"Options",
                [](v1::Segment& s) { s.mutable_tcp()->add_options()->set_no_operation(true); },
                "options: expected 0 of them, got 1"},
        Spoiled{"Payload", [](v1::Segment& s) { (*s.mutable_payload())[3] ^= 1; },
                "payload: octet 3 of the stream"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(PacketdrillStage, AnotherSequenceNumberIsAnotherPlaceOfTheStream) {
  FakeTcp tcp;
  tcp.spoil = [](v1::Segment& segment) { segment.mutable_tcp()->set_sequence_number(kIsnB + 3); };
  const Ran ran =
      run_script(cat(kAccepted, "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1\n"),
                 tcp.candidate(), {.payload = false});
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.clause(0).failure.differences, ElementsAre("sequence number: expected 1, got 3"));
}

// --- time ---

// A listener whose answer to a SYN comes so late, and what the script makes of it.
Ran answered(absl::Duration after, const std::string& awaited) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.on_segment = [after](FakeSession& session, const v1::Segment& segment) {
    if (after == absl::InfiniteDuration()) return;
    session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kSyn | kAck, kIsnB), session.now + after);
  };
  return run_script(cat("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n"
                        "+0 < S 0:0(0) win 1000\n",
                        awaited, " > S. 0:0(0) ack 1\n"),
                    std::move(candidate));
}

TEST(PacketdrillStage, ATimeIsMetWithinTheToleranceOrAnEighthOfTheGap) {
  const auto ms = [](int64_t n) { return absl::Milliseconds(n); };
  EXPECT_EQ(answered(ms(14), "+0").outcome.verdict, v1::VERDICT_PASS);
  EXPECT_THAT(answered(ms(16), "+0").outcome.reason, HasSubstr("the packet came too late"));
  EXPECT_EQ(answered(ms(87), "+.1").outcome.verdict, v1::VERDICT_PASS);
  EXPECT_THAT(answered(ms(85), "+.1").outcome.reason, HasSubstr("the packet came too early"));
  EXPECT_EQ(answered(ms(880), "+1").outcome.verdict, v1::VERDICT_PASS);
  EXPECT_THAT(answered(ms(870), "+1").outcome.reason, HasSubstr("the packet came too early"));
  EXPECT_EQ(answered(ms(1120), "+1").outcome.verdict, v1::VERDICT_PASS);
  EXPECT_THAT(answered(ms(1130), "+1").outcome.reason, HasSubstr("the packet came too late"));
  EXPECT_EQ(answered(ms(150), "+.1~+.2").outcome.verdict, v1::VERDICT_PASS);
  EXPECT_THAT(answered(ms(230), "+.1~+.2").outcome.reason, HasSubstr("the packet came too late"));
  EXPECT_EQ(answered(ms(700), "*").outcome.verdict, v1::VERDICT_PASS);
}

TEST(PacketdrillStage, APacketThatDoesNotComeIsAViolation) {
  const Ran ran = answered(absl::InfiniteDuration(), "+0");
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("no packet came"));
  EXPECT_EQ(ran.clause(0).failure.location, "t.pkt:4:1");
  FakeTcp tcp;
  const Ran half = run_script(cat(kAccepted,
                                  "+0 write(4, ..., 1000) = 1000\n"
                                  "+0 > P. 1:2001(2000) ack 1\n"),
                              tcp.candidate());
  EXPECT_THAT(half.outcome.reason, HasSubstr("the rest of the packet did not come"));
}

// --- beyond packetdrill ---

TEST(PacketdrillStage, ThePayloadIsVerifiedUnlessItIsNotToBe) {
  FakeTcp tcp;
  tcp.spoil = [](v1::Segment& segment) { (*segment.mutable_payload())[3] ^= 1; };
  const Ran ran = run_script(cat(kAccepted, kWrites), tcp.candidate());
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.clause(0).failure.differences, ElementsAre(HasSubstr("octet 3 of the stream")));
  FakeTcp again;
  again.spoil = tcp.spoil;
  const Ran relaxed = run_script(cat(kAccepted, kWrites), again.candidate(), {.payload = false});
  EXPECT_EQ(relaxed.outcome.verdict, v1::VERDICT_PASS) << relaxed.outcome.reason;
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
    return run_script(
               "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n"
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
  EXPECT_EQ(run_script(script, tcp.candidate()).outcome.verdict, v1::VERDICT_PASS);
  FakeTcp again;
  const Ran ran = run_script(script, again.candidate(), {.silence = true});
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("a packet that no line awaits"));
  FakeTcp silent;
  const Ran quiet = run_script(kAccepted, silent.candidate(), {.silence = true});
  EXPECT_EQ(quiet.outcome.verdict, v1::VERDICT_PASS) << quiet.outcome.reason;
}

TEST(PacketdrillStage, MssMakesSuperSegmentsOfTheKernelAndPiecesForOthers) {
  const std::string script = cat("--mss=1000\n", kAccepted,
                                 "+0 < FP. 1:2501(2500) ack 1 win 1000\n+0 < . 2502:2502(0) ack 1 "
                                 "win 1000\n");
  const auto trains = [&](std::string_view target) {
    FakeTcp tcp;
    const Ran ran = run_script(script, tcp.candidate(), {}, target);
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

// The fake acknowledges each piece of 2,500 octets.
TEST(PacketdrillStage, TheAcksOfPiecesArePassedOver) {
  const auto run = [](const std::string& rest, const std::string& flags = "",
                      std::string_view target = kTargetVirtual) {
    FakeTcp tcp;
    return run_script(
               cat(flags, "--mss=1000\n", kAccepted, "+0 < P. 1:2501(2500) ack 1 win 1000\n", rest),
               tcp.candidate(), {.silence = true}, target)
        .outcome;
  };
  EXPECT_EQ(run("+0 > . 1:1(0) ack 2501\n").verdict, v1::VERDICT_PASS);
  // Behind an ACK that was awaited, before data, at the end.
  EXPECT_EQ(
      run("+0 > . 1:1(0) ack 1001\n+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 2501\n")
          .verdict,
      v1::VERDICT_PASS);
  EXPECT_EQ(
      run("+0 > . 1:1(0) ack 1001\n+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 2501\n",
          "--strict_segments\n")
          .verdict,
      v1::VERDICT_PASS);
  EXPECT_EQ(run("+0 > . 1:1(0) ack 1001\n").verdict, v1::VERDICT_PASS);
  // A wrong ACK stays one, and of what was received together there is one only.
  EXPECT_THAT(run("+0 > . 1:1(0) ack 2502\n").reason, HasSubstr("another packet came"));
  EXPECT_EQ(run("+0 > . 1:1(0) ack 2501\n+0 > . 1:1(0) ack 2501\n", "", kTargetKernel).verdict,
            v1::VERDICT_FAIL);
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
  const Ran ran = run_script(cat(kConnects,
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
  const Ran ran = run_script(cat(kConnects,
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
    return run_script(
               cat(flags, script, "+0 < S. 0:0(0) ack 1 win 9 <nop,nop,TS val 1 ecr 9999>\n"),
               std::move(candidate))
        .outcome.reason;
  };
  EXPECT_THAT(reason(""), HasSubstr("no outbound packet had TS val 9999"));
  EXPECT_EQ(reason("--tcp_ts_ecr_scaled\n"), "");
}

// --- what breaks is an ERROR with its cause ---

TEST(PacketdrillStage, ADaemonThatHangsIsAnError) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.hangs = [hangs = false](const FakeSession&, const v1::Command& command) mutable {
    return hangs |= command.has_socket_call();
  };
  const Ran ran =
      run_script(kAccepted, std::move(candidate), {}, kTargetVirtual, absl::Milliseconds(500));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("hangs: the session was not over within 500ms"));
}

TEST(PacketdrillStage, AWireThatLosesIsAnError) {
  FakeTcp tcp;
  const Ran ran =
      run_script(kAccepted, answering(
                                tcp.candidate(),
                                [](const v1::Command& command) { return command.has_expect(); },
                                refusal(grpc::StatusCode::DATA_LOSS, "the capture lost 3 frames")));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("the capture lost 3 frames"));
  EXPECT_THAT(ran.clause(0).failure.location, "t.pkt:6:1");
}

TEST(PacketdrillStage, AStreamThatBreaksIsAnError) {
  FakeTcp tcp;
  FakeCandidate candidate = tcp.candidate();
  candidate.breaks = [](const FakeSession&, const v1::Command& command) {
    return command.has_socket_call() && command.socket_call().has_accept();
  };
  const Ran ran = run_script(kAccepted, std::move(candidate));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("the fake daemon went away"));
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
