// SPDX-License-Identifier: Apache-2.0
// What the interpreter makes of a harness that is late.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/case_run_testing.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A candidate on a real clock that sends its SYN,ACK again after 100 ms unless the ACK has come.
FakeCandidate retransmitting() {
  FakeCandidate candidate;
  candidate.clock = v1::CLOCK_REAL;
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    std::erase_if(session.log, [&](const v1::LogEntry& entry) {
      return from_proto(entry.time()) > session.now;
    });
    polite(session, segment);
    if ((segment.tcp().flags() & kSyn) == 0) return;
    session.answer(kSyn | kAck, kIsnB, segment.tcp().sequence_number() + 1, "",
                   session.now + absl::Milliseconds(100));
  };
  return candidate;
}

// Delays the ACK of the handshake in the first so many sessions.
void delay_ack(FakeCandidate& candidate, absl::Duration by, size_t sessions) {
  candidate.delay = [=, count = size_t{0}](FakeSession&, const v1::Command& command) mutable {
    count += command.has_create() ? 1 : 0;
    const bool ack = command.has_inject() &&
                     command.inject().train(0).segment().tcp().flags() == kAck && count <= sessions;
    return ack ? by : absl::ZeroDuration();
  };
}

const std::string kExchange = cat(kHandshake, "< P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n");

TEST(CaseRunLate, WhatCameWhileTheHarnessWasLateIsTriedAgain) {
  FakeCandidate candidate = retransmitting();
  delay_ack(candidate, absl::Milliseconds(120), 1);
  const Ran ran = run(kExchange, candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  ASSERT_THAT(ran.outcome.attempts, SizeIs(1));
  EXPECT_EQ(ran.outcome.attempts[0].verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(ran.outcome.attempts[0].reason, "end B sent another segment than expected");
  EXPECT_NEAR(ran.outcome.attempts[0].late, 0.12, 0.01);
  EXPECT_THAT(ran.outcome.parts, SizeIs(1));
  EXPECT_THAT(ran.daemon->sessions(), SizeIs(2));
}

TEST(CaseRunLate, LateEachTimeProvesNothing) {
  FakeCandidate candidate = retransmitting();
  delay_ack(candidate, absl::Milliseconds(120), 9);
  const Ran ran = run(kExchange, candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_INCONCLUSIVE);
  EXPECT_THAT(
      ran.clause(0).reason,
      HasSubstr("the harness was up to 120ms late (between two statements) in the last of 3 "
                "attempts, so this proves nothing: FAIL: end B sent another segment"));
  EXPECT_THAT(ran.outcome.attempts, SizeIs(2));
  EXPECT_THAT(ran.daemon->sessions(), SizeIs(3));
}

TEST(CaseRunLate, AViolationOfATimelyHarnessCountsAtOnce) {
  // The retransmission comes although the ACK was there.
  FakeCandidate candidate = retransmitting();
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    polite(session, segment);
    if ((segment.tcp().flags() & kSyn) != 0) polite(session, segment);
  };
  delay_ack(candidate, absl::Milliseconds(4), 9);
  const Ran ran = run(kExchange, candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.attempts, IsEmpty());
  EXPECT_THAT(ran.daemon->sessions(), SizeIs(1));
}

TEST(CaseRunLate, AViolationThatLatenessDoesNotExplainStaysOne) {
  FakeCandidate candidate = retransmitting();
  delay_ack(candidate, absl::Milliseconds(60), 9);
  const Ran ran = run(cat(kHandshake, "< P. 1:11(10) ack 1\n> . 1:1(0) ack 12\n"), candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(
      ran.clause(0).reason,
      "end B sent another segment than expected (in each of 3 attempts, though the harness was "
      "up to 60ms late (between two statements))");
  // Not late enough for any timer: once is enough.
  delay_ack(candidate, absl::Milliseconds(30), 9);
  const Ran once = run(cat(kHandshake, "< P. 1:11(10) ack 1\n> . 1:1(0) ack 12\n"), candidate);
  EXPECT_EQ(once.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(once.outcome.attempts, IsEmpty());
}

TEST(CaseRunLate, AKnownDeviationStaysOne) {
  const absl::StatusOr<Ledger> ledger = Ledger::parse(
      "case,clause,target,kernel_min,kernel_max,expected,signature,reason,reference\n"
      "T,*,*,,,XFAIL,another segment,why,where\n",
      "d.csv");
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  FakeCandidate candidate = retransmitting();
  delay_ack(candidate, absl::Seconds(1), 9);
  const std::string target(kTargetVirtual);
  const Ran known = run(kExchange, candidate, false, target, &*ledger);
  EXPECT_EQ(known.outcome.verdict, v1::VERDICT_XFAIL);
  EXPECT_THAT(known.outcome.attempts, IsEmpty());
  // An XPASS is in doubt as a FAIL is.
  delay_ack(candidate, absl::Milliseconds(60), 9);
  const Ran passed = run(kHandshake, candidate, false, target, &*ledger);
  EXPECT_EQ(passed.outcome.verdict, v1::VERDICT_XPASS);
  EXPECT_THAT(passed.outcome.attempts, SizeIs(2));
  delay_ack(candidate, absl::Seconds(1), 9);
  EXPECT_EQ(run(kHandshake, candidate, false, target, &*ledger).outcome.verdict,
            v1::VERDICT_INCONCLUSIVE);
}

TEST(CaseRunLate, SilenceLastsFromWhenItWasDue) {
  FakeCandidate candidate = retransmitting();
  candidate.delay = [](FakeSession&, const v1::Command& command) {
    const bool silence = command.expect().mode() == v1::EXPECT_MODE_SILENCE;
    return absl::Milliseconds(silence ? 30 : 0);
  };
  const std::string text = "< S 0:0(0)\n> S. 0:0(0) ack 1\n";
  const Ran quiet = run(cat(text, "silence 90ms\n"), candidate);
  EXPECT_EQ(quiet.outcome.verdict, v1::VERDICT_PASS) << quiet.outcome.reason;
  EXPECT_THAT(quiet.outcome.attempts, IsEmpty());
  const Ran loud = run(cat(text, "silence 120ms\n"), candidate);
  EXPECT_EQ(loud.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(loud.outcome.attempts, IsEmpty());
}

// Answers a SYN after so long, the daemon having waited for the processor meanwhile.
FakeCandidate tardy(absl::Duration answer, absl::Duration stall) {
  FakeCandidate candidate;
  candidate.clock = v1::CLOCK_REAL;
  candidate.on_segment = [=](FakeSession& session, const v1::Segment& segment) {
    if (stall > absl::ZeroDuration()) session.stalls = {stall};
    if (answer == absl::InfiniteDuration()) return;
    session.answer(kSyn | kAck, kIsnB, segment.tcp().sequence_number() + 1, "",
                   session.now + answer);
  };
  return candidate;
}

TEST(CaseRunLate, BoundsWidenByTheLateness) {
  const auto verdict = [](const std::string& time, absl::Duration answer, absl::Duration stall) {
    return run(cat("//: tolerance: 50ms\n< S 0:0(0)\n", time, " > S. 0:0(0) ack 1\n"),
               tardy(answer, stall))
        .outcome.verdict;
  };
  const auto ms = [](int64_t count) { return absl::Milliseconds(count); };
  EXPECT_EQ(verdict("+0.1", ms(210), ms(0)), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("+0.1", ms(210), ms(30)), v1::VERDICT_INCONCLUSIVE);
  EXPECT_EQ(verdict("+0.1", ms(210), ms(10)), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("+0.3", ms(200), ms(30)), v1::VERDICT_INCONCLUSIVE);
  EXPECT_EQ(verdict("+0.5", ms(200), ms(30)), v1::VERDICT_FAIL);
  // It never comes: that is not late.
  EXPECT_EQ(verdict("+0.1", absl::InfiniteDuration(), ms(60)), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("*", absl::InfiniteDuration(), ms(60)), v1::VERDICT_FAIL);
  EXPECT_EQ(verdict("*", absl::InfiniteDuration(), ms(600)), v1::VERDICT_INCONCLUSIVE);
}

TEST(CaseRunLate, OnlyTheSessionThatWasLateIsRunAgain) {
  FakeCandidate candidate = retransmitting();
  delay_ack(candidate, absl::Milliseconds(120), 1);
  const Ran ran = run(cat("clause \"a\"\n", kExchange, "clause \"b\"\nwait 1ms\n",
                          "clause \"c\" fresh\n", kExchange),
                      candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_PASS) << ran.outcome.reason;
  EXPECT_THAT(ran.outcome.clauses, SizeIs(3));
  EXPECT_THAT(ran.outcome.parts, SizeIs(2));
  EXPECT_THAT(ran.daemon->sessions(), SizeIs(3));
}

TEST(CaseRunLate, AVirtualClockKnowsNone) {
  FakeCandidate candidate = retransmitting();
  candidate.clock = v1::CLOCK_VIRTUAL;
  delay_ack(candidate, absl::Milliseconds(120), 9);
  const Ran ran = run(kExchange, candidate);
  EXPECT_EQ(ran.outcome.verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(ran.outcome.attempts, IsEmpty());
}

}  // namespace
}  // namespace tcproctor::conformance
