// SPDX-License-Identifier: Apache-2.0
// The interpreter against a daemon whose candidate is made of lambdas: what it asks for, and which
// verdict it comes to.
#include "conformance/runner/case_run.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/case_run_testing.h"
#include "conformance/runner/numbers.h"
#include "conformance/runner/seed.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(CaseRun, PassesAndNumbersAreAbsoluteOnTheWire) {
  const Ran ran = run(cat(kHandshake, "< P. 1:11(10) ack 1 urg 3 {ttl 7}\n> . 1:1(0) ack 11\n"));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  ASSERT_THAT(ran.daemon->sessions(), SizeIs(1));
  const std::vector<v1::LogEntry>& log = ran.daemon->sessions()[0]->log;
  ASSERT_THAT(log, SizeIs(5));
  EXPECT_EQ(log[0].segment().tcp().sequence_number(), 1000u);
  EXPECT_EQ(log[2].segment().tcp().acknowledgment_number(), kIsnB + 1);
  const v1::Segment& data = log[3].segment();
  EXPECT_EQ(data.tcp().sequence_number(), 1001u);
  EXPECT_EQ(data.tcp().urgent_pointer(), 3u);
  EXPECT_EQ(data.ipv4().ttl(), 7u);
  std::string pattern;
  for (int i = 0; i < 10; ++i) pattern += stream_octet(v1::END_A, i);
  EXPECT_EQ(data.payload(), pattern);
}

TEST(CaseRun, TargetsBecomeEnds) {
  const auto ends = [](const std::string& head, const std::string& target) {
    const Ran ran = run(cat(head, "wait 1ms\n"), {}, false, target);
    const v1::CreateSessionRequest& request = ran.daemon->sessions().at(0)->created;
    const auto kind = [](const v1::EndSpec& end) {
      return end.has_kernel() ? "kernel" : end.has_stack() ? "stack" : "scripted";
    };
    return cat(kind(request.a()), "/", kind(request.b()), "/",
               v1::LinkKind_Name(request.wire().link()), "/", v1::Clock_Name(request.clock()));
  };
  EXPECT_EQ(ends("", "kernel"), "scripted/kernel/LINK_KIND_VETH/CLOCK_REAL");
  EXPECT_EQ(ends("", "stack-virtual"), "scripted/stack/LINK_KIND_MEMORY/CLOCK_VIRTUAL");
  EXPECT_EQ(ends("//: examines: A\n", "stack"), "stack/scripted/LINK_KIND_VETH/CLOCK_REAL");
  EXPECT_EQ(ends("//: examines: both\n", "kernel"), "kernel/stack/LINK_KIND_VETH/CLOCK_REAL");
  EXPECT_EQ(ends("//: examines: both\n", "stack"), "stack/kernel/LINK_KIND_VETH/CLOCK_REAL");
  EXPECT_EQ(ends("//: examines: both\n", "stack-virtual"),
            "stack/stack/LINK_KIND_MEMORY/CLOCK_VIRTUAL");
}

TEST(CaseRun, SettingsReachTheirEnds) {
  const Ran ran =
      run("//: set: stack.msl = 1s\n//: set: kernel.net.ipv4.tcp_x = 5\n//: set: wire.mtu = 576\n"
          "//: set stack: stack.min_rto = 9s\n//: addresses: A 10.0.0.1/8\nwait 1ms\n");
  const v1::CreateSessionRequest& request = ran.daemon->sessions().at(0)->created;
  EXPECT_EQ(request.b().stack().msl().seconds(), 1);
  EXPECT_FALSE(request.b().stack().has_min_rto());
  EXPECT_EQ(request.wire().mtu(), 576u);
  EXPECT_THAT(request.a().addresses(), ElementsAre("10.0.0.1/8"));
  const Ran kernel = run("//: set: kernel.net.ipv4.tcp_x = 5\nwait 1ms\n", {}, false, "kernel");
  const auto& sysctls = kernel.daemon->sessions().at(0)->created.b().kernel().sysctls();
  EXPECT_EQ(sysctls.at("net.ipv4.tcp_x"), "5");
  EXPECT_EQ(sysctls.at("net.ipv4.tcp_invalid_ratelimit"), "0");
}

TEST(CaseRun, AnotherSegmentIsAFailWithAllTheEvidence) {
  const Ran ran = run(cat(kHandshake,
                          "clause \"answer\"\n< P. 1:11(10) ack 1\n"
                          "> . 1:1(0) ack 12 | R 1:1(0)\nclause \"later\"\nwait 1s\n"
                          "clause \"anew\" fresh\nwait 1s\n"));
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  ASSERT_THAT(ran.outcome.clauses, SizeIs(4));
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_PASS);
  const ClauseOutcome& failed = ran.clause(1);
  EXPECT_EQ(failed.verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(failed.reason, "end B sent another segment than expected");
  EXPECT_THAT(failed.failure.expected, ElementsAre(". 1:1(0) ack 12", "R 1:1(0)"));
  EXPECT_EQ(failed.failure.came, ". 1:1(0) ack 11 win 1000");
  EXPECT_EQ(failed.failure.packet, 5u);
  EXPECT_EQ(failed.failure.location, "t.pkt:11:1");
  EXPECT_EQ(failed.failure.statement, "> . 1:1(0) ack 12 | R 1:1(0)");
  EXPECT_THAT(failed.failure.differences,
              ElementsAre("against \". 1:1(0) ack 12\": acknowledgment_number",
                          HasSubstr("against \"R 1:1(0)\": flags")));
  EXPECT_EQ(ran.clause(2).verdict, v1::VERDICT_INCONCLUSIVE);
  EXPECT_EQ(ran.clause(2).reason, "not reached: \"answer\" ended the session");
  EXPECT_EQ(ran.clause(3).verdict, v1::VERDICT_PASS);
  EXPECT_THAT(ran.outcome.parts, SizeIs(2));
  EXPECT_EQ(ran.outcome.reproduce, "tcproctor run --target stack-virtual --filter T --seed 7");
}

TEST(CaseRun, NothingIsAFailAfterThePatience) {
  FakeCandidate silent;
  silent.on_segment = [](FakeSession&, const v1::Segment&) {};
  const Ran ran = run("//: patience: 300ms\n< S 0:0(0)\n> S. 0:0(0) ack 1\n", silent);
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.clause(0).failure.came, HasSubstr("nothing until 300ms after the start"));
}

TEST(CaseRun, TimesAreJudged) {
  FakeCandidate late;
  late.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    session.answer(kSyn | kAck, kIsnB, segment.tcp().sequence_number() + 1, "",
                   session.now + absl::Milliseconds(200));
  };
  const auto verdict = [&](const std::string& time) {
    return run(cat("< S 0:0(0)\n", time, " > S. 0:0(0) ack 1\n"), late).outcome.clauses.at(0);
  };
  EXPECT_EQ(verdict("+0.2").verdict, v1::VERDICT_PASS);
  EXPECT_EQ(verdict("0.2").verdict, v1::VERDICT_PASS);
  EXPECT_EQ(verdict("+0.1~+0.3").verdict, v1::VERDICT_PASS);
  EXPECT_EQ(verdict("*").verdict, v1::VERDICT_PASS);
  EXPECT_EQ(verdict("+0.1").reason, "end B sent nothing");
  EXPECT_EQ(verdict("+0.3").reason, "end B sent the segment too early");
  EXPECT_THAT(verdict("+0.3").failure.came, HasSubstr("it came 200ms after it"));
}

TEST(CaseRun, ActionsWaitForTheirTime) {
  const Ran ran = run("+0.5 < S 0:0(0)\n> S. 0:0(0) ack 1\n+1 < . 1:1(0) ack 1\n2 < . 1:1(0)\n");
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  const std::vector<v1::LogEntry>& log = ran.daemon->sessions().at(0)->log;
  EXPECT_EQ(from_proto(log.at(0).time()), absl::Milliseconds(500));
  EXPECT_EQ(from_proto(log.at(2).time()), absl::Milliseconds(1500));
  EXPECT_EQ(from_proto(log.at(3).time()), absl::Seconds(2));
}

TEST(CaseRun, AMissingCapabilitySkipsTheClauseOnly) {
  const Ran ran =
      run(cat("clause \"a\" requires embryonic.close\nwait 1s\nclause \"b\"\nwait 1ms\n"));
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_SKIP);
  EXPECT_FALSE(ran.clause(0).skip_is_named);
  EXPECT_EQ(ran.clause(0).reason, "the target lacks the capability embryonic.close");
  EXPECT_EQ(ran.clause(1).verdict, v1::VERDICT_PASS);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS);
}

TEST(CaseRun, WhatTheTargetCannotDoIsASkip) {
  FakeCandidate candidate;
  candidate.on_command = [](FakeSession&, const v1::Command& command) {
    std::optional<v1::Report> report;
    if (command.has_open()) {
      report.emplace();
      report->set_error_code(static_cast<int>(absl::StatusCode::kUnimplemented));
      report->set_error_message("open.passive is missing");
    }
    return report;
  };
  const Ran ran = run("L = OPEN(passive)\n", candidate);
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_SKIP);
  EXPECT_EQ(ran.clause(0).reason, "open.passive is missing");
}

TEST(CaseRun, ARefusalCanBeWhatIsRight) {
  FakeCandidate candidate;
  auto code = absl::StatusCode::kInvalidArgument;
  candidate.on_command = [&](FakeSession&, const v1::Command& command) {
    std::optional<v1::Report> report;
    if (command.has_open() && code != absl::StatusCode::kOk) {
      report.emplace();
      report->set_error_code(static_cast<int>(code));
      report->set_error_message("options.keys: both");
    }
    return report;
  };
  const auto verdict = [&](absl::StatusCode answer) {
    code = answer;
    return run("L = OPEN(passive) = REFUSED\n", candidate).clause(0).verdict;
  };
  EXPECT_EQ(verdict(absl::StatusCode::kInvalidArgument), v1::VERDICT_PASS);
  EXPECT_EQ(verdict(absl::StatusCode::kFailedPrecondition), v1::VERDICT_PASS);
  EXPECT_EQ(verdict(absl::StatusCode::kUnimplemented), v1::VERDICT_SKIP);
  EXPECT_EQ(verdict(absl::StatusCode::kInternal), v1::VERDICT_ERROR);
  EXPECT_EQ(verdict(absl::StatusCode::kOk), v1::VERDICT_FAIL);
}

TEST(CaseRun, ACookieThatNobodyGaveCannotBeSent) {
  const Ran ran = run("< S 0:0(0) win 5 <FO last>\n");
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.clause(0).reason, HasSubstr("has given no cookie yet"));
}

TEST(CaseRun, SlowClausesRunUnderSlowOnly) {
  const std::string text = "clause \"a\" slow\nwait 1ms\nclause \"b\"\nwait 1ms\n";
  const Ran quick = run(text);
  EXPECT_EQ(quick.clause(0).verdict, v1::VERDICT_SKIP);
  EXPECT_TRUE(quick.clause(0).skip_is_named);
  EXPECT_EQ(quick.clause(1).verdict, v1::VERDICT_PASS);
  EXPECT_EQ(run(text, {}, true).clause(0).verdict, v1::VERDICT_PASS);
}

TEST(CaseRun, ABrokenStreamIsAnError) {
  FakeCandidate candidate;
  candidate.breaks_at = 4;
  const Ran ran = run(kHandshake, candidate);
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.clause(0).reason, HasSubstr("the fake daemon went away"));
}

TEST(CaseRun, ARefusedSessionIsAnError) {
  FakeCandidate candidate;
  candidate.breaks_at = 1;
  const Ran ran = run(kHandshake, candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.outcome.reason, HasSubstr("no session: UNAVAILABLE"));
}

TEST(CaseRun, MaybeTakesASegmentOnce) {
  FakeCandidate twice;
  twice.on_segment = [](FakeSession& session, const v1::Segment&) {
    session.answer(kAck, 1, 1);
    session.answer(kRst, 1, 0);
  };
  EXPECT_EQ(run("< - 0:0(0)\nmaybe > . 1:1(0) ack @1\n> R 1:1(0)\n", twice).outcome.verdict,
            v1::VERDICT_PASS);
  EXPECT_EQ(run("< - 0:0(0)\nmaybe > *\n> R 1:1(0)\n", twice).outcome.verdict, v1::VERDICT_PASS);
  EXPECT_EQ(run("< - 0:0(0)\n> R 1:1(0)\n", twice).outcome.verdict, v1::VERDICT_FAIL);
  // What it allows is not forgotten at the end of the clause.
  EXPECT_EQ(run("< - 0:0(0)\nmaybe > *\nclause \"b\"\n> R 1:1(0)\n", twice).outcome.verdict,
            v1::VERDICT_PASS);
}

TEST(CaseRun, SilenceCountsWhatWasNotAwaited) {
  EXPECT_EQ(run("< S 0:0(0)\n> S. 0:0(0) ack 1\nsilence 1s\n").outcome.verdict, v1::VERDICT_PASS);
  const Ran loud = run("< S 0:0(0)\nsilence 1s\n");
  EXPECT_EQ(loud.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(loud.clause(0).failure.came, "S. 0:0(0) ack 1 win 1000");
  EXPECT_EQ(run("< S 0:0(0)\nmaybe > *\nsilence 1s\n").outcome.verdict, v1::VERDICT_PASS);
}

TEST(CaseRun, FlowsDoNotDisturbEachOther) {
  FakeCandidate candidate;
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    v1::Segment answer;
    v1::TcpHeader& tcp = *answer.mutable_tcp();
    tcp.set_source_port(segment.tcp().destination_port());
    tcp.set_destination_port(segment.tcp().source_port());
    tcp.set_flags(kSyn | kAck);
    tcp.set_sequence_number(segment.tcp().source_port());
    tcp.set_acknowledgment_number(segment.tcp().sequence_number() + 1);
    session.put(v1::END_B, v1::ORIGIN_END, answer);
  };
  const Ran ran =
      run("flow f2 A:5001 B:8080\n< S 0:0(0)\n(f2) < S 0:0(0)\n(f2) > S. 0:0(0) ack 1\n"
          "> S. 0:0(0) ack 1\n(f2) < . 1:1(0) ack 1\n",
          candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  const std::vector<v1::LogEntry>& log = ran.daemon->sessions().at(0)->log;
  EXPECT_EQ(log.at(log.size() - 2).segment().tcp().acknowledgment_number(), 5002u);
}

TEST(CaseRun, ForgetLearnsTheIsnAnew) {
  uint32_t isn = 100;
  FakeCandidate candidate;
  candidate.on_segment = [&](FakeSession& session, const v1::Segment& segment) {
    if ((segment.tcp().flags() & kSyn) == 0) return;
    session.answer(kSyn | kAck, isn += 1000, segment.tcp().sequence_number() + 1);
  };
  EXPECT_EQ(
      run("< S 0:0(0)\n> S. 0:0(0) ack 1\nforget B\n< S 0:0(0)\n> S. 0:0(0) ack 1\n", candidate)
          .outcome.verdict,
      v1::VERDICT_PASS);
  EXPECT_EQ(run("< S 0:0(0)\n> S. 0:0(0) ack 1\n< S 0:0(0)\n> S. 0:0(0) ack 1\n", candidate)
                .outcome.verdict,
            v1::VERDICT_FAIL);
}

TEST(CaseRun, DataOfTheCandidateIsVerified) {
  const auto candidate = [](const std::string& payload) {
    FakeCandidate out;
    out.on_command = [payload](FakeSession& session, const v1::Command& command) {
      if (command.has_send()) session.answer(kAck, kIsnB + 1, 1001, payload);
      return std::optional<v1::Report>();
    };
    return out;
  };
  const std::string text = cat(kHandshake,
                               "C = ACCEPT(L)\nSEND(C, \"hello\") = 5\n"
                               "> . 1:6(5) ack 1\n");
  EXPECT_EQ(run(text, candidate("hello")).outcome.verdict, v1::VERDICT_PASS);
  EXPECT_EQ(run(text, candidate("hullo")).outcome.verdict, v1::VERDICT_FAIL);
  const std::string beyond = cat(kHandshake, "> . 1:6(5) ack 1\n");
  const Ran ran = run(beyond);
  EXPECT_EQ(ran.clause(0).verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(ran.clause(0).reason, HasSubstr("SEND handed 0 over"));
}

TEST(CaseRun, ReceivedDataIsVerified) {
  std::string octets;
  for (int i = 0; i < 10; ++i) octets += stream_octet(v1::END_A, i);
  const auto candidate = [](const std::string& data, v1::Outcome outcome) {
    FakeCandidate out;
    out.on_command = [=](FakeSession&, const v1::Command& command) {
      std::optional<v1::Report> report;
      if (command.has_receive()) {
        report.emplace();
        report->mutable_receive()->set_data(data);
        report->mutable_receive()->set_outcome(outcome);
      }
      return report;
    };
    return out;
  };
  const std::string text = cat(kHandshake, "C = ACCEPT(L)\nRECEIVE(C, 10) = ");
  const auto verdict = [&](const std::string& result, const std::string& data,
                           v1::Outcome outcome) {
    return run(cat(text, result, "\n"), candidate(data, outcome)).outcome.verdict;
  };
  EXPECT_EQ(verdict("bytes(10)", octets, v1::OUTCOME_OK), v1::VERDICT_PASS);
  EXPECT_EQ(verdict("bytes(10)", std::string(10, 'x'), v1::OUTCOME_OK), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("END-OF-STREAM", "", v1::OUTCOME_END_OF_STREAM), v1::VERDICT_PASS);
  EXPECT_EQ(verdict("END-OF-STREAM", "", v1::OUTCOME_CONNECTION_RESET), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("END-OF-STREAM | CONNECTION-RESET", "", v1::OUTCOME_CONNECTION_RESET),
            v1::VERDICT_PASS);
}

TEST(CaseRun, StatesAreObservedForTheLadder) {
  FakeCandidate candidate;
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    polite(session, segment);
    v1::ConnectionStatus status;
    status.set_connection(2);
    status.set_end(v1::END_B);
    status.set_state((segment.tcp().flags() & kSyn) != 0 ? v1::TCP_STATE_SYN_RECEIVED
                                                         : v1::TCP_STATE_ESTABLISHED);
    status.mutable_pair()->mutable_local()->set_port(8080);
    status.mutable_pair()->mutable_remote()->set_port(40000);
    status.mutable_pair()->mutable_remote()->set_address("192.0.2.1");
    session.connections = {status};
  };
  const Ran ran = run(cat("A is [SYN-SENT]\n", kHandshake,
                          "C = ACCEPT(L)\nSTATE(C) = ESTABLISHED\n"
                          "STATE(B) = ESTABLISHED\n"),
                      candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  EXPECT_THAT(
      ladder_text(ran.outcome),
      HasSubstr("[SYN-SENT]     --> <SEQ=0><CTL=SYN>                     --> SYN-RECEIVED"));
  EXPECT_THAT(ladder_text(ran.outcome), HasSubstr("--> ESTABLISHED"));
  const Ran wrong =
      run(cat(kHandshake, "C = ACCEPT(L)\nSTATE(C) = CLOSING | TIME-WAIT\n"), candidate);
  EXPECT_EQ(wrong.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(wrong.clause(0).failure.expected, ElementsAre("CLOSING", "TIME-WAIT"));
  EXPECT_EQ(wrong.clause(0).failure.came, "ESTABLISHED");
}

TEST(CaseRun, StatusComparesFieldsAndTellsWhatIsNotTold) {
  FakeCandidate candidate;
  candidate.on_command = [](FakeSession&, const v1::Command& command) {
    std::optional<v1::Report> report;
    if (command.has_status()) {
      report.emplace();
      v1::ConnectionStatus& status = *report->mutable_status();
      status.set_end(v1::END_B);
      status.set_rcv_nxt(1011);
      status.set_snd_wnd(500);
      v1::Timer* timer = status.add_timers();
      timer->set_kind(v1::TIMER_KIND_TIME_WAIT);
      timer->mutable_remaining()->set_seconds(55);
      status.mutable_half_open()->set_count(3);
    }
    return report;
  };
  const auto clause = [&](const std::string& fields) {
    return run(cat(kHandshake, "C = ACCEPT(L)\nSTATUS(C) = {", fields, "}\n"), candidate)
        .outcome.clauses.at(0);
  };
  EXPECT_EQ(
      clause("rcv_nxt: 11, snd_wnd: 1~500, timer.time_wait: 50s~60s, half_open.count: 3").verdict,
      v1::VERDICT_PASS);
  EXPECT_EQ(clause("timer.keepalive: absent, snd_wnd: present, iss: absent").verdict,
            v1::VERDICT_PASS);
  EXPECT_THAT(clause("snd_wnd: 501").failure.differences,
              ElementsAre("snd_wnd: expected 501, got 500"));
  EXPECT_THAT(clause("timer.keepalive: 1s").failure.differences,
              ElementsAre("timer.keepalive: expected 1s, got not running"));
  EXPECT_EQ(clause("iss: 5").verdict, v1::VERDICT_SKIP);
  EXPECT_EQ(clause("iss: 5").reason, "STATUS of this TCP does not tell iss");
}

TEST(CaseRun, EventsAreTakenOnce) {
  FakeCandidate candidate;
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    polite(session, segment);
    if ((segment.tcp().flags() & kRst) == 0) return;
    v1::ConnectionEvent event;
    event.set_connection(2);
    event.set_error(v1::OUTCOME_CONNECTION_RESET);
    session.events.push_back(event);
  };
  const std::string text = cat("//: patience: 50ms\n", kHandshake, "C = ACCEPT(L)\n< R 1:1(0)\n");
  EXPECT_EQ(run(cat(text, "EVENT(C, error CONNECTION-RESET)\nno EVENT(C, error)\n"), candidate)
                .outcome.verdict,
            v1::VERDICT_PASS);
  EXPECT_EQ(run(cat(text, "no EVENT(C, error)\n"), candidate).outcome.verdict, v1::VERDICT_FAIL);
  const Ran other = run(cat(text, "EVENT(C, error TIMED-OUT)\n"), candidate);
  EXPECT_EQ(other.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(other.clause(0).failure.came, "error CONNECTION-RESET");
}

TEST(CaseRun, HeldSegmentsAreReleasedByNumber) {
  const Ran ran = run(
      "hold B\n< S 0:0(0)\n< S 0:0(0)\n> S. 0:0(0) ack 1\nrelease B last\nrelease B\nunhold B\n");
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  std::vector<std::vector<uint64_t>> released;
  for (const v1::Command& command : ran.daemon->commands()) {
    if (!command.has_release_held()) continue;
    const auto& numbers = command.release_held().numbers();
    released.emplace_back(numbers.begin(), numbers.end());
  }
  // "last" is the one that was awaited, though another SYN,ACK has come since.
  EXPECT_THAT(released, ElementsAre(ElementsAre(2), ElementsAre(4)));
  EXPECT_THAT(run("//: patience: 20ms\nhold B\nrelease B\n").outcome.reason,
              HasSubstr("has sent nothing that could be released"));
}

TEST(CaseRun, CallsBesideTheScript) {
  // Waits until cancelled.
  FakeCandidate candidate;
  candidate.on_command = [](FakeSession&, const v1::Command& command) {
    std::optional<v1::Report> report;
    if (command.has_accept() && !command.accept().has_timeout()) {
      report.emplace();
      report->set_registered(true);
    }
    return report;
  };
  EXPECT_EQ(run("L = OPEN(passive)\nstart a = ACCEPT(L)\npending a\ncancel a\n", candidate)
                .outcome.verdict,
            v1::VERDICT_PASS);
  const Ran joined =
      run("//: patience: 50ms\nL = OPEN(passive)\nstart a = ACCEPT(L)\nC = join a\n", candidate);
  EXPECT_EQ(joined.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(joined.clause(0).failure.came, HasSubstr("it was still waiting after 50ms"));
  const Ran ended = run("L = OPEN(passive)\nstart a = ACCEPT(L)\npending a\n");
  EXPECT_EQ(ended.clause(0).verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(ended.clause(0).failure.came, "it has ended");
}

TEST(CaseRun, SentShowsRawFields) {
  EXPECT_EQ(run("< S 0:0(0) win 5 {ttl 9}\nsent {ttl 9, window 5, seq 1000}\n").outcome.verdict,
            v1::VERDICT_PASS);
  EXPECT_EQ(run("< S 0:0(0) win 5\nsent {window 6}\n").clause(0).failure.came,
            "window: expected 6, got 5");
}

TEST(CaseRun, CapturesAreWritten) {
  const std::string dir = ::testing::TempDir() + "/tcproctor_case_run_test";
  std::filesystem::create_directories(dir);
  FakeDaemon daemon({});
  CaseRunOptions options;
  options.channel = daemon.channel();
  options.target = "stack-virtual";
  options.seed = 7;
  options.pcap_dir = dir;
  const CaseOutcome outcome =
      run_case(case_of("wait 1ms\nclause \"b\" fresh\nwait 1ms\n"), options);
  ASSERT_THAT(outcome.parts, SizeIs(2));
  EXPECT_EQ(outcome.parts[0].pcap_file, dir + "/T.stack-virtual.pcap");
  EXPECT_EQ(outcome.parts[1].pcap_file, dir + "/T.stack-virtual.2.pcap");
  EXPECT_EQ(std::filesystem::file_size(outcome.parts[1].pcap_file), 4u);
  std::filesystem::remove_all(dir);
}

TEST(CaseRun, SameSeedSameIsns) {
  const auto isn = [](uint64_t seed) {
    FakeDaemon daemon({});
    CaseRunOptions options;
    options.channel = daemon.channel();
    options.target = "stack-virtual";
    options.seed = seed;
    Case test_case = case_of("< S 0:0(0)\n");
    test_case.head.isn.clear();
    run_case(test_case, options);
    return daemon.sessions().at(0)->log.at(0).segment().tcp().sequence_number();
  };
  EXPECT_EQ(isn(1), isn(1));
  EXPECT_NE(isn(1), isn(2));
}

}  // namespace
}  // namespace tcproctor::conformance
