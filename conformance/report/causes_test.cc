// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/causes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tcproctor::conformance {
namespace causes_test {

using ::testing::HasSubstr;
using Kind = DifferenceCause::Kind;

LadderRow row(LadderRow::Kind kind, const std::string& text) {
  LadderRow out;
  out.kind = kind;
  out.text = text;
  return out;
}

LadderRow segment(int line, const std::string& flags, uint32_t window) {
  LadderRow out = row(LadderRow::Kind::kSegment, "");
  out.end = v1::END_B;
  out.line = line;
  out.segment.tcp = true;
  out.segment.flags = flags;
  out.segment.window = window;
  return out;
}

CaseOutcome outcome(const std::string& id, const std::string& target, std::vector<LadderRow> rows,
                    v1::Verdict verdict = v1::VERDICT_PASS) {
  CaseOutcome out;
  out.id = id;
  out.target = target;
  ClauseOutcome clause;
  clause.name = "close";
  clause.verdict = verdict;
  clause.reason = verdict == v1::VERDICT_PASS ? "" : "TIME-WAIT lasts 60 s\nmore of it";
  out.clauses = {clause};
  out.parts.resize(1);
  out.parts[0].rows = std::move(rows);
  return out;
}

TEST(DifferenceCauses, TheSameChoiceInTwoCasesIsOneCause) {
  RunReport report;
  for (const std::string id : {"a", "b"}) {
    report.results.push_back(outcome(id, "kernel", {segment(2, "SYN,ACK", 64240)}));
    report.results.push_back(outcome(id, "stack", {segment(2, "SYN,ACK", 65535)}));
  }
  const auto causes = difference_causes(report, "stack", "kernel");
  ASSERT_TRUE(causes.ok());
  ASSERT_EQ(causes->size(), 1u);
  const DifferenceCause& cause = causes->front();
  EXPECT_EQ(cause.kind, Kind::kChoice);
  EXPECT_EQ(cause.text, "window of SYN,ACK");
  EXPECT_EQ(cause.places.size(), 2u);
  EXPECT_EQ(cause.cases(), 2u);
  EXPECT_EQ(cause.places[1].test_case, "b");
  EXPECT_THAT(cause.places[0].left, HasSubstr("65535"));
  EXPECT_THAT(cause.places[0].right, HasSubstr("64240"));
}

// What a deviation brings with it is not told as a choice of its own.
TEST(DifferenceCauses, AllOfAClauseThatBreaksARuleHasItsReason) {
  const auto rows = [](uint32_t window) {
    return std::vector<LadderRow>{row(LadderRow::Kind::kClause, "close"),
                                  segment(2, "ACK", window)};
  };
  RunReport report;
  report.results = {outcome("a", "kernel", rows(1), v1::VERDICT_XFAIL),
                    outcome("a", "stack", rows(2))};
  const auto causes = difference_causes(report, "stack", "kernel");
  ASSERT_TRUE(causes.ok());
  ASSERT_EQ(causes->size(), 1u);
  EXPECT_EQ(causes->front().kind, Kind::kDeviation);
  EXPECT_EQ(causes->front().text, "TIME-WAIT lasts 60 s");
  EXPECT_EQ(causes->front().places.size(), 2u) << "the verdict and the segment";
}

TEST(DifferenceCauses, KindsComeInOrderAndTheMostFrequentFirst) {
  const auto clause = row(LadderRow::Kind::kClause, "other");
  RunReport report;
  report.results = {outcome("a", "kernel", {clause, segment(1, "ACK", 5), segment(2, "FIN", 5)}),
                    outcome("a", "stack", {clause, segment(1, "ACK", 6), segment(2, "RST", 5)}),
                    outcome("b", "kernel", {clause, segment(1, "ACK", 5)}, v1::VERDICT_SKIP),
                    outcome("b", "stack", {clause, segment(1, "ACK", 6), segment(2, "ACK", 6)})};
  const auto causes = difference_causes(report, "stack", "kernel");
  ASSERT_TRUE(causes.ok());
  std::vector<std::string> told;
  for (const DifferenceCause& cause : *causes) {
    told.push_back(std::string(cause_kind_name(cause.kind)) + ": " + cause.text);
  }
  EXPECT_THAT(told,
              ::testing::ElementsAre("capability: TIME-WAIT lasts 60 s", "choice: window of ACK",
                                     "choice: flags: RST | FIN", "choice: only stack has ACK"));
  EXPECT_THAT(causes_text(*causes, "stack", "kernel"),
              HasSubstr("Both are lawful\n  window of ACK: 2 places in 2 cases\n"));
}

TEST(DifferenceCauses, OptionsByTheirKinds) {
  LadderRow left = segment(1, "SYN", 1);
  LadderRow right = left;
  left.segment.options = "<mss 1460,nop,wscale 7>";
  right.segment.options = "<mss 1460>";
  LadderRow other = left;
  other.segment.options = "<mss 536,nop,wscale 7>";
  RunReport report;
  report.results = {outcome("a", "kernel", {right}), outcome("a", "stack", {left}),
                    outcome("b", "kernel", {other}), outcome("b", "stack", {left})};
  const auto causes = difference_causes(report, "stack", "kernel");
  ASSERT_TRUE(causes.ok());
  ASSERT_EQ(causes->size(), 2u);
  EXPECT_EQ((*causes)[0].text, "options of SYN: mss,nop,wscale | mss");
  EXPECT_EQ((*causes)[1].text, "values of the options of SYN: mss,nop,wscale");
}

TEST(DifferenceCauses, ATargetWithoutResultsIsNotFound) {
  RunReport report;
  report.results = {outcome("a", "kernel", {})};
  EXPECT_EQ(difference_causes(report, "stack", "kernel").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(difference_causes(report, "kernel", "stack").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace causes_test
}  // namespace tcproctor::conformance
