// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/ip.h"

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::packet {
namespace {

ParseResult parse_as_v4(std::span<const uint8_t> packet, IpPacket& ip) {
  Ipv4Header header;
  const ParseResult result = parse_ipv4(packet, header, ip.payload);
  if (result == ParseResult::kTruncated) return result;
  ip.source = header.source;
  ip.destination = header.destination;
  ip.protocol = header.protocol;
  ip.dscp = header.dscp;
  ip.ecn = header.ecn;
  ip.ttl = header.ttl;
  ip.header_bytes = header.header_length * 4u;
  ip.source_route = has_source_route(header.options.span());
  if (result == ParseResult::kOk && header.is_fragment()) return ParseResult::kFragment;
  return result;
}

ParseResult parse_as_v6(std::span<const uint8_t> packet, IpPacket& ip) {
  Ipv6Header header;
  Ipv6Extensions extensions;
  const ParseResult result = parse_ipv6(packet, header, extensions, ip.payload);
  if (result == ParseResult::kTruncated) return result;
  ip.source = header.source;
  ip.destination = header.destination;
  ip.protocol = extensions.protocol;
  ip.dscp = header.dscp;
  ip.ecn = header.ecn;
  ip.ttl = header.hop_limit;
  ip.source_route = false;
  ip.header_bytes = static_cast<uint32_t>(kIpv6HeaderBytes + extensions.bytes);
  if (result == ParseResult::kOk && extensions.fragmented) return ParseResult::kFragment;
  return result;
}

size_t write_as_v4(const IpFields& fields, uint8_t protocol, size_t payload_length,
                   std::span<uint8_t> out) {
  if (payload_length > 0xFFFF - kIpv4MinHeaderBytes) return 0;
  Ipv4Header header;
  header.dscp = fields.dscp;
  header.ecn = fields.ecn;
  header.total_length = static_cast<uint16_t>(kIpv4MinHeaderBytes + payload_length);
  header.identification = fields.identification;
  header.dont_fragment = fields.dont_fragment;
  header.ttl = fields.ttl;
  header.protocol = protocol;
  header.source = fields.source;
  header.destination = fields.destination;
  const size_t size = write_ipv4(header, out);
  if (size == 0) return 0;
  // In place: finish_ipv4 would write the header twice.
  store_be16(out.data() + 10, internet_checksum(out.first(size)));
  return size;
}

size_t write_as_v6(const IpFields& fields, uint8_t protocol, size_t payload_length,
                   std::span<uint8_t> out) {
  Ipv6Header header;
  header.dscp = fields.dscp;
  header.ecn = fields.ecn;
  header.flow_label = fields.flow_label;
  header.next_header = protocol;
  header.hop_limit = fields.ttl;
  header.source = fields.source;
  header.destination = fields.destination;
  if (!finish_ipv6(header, payload_length)) return 0;
  return write_ipv6(header, out);
}

}  // namespace

ParseResult parse_ip(std::span<const uint8_t> packet, IpPacket& ip) {
  if (packet.empty()) return ParseResult::kTruncated;
  switch (packet[0] >> 4) {
    case 4:
      return parse_as_v4(packet, ip);
    case 6:
      return parse_as_v6(packet, ip);
    default:
      return ParseResult::kBadVersion;
  }
}

size_t write_ip(const IpFields& fields, uint8_t protocol, size_t payload_length,
                std::span<uint8_t> out) {
  if (fields.source.family() != fields.destination.family()) return 0;
  return fields.source.is_v4() ? write_as_v4(fields, protocol, payload_length, out)
                               : write_as_v6(fields, protocol, payload_length, out);
}

}  // namespace tcproctor::packet
