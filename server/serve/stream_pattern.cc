// SPDX-License-Identifier: Apache-2.0
#include "server/serve/stream_pattern.h"

#include <cstddef>

namespace tcproctor::server {
namespace {

uint64_t number_at(uint64_t seed, uint64_t step) {
  uint64_t z = seed + (step + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

}  // namespace

void fill_stream(uint64_t seed, uint64_t offset, std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    uint64_t number = number_at(seed, offset / 8) >> offset % 8 * 8;
    for (uint64_t left = 8 - offset % 8; left > 0 && done < out.size(); --left) {
      out[done++] = static_cast<uint8_t>(number);
      number >>= 8;
      ++offset;
    }
  }
}

}  // namespace tcproctor::server
