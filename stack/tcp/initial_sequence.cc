// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/initial_sequence.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace tcproctor::tcp {
namespace {

// The purpose keeps the two uses of one secret apart.
uint64_t hash_tuple(const Secret& secret, const packet::FourTuple& tuple, uint8_t purpose) {
  std::array<uint8_t, 38> input{};
  input[0] = purpose;
  input[1] = static_cast<uint8_t>(tuple.local.address.family());
  auto end = std::ranges::copy(tuple.local.address.bytes(), input.begin() + 2).out;
  std::ranges::copy(tuple.remote.address.bytes(), end);
  const auto put_port = [&input](size_t at, uint16_t port) {
    input[at] = static_cast<uint8_t>(port >> 8);
    input[at + 1] = static_cast<uint8_t>(port);
  };
  put_port(34, tuple.local.port);
  put_port(36, tuple.remote.port);
  return siphash(secret, input);
}

}  // namespace

SeqNum initial_sequence_number(const Secret& secret, Instant now, const packet::FourTuple& tuple) {
  const auto ticks = now.time_since_epoch() / std::chrono::microseconds(4);
  return SeqNum(static_cast<uint32_t>(ticks) + static_cast<uint32_t>(hash_tuple(secret, tuple, 1)));
}

uint32_t timestamp_offset(const Secret& secret, const packet::FourTuple& tuple) {
  return static_cast<uint32_t>(hash_tuple(secret, tuple, 2));
}

uint32_t timestamp_value(Instant now, uint32_t offset) {
  return static_cast<uint32_t>(now.time_since_epoch() / std::chrono::milliseconds(1)) + offset;
}

}  // namespace tcproctor::tcp
