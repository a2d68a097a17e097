// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/verdict.h"

#include <algorithm>
#include <array>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Worst first.
constexpr std::array<v1::Verdict, 7> kSeverity = {
    v1::VERDICT_ERROR, v1::VERDICT_FAIL, v1::VERDICT_XPASS, v1::VERDICT_INCONCLUSIVE,
    v1::VERDICT_XFAIL, v1::VERDICT_PASS, v1::VERDICT_SKIP};

bool any_clause(const CaseOutcome& outcome, v1::Verdict verdict) {
  return std::any_of(outcome.clauses.begin(), outcome.clauses.end(),
                     [&](const ClauseOutcome& clause) { return clause.verdict == verdict; });
}

bool any_result(const RunReport& report, v1::Verdict verdict) {
  return std::any_of(report.results.begin(), report.results.end(), [&](const CaseOutcome& result) {
    return result.verdict == verdict || any_clause(result, verdict);
  });
}

}  // namespace

bool is_worse(v1::Verdict a, v1::Verdict b) {
  return std::find(kSeverity.begin(), kSeverity.end(), a) <
         std::find(kSeverity.begin(), kSeverity.end(), b);
}

void judge_case(CaseOutcome& outcome) {
  for (const v1::Verdict verdict : kSeverity) {
    if (!any_clause(outcome, verdict)) continue;
    outcome.verdict = verdict;
    break;
  }
  outcome.reason.clear();
  for (const ClauseOutcome& clause : outcome.clauses) {
    if (clause.verdict == v1::VERDICT_PASS) continue;
    append(outcome.reason, outcome.reason.empty() ? "" : "; ", verdict_name(clause.verdict), " \"",
           clause.name, "\": ", clause.reason);
  }
}

void mark_known(const std::set<Violation>& known, CaseOutcome& outcome) {
  bool any = false;
  for (ClauseOutcome& clause : outcome.clauses) {
    if (!is_violation(clause.verdict) || known.count(violation_of(outcome, clause)) == 0) continue;
    clause.known = any = true;
    clause.reason = cat("known from the baseline: ", clause.reason);
  }
  if (any) judge_case(outcome);
}

void count_verdicts(RunReport& report) {
  report.verdicts.clear();
  for (const v1::Verdict verdict : kSeverity) report.verdicts[verdict_name(verdict)] = 0;
  for (const CaseOutcome& result : report.results) ++report.verdicts[verdict_name(result.verdict)];
}

void judge_run(const RunFacts& facts, RunReport& report) {
  count_verdicts(report);
  report.complaints = facts.complaints;
  report.known = 0;
  bool violated = !facts.stale.empty();
  for (const CaseOutcome& result : report.results) {
    for (const ClauseOutcome& clause : result.clauses) {
      report.known += clause.known ? 1 : 0;
      violated |= is_violation(clause.verdict) && !clause.known;
      if (clause.verdict == v1::VERDICT_SKIP && !clause.skip_is_named) {
        report.complaints.push_back(cat("no ledger entry names the SKIP of ", result.id, " \"",
                                        clause.name, "\" on ", result.target, ": ", clause.reason));
      }
    }
  }
  const bool harness =
      !report.complaints.empty() || report.results.empty() || any_result(report, v1::VERDICT_ERROR);
  report.complaints.insert(report.complaints.begin(), facts.stale.begin(), facts.stale.end());
  if (violated) {
    report.exit_status = 1;
  } else if (harness) {
    report.exit_status = 3;
  } else if (any_result(report, v1::VERDICT_INCONCLUSIVE)) {
    report.exit_status = 2;
  } else {
    report.exit_status = 0;
  }
}

}  // namespace tcproctor::conformance
