// SPDX-License-Identifier: Apache-2.0
// From clauses to cases, from cases to the run.
//
// The verdict of a case is the worst of its clauses: ERROR, FAIL, XPASS, INCONCLUSIVE, then XFAIL,
// then PASS if any clause passed, then SKIP. So a case is SKIP only if nothing of it was judged,
// and XFAIL says "as expected" of all that was.
//
// Exit status of a run: 1 if anything is FAIL or XPASS that was not known before, or the ledger has
// stale entries; else 3 if anything is ERROR, a SKIP that nobody named, or nothing was selected;
// else 2 if anything is INCONCLUSIVE; else 0. An observed violation comes first: it stays one,
// whatever else broke.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// In the order above.
bool is_worse(v1::Verdict a, v1::Verdict b);

// Sets verdict and reason of the case from its clauses.
void judge_case(CaseOutcome& outcome);

// Marks what an earlier run violated as well, and says so in the reasons.
void mark_known(const std::set<Violation>& known, CaseOutcome& outcome);

// How many results of each verdict, those that none has too.
void count_verdicts(RunReport& report);

struct RunFacts {
  std::vector<std::string> stale;       // entries of the ledger
  std::vector<std::string> complaints;  // harness errors outside of cases
};

// Sets verdicts, complaints and exit status of the report from its results.
void judge_run(const RunFacts& facts, RunReport& report);

}  // namespace tcproctor::conformance
