// SPDX-License-Identifier: Apache-2.0
// Which cases a run has, on which targets, in which order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/runner/library.h"
#include "conformance/runner/suite.h"

namespace tcproctor::conformance {

// One result to be had.
struct WorkItem {
  const Case* test_case = nullptr;
  std::string target;
  uint32_t repetition = 1;  // counted from 1
  uint64_t seed = 0;        // of the run; repetitions have the ones that follow
};

// INVALID_ARGUMENT names the option and what would be right; so does a selection that is empty,
// because nothing that was examined must not look like nothing that is wrong. `seed`: of the run.
absl::StatusOr<std::vector<WorkItem>> select_work(const Library& library, const RunOptions& options,
                                                  uint64_t seed);

}  // namespace tcproctor::conformance
