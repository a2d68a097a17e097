// SPDX-License-Identifier: Apache-2.0
#include "server/serve/stream_pattern.h"

#include <cstddef>

namespace tcproctor::server {
namespace {

// RFC 864
constexpr uint64_t kPrinting = 95;
constexpr uint64_t kLine = 72;

uint8_t chargen_octet(uint64_t offset) {
  const uint64_t line = offset / (kLine + 2);
  const uint64_t column = offset % (kLine + 2);
  if (column >= kLine) return column == kLine ? '\r' : '\n';
  return static_cast<uint8_t>(' ' + (line + column) % kPrinting);
}

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

void fill_chargen(uint64_t offset, std::span<uint8_t> out) {
  for (uint8_t& octet : out) octet = chargen_octet(offset++);
}

}  // namespace tcproctor::server
