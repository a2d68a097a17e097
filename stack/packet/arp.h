// SPDX-License-Identifier: Apache-2.0
// Address resolution for IPv4 over Ethernet (RFC 826).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr size_t kArpBytes = 28;
inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

struct ArpPacket {
  uint16_t operation = kArpRequest;
  MacAddress sender_mac;
  IpAddress sender_ip;
  MacAddress target_mac;  // zero in a request
  IpAddress target_ip;

  friend bool operator==(const ArpPacket&, const ArpPacket&) = default;
};

// kTruncated below 28 octets; kUnsupported for other hardware or protocol than Ethernet and IPv4.
// Nothing is filled then.
[[nodiscard]] ParseResult parse_arp(std::span<const uint8_t> bytes, ArpPacket& arp);

// Returns 28, or 0 when `out` is too small. The addresses must be IPv4.
[[nodiscard]] size_t write_arp(const ArpPacket& arp, std::span<uint8_t> out);

// The reply to `request` from the owner of its target address.
ArpPacket arp_reply_to(const ArpPacket& request, const MacAddress& own_mac);

}  // namespace tcproctor::packet
