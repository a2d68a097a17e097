// SPDX-License-Identifier: Apache-2.0
// Why a statement did not hold, with the verdict that follows.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "conformance/runner/result.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {

struct Problem {
  v1::Verdict verdict = v1::VERDICT_ERROR;
  std::string reason;  // one line
  Failure failure;     // evidence; statement and location are filled in by the caller
  // When the segment came that was not expected, in session time.
  std::optional<absl::Duration> came_at;
  // By how much a time was missed; nothing: what was waited for did not come at all.
  std::optional<absl::Duration> missed_by;
};

using Result = std::optional<Problem>;  // nothing: it held

// An observed violation.
inline Problem violation(std::string reason, std::vector<std::string> expected, std::string came,
                         uint64_t packet = 0, std::vector<std::string> differences = {}) {
  Problem problem;
  problem.verdict = v1::VERDICT_FAIL;
  problem.reason = std::move(reason);
  problem.failure.expected = std::move(expected);
  problem.failure.came = std::move(came);
  problem.failure.packet = packet;
  problem.failure.differences = std::move(differences);
  return problem;
}

// The target cannot do or show what the statement asks for.
inline Problem missing(std::string reason) {
  Problem problem;
  problem.verdict = v1::VERDICT_SKIP;
  problem.reason = std::move(reason);
  return problem;
}

inline Problem broken(std::string reason) {
  Problem problem;
  problem.reason = std::move(reason);
  return problem;
}

// A command that the daemon refused: what it has not is a SKIP, everything else an ERROR.
inline Problem refused(const absl::Status& status) {
  if (absl::IsUnimplemented(status)) return missing(std::string(status.message()));
  return broken(status.ToString());
}

}  // namespace tcproctor::conformance
