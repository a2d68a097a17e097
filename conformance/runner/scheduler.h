// SPDX-License-Identifier: Apache-2.0
// Cases side by side: a few threads take them in order, the caller gets the outcomes in that order.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// All are called on the thread that runs the schedule, but `cancelled` on any.
struct ScheduleHooks {
  // Asked before an item is begun; items not begun have no outcome.
  std::function<bool()> cancelled;
  // Each outcome, in the order of the items, as soon as it and all before it are there.
  std::function<void(CaseOutcome)> sink;
  // How many have ended, whether handed to `sink` yet or not: a few times a second. May be null.
  std::function<void(size_t done)> progress;
};

// Runs every item with at most `jobs` at once. Returns the number of outcomes.
size_t run_in_order(const std::vector<std::function<CaseOutcome()>>& items, size_t jobs,
                    const ScheduleHooks& hooks);

}  // namespace tcproctor::conformance
