// SPDX-License-Identifier: Apache-2.0
// Cases side by side: a few threads take them in order, the caller gets the outcomes in that order.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// Runs every item with at most `jobs` at once and hands each outcome to `sink` on the calling
// thread, in the order of the items, as soon as it and all before it are there. `cancelled` is
// asked before an item is begun; items not begun have no outcome. Returns the number of outcomes.
size_t run_in_order(const std::vector<std::function<CaseOutcome()>>& items, size_t jobs,
                    const std::function<bool()>& cancelled,
                    const std::function<void(CaseOutcome)>& sink);

}  // namespace tcproctor::conformance
