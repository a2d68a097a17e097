// SPDX-License-Identifier: Apache-2.0
// Every observable difference between two targets of a run, lawful or not, grouped by its cause.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// Where a difference shows.
struct DifferencePlace {
  std::string test_case;
  std::string clause;
  int line = 0;             // of the script; 0 = none
  std::string left, right;  // the rows of the ladders, or the verdicts; "-": it has none
};

struct DifferenceCause {
  enum class Kind {
    kDeviation,   // one of them breaks a rule: FAIL, XFAIL, XPASS
    kCapability,  // one of them cannot be asked: SKIP
    kUnjudged,    // ERROR, INCONCLUSIVE
    kChoice,      // both are lawful: what differs in segments, states, times
  };
  Kind kind = Kind::kChoice;
  std::string text;  // the reason of the verdict; of a choice what differs, without its numbers
  std::vector<DifferencePlace> places;

  size_t cases() const;  // how many
};

// "deviation", …, as reports have them.
std::string_view cause_kind_name(DifferenceCause::Kind kind);
// What a reader sees above the causes of a kind.
std::string_view cause_heading(DifferenceCause::Kind kind);

// By kind, the most frequent first. All that differs within a clause that one of the two does not
// pass has that verdict's reason. NOT_FOUND: a target without results.
absl::StatusOr<std::vector<DifferenceCause>> difference_causes(const RunReport& report,
                                                               const std::string& left,
                                                               const std::string& right);

// As text: each cause, how often, and its first places.
std::string causes_text(const std::vector<DifferenceCause>& causes, const std::string& left,
                        const std::string& right);

}  // namespace tcproctor::conformance
