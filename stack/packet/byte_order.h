// SPDX-License-Identifier: Apache-2.0
// Loads and stores of big-endian (network order) integers at any alignment.
#pragma once

#include <cstdint>
#include <cstring>

namespace tcproctor::packet {

inline uint16_t load_be16(const uint8_t* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap16(value);
}

inline uint32_t load_be32(const uint8_t* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap32(value);
}

inline void store_be16(uint8_t* to, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(to, &value, sizeof value);
}

inline void store_be32(uint8_t* to, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little-endian hosts");

}  // namespace tcproctor::packet
