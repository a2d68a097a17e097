// SPDX-License-Identifier: Apache-2.0
// For tests of the interpreter: a case against a daemon whose candidate is made of lambdas.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "conformance/runner/case_run.h"
#include "conformance/runner/fake_daemon_testing.h"
#include "conformance/script/check.h"
#include "conformance/script/flags.h"
#include "conformance/script/parser.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {

inline constexpr uint32_t kIsnB = 5000;

inline Case case_of(const std::string& text) {
  absl::StatusOr<Case> parsed = parse(
      cat("//: id: T\n//: title: T\n//: covers: S000-2.1\n//: isn: A = 1000\n", text), "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  if (!parsed.ok()) return {};
  EXPECT_TRUE(check(*parsed).ok()) << check(*parsed).message();
  return *std::move(parsed);
}

// Answers SYN, data and FIN as a TCP does; nothing else.
inline void polite(FakeSession& session, const v1::Segment& segment) {
  const v1::TcpHeader& tcp = segment.tcp();
  const auto length = static_cast<uint32_t>(segment.payload().size());
  if ((tcp.flags() & kSyn) != 0) {
    session.answer(kSyn | kAck, kIsnB, tcp.sequence_number() + 1);
  } else if (length > 0 || (tcp.flags() & kFin) != 0) {
    session.answer(kAck, kIsnB + 1,
                   tcp.sequence_number() + length + ((tcp.flags() & kFin) != 0 ? 1 : 0));
  }
}

struct Ran {
  CaseOutcome outcome;
  std::unique_ptr<FakeDaemon> daemon;

  const ClauseOutcome& clause(size_t index) const { return outcome.clauses.at(index); }
};

inline Ran run(const std::string& text, FakeCandidate candidate = {}, bool slow = false,
               const std::string& target = std::string(kTargetVirtual),
               const Ledger* ledger = nullptr) {
  if (!candidate.on_segment) candidate.on_segment = polite;
  Ran ran;
  ran.daemon = std::make_unique<FakeDaemon>(std::move(candidate));
  CaseRunOptions options;
  options.channel = ran.daemon->channel();
  options.target = target;
  options.seed = 7;
  options.slow = slow;
  options.ledger = ledger;
  ran.outcome = run_case(case_of(text), options);
  return ran;
}

inline constexpr char kHandshake[] =
    "L = OPEN(passive)\n< S 0:0(0) win 65535\n> S. 0:0(0) ack 1\n< . 1:1(0) ack 1\n";

}  // namespace tcproctor::conformance
