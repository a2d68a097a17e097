// SPDX-License-Identifier: Apache-2.0
// A pseudo-random stream of octets that a seed determines, for sources: both ends of a transfer can
// compute its hash without sending it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace tcproctor::server {

// Sequential; 8 octets per step of SplitMix64, in little-endian order.
class ByteStream {
 public:
  explicit ByteStream(uint64_t seed) : state_(seed) {}

  void read(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
      if (used_ == 8) refill();
      const size_t take = std::min<size_t>(8 - used_, out.size() - done);
      std::memcpy(out.data() + done, word_.data() + used_, take);
      used_ += take;
      done += take;
    }
  }

 private:
  void refill() {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    for (size_t i = 0; i < 8; ++i) word_[i] = static_cast<uint8_t>(z >> (8 * i));
    used_ = 0;
  }

  uint64_t state_;
  std::array<uint8_t, 8> word_{};
  size_t used_ = 8;
};

}  // namespace tcproctor::server
