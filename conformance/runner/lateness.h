// SPDX-License-Identifier: Apache-2.0
// How late the harness was in one session on a real clock, and what that says about a violation.
// The rule is told in script/LANGUAGE.md, "Lateness". A virtual clock knows none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "conformance/runner/problem.h"

namespace tcproctor::conformance {

// What lateness says about a violation.
enum class Doubt {
  kNone,       // nothing: it counts
  kSuspect,    // the session was late enough for a timer of the candidate to have run out
  kExplained,  // the violation is what this lateness brings about
};

class Lateness {
 public:
  // Shorter is none: what a tick of the clock (HZ=250) and a turn of the daemon take.
  static constexpr absl::Duration kNegligible = absl::Milliseconds(5);
  // The shortest timer that changes what a TCP does: Linux's delayed ACK.
  static constexpr absl::Duration kSuspicious = absl::Milliseconds(40);

  // How much a time may be off for one unit of lateness: an ACK that was sent late by L makes the
  // candidate's RTO three times L longer (SRTT + 4 RTTVAR of one sample, RFC6298-2.2), and came L
  // late itself.
  static constexpr int kStretch = 4;

  // What was due at a moment of session time was done at another.
  void note(absl::Duration due, absl::Duration done, std::string_view what);

  absl::Duration longest() const { return longest_; }
  // Whether the harness was behind at that moment: what a candidate sends then it was not asked
  // for.
  bool covers(absl::Duration moment) const;

  // `patience`: how long awaited things may take.
  Doubt doubt(const Problem& problem, absl::Duration patience) const;

  // "the harness was up to 83ms late (…)".
  std::string text() const;

 private:
  struct Span {
    absl::Duration due;
    absl::Duration done;
  };
  std::vector<Span> spans_;
  absl::Duration longest_ = absl::ZeroDuration();
  std::string what_;  // of the longest
};

}  // namespace tcproctor::conformance
