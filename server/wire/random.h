// SPDX-License-Identifier: Apache-2.0
// SplitMix64: small, and the same on every machine (the distributions of <random> are not). For
// impairments and floods; nothing secret comes of it.
#pragma once

#include <cstdint>

namespace tcproctor::server {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // Uniform in [0, bound) up to a bias of bound / 2^64; bound must not be 0.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace tcproctor::server
