// SPDX-License-Identifier: Apache-2.0
// Mutants of our own stack: one planted fault each, as data (mutants.csv). A mutant is a file, an
// anchor that occurs in it exactly once, and what stands there instead. Where only a part of the
// anchor is replaced, that part stands between « and ». It is a whole expression, or one or more
// whole statements, so that both readings can be compiled into one program, with a switch in front:
//
//   anchor       if («seq == rcv_nxt_») return;
//   replacement  seq.at_or_after(rcv_nxt_)
//   becomes      if ((::tcproctor::mutants::on(7) ? (seq.at_or_after(rcv_nxt_)) : (seq ==
//   rcv_nxt_)))
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tcproctor::conformance {

struct Mutant {
  int line = 0;  // in mutants.csv
  std::string id;
  std::string file;  // from the root of the project
  std::string anchor;
  std::string replacement;
  std::string bug;  // in our words
  // Ids of requirements and matrix rows that it breaks, or "RFC 2525 §2.1".
  std::vector<std::string> breaks;
  // Not empty: why nobody can see the difference.
  std::string equivalent;
};

// INVALID_ARGUMENT: "file:line: …".
absl::StatusOr<std::vector<Mutant>> parse_mutants(std::string_view text, const std::string& file);

// Where a mutant lives in the text of its file.
struct MutantPlace {
  size_t begin = 0;  // of what is replaced
  size_t end = 0;
  bool statement = false;  // else an expression
};
// INVALID_ARGUMENT: the anchor does not occur, or more than once.
absl::StatusOr<MutantPlace> find_place(const Mutant& mutant, std::string_view source);

// The source with every one of `mutants` that lives in `file` behind its switch; the number of
// mutants[i] is i + 1. INVALID_ARGUMENT: two overlap and neither is within the other.
absl::StatusOr<std::string> plant(const std::vector<Mutant>& mutants, const std::string& file,
                                  std::string_view source);

}  // namespace tcproctor::conformance
