// SPDX-License-Identifier: Apache-2.0
// Known deviations as data: what a target is expected to do differently, and why. deviations.csv
// has
//
//   case        glob over case ids
//   clause      glob over clause names
//   target      kernel, stack, stack-virtual, or * for all
//   kernel_min  first kernel release it holds for, e.g. 6.1; empty = any
//   kernel_max  last one (6.18 includes 6.18.44); empty = any
//   expected    XFAIL or SKIP
//   signature   text that must occur in the failure: another failure is a FAIL
//   reason      in our words
//   reference   where it is documented
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/runner/result.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

struct Deviation {
  int line = 0;  // of deviations.csv
  std::string case_glob;
  std::string clause_glob;
  std::string target;
  std::string kernel_min;
  std::string kernel_max;
  v1::Verdict expected = v1::VERDICT_XFAIL;
  std::string signature;
  std::string reason;
  std::string reference;
};

class Ledger {
 public:
  // INVALID_ARGUMENT: "file:line: …".
  static absl::StatusOr<Ledger> parse(std::string_view text, const std::string& file);

  // Turns the verdict that was observed into the one that counts: an expected FAIL is XFAIL, an
  // expected one that passed is XPASS, a SKIP that is expected is named.
  void apply(const std::string& case_id, const std::string& target,
             const std::string& kernel_release, ClauseOutcome& clause) const;

  // The same without the deviations it excuses: what cannot be examined is still named.
  Ledger strict() const;

  // Entries that name no case, no clause of it or no target of it: one message each.
  std::vector<std::string> stale_entries(const std::vector<Case>& cases) const;

 private:
  std::string file_;
  std::vector<Deviation> deviations_;
};

// Whether the release lies within the bounds, which may be empty. "6.18.44-cloud" is 6.18.44; a
// bound of "6.18" is met by every 6.18.x.
bool kernel_in_range(std::string_view release, std::string_view min, std::string_view max);

}  // namespace tcproctor::conformance
