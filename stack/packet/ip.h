// SPDX-License-Identifier: Apache-2.0
// IPv4 or IPv6, whichever it is: what the layers above need of a packet, and headers in front of
// theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

// What the upper layers see of a received IP packet. `payload` points into the packet.
struct IpPacket {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;              // upper-layer protocol, behind IPv6 extension headers
  uint8_t dscp = 0;                  // 0..63
  uint8_t ecn = 0;                   // 0..3
  uint8_t ttl = 0;                   // hop limit
  uint32_t header_bytes = 0;         // IP header with options or extension headers
  bool source_route = false;         // IPv4: it came over one (LSRR, SSRR)
  std::span<const uint8_t> payload;  // upper-layer header and data
};

// Reads the IP header(s) of `packet` by its version. kFragment for part of a fragmented datagram
// (everything but the payload's meaning is filled). With kBadIpChecksum everything is filled; with
// other errors only what was readable.
[[nodiscard]] ParseResult parse_ip(std::span<const uint8_t> packet, IpPacket& ip);

// The IP layer of a packet to send; what is not here is computed.
struct IpFields {
  IpAddress source;
  IpAddress destination;        // same family as source
  uint8_t dscp = 0;             // 0..63
  uint8_t ecn = 0;              // 0..3
  uint8_t ttl = 64;             // hop limit
  uint16_t identification = 0;  // IPv4 only
  bool dont_fragment = true;    // IPv4 only
  uint32_t flow_label = 0;      // IPv6 only, 20 bits
};

// Octets write_ip produces for this family: 20 or 40.
constexpr size_t ip_header_bytes(IpFamily family) {
  return family == IpFamily::kV4 ? 20 : 40;
}

// Writes a correct IP header in front of `payload_length` octets of `protocol`; returns its length,
// or 0 when it does not fit into `out`, the packet would be over 65,535 octets of IPv4 total length
// or IPv6 payload length, or the families differ. The payload need not fit into `out`.
[[nodiscard]] size_t write_ip(const IpFields& fields, uint8_t protocol, size_t payload_length,
                              std::span<uint8_t> out);

}  // namespace tcproctor::packet
