// SPDX-License-Identifier: Apache-2.0
// What a report keeps of a run. The whole suite on three targets is 150000 segments, most of them
// in cases that fill windows, flood listeners or count congestion windows, and passed.
//
// Of a case that passed everywhere, or deviated as expected:
//   * of a long run of segments that differ in nothing but their numbers the first and the last are
//     kept; a row of the ladder says how many were left out between them, and they are not in the
//     capture either. Likewise of the segments of no flow of the case;
//   * the capture has the headers of each segment and the beginning of its payload.
// A case that failed, passed unexpectedly, or could not be judged on one of the targets keeps
// everything, on all of them; so does the segment that an expected deviation names.
#pragma once

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// Packs the segments of each result into its `capture` and clears them.
void condense(RunReport& report);

}  // namespace tcproctor::conformance
