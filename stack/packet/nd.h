// SPDX-License-Identifier: Apache-2.0
// Neighbour solicitation and advertisement of IPv6 (RFC 4861 §4.3, §4.4, §7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ip.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr uint8_t kNeighbourSolicitation = 135;
inline constexpr uint8_t kNeighbourAdvertisement = 136;

struct NeighbourMessage {
  bool advertisement = false;
  IpAddress target = IpAddress::any(IpFamily::kV6);
  // Flags of an advertisement; false in a solicitation.
  bool router = false;
  bool solicited = false;
  bool override_cache = false;
  // Source link-layer address of a solicitation, target link-layer address of an advertisement.
  std::optional<MacAddress> link_layer;

  friend bool operator==(const NeighbourMessage&, const NeighbourMessage&) = default;
};

// Reads the payload of an IPv6 packet and validates it as RFC 4861 §7.1.1 and §7.1.2 demand.
//  kOtherProtocol: neither of the two messages. kTruncated: shorter than 24 octets.
//  kBadHopLimit, kBadIcmpChecksum, kUnsupported (code is not 0), kBadAddress, kBadOption: discard.
[[nodiscard]] ParseResult parse_neighbour(const IpPacket& ip, NeighbourMessage& message);

// Writes IPv6 header (hop limit 255, whatever `ip.ttl` says) and message; returns the packet's
// length, or 0 when `out` is too small or an address is not IPv6.
[[nodiscard]] size_t build_neighbour_packet(IpFields ip, const NeighbourMessage& message,
                                            std::span<uint8_t> out);

// ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291 §2.7.1).
IpAddress solicited_node_address(const IpAddress& address);

}  // namespace tcproctor::packet
