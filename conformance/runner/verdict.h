// SPDX-License-Identifier: Apache-2.0
// From clauses to cases, from cases to the run.
//
// The verdict of a case is the worst of its clauses: ERROR, FAIL, XPASS, INCONCLUSIVE, then XFAIL,
// then PASS if any clause passed, then SKIP. So a case is SKIP only if nothing of it was judged,
// and XFAIL says "as expected" of all that was.
//
// Exit status of a run: 1 if anything is FAIL or XPASS, or the ledger has stale entries; else 3 if
// anything is ERROR, a SKIP that nobody named, or nothing was selected; else 2 if anything is
// INCONCLUSIVE; else 0. An observed violation comes first: it stays one, whatever else broke.
#pragma once

#include <string>
#include <vector>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// Sets verdict and reason of the case from its clauses.
void judge_case(CaseOutcome& outcome);

struct RunFacts {
  std::vector<std::string> stale;       // entries of the ledger
  std::vector<std::string> complaints;  // harness errors outside of cases
};

// Sets verdicts, complaints and exit status of the report from its results.
void judge_run(const RunFacts& facts, RunReport& report);

}  // namespace tcproctor::conformance
