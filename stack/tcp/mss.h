// SPDX-License-Identifier: Apache-2.0
// Maximum segment size (RFC 9293 §3.7.1, RFC 6691).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "stack/packet/address.h"
#include "stack/packet/ip.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::tcp {

// Assumed when the peer's SYN has no MSS option (RFC9293-MUST-15).
constexpr uint16_t default_mss(packet::IpFamily family) {
  return family == packet::IpFamily::kV4 ? 536 : 1220;
}

// What the MTU leaves for data behind the fixed headers; options are not counted (RFC6691-2-1,
// 2-2).
constexpr uint16_t mss_of_mtu(packet::IpFamily family, uint32_t mtu) {
  const uint32_t headers =
      static_cast<uint32_t>(packet::ip_header_bytes(family) + packet::kTcpMinHeaderBytes);
  return static_cast<uint16_t>(std::clamp<uint32_t>(mtu > headers ? mtu - headers : 1, 1, 65535));
}

// Octets of an IP packet that carries `octets` of TCP options and data.
constexpr uint32_t mtu_of_mss(packet::IpFamily family, uint32_t octets) {
  return octets +
         static_cast<uint32_t>(packet::ip_header_bytes(family) + packet::kTcpMinHeaderBytes);
}

// The MSS to announce: the user's wish, never beyond what we can receive (RFC9293-MUST-67).
constexpr uint16_t announced_mss(std::optional<uint16_t> wish, packet::IpFamily family,
                                 uint32_t mtu) {
  const uint16_t largest = mss_of_mtu(family, mtu);
  return wish.has_value() ? std::min(*wish, largest) : largest;
}

// A peer that announces next to nothing would make us send one octet per packet; below this its MSS
// is not believed. Room for the options of a segment (40) and a few octets of data.
inline constexpr uint16_t kSmallestSendMss = 64;

// Eff.snd.MSS without the options, which each segment subtracts (RFC9293-MUST-16, RFC6691-2-3):
// min(SendMSS + 20, MMS_S) - 20.
constexpr uint16_t effective_send_mss(uint16_t peer_mss, packet::IpFamily family, uint32_t mtu) {
  return std::min(std::max(peer_mss, kSmallestSendMss), mss_of_mtu(family, mtu));
}

// Window scale shift that lets `buffer_bytes` be announced (RFC7323-2.3-5: at most 14).
constexpr uint8_t window_shift_for(uint32_t buffer_bytes) {
  uint8_t shift = 0;
  while (shift < 14 && (buffer_bytes >> shift) > 65535) ++shift;
  return shift;
}

}  // namespace tcproctor::tcp
