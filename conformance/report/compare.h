// SPDX-License-Identifier: Apache-2.0
// What differs: between two targets of one run, and between two runs.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// One row of two ladders side by side; what only one of them has stands alone.
struct RowPair {
  std::optional<size_t> left, right;  // which row of each
  // Fields that differ: flags, seq, ack, length, window, options, flaw, way, text, state_a,
  // state_b, time. What is random by nature does not: ISNs, timestamps, cookies, digests.
  std::vector<std::string> differences;
};

// Times differ when the time since the row before does, by more than this.
inline constexpr absl::Duration kTimeTolerance = absl::Milliseconds(50);

std::vector<RowPair> align_rows(const std::vector<LadderRow>& left,
                                const std::vector<LadderRow>& right);

// A row as text: who sends what, or what is called, and the states observed with it.
std::string row_text(const LadderRow& row);

// Every observable difference between two targets of a run, case by case (by cause: causes.h).
// Empty: none, or no case that both sat. NOT_FOUND: a target without results.
absl::StatusOr<std::string> target_differences(const RunReport& report, const std::string& left,
                                               const std::string& right);

// A clause whose verdict is not the same in two runs. "-" where a run has no such clause.
struct ClauseChange {
  std::string test_case, target, clause;
  std::string before, after;  // verdicts
  std::string reason;         // after; if there is none, before
};

// In the order of the later run, then what only the earlier one has.
std::vector<ClauseChange> changed_clauses(const RunReport& before, const RunReport& after);

// Those of a run: a later one can be told that they are known.
std::set<Violation> violations(const RunReport& report);

// Shards of one run as one report. INVALID_ARGUMENT: a result that two of them have.
absl::StatusOr<RunReport> merge_reports(std::vector<RunReport> shards);

}  // namespace tcproctor::conformance
