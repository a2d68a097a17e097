// SPDX-License-Identifier: Apache-2.0
// Packets as octets: in strings, and where the checksums stand in their headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tcproctor::server {

inline constexpr size_t kIpv4ChecksumOffset = 10;
inline constexpr size_t kTcpChecksumOffset = 16;

inline std::span<const uint8_t> octets_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
// The octets of a packet under construction, to be written.
inline uint8_t* octets_of(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

}  // namespace tcproctor::server
