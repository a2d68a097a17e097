// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/lateness.h"

#include <algorithm>

#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
void Lateness::note(absl::Duration due, absl::Duration done, std::string_view what) {
  const absl::Duration late = done - due;
  if (late < kNegligible) return;
  spans_.push_back({due, done});
  if (late <= longest_) return;
  longest_ = late;
  what_ = what;
}

bool Lateness::covers(absl::Duration moment) const {
  return std::any_of(spans_.begin(), spans_.end(),
                     [&](const Span& span) { return span.due <= moment && moment < span.done; });
}

Doubt Lateness::doubt(const Problem& problem, absl::Duration patience) const {
  if (spans_.empty()) return Doubt::kNone;
  if (kStretch * longest_ >= problem.missed_by.value_or(patience)) return Doubt::kExplained;
  if (problem.came_at.has_value() && covers(*problem.came_at)) return Doubt::kExplained;
  return longest_ >= kSuspicious ? Doubt::kSuspect : Doubt::kNone;
}

std::string Lateness::text() const {
  if (spans_.empty()) return "";
  return cat("the harness was up to ", print_duration(absl::Trunc(longest_, absl::Milliseconds(1))),
             " late (", what_, ")");
}

}  // namespace tcproctor::conformance
