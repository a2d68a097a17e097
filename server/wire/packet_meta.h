// SPDX-License-Identifier: Apache-2.0
// What travels with an IP packet through the wire beside its octets.
#pragma once

#include <cstdint>
#include <span>

#include "stack/packet/address.h"

namespace tcproctor::server {

struct PacketMeta {
  // CLOCK_REALTIME stamped by the kernel; 0 where there is none (virtual clock, memory).
  int64_t wall_time_ns = 0;
  // Payload octets per segment of a super-segment; 0 = an ordinary packet. Only where the ends'
  // devices have their offloads on.
  uint16_t gso_size = 0;
  // As what it is sent: the EtherType. Differs from the packet's version field only in a crafted
  // packet with a wrong version.
  packet::IpFamily family = packet::IpFamily::kV4;
};

// By the version field; whatever is not 6 counts as IPv4.
inline packet::IpFamily family_of(std::span<const uint8_t> packet) {
  return !packet.empty() && packet[0] >> 4 == 6 ? packet::IpFamily::kV6 : packet::IpFamily::kV4;
}

// Frames that are no evidence and never reach the wire's log.
struct NoiseCounters {
  uint64_t arp = 0;
  uint64_t nd = 0;     // ICMPv6 133..137 (RFC 4861)
  uint64_t mld = 0;    // ICMPv6 130..132 and 143 (RFC 2710, RFC 3810), IGMP
  uint64_t other = 0;  // neither IPv4 nor IPv6, or not an Ethernet frame at all

  NoiseCounters& operator+=(const NoiseCounters& more) {
    arp += more.arp;
    nd += more.nd;
    mld += more.mld;
    other += more.other;
    return *this;
  }
};

}  // namespace tcproctor::server
