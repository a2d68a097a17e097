// SPDX-License-Identifier: Apache-2.0
// Do the worlds find faults? Each mutant is planted in host 0 of one world after the other until
// one is violated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tcproctor::sim {

// In a process of its own for each, with a line on standard output: found (in which world, by
// what), crashed, hung, or escaped after `worlds` worlds from `seed` on. Returns how many escaped.
size_t hunt(const std::vector<std::string>& mutants, uint64_t worlds, uint64_t seed);

}  // namespace tcproctor::sim
