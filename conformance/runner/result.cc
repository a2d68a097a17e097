// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/result.h"

#include <algorithm>

#include "conformance/script/text.h"

namespace tcproctor::conformance {

std::string verdict_name(v1::Verdict verdict) {
  return v1::Verdict_Name(verdict).substr(std::string_view("VERDICT_").size());
}

Violation violation_of(const CaseOutcome& result, const ClauseOutcome& clause) {
  return {result.id, result.target, clause.name, clause.failure.statement};
}

bool is_known(const CaseOutcome& outcome) {
  return is_violation(outcome.verdict) &&
         std::all_of(outcome.clauses.begin(), outcome.clauses.end(),
                     [](const ClauseOutcome& clause) {
                       return clause.known || !is_violation(clause.verdict);
                     });
}

std::string ladder_text(const CasePart& part) {
  return render_ladder(part.rows, part.a, part.b);
}

std::string ladder_text(const CaseOutcome& outcome) {
  std::string out;
  for (const CasePart& part : outcome.parts) {
    append(out, out.empty() ? "" : "\n", ladder_text(part));
  }
  return out;
}

v1::CaseResult to_proto(const CaseOutcome& outcome) {
  v1::CaseResult result;
  result.set_case_id(outcome.id);
  result.mutable_covers()->Assign(outcome.covers.begin(), outcome.covers.end());
  result.set_target(outcome.target);
  result.set_verdict(outcome.verdict);
  result.set_reason(outcome.reason);
  for (const ClauseOutcome& clause : outcome.clauses) {
    v1::ClauseResult* out = result.add_clauses();
    out->set_name(clause.name);
    out->set_verdict(clause.verdict);
    out->set_reason(clause.reason);
    out->set_reference(clause.reference);
    out->set_statement(clause.failure.statement);
    const auto& expected = clause.failure.expected;
    out->mutable_expected()->Assign(expected.begin(), expected.end());
    out->set_came(clause.failure.came);
  }
  for (const CasePart& part : outcome.parts) {
    result.mutable_segments()->Add(part.segments.begin(), part.segments.end());
  }
  result.set_title(outcome.title);
  result.set_level(outcome.level);
  result.set_repetition(outcome.repetition);
  result.set_reproduce(outcome.reproduce);
  result.set_seconds(outcome.seconds);
  result.set_seed(outcome.seed);
  result.set_ladder(ladder_text(outcome));
  return result;
}

v1::Summary summary_proto(const RunReport& report) {
  v1::Summary summary;
  for (const auto& [name, count] : report.verdicts) (*summary.mutable_verdicts())[name] = count;
  summary.set_exit_status(report.exit_status);
  summary.set_seconds(report.seconds);
  summary.mutable_complaints()->Assign(report.complaints.begin(), report.complaints.end());
  summary.set_interrupted(report.interrupted);
  summary.set_known(report.known);
  summary.set_seed(report.seed);
  return summary;
}

}  // namespace tcproctor::conformance
