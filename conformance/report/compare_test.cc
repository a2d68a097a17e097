// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/report/report.h"
#include "conformance/runner/library.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LadderRow segment(v1::End from, int line, const std::string& flags, const std::string& sequence,
                  absl::Duration time = absl::ZeroDuration()) {
  LadderRow row;
  row.kind = LadderRow::Kind::kSegment;
  row.end = from;
  row.line = line;
  row.number = 1;
  row.time = time;
  row.segment.tcp = true;
  row.segment.flags = flags;
  row.segment.sequence = sequence;
  return row;
}

std::string text(const std::vector<RowPair>& pairs) {
  std::string out;
  for (const RowPair& pair : pairs) {
    out += pair.left.has_value() ? std::to_string(*pair.left) : "-";
    out += pair.right.has_value() ? std::to_string(*pair.right) : "-";
    for (const std::string& difference : pair.differences) out += " " + difference;
    out += "\n";
  }
  return out;
}

TEST(AlignRows, WhatOneSideSentMoreStandsAlone) {
  const std::vector<LadderRow> left = {
      segment(v1::END_A, 3, "SYN", "0"), segment(v1::END_B, 4, "SYN,ACK", "0"),
      segment(v1::END_B, 0, "ACK", "1"), segment(v1::END_B, 6, "FIN,ACK", "1")};
  const std::vector<LadderRow> right = {segment(v1::END_A, 3, "SYN", "0"),
                                        segment(v1::END_B, 4, "SYN,ACK", "0"),
                                        segment(v1::END_B, 6, "RST", "1")};
  EXPECT_EQ(text(align_rows(left, right)), "00\n11\n2-\n32 flags\n");
  EXPECT_EQ(text(align_rows(right, left)), "00\n11\n-2\n23 flags\n");
}

TEST(AlignRows, WhatIsLeftOutStandsBesideWhatIsLeftOut) {
  LadderRow few;
  few.kind = LadderRow::Kind::kLeftOut;
  few.end = v1::END_A;
  few.text = "12 segments left out";
  LadderRow many = few;
  many.text = "1200 segments left out";
  const LadderRow ack = segment(v1::END_B, 0, "ACK", "1");
  EXPECT_EQ(text(align_rows({ack, few, ack}, {ack, many, ack})), "00\n11 text\n22\n");
  EXPECT_EQ(text(align_rows({ack, few, ack}, {ack, few, ack})), "00\n11\n22\n");
}

TEST(AlignRows, EveryFieldIsCompared) {
  LadderRow left = segment(v1::END_B, 4, "ACK", "1");
  LadderRow right = left;
  right.segment.sequence = "2";
  right.segment.acknowledgment = "7";
  right.segment.length = 3;
  right.segment.window = 9;
  right.segment.options = "<mss 1460>";
  right.segment.flaw = "wrong checksum";
  right.way = LadderRow::Way::kLost;
  right.states = {"LISTEN", "CLOSED"};
  EXPECT_EQ(text(align_rows({left}, {right})),
            "00 seq ack length window options flaw way state_a state_b\n");
}

TEST(AlignRows, WhatIsRandomByNatureIsNot) {
  LadderRow left = segment(v1::END_B, 4, "ACK", "@1000");
  left.segment.options = "<nop,nop,TS val 7 ecr 8,FO hex \"0102\">";
  LadderRow right = segment(v1::END_B, 4, "ACK", "@2000");
  right.segment.options = "<nop,nop,TS val 1007 ecr 2,FO hex \"0708\">";
  EXPECT_EQ(text(align_rows({left}, {right})), "00\n");
  right.segment.options = "<nop,nop,FO hex \"0708\">";
  EXPECT_EQ(text(align_rows({left}, {right})), "00 options\n");
}

TEST(AlignRows, TimesAreComparedFromRowToRow) {
  const auto at = [](int ms) { return segment(v1::END_B, 4, "ACK", "1", absl::Milliseconds(ms)); };
  EXPECT_EQ(text(align_rows({at(0), at(1000), at(3000)}, {at(500), at(1540), at(3600)})),
            "00\n11\n22 time\n");
}

CaseOutcome result(const std::string& id, const std::string& target, v1::Verdict verdict) {
  CaseOutcome out;
  out.id = id;
  out.title = "Title";
  out.target = target;
  ClauseOutcome clause;
  clause.name = "handshake";
  clause.verdict = verdict;
  clause.reason = verdict == v1::VERDICT_PASS ? "" : "it was mute";
  clause.failure.statement = "> S. 0:0(0) ack 1";
  out.clauses = {clause};
  out.parts.resize(1);
  judge_case(out);
  return out;
}

RunReport run_of(std::vector<CaseOutcome> results) {
  RunReport report;
  report.results = std::move(results);
  judge_run({}, report);
  return report;
}

TEST(TargetDifferences, AreToldWithTheLineOfTheScript) {
  RunReport report =
      run_of({result("a", "kernel", v1::VERDICT_FAIL), result("b", "kernel", v1::VERDICT_PASS),
              result("a", "stack", v1::VERDICT_PASS), result("b", "stack", v1::VERDICT_PASS)});
  report.cases["a"] = {"a.pkt", "", "//: id: a\n> S. 0:0(0) ack 1 <...>\n"};
  report.results[0].parts[0].rows = {segment(v1::END_B, 2, "RST", "0")};
  report.results[2].parts[0].rows = {segment(v1::END_B, 2, "SYN,ACK", "0")};
  const absl::StatusOr<std::string> told = target_differences(report, "stack", "kernel");
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(*told,
            "a (Title)\n"
            "  clause \"handshake\"\n"
            "    stack: PASS\n"
            "    kernel: FAIL: it was mute\n"
            "  flags (line 2: > S. 0:0(0) ack 1 <...>)\n"
            "    stack: B: S. 0:0(0) win 0\n"
            "    kernel: B: R 0:0(0) win 0\n");
  EXPECT_THAT(std::string(target_differences(report, "stack", "vax").status().message()),
              HasSubstr("no results of the target \"vax\""));
}

TEST(ChangedClauses, TellWhatIsNewGoneAndOther) {
  const RunReport before =
      run_of({result("a", "stack", v1::VERDICT_PASS), result("b", "stack", v1::VERDICT_PASS),
              result("c", "stack", v1::VERDICT_PASS)});
  const RunReport after =
      run_of({result("a", "stack", v1::VERDICT_FAIL), result("b", "stack", v1::VERDICT_PASS),
              result("d", "stack", v1::VERDICT_SKIP)});
  std::vector<std::string> told;
  for (const ClauseChange& change : changed_clauses(before, after)) {
    told.push_back(change.test_case + ": " + change.before + " " + change.after);
  }
  EXPECT_THAT(told, ElementsAre("a: PASS FAIL", "d: - SKIP", "c: PASS -"));
  EXPECT_THAT(changed_clauses(after, after), IsEmpty());
}

TEST(Violations, AreWhatALaterRunMayKnow) {
  const RunReport before =
      run_of({result("a", "stack", v1::VERDICT_FAIL), result("b", "stack", v1::VERDICT_XFAIL),
              result("c", "stack", v1::VERDICT_XPASS)});
  EXPECT_THAT(violations(before), SizeIs(2));
  RunReport after = run_of({result("a", "stack", v1::VERDICT_FAIL)});
  CaseOutcome other = after.results[0];
  mark_known(violations(before), after.results[0]);
  judge_run({}, after);
  EXPECT_EQ(after.exit_status, 0);
  EXPECT_EQ(after.known, 1u);
  EXPECT_EQ(after.results[0].verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(after.results[0].reason, HasSubstr("known from the baseline: "));
  EXPECT_TRUE(is_known(after.results[0]));
  other.clauses[0].failure.statement = "> R 1:1(0)";
  mark_known(violations(before), other);
  EXPECT_FALSE(is_known(other)) << "the same clause fails at another statement";
  after.results = {other};
  judge_run({}, after);
  EXPECT_EQ(after.exit_status, 1);
}

TEST(Merge, ShardsBecomeOneRun) {
  RunReport first = run_of({result("b", "stack", v1::VERDICT_PASS)});
  RunReport second = run_of(
      {result("a", "stack", v1::VERDICT_INCONCLUSIVE), result("b", "kernel", v1::VERDICT_PASS)});
  first.seconds = second.seconds = 2;
  const absl::StatusOr<RunReport> merged = merge_reports({first, second});
  ASSERT_TRUE(merged.ok()) << merged.status().message();
  std::vector<std::string> order;
  for (const CaseOutcome& one : merged->results) order.push_back(one.target + "/" + one.id);
  EXPECT_THAT(order, ElementsAre("kernel/b", "stack/a", "stack/b"));
  EXPECT_EQ(merged->exit_status, 2);
  EXPECT_EQ(merged->verdicts.at("PASS"), 2u);
  EXPECT_EQ(merged->seconds, 4);
  EXPECT_THAT(std::string(merge_reports({first, first}).status().message()),
              HasSubstr("two of the reports have a result of b on stack"));
}

TEST(Merge, APartThatIsMissingIsTold) {
  std::vector<RunReport> parts;
  for (uint32_t part = 1; part <= 3; ++part) {
    parts.push_back(run_of({result(cat("case", part), "stack", v1::VERDICT_PASS)}));
    parts.back().shards = 3;
    parts.back().parts = {part};
  }
  const absl::StatusOr<RunReport> two = merge_reports({parts[0], parts[2]});
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->exit_status, 3);
  EXPECT_THAT(two->complaints, ElementsAre("parts of the run are missing: 2/3"));
  // As it is read back from a file, the third may come later.
  const absl::StatusOr<RunReport> read = read_json_report(json_report(*two), "x");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_THAT(read->parts, ElementsAre(1, 3));
  const absl::StatusOr<RunReport> all = merge_reports(parts);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->exit_status, 0);
  EXPECT_EQ(all->shards, 0u);
}

TEST(Merge, TheWorstShardDecides) {
  const auto status = [](v1::Verdict a, v1::Verdict b) {
    return merge_reports({run_of({result("a", "stack", a)}), run_of({result("b", "stack", b)})})
        ->exit_status;
  };
  EXPECT_EQ(status(v1::VERDICT_PASS, v1::VERDICT_PASS), 0);
  EXPECT_EQ(status(v1::VERDICT_ERROR, v1::VERDICT_FAIL), 1);
  EXPECT_EQ(status(v1::VERDICT_ERROR, v1::VERDICT_INCONCLUSIVE), 3);
  EXPECT_EQ(status(v1::VERDICT_INCONCLUSIVE, v1::VERDICT_PASS), 2);
}

}  // namespace
}  // namespace tcproctor::conformance
