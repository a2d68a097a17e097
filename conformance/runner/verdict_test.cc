// SPDX-License-Identifier: Apache-2.0
// Every verdict, and every exit status, is reached.
#include "conformance/runner/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/ledger.h"
#include "conformance/script/parser.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr v1::Verdict kPass = v1::VERDICT_PASS;
constexpr v1::Verdict kFail = v1::VERDICT_FAIL;
constexpr v1::Verdict kInconclusive = v1::VERDICT_INCONCLUSIVE;
constexpr v1::Verdict kError = v1::VERDICT_ERROR;
constexpr v1::Verdict kSkip = v1::VERDICT_SKIP;
constexpr v1::Verdict kXfail = v1::VERDICT_XFAIL;
constexpr v1::Verdict kXpass = v1::VERDICT_XPASS;

CaseOutcome outcome_of(const std::vector<v1::Verdict>& clauses, bool skips_named = true) {
  CaseOutcome outcome;
  outcome.id = "C";
  outcome.target = "stack";
  for (const v1::Verdict verdict : clauses) {
    ClauseOutcome clause;
    clause.name = cat("clause ", outcome.clauses.size() + 1);
    clause.verdict = verdict;
    clause.skip_is_named = skips_named;
    if (verdict != kPass) clause.reason = "why";
    outcome.clauses.push_back(std::move(clause));
  }
  judge_case(outcome);
  return outcome;
}

struct CaseRow {
  std::vector<v1::Verdict> clauses;
  v1::Verdict verdict;
};
class CaseVerdict : public ::testing::TestWithParam<CaseRow> {};

TEST_P(CaseVerdict, IsTheWorstOfItsClauses) {
  EXPECT_EQ(outcome_of(GetParam().clauses).verdict, GetParam().verdict);
}

INSTANTIATE_TEST_SUITE_P(
    Table, CaseVerdict,
    ::testing::Values(CaseRow{{kPass, kPass}, kPass}, CaseRow{{kPass, kSkip}, kPass},
                      CaseRow{{kSkip, kSkip}, kSkip}, CaseRow{{kPass, kXfail, kSkip}, kXfail},
                      CaseRow{{kXfail, kInconclusive}, kInconclusive},
                      CaseRow{{kInconclusive, kXpass}, kXpass}, CaseRow{{kXpass, kFail}, kFail},
                      CaseRow{{kFail, kError}, kError}));

TEST(CaseVerdict, ReasonTellsEachClauseThatDidNotPass) {
  const CaseOutcome outcome = outcome_of({kPass, kFail, kSkip});
  EXPECT_EQ(outcome.reason, "FAIL \"clause 2\": why; SKIP \"clause 3\": why");
}

struct RunRow {
  std::vector<CaseOutcome> results;
  RunFacts facts;
  int exit_status;
};
class ExitStatus : public ::testing::TestWithParam<RunRow> {};

TEST_P(ExitStatus, FollowsFromTheResults) {
  RunReport report;
  report.results = GetParam().results;
  judge_run(GetParam().facts, report);
  EXPECT_EQ(report.exit_status, GetParam().exit_status);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ExitStatus,
    ::testing::Values(RunRow{{outcome_of({kPass})}, {}, 0},
                      RunRow{{outcome_of({kXfail}), outcome_of({kSkip})}, {}, 0},
                      RunRow{{outcome_of({kFail})}, {}, 1}, RunRow{{outcome_of({kXpass})}, {}, 1},
                      RunRow{{outcome_of({kFail}), outcome_of({kError})}, {}, 1},
                      RunRow{{outcome_of({kInconclusive})}, {}, 2},
                      RunRow{{outcome_of({kInconclusive}), outcome_of({kError})}, {}, 3},
                      RunRow{{outcome_of({kError})}, {}, 3},
                      RunRow{{outcome_of({kPass, kSkip}, false)}, {}, 3}, RunRow{{}, {}, 3},
                      RunRow{{outcome_of({kPass})}, {{"stale"}, {}}, 1},
                      RunRow{{outcome_of({kPass})}, {{}, {"sanity"}}, 3}));

TEST(ExitStatus, SkipsNobodyNamedAreComplainedOf) {
  RunReport report;
  report.results = {outcome_of({kPass, kSkip}, false)};
  judge_run({}, report);
  ASSERT_EQ(report.complaints.size(), 1u);
  EXPECT_THAT(report.complaints[0], HasSubstr("no ledger entry names the SKIP of C \"clause 2\""));
  EXPECT_EQ(report.verdicts["PASS"], 1u);
  EXPECT_EQ(report.verdicts["FAIL"], 0u);
}

constexpr std::string_view kHeader =
    "case,clause,target,kernel_min,kernel_max,expected,signature,reason,reference\n";

Ledger ledger_of(const std::string& rows) {
  absl::StatusOr<Ledger> ledger = Ledger::parse(cat(kHeader, rows), "deviations.csv");
  EXPECT_TRUE(ledger.ok()) << ledger.status().message();
  return ledger.ok() ? *std::move(ledger) : Ledger();
}

ClauseOutcome clause_of(v1::Verdict verdict, const std::string& came = "") {
  ClauseOutcome clause;
  clause.name = "the clause";
  clause.verdict = verdict;
  clause.reason = verdict == kPass ? "" : "observed";
  clause.failure.came = came;
  return clause;
}

TEST(LedgerTest, AnExpectedFailureIsXfail) {
  const Ledger ledger = ledger_of("S0*,the*,kernel,,,XFAIL,R. 0:0,Linux does so,notes\n");
  ClauseOutcome clause = clause_of(kFail, "R. 0:0(0) ack 1");
  ledger.apply("S000", "kernel", "6.18.44", clause);
  EXPECT_EQ(clause.verdict, kXfail);
  EXPECT_EQ(clause.reason, "Linux does so");
  EXPECT_EQ(clause.reference, "notes");
}

TEST(LedgerTest, AnotherFailureStaysAFail) {
  const Ledger ledger = ledger_of("S0*,the*,kernel,,,XFAIL,R. 0:0,Linux does so,notes\n");
  ClauseOutcome clause = clause_of(kFail, "F. 0:0(0) ack 1");
  ledger.apply("S000", "kernel", "6.18.44", clause);
  EXPECT_EQ(clause.verdict, kFail);
  EXPECT_THAT(clause.reason, HasSubstr("a deviation is known here, but it shows as \"R. 0:0\""));
}

TEST(LedgerTest, AnExpectedFailureThatPassesIsXpass) {
  const Ledger ledger = ledger_of("S0*,the*,kernel,,,XFAIL,R. 0:0,Linux does so,notes\n");
  ClauseOutcome clause = clause_of(kPass);
  ledger.apply("S000", "kernel", "6.18.44", clause);
  EXPECT_EQ(clause.verdict, kXpass);
}

TEST(LedgerTest, AnExpectedSkipIsNamedAndOneThatPassesIsXpass) {
  const Ledger ledger = ledger_of("S0*,the*,*,,,SKIP,,no such call,notes\n");
  ClauseOutcome clause = clause_of(kSkip);
  ledger.apply("S000", "stack", "6.18.44", clause);
  EXPECT_EQ(clause.verdict, kSkip);
  EXPECT_TRUE(clause.skip_is_named);
  ClauseOutcome passed = clause_of(kPass);
  ledger.apply("S000", "stack", "6.18.44", passed);
  EXPECT_EQ(passed.verdict, kXpass);
  ClauseOutcome failed = clause_of(kFail);
  ledger.apply("S000", "stack", "6.18.44", failed);
  EXPECT_EQ(failed.verdict, kFail);
}

TEST(LedgerTest, OtherTargetsClausesAndKernelsAreNotMeant) {
  const Ledger ledger = ledger_of("S0*,the*,kernel,6.1,6.12,SKIP,,no such call,notes\n");
  const auto named = [&](const char* id, const char* target, const char* release) {
    ClauseOutcome clause = clause_of(kSkip);
    ledger.apply(id, target, release, clause);
    return clause.skip_is_named;
  };
  EXPECT_TRUE(named("S000", "kernel", "6.12.5-amd64"));
  EXPECT_FALSE(named("S000", "kernel", "6.18.44"));
  EXPECT_FALSE(named("S000", "stack", "6.12.5"));
  EXPECT_FALSE(named("T000", "kernel", "6.12.5"));
}

TEST(LedgerTest, ErrorsAndInconclusiveStayWhatTheyAre) {
  const Ledger ledger = ledger_of("*,*,*,,,XFAIL,observed,r,n\n");
  for (const v1::Verdict verdict : {kError, kInconclusive}) {
    ClauseOutcome clause = clause_of(verdict);
    ledger.apply("S000", "stack", "6.18", clause);
    EXPECT_EQ(clause.verdict, verdict);
  }
}

TEST(LedgerTest, EntriesThatNameNothingAreStale) {
  const absl::StatusOr<Case> parsed =
      parse("//: id: S1\n//: title: T\n//: covers: S1\n//: targets: stack\nclause \"a\"\nwait 1s\n",
            "t.pkt");
  ASSERT_TRUE(parsed.ok());
  const Ledger ledger = ledger_of(
      "S1,a,stack,,,SKIP,,r,n\nS2,a,stack,,,SKIP,,r,n\nS1,b,stack,,,SKIP,,r,n\n"
      "S1,a,kernel,,,SKIP,,r,n\n");
  EXPECT_THAT(ledger.stale_entries({*parsed}),
              ElementsAre(HasSubstr("deviations.csv:3: stale entry: no case is named S2"),
                          HasSubstr("deviations.csv:4: stale entry: the case S1 has no clause"),
                          HasSubstr("deviations.csv:5: stale entry: the case S1 does not run on")));
}

struct WrongLedger {
  std::string row;
  std::string message;
};
class LedgerErrors : public ::testing::TestWithParam<WrongLedger> {};

TEST_P(LedgerErrors, NameTheLine) {
  const absl::StatusOr<Ledger> ledger = Ledger::parse(cat(kHeader, GetParam().row), "d.csv");
  EXPECT_THAT(std::string(ledger.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, LedgerErrors,
    ::testing::Values(
        WrongLedger{"a,b,stack,,,PERHAPS,,r,n\n", "d.csv:2: expected is XFAIL or SKIP"},
        WrongLedger{"a,b,vax,,,SKIP,,r,n\n", "d.csv:2: unknown target \"vax\""},
        WrongLedger{"a,b,stack,,,XFAIL,,r,n\n", "d.csv:2: an XFAIL needs a signature"},
        WrongLedger{",b,stack,,,SKIP,,r,n\n", "d.csv:2: case and clause must be given"},
        WrongLedger{"a,b,stack,,,SKIP,,,n\n", "d.csv:2: reason and reference must be given"},
        WrongLedger{"a,b\n", "d.csv:2: expected 9 fields, found 2"},
        WrongLedger{"\"a,b\n", "d.csv:2: this quote is never closed"}));

TEST(KernelRange, ComparesNumbersNotText) {
  EXPECT_TRUE(kernel_in_range("6.18.44", "6.2", ""));
  EXPECT_FALSE(kernel_in_range("6.2.1", "6.18", ""));
  EXPECT_TRUE(kernel_in_range("6.18.44-cloud-amd64", "6.18.44", "6.18"));
  EXPECT_FALSE(kernel_in_range("6.19", "", "6.18"));
  EXPECT_TRUE(kernel_in_range("anything", "", ""));
}

}  // namespace
}  // namespace tcproctor::conformance
