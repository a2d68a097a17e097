// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/nd.h"

#include <algorithm>
#include <array>

#include "stack/packet/checksum.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::packet {
namespace {

constexpr size_t kFixedBytes = 24;  // ICMPv6 header and target address
constexpr uint8_t kSourceLinkLayer = 1;
constexpr uint8_t kTargetLinkLayer = 2;
constexpr uint8_t kEthernetOptionUnits = 1;  // 8 octets: type, length, MAC
constexpr uint8_t kHopLimit = 255;  // nothing that crossed a router may pass for a neighbour

constexpr uint8_t kRouterFlag = 0x80;
constexpr uint8_t kSolicitedFlag = 0x40;
constexpr uint8_t kOverrideFlag = 0x20;

// Reads the options; false when one has length 0 or runs over the message.
bool read_options(std::span<const uint8_t> options, NeighbourMessage& message) {
  const uint8_t wanted = message.advertisement ? kTargetLinkLayer : kSourceLinkLayer;
  while (!options.empty()) {
    if (options.size() < 8 || options[1] == 0) return false;
    const size_t size = size_t{options[1]} * 8;
    if (size > options.size()) return false;
    if (options[0] == wanted && options[1] == kEthernetOptionUnits) {
      message.link_layer = MacAddress::from_bytes(options.subspan<2, 6>());
    }
    options = options.subspan(size);
  }
  return true;
}

// RFC 4861 §7.1.1 and §7.1.2, what they say of addresses.
bool addresses_lawful(const IpPacket& ip, const NeighbourMessage& message) {
  if (message.target.is_multicast()) return false;
  if (message.advertisement) return !(ip.destination.is_multicast() && message.solicited);
  if (!ip.source.is_unspecified()) return true;
  // Duplicate address detection: to the solicited-node address of the target, and none other.
  return ip.destination == solicited_node_address(message.target);
}

}  // namespace

ParseResult parse_neighbour(const IpPacket& ip, NeighbourMessage& message) {
  const std::span<const uint8_t> bytes = ip.payload;
  if (!ip.source.is_v6() || ip.protocol != kProtocolIcmpV6) return ParseResult::kOtherProtocol;
  if (bytes.empty()) return ParseResult::kTruncated;
  if (bytes[0] != kNeighbourSolicitation && bytes[0] != kNeighbourAdvertisement) {
    return ParseResult::kOtherProtocol;
  }
  if (bytes.size() < kFixedBytes) return ParseResult::kTruncated;
  message = NeighbourMessage{.advertisement = bytes[0] == kNeighbourAdvertisement,
                             .target = IpAddress::v6_bytes(bytes.subspan<8, 16>())};
  if (message.advertisement) {
    message.router = (bytes[4] & kRouterFlag) != 0;
    message.solicited = (bytes[4] & kSolicitedFlag) != 0;
    message.override_cache = (bytes[4] & kOverrideFlag) != 0;
  }
  if (ip.ttl != kHopLimit) return ParseResult::kBadHopLimit;
  if (transport_checksum(ip.source, ip.destination, kProtocolIcmpV6, bytes) != 0) {
    return ParseResult::kBadIcmpChecksum;
  }
  if (bytes[1] != 0) return ParseResult::kUnsupported;
  if (!addresses_lawful(ip, message)) return ParseResult::kBadAddress;
  if (!read_options(bytes.subspan(kFixedBytes), message)) return ParseResult::kBadOption;
  const bool dad = !message.advertisement && ip.source.is_unspecified();
  return dad && message.link_layer ? ParseResult::kBadOption : ParseResult::kOk;
}

size_t build_neighbour_packet(IpFields ip, const NeighbourMessage& message,
                              std::span<uint8_t> out) {
  if (!ip.source.is_v6() || !ip.destination.is_v6() || !message.target.is_v6()) return 0;
  ip.ttl = kHopLimit;
  std::array<uint8_t, 24> body{};
  std::ranges::copy(message.target.bytes(), body.begin());
  size_t body_bytes = 16;
  if (message.link_layer) {
    body[16] = message.advertisement ? kTargetLinkLayer : kSourceLinkLayer;
    body[17] = kEthernetOptionUnits;
    std::ranges::copy(message.link_layer->bytes, body.begin() + 18);
    body_bytes = body.size();
  }
  uint32_t flags = 0;
  if (message.advertisement) {
    flags = (message.router ? kRouterFlag : 0u) | (message.solicited ? kSolicitedFlag : 0u) |
            (message.override_cache ? kOverrideFlag : 0u);
  }
  const IcmpFields fields = {
      .type = message.advertisement ? kNeighbourAdvertisement : kNeighbourSolicitation,
      .rest = flags << 24,
      .body = std::span(body).first(body_bytes)};
  return build_icmp_packet(ip, fields, out);
}

IpAddress solicited_node_address(const IpAddress& address) {
  std::array<uint8_t, 16> bytes = {0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xFF};
  std::ranges::copy(address.bytes().last(3), bytes.begin() + 13);
  return IpAddress::v6_bytes(bytes);
}

}  // namespace tcproctor::packet
