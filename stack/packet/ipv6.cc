// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/ipv6.h"

#include <algorithm>

#include "stack/packet/byte_order.h"

namespace tcproctor::packet {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kAuthenticationHeader = 51;
constexpr uint8_t kDestinationOptions = 60;

bool is_extension(uint8_t next_header) {
  switch (next_header) {
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kAuthenticationHeader:
    case kDestinationOptions:
      return true;
    default:
      return false;
  }
}

// Octets of an extension header whose first 8 octets are at `header`.
size_t extension_size(uint8_t kind, const uint8_t* header) {
  if (kind == kFragment) return 8;
  if (kind == kAuthenticationHeader) return (size_t{header[1]} + 2) * 4;  // RFC 4302 §2.2
  return (size_t{header[1]} + 1) * 8;
}

void read_fragment_header(const uint8_t* header, Ipv6Extensions& extensions) {
  const uint16_t word = load_be16(header + 2);
  extensions.fragment_offset = word >> 3;
  extensions.more_fragments = (word & 1) != 0;
  extensions.identification = load_be32(header + 4);
  // RFC 6946 §4: offset 0 without M is a whole packet, to be processed as such.
  extensions.fragmented = extensions.fragment_offset != 0 || extensions.more_fragments;
}

}  // namespace

ParseResult parse_ipv6_extensions(uint8_t next_header, std::span<const uint8_t> bytes,
                                  Ipv6Extensions& extensions) {
  extensions = Ipv6Extensions{};
  extensions.protocol = next_header;
  while (is_extension(extensions.protocol)) {
    const uint8_t kind = extensions.protocol;
    const std::span<const uint8_t> rest = bytes.subspan(extensions.bytes);
    if (extensions.count == Ipv6Extensions::kMaxHeaders || rest.size() < 8) {
      return ParseResult::kBadExtensionHeader;
    }
    const size_t size = extension_size(kind, rest.data());
    if (size > rest.size()) return ParseResult::kBadExtensionHeader;
    extensions.kinds[extensions.count++] = kind;
    extensions.protocol = rest[0];
    extensions.bytes = static_cast<uint16_t>(extensions.bytes + size);
    // RFC 8200 §4.4: segments left means that we are not the final destination.
    if (kind == kRouting && rest[3] != 0) return ParseResult::kBadExtensionHeader;
    if (kind == kFragment) {
      read_fragment_header(rest.data(), extensions);
      if (extensions.fragmented) break;
    }
  }
  return ParseResult::kOk;
}

ParseResult parse_ipv6(std::span<const uint8_t> packet, Ipv6Header& header,
                       Ipv6Extensions& extensions, std::span<const uint8_t>& payload) {
  if (packet.size() < kIpv6HeaderBytes) return ParseResult::kTruncated;
  const uint32_t first = load_be32(packet.data());
  header.version = static_cast<uint8_t>(first >> 28);
  header.dscp = static_cast<uint8_t>(first >> 22 & 0x3F);
  header.ecn = static_cast<uint8_t>(first >> 20 & 0x03);
  header.flow_label = first & 0xFFFFF;
  header.payload_length = load_be16(packet.data() + 4);
  header.next_header = packet[6];
  header.hop_limit = packet[7];
  header.source = IpAddress::v6_bytes(packet.subspan<8, 16>());
  header.destination = IpAddress::v6_bytes(packet.subspan<24, 16>());
  extensions = Ipv6Extensions{};
  extensions.protocol = header.next_header;
  payload = {};
  if (header.version != 6) return ParseResult::kBadVersion;
  const std::span<const uint8_t> rest = packet.subspan(kIpv6HeaderBytes);
  if (header.payload_length > rest.size()) return ParseResult::kBadTotalLength;
  const std::span<const uint8_t> body = rest.first(header.payload_length);
  const ParseResult result = parse_ipv6_extensions(header.next_header, body, extensions);
  if (result == ParseResult::kOk) payload = body.subspan(extensions.bytes);
  return result;
}

size_t write_ipv6(const Ipv6Header& header, std::span<uint8_t> out) {
  if (out.size() < kIpv6HeaderBytes) return 0;
  uint8_t* bytes = out.data();
  store_be32(bytes, uint32_t{header.version} << 28 | (header.dscp & 0x3Fu) << 22 |
                        (header.ecn & 0x03u) << 20 | (header.flow_label & 0xFFFFF));
  store_be16(bytes + 4, header.payload_length);
  bytes[6] = header.next_header;
  bytes[7] = header.hop_limit;
  const IpAddress any = IpAddress::any(IpFamily::kV6);
  std::ranges::copy((header.source.is_v6() ? header.source : any).bytes(), bytes + 8);
  std::ranges::copy((header.destination.is_v6() ? header.destination : any).bytes(), bytes + 24);
  return kIpv6HeaderBytes;
}

bool finish_ipv6(Ipv6Header& header, size_t payload_length) {
  if (payload_length > 0xFFFF) return false;
  header.version = 6;
  header.payload_length = static_cast<uint16_t>(payload_length);
  return true;
}

}  // namespace tcproctor::packet
