// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/icmp.h"

#include <algorithm>
#include <cstring>

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::packet {
namespace {

constexpr uint8_t kIcmpRedirect = 5;
constexpr uint8_t kIcmpV6FirstInformational = 128;
constexpr size_t kIpv4MaxErrorBytes = 576;
constexpr size_t kIpv6MaxErrorBytes = 1280;

IcmpClass classify_v4(uint8_t type, uint8_t code) {
  switch (type) {
    case kIcmpSourceQuench:
      return IcmpClass::kSourceQuench;
    case kIcmpTimeExceeded:
    case kIcmpParameterProblem:
      return IcmpClass::kSoft;
    case kIcmpDestinationUnreachable:
      break;
    default:
      return IcmpClass::kOther;
  }
  switch (code) {
    case kIcmpNetUnreachable:
    case kIcmpHostUnreachable:
    case kIcmpSourceRouteFailed:
      return IcmpClass::kSoft;
    case kIcmpProtocolUnreachable:
    case kIcmpPortUnreachable:
      return IcmpClass::kHard;
    // §3.9.2.2 counts code 4 among the hard errors, but with path MTU discovery (RFC 1191) it only
    // says that segments must be smaller.
    case kIcmpFragmentationNeeded:
      return IcmpClass::kPacketTooBig;
    default:
      return IcmpClass::kOther;
  }
}

IcmpClass classify_v6(uint8_t type, uint8_t code) {
  switch (type) {
    case kIcmpV6PacketTooBig:
      return IcmpClass::kPacketTooBig;
    case kIcmpV6TimeExceeded:
    case kIcmpV6ParameterProblem:
      return IcmpClass::kSoft;
    case kIcmpV6DestinationUnreachable:
      break;
    default:
      return IcmpClass::kOther;
  }
  switch (code) {
    case kIcmpV6NoRoute:
    case kIcmpV6AddressUnreachable:
      return IcmpClass::kSoft;
    case kIcmpV6Prohibited:
    case kIcmpV6PortUnreachable:
      return IcmpClass::kHard;
    default:
      return IcmpClass::kOther;
  }
}

// Fills ports and sequence number; `upper` is what is quoted of the upper-layer header.
void read_quoted_ports(std::span<const uint8_t> upper, QuotedPacket& quoted) {
  // RFC 792: at least 8 octets are quoted, which hold TCP's ports and sequence number.
  if (quoted.fragment || upper.size() < 8) return;
  quoted.has_ports = true;
  quoted.source_port = load_be16(upper.data());
  quoted.destination_port = load_be16(upper.data() + 2);
  quoted.sequence_number = load_be32(upper.data() + 4);
}

std::optional<QuotedPacket> quoted_v4(std::span<const uint8_t> bytes) {
  Ipv4Header header;
  std::span<const uint8_t> unused;
  const ParseResult result = parse_ipv4(bytes, header, unused);
  // A quotation is cut short, so its total length points beyond it; and routers that changed the
  // TTL need not have corrected the checksum.
  if (result != ParseResult::kOk && result != ParseResult::kBadTotalLength &&
      result != ParseResult::kBadIpChecksum) {
    return std::nullopt;
  }
  QuotedPacket quoted;
  quoted.source = header.source;
  quoted.destination = header.destination;
  quoted.protocol = header.protocol;
  quoted.fragment = header.fragment_offset != 0;
  quoted.packet_length = header.total_length;
  read_quoted_ports(bytes.subspan(size_t{header.header_length} * 4), quoted);
  return quoted;
}

std::optional<QuotedPacket> quoted_v6(std::span<const uint8_t> bytes) {
  Ipv6Header header;
  Ipv6Extensions extensions;
  std::span<const uint8_t> unused;
  const ParseResult result = parse_ipv6(bytes, header, extensions, unused);
  if (result == ParseResult::kTruncated || result == ParseResult::kBadVersion) return std::nullopt;
  const std::span<const uint8_t> rest = bytes.subspan(kIpv6HeaderBytes);
  const ParseResult chain = parse_ipv6_extensions(header.next_header, rest, extensions);
  QuotedPacket quoted;
  quoted.source = header.source;
  quoted.destination = header.destination;
  quoted.protocol = extensions.protocol;
  quoted.fragment = extensions.fragment_offset != 0;
  quoted.packet_length = static_cast<uint32_t>(kIpv6HeaderBytes + header.payload_length);
  if (chain == ParseResult::kOk) read_quoted_ports(rest.subspan(extensions.bytes), quoted);
  return quoted;
}

uint16_t icmp_checksum(const IpAddress& source, const IpAddress& destination,
                       std::span<const uint8_t> message) {
  // Only ICMPv6 covers a pseudo-header (RFC 4443 §2.3).
  return source.is_v4() ? internet_checksum(message)
                        : transport_checksum(source, destination, kProtocolIcmpV6, message);
}

}  // namespace

IcmpClass classify_icmp(IpFamily family, uint8_t type, uint8_t code) {
  return family == IpFamily::kV4 ? classify_v4(type, code) : classify_v6(type, code);
}

bool IcmpMessage::is_error() const {
  if (family == IpFamily::kV6) return type < kIcmpV6FirstInformational;
  switch (type) {
    case kIcmpDestinationUnreachable:
    case kIcmpSourceQuench:
    case kIcmpRedirect:
    case kIcmpTimeExceeded:
    case kIcmpParameterProblem:
      return true;
    default:
      return false;
  }
}

std::optional<QuotedPacket> parse_quoted_packet(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return std::nullopt;
  switch (bytes[0] >> 4) {
    case 4:
      return quoted_v4(bytes);
    case 6:
      return quoted_v6(bytes);
    default:
      return std::nullopt;
  }
}

ParseResult parse_icmp(const IpPacket& ip, IcmpMessage& message) {
  const uint8_t protocol = ip.source.is_v4() ? kProtocolIcmp : kProtocolIcmpV6;
  if (ip.protocol != protocol) return ParseResult::kOtherProtocol;
  if (ip.payload.size() < kIcmpHeaderBytes) return ParseResult::kTruncated;
  message.family = ip.source.family();
  message.type = ip.payload[0];
  message.code = ip.payload[1];
  message.checksum = load_be16(ip.payload.data() + 2);
  message.rest = load_be32(ip.payload.data() + 4);
  message.body = ip.payload.subspan(kIcmpHeaderBytes);
  message.quoted = message.is_error() ? parse_quoted_packet(message.body) : std::nullopt;
  return icmp_checksum(ip.source, ip.destination, ip.payload) == 0 ? ParseResult::kOk
                                                                   : ParseResult::kBadIcmpChecksum;
}

std::span<const uint8_t> icmp_quotation(IpFamily family, std::span<const uint8_t> packet) {
  const size_t longest = (family == IpFamily::kV4 ? kIpv4MaxErrorBytes : kIpv6MaxErrorBytes) -
                         ip_header_bytes(family) - kIcmpHeaderBytes;
  return packet.first(std::min(packet.size(), longest));
}

size_t build_icmp_packet(const IpFields& ip, const IcmpFields& fields, std::span<uint8_t> out) {
  const uint8_t protocol = ip.source.is_v4() ? kProtocolIcmp : kProtocolIcmpV6;
  const size_t message_bytes = kIcmpHeaderBytes + fields.body.size();
  const size_t header_bytes = ip_header_bytes(ip.source.family());
  if (out.size() < header_bytes + message_bytes) return 0;
  if (write_ip(ip, protocol, message_bytes, out) == 0) return 0;
  const std::span<uint8_t> message = out.subspan(header_bytes, message_bytes);
  message[0] = fields.type;
  message[1] = fields.code;
  store_be16(message.data() + 2, 0);
  store_be32(message.data() + 4, fields.rest);
  std::ranges::copy(fields.body, message.begin() + kIcmpHeaderBytes);
  store_be16(message.data() + 2, fields.checksum
                                     ? *fields.checksum
                                     : icmp_checksum(ip.source, ip.destination, message));
  return header_bytes + message_bytes;
}

IcmpFields echo_reply_to(const IcmpMessage& request) {
  return {.type = request.family == IpFamily::kV4 ? kIcmpEchoReply : kIcmpV6EchoReply,
          .rest = request.rest,
          .body = request.body};
}

}  // namespace tcproctor::packet
