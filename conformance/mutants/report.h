// SPDX-License-Identifier: Apache-2.0
// The forms in which a hunt for mutants is told.
#pragma once

#include <string>

#include "conformance/mutants/hunt.h"

namespace tcproctor::conformance {

// What a hunt comes to.
struct Sharpness {
  size_t mutants = 0;
  size_t equivalent = 0;          // called so in the catalogue, and nobody saw them
  size_t wrongly_equivalent = 0;  // called so, but a case sees them
  size_t killed = 0, crashed = 0, timed_out = 0, survived = 0, not_reached = 0;

  size_t dead() const { return killed + crashed + timed_out; }
  // Of those that are not equivalent, in percent; 100 if there are none.
  double percent() const;
};
Sharpness sharpness(const HuntReport& report);

// "killed       rst-exact  by S004-rst "…"; 3 of 41 cases that come past it, 0.2 s".
std::string mutant_line(const MutantOutcome& outcome);
// The matrix mutant × killing cases, the survivors by file, cases that cannot kill, totals.
std::string hunt_summary(const HuntReport& report);
// Documented in README.md beside this file.
std::string hunt_json(const HuntReport& report);

}  // namespace tcproctor::conformance
