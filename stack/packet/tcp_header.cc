// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/tcp_header.h"

#include <algorithm>
#include <cstring>

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::packet {
namespace {

constexpr size_t kChecksumOffset = 16;

void copy_bytes(std::span<const uint8_t> from, uint8_t* to) {
  // memcpy must not see the null pointer an empty span may hold.
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace

ParseResult parse_tcp_header(std::span<const uint8_t> segment, TcpHeader& header,
                             std::span<const uint8_t>& options, std::span<const uint8_t>& payload) {
  if (segment.size() < kTcpMinHeaderBytes) return ParseResult::kTruncated;
  const uint8_t* bytes = segment.data();
  header.source_port = load_be16(bytes);
  header.destination_port = load_be16(bytes + 2);
  header.sequence_number = load_be32(bytes + 4);
  header.acknowledgment_number = load_be32(bytes + 8);
  header.data_offset = bytes[12] >> 4;
  header.reserved = bytes[12] >> 1 & 0x07;
  header.flags = load_be16(bytes + 12) & kAllFlags;
  header.window = load_be16(bytes + 14);
  header.checksum = load_be16(bytes + kChecksumOffset);
  header.urgent_pointer = load_be16(bytes + 18);
  options = {};
  payload = {};
  const size_t header_bytes = size_t{header.data_offset} * 4;
  if (header_bytes < kTcpMinHeaderBytes || header_bytes > segment.size()) {
    return ParseResult::kBadDataOffset;
  }
  options = segment.subspan(kTcpMinHeaderBytes, header_bytes - kTcpMinHeaderBytes);
  payload = segment.subspan(header_bytes);
  return ParseResult::kOk;
}

size_t write_tcp_header(const TcpHeader& header, std::span<const uint8_t> options,
                        std::span<uint8_t> out) {
  const size_t size = kTcpMinHeaderBytes + options.size();
  if (out.size() < size) return 0;
  uint8_t* bytes = out.data();
  store_be16(bytes, header.source_port);
  store_be16(bytes + 2, header.destination_port);
  store_be32(bytes + 4, header.sequence_number);
  store_be32(bytes + 8, header.acknowledgment_number);
  store_be16(bytes + 12,
             static_cast<uint16_t>(header.data_offset << 12 | (header.reserved & 0x07) << 9 |
                                   (header.flags & kAllFlags)));
  store_be16(bytes + 14, header.window);
  store_be16(bytes + kChecksumOffset, header.checksum);
  store_be16(bytes + 18, header.urgent_pointer);
  copy_bytes(options, bytes + kTcpMinHeaderBytes);
  return size;
}

ParseResult parse_tcp_payload(const IpPacket& ip, ChecksumPolicy policy, TcpSegment& segment) {
  segment.source = ip.source;
  segment.destination = ip.destination;
  segment.dscp = ip.dscp;
  segment.ecn = ip.ecn;
  segment.ttl = ip.ttl;
  if (ip.protocol != kProtocolTcp) return ParseResult::kOtherProtocol;
  std::span<const uint8_t> options;
  const ParseResult result = parse_tcp_header(ip.payload, segment.header, options, segment.payload);
  if (result == ParseResult::kTruncated) return result;
  parse_options(options, segment.options);
  if (result != ParseResult::kOk) return result;
  if (policy == ChecksumPolicy::kVerify &&
      transport_checksum(ip.source, ip.destination, kProtocolTcp, ip.payload) != 0) {
    return ParseResult::kBadTcpChecksum;
  }
  return ParseResult::kOk;
}

ParseResult parse_tcp_packet(std::span<const uint8_t> packet, ChecksumPolicy policy,
                             TcpSegment& segment) {
  IpPacket ip;
  const ParseResult outer = parse_ip(packet, ip);
  if (outer != ParseResult::kOk && outer != ParseResult::kBadIpChecksum) {
    segment.source = ip.source;
    segment.destination = ip.destination;
    return outer;
  }
  const ParseResult inner = parse_tcp_payload(ip, policy, segment);
  return outer != ParseResult::kOk ? outer : inner;
}

size_t build_tcp_packet(const TcpPacketParts& parts, std::span<uint8_t> out) {
  const size_t size = tcp_packet_size(parts);
  if (out.size() < size || parts.options.size() % 4 != 0 ||
      parts.options.size() > kMaxTcpOptionBytes) {
    return 0;
  }
  const size_t ip_bytes = ip_header_bytes(parts.ip.source.family());
  const size_t segment_bytes = size - ip_bytes;
  if (write_ip(parts.ip, kProtocolTcp, segment_bytes, out) == 0) return 0;

  const std::span<uint8_t> segment = out.subspan(ip_bytes, segment_bytes);
  TcpHeader header = parts.header;
  header.data_offset = static_cast<uint8_t>((kTcpMinHeaderBytes + parts.options.size()) / 4);
  header.checksum = 0;
  const size_t header_bytes = write_tcp_header(header, parts.options, segment);
  copy_bytes(parts.payload, segment.data() + header_bytes);
  copy_bytes(parts.payload_rest, segment.data() + header_bytes + parts.payload.size());

  Checksum checksum;
  checksum.add_pseudo_header(parts.ip.source, parts.ip.destination, kProtocolTcp,
                             static_cast<uint32_t>(segment_bytes));
  store_be16(segment.data() + kChecksumOffset, parts.checksum == ChecksumFill::kFull
                                                   ? checksum.add(segment).finish()
                                                   : checksum.fold());
  return size;
}

}  // namespace tcproctor::packet
