// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/result.h"

namespace tcproctor::conformance {

std::string verdict_name(v1::Verdict verdict) {
  return v1::Verdict_Name(verdict).substr(std::string_view("VERDICT_").size());
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
  }
  for (const CasePart& part : outcome.parts) {
    result.mutable_segments()->Add(part.segments.begin(), part.segments.end());
  }
  result.set_seconds(outcome.seconds);
  result.set_seed(outcome.seed);
  result.set_ladder(outcome.ladder);
  return result;
}

v1::Summary summary_proto(const RunReport& report) {
  v1::Summary summary;
  for (const auto& [name, count] : report.verdicts) (*summary.mutable_verdicts())[name] = count;
  summary.set_exit_status(report.exit_status);
  summary.set_seconds(report.seconds);
  return summary;
}

}  // namespace tcproctor::conformance
