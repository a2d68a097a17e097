// SPDX-License-Identifier: Apache-2.0
// Every random choice of a run comes from one seed.
#pragma once

#include <cstdint>
#include <string_view>

namespace tcproctor::conformance {

// SplitMix64's finalizer: a bijection that spreads every bit.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A seed of its own for each purpose; never 0 (which means "draw one" in the contract).
constexpr uint64_t derive_seed(uint64_t seed, std::string_view purpose) {
  uint64_t state = mix(seed);
  for (const char c : purpose) state = mix(state ^ static_cast<unsigned char>(c));
  return state == 0 ? 1 : state;
}

}  // namespace tcproctor::conformance
