// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/siphash.h"

#include <bit>
#include <cstddef>

namespace tcproctor::tcp {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void compress(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

uint64_t little_endian(std::span<const uint8_t> bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes.size(); ++i) word |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  return word;
}

}  // namespace

uint64_t siphash(const Secret& secret, std::span<const uint8_t> data) {
  SipState state{secret.k0 ^ 0x736f6d6570736575, secret.k1 ^ 0x646f72616e646f6d,
                 secret.k0 ^ 0x6c7967656e657261, secret.k1 ^ 0x7465646279746573};
  const size_t size = data.size();
  while (data.size() >= 8) {
    state.compress(little_endian(data.first(8)));
    data = data.subspan(8);
  }
  state.compress(little_endian(data) | static_cast<uint64_t>(size & 0xFF) << 56);
  state.v2 ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace tcproctor::tcp
