// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/describe.h"

#include "absl/strings/str_cat.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/option_list.h"
#include "stack/packet/text.h"

namespace tcproctor::packet {
namespace {

std::string addresses(const IpPacket& ip) {
  return absl::StrCat(ip.source.to_string(), " > ", ip.destination.to_string());
}

std::string fault_text(ParseResult result) {
  return result == ParseResult::kOk ? "" : absl::StrCat(" {", absl_view(to_string(result)), "}");
}

std::string describe_tcp(const IpPacket& ip, ParseResult outer, const SequenceBases& bases) {
  TcpSegment segment;
  const ParseResult inner = parse_tcp_payload(ip, ChecksumPolicy::kVerify, segment);
  const ParseResult result = outer != ParseResult::kOk ? outer : inner;
  if (inner == ParseResult::kTruncated) {
    return absl::StrCat(addresses(ip), ": tcp", fault_text(result));
  }
  std::string text = absl::StrCat(
      segment.four_tuple().reversed().to_string(), ": ",
      describe_segment(segment.header, segment.options.raw, segment.payload.size(), bases),
      fault_text(result));
  if (segment.header.reserved != 0) {
    absl::StrAppend(&text, " {reserved bits ", segment.header.reserved, "}");
  }
  return text;
}

std::string quotation_text(const QuotedPacket& quoted) {
  if (!quoted.has_ports || quoted.protocol != kProtocolTcp) {
    return absl::StrCat(" [", quoted.source.to_string(), " > ", quoted.destination.to_string(),
                        " protocol ", quoted.protocol, "]");
  }
  return absl::StrCat(" [", quoted.four_tuple().to_string(), " seq ", quoted.sequence_number, "]");
}

std::string describe_icmp(const IpPacket& ip, ParseResult outer) {
  IcmpMessage message;
  const ParseResult inner = parse_icmp(ip, message);
  const ParseResult result = outer != ParseResult::kOk ? outer : inner;
  const char* const name = ip.source.is_v4() ? "icmp" : "icmpv6";
  std::string text = absl::StrCat(addresses(ip), ": ", name);
  if (inner == ParseResult::kTruncated) return absl::StrCat(text, fault_text(result));
  absl::StrAppend(&text, " ", message.type, "/", message.code);
  if (message.classify() == IcmpClass::kPacketTooBig) {
    absl::StrAppend(&text, " mtu ", message.mtu());
  }
  if (message.is_echo_request() || message.is_echo_reply()) {
    absl::StrAppend(&text, message.is_echo_request() ? " echo request" : " echo reply", " id ",
                    message.echo_identifier(), " seq ", message.echo_sequence());
  }
  if (message.quoted) absl::StrAppend(&text, quotation_text(*message.quoted));
  return absl::StrCat(text, fault_text(result));
}

}  // namespace

std::string describe_segment(const TcpHeader& header, std::span<const uint8_t> options,
                             size_t payload_length, const SequenceBases& bases) {
  const uint32_t first = header.sequence_number - bases.sequence;
  const uint32_t last = first + static_cast<uint32_t>(payload_length);
  std::string text =
      absl::StrCat(flags_to_text(header.flags), " ", first, ":", last, "(", payload_length, ")");
  if (header.has(kAck)) {
    absl::StrAppend(&text, " ack ", header.acknowledgment_number - bases.acknowledgment);
  }
  absl::StrAppend(&text, " win ", header.window);
  if (header.has(kUrg)) absl::StrAppend(&text, " urg ", header.urgent_pointer);
  if (!options.empty()) {
    absl::StrAppend(&text, " <", decode_options(options).to_text(bases.acknowledgment), ">");
  }
  return text;
}

std::string describe_packet(std::span<const uint8_t> packet, const SequenceBases& bases) {
  IpPacket ip;
  const ParseResult result = parse_ip(packet, ip);
  switch (result) {
    case ParseResult::kOk:
    case ParseResult::kBadIpChecksum:
      break;
    case ParseResult::kTruncated:
    case ParseResult::kBadVersion:
      return absl::StrCat("packet of ", packet.size(), " octets", fault_text(result));
    default:
      return absl::StrCat(addresses(ip), ": protocol ", ip.protocol, fault_text(result));
  }
  if (ip.protocol == kProtocolTcp) return describe_tcp(ip, result, bases);
  if (ip.protocol == (ip.source.is_v4() ? kProtocolIcmp : kProtocolIcmpV6)) {
    return describe_icmp(ip, result);
  }
  return absl::StrCat(addresses(ip), ": protocol ", ip.protocol, " ", ip.payload.size(), " octets",
                      fault_text(result));
}

}  // namespace tcproctor::packet
