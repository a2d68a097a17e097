// SPDX-License-Identifier: Apache-2.0
// Where every random decision of a simulation comes from: a seed, or the bytes of a fuzzer. The
// same source gives the same decisions with every compiler and library, so a seed and a commit
// repeat a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "stack/tcp/time.h"

namespace tcproctor::sim {

// SplitMix64 (Steele, Lea, Flood 2014): a good mix of all bits.
constexpr uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

class Choices {
 public:
  explicit Choices(uint64_t seed) : state_(mix(seed)) {}
  // Bytes that have run out give zeros: below() 0, permille() false.
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes), from_bytes_(true) {}

  // 0 .. bound - 1; bound >= 1. Of bytes as few as the bound needs are used.
  uint64_t below(uint64_t bound) {
    if (bound <= 1) return 0;
    if (!from_bytes_) return next() % bound;
    uint64_t value = 0;
    for (uint64_t rest = bound - 1; rest != 0 && !exhausted(); rest >>= 8) {
      value = value << 8 | bytes_[used_++];
    }
    return value % bound;
  }
  uint64_t between(uint64_t least, uint64_t most) { return least + below(most - least + 1); }
  tcp::Duration between(tcp::Duration least, tcp::Duration most) {
    return tcp::Duration(static_cast<int64_t>(
        between(static_cast<uint64_t>(least.count()), static_cast<uint64_t>(most.count()))));
  }
  // Small values as often as large ones: 1 .. most, uniform in the logarithm.
  uint64_t scale(uint64_t most) {
    uint64_t top = 1;
    uint64_t bits = 0;
    while (top < most) top <<= 1, ++bits;
    const uint64_t size = uint64_t{1} << below(bits + 1);
    return size >= most ? most : between(size, size * 2 > most ? most : size * 2);
  }
  bool permille(uint32_t chance) { return chance != 0 && below(1000) >= 1000 - chance; }
  bool one_in(uint64_t chances) { return below(chances) == chances - 1; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + below(values.size()));
  }
  uint64_t bits() { return below(UINT64_MAX); }

  // Never of a seed.
  bool exhausted() const { return from_bytes_ && used_ == bytes_.size(); }

 private:
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    return mix(state_);
  }

  uint64_t state_ = 0;
  std::span<const uint8_t> bytes_;
  size_t used_ = 0;
  bool from_bytes_ = false;
};

// The octet at `position` of a stream: known to both ends, so that every octet that arrives can be
// told right or wrong by where it stands.
inline void write_content(uint64_t key, uint64_t position, std::span<uint8_t> out) {
  uint64_t word = mix(key + position / 8);
  for (uint8_t& octet : out) {
    octet = static_cast<uint8_t>(word >> (position % 8 * 8));
    if (++position % 8 == 0) word = mix(key + position / 8);
  }
}

}  // namespace tcproctor::sim
