// SPDX-License-Identifier: Apache-2.0
#include "server/wire/decode.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/wire/packet_meta.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::server {
namespace {

using packet::ParseResult;
using Octets = std::span<const uint8_t>;

void note(std::string& malformed, absl::string_view what) {
  absl::StrAppend(&malformed, malformed.empty() ? "" : "; ", what);
}

void set_payload(Octets octets, v1::Segment& segment) {
  if (!octets.empty()) segment.set_payload(octets.data(), octets.size());
}

void fill_ipv4(const packet::Ipv4Header& header, v1::Ipv4Header& proto) {
  proto.set_source(header.source.to_string());
  proto.set_destination(header.destination.to_string());
  proto.set_version(header.version);
  proto.set_header_length(header.header_length);
  proto.set_dscp(header.dscp);
  proto.set_ecn(header.ecn);
  proto.set_total_length(header.total_length);
  proto.set_identification(header.identification);
  proto.set_dont_fragment(header.dont_fragment);
  proto.set_more_fragments(header.more_fragments);
  proto.set_fragment_offset(header.fragment_offset);
  proto.set_ttl(header.ttl);
  proto.set_protocol(header.protocol);
  proto.set_checksum(header.checksum);
  if (!header.options.empty()) proto.set_options(header.options.data(), header.options.size());
}

void fill_ipv6(const packet::Ipv6Header& header, v1::Ipv6Header& proto) {
  proto.set_source(header.source.to_string());
  proto.set_destination(header.destination.to_string());
  proto.set_version(header.version);
  proto.set_dscp(header.dscp);
  proto.set_ecn(header.ecn);
  proto.set_flow_label(header.flow_label);
  proto.set_payload_length(header.payload_length);
  proto.set_next_header(header.next_header);
  proto.set_hop_limit(header.hop_limit);
}

void fill_tcp(const packet::TcpHeader& header, v1::TcpHeader& proto) {
  proto.set_source_port(header.source_port);
  proto.set_destination_port(header.destination_port);
  proto.set_sequence_number(header.sequence_number);
  proto.set_acknowledgment_number(header.acknowledgment_number);
  proto.set_data_offset(header.data_offset);
  proto.set_reserved(header.reserved);
  proto.set_flags(header.flags);
  proto.set_window(header.window);
  proto.set_checksum(header.checksum);
  proto.set_urgent_pointer(header.urgent_pointer);
}

// The IP layer of a packet, with what is left to be read behind it.
struct IpLayer {
  packet::IpAddress source;
  packet::IpAddress destination;
  uint8_t protocol = 0;
  bool transport_follows = false;  // an unfragmented upper-layer header begins `payload`
  Octets payload;
};

// A header whose lengths are wrong is read on behind its 20 octets and options, as far as they are
// there: the segment in it is worth seeing.
Octets behind_ipv4_header(Octets packet, const packet::Ipv4Header& header) {
  const size_t claimed = header.header_length * size_t{4};
  const size_t length =
      claimed < packet::kIpv4MinHeaderBytes ? packet::kIpv4MinHeaderBytes : claimed;
  return packet.subspan(std::min(length, packet.size()));
}

bool decode_ipv4(Octets packet, Decoded& result, IpLayer& layer) {
  packet::Ipv4Header header;
  const ParseResult parsed = packet::parse_ipv4(packet, header, layer.payload);
  if (parsed == ParseResult::kTruncated) {
    note(result.malformed, absl::StrCat("IPv4 header is cut short: ", packet.size(), " octets"));
    result.ip_checksum_valid = result.transport_checksum_valid = false;
    set_payload(packet, result.segment);
    return false;
  }
  fill_ipv4(header, *result.segment.mutable_ipv4());
  const size_t claimed = header.header_length * size_t{4};
  const bool header_there = claimed >= packet::kIpv4MinHeaderBytes && claimed <= packet.size();
  result.ip_checksum_valid = header_there && packet::internet_checksum(packet.first(claimed)) == 0;
  if (parsed == ParseResult::kBadHeaderLength) {
    note(result.malformed, absl::StrCat("IPv4 header length of ", header.header_length, " words"));
  }
  if (parsed == ParseResult::kBadTotalLength) {
    note(result.malformed,
         absl::StrCat("IPv4 total length ", header.total_length, " of ", packet.size(), " octets"));
  }
  if (parsed == ParseResult::kBadHeaderLength || parsed == ParseResult::kBadTotalLength) {
    layer.payload = behind_ipv4_header(packet, header);
  } else if (header.total_length < packet.size()) {
    note(result.malformed,
         absl::StrCat(packet.size() - header.total_length, " octets behind the IPv4 total length"));
  }
  layer.source = header.source;
  layer.destination = header.destination;
  layer.protocol = header.protocol;
  layer.transport_follows = !header.is_fragment();
  return true;
}

bool decode_ipv6(Octets packet, Decoded& result, IpLayer& layer) {
  packet::Ipv6Header header;
  packet::Ipv6Extensions extensions;
  const ParseResult parsed = packet::parse_ipv6(packet, header, extensions, layer.payload);
  if (parsed == ParseResult::kTruncated) {
    note(result.malformed, absl::StrCat("IPv6 header is cut short: ", packet.size(), " octets"));
    result.transport_checksum_valid = false;
    set_payload(packet, result.segment);
    return false;
  }
  fill_ipv6(header, *result.segment.mutable_ipv6());
  layer.source = header.source;
  layer.destination = header.destination;
  layer.protocol = extensions.protocol;
  layer.transport_follows = !extensions.fragmented;
  const Octets behind = packet.subspan(packet::kIpv6HeaderBytes);
  if (parsed == ParseResult::kBadExtensionHeader) {
    note(result.malformed, std::string(packet::to_string(parsed)));
    layer.payload = behind;
    layer.transport_follows = false;
  } else if (parsed != ParseResult::kOk) {
    note(result.malformed, absl::StrCat("IPv6 payload length ", header.payload_length, " of ",
                                        behind.size(), " octets"));
    layer.payload = behind;
    layer.protocol = header.next_header;
    layer.transport_follows = true;
  } else if (header.payload_length < behind.size()) {
    note(result.malformed, absl::StrCat(behind.size() - header.payload_length,
                                        " octets behind the IPv6 payload length"));
  }
  return true;
}

void decode_tcp(const IpLayer& layer, Decoded& result) {
  packet::TcpHeader header;
  Octets options;
  Octets data;
  const ParseResult parsed = packet::parse_tcp_header(layer.payload, header, options, data);
  if (parsed == ParseResult::kTruncated) {
    note(result.malformed,
         absl::StrCat("TCP header is cut short: ", layer.payload.size(), " octets"));
    result.transport_checksum_valid = false;
    set_payload(layer.payload, result.segment);
    return;
  }
  v1::TcpHeader& tcp = *result.segment.mutable_tcp();
  fill_tcp(header, tcp);
  if (parsed != ParseResult::kOk) {
    note(result.malformed, absl::StrCat("TCP data offset of ", header.data_offset, " words in ",
                                        layer.payload.size(), " octets"));
  }
  result.option_octets = options;
  if (const std::string wrong = decode_tcp_options(options, tcp); !wrong.empty()) {
    note(result.malformed, wrong);
  }
  set_payload(data, result.segment);
  result.transport_checksum_valid =
      packet::transport_checksum(layer.source, layer.destination, packet::kProtocolTcp,
                                 layer.payload) == 0;
}

// What an ICMP error quotes of a TCP header; it needs not be whole.
void decode_quoted_tcp(Octets octets, v1::TcpHeader& tcp) {
  packet::TcpHeader header;
  Octets options;
  Octets data;
  if (packet::parse_tcp_header(octets, header, options, data) != ParseResult::kTruncated) {
    fill_tcp(header, tcp);
    decode_tcp_options(options, tcp);
    return;
  }
  if (octets.size() >= 4) {
    tcp.set_source_port(packet::load_be16(octets.data()));
    tcp.set_destination_port(packet::load_be16(octets.data() + 2));
  }
  if (octets.size() >= 8) tcp.set_sequence_number(packet::load_be32(octets.data() + 4));
}

// False when not even the IP header is whole.
bool decode_quotation(Octets quoted, v1::IcmpMessage& icmp) {
  Octets rest;
  uint8_t protocol = 0;
  v1::Segment segment;
  if (family_of(quoted) == packet::IpFamily::kV4) {
    packet::Ipv4Header header;
    if (packet::parse_ipv4(quoted, header, rest) == ParseResult::kTruncated) return false;
    fill_ipv4(header, *segment.mutable_ipv4());
    rest = behind_ipv4_header(quoted, header);
    protocol = header.protocol;
  } else {
    packet::Ipv6Header header;
    packet::Ipv6Extensions extensions;
    if (packet::parse_ipv6(quoted, header, extensions, rest) == ParseResult::kTruncated) {
      return false;
    }
    fill_ipv6(header, *segment.mutable_ipv6());
    rest = quoted.subspan(packet::kIpv6HeaderBytes);
    protocol = header.next_header;
  }
  if (protocol == packet::kProtocolTcp) decode_quoted_tcp(rest, *segment.mutable_tcp());
  *icmp.mutable_quoted_segment() = std::move(segment);
  icmp.set_quoted_octets(static_cast<uint32_t>(rest.size()));
  return true;
}

bool has_pointer(packet::IpFamily family, uint8_t type) {
  return type == (family == packet::IpFamily::kV4 ? packet::kIcmpParameterProblem
                                                  : packet::kIcmpV6ParameterProblem);
}

void decode_icmp(const IpLayer& layer, Decoded& result) {
  const packet::IpFamily family = layer.source.family();
  packet::IpPacket ip;
  ip.source = layer.source;
  ip.destination = layer.destination;
  ip.protocol = layer.protocol;
  ip.payload = layer.payload;
  packet::IcmpMessage message;
  const ParseResult parsed = packet::parse_icmp(ip, message);
  if (parsed == ParseResult::kTruncated) {
    note(result.malformed,
         absl::StrCat("ICMP header is cut short: ", layer.payload.size(), " octets"));
    result.transport_checksum_valid = false;
    set_payload(layer.payload, result.segment);
    return;
  }
  result.transport_checksum_valid = parsed != ParseResult::kBadIcmpChecksum;
  result.icmp_body = message.body;
  v1::IcmpMessage& icmp = *result.segment.mutable_icmp();
  icmp.set_type(message.type);
  icmp.set_code(message.code);
  icmp.set_checksum(message.checksum);
  if (message.classify() == packet::IcmpClass::kPacketTooBig) icmp.set_mtu(message.mtu());
  if (has_pointer(family, message.type)) icmp.set_pointer(message.pointer());
  if (message.body.empty()) return;
  if (!message.is_error() || !decode_quotation(message.body, icmp)) {
    icmp.set_quoted_raw(message.body.data(), message.body.size());
    if (message.is_error()) note(result.malformed, "the quoted IP header is cut short");
  }
}

bool is_icmp(const IpLayer& layer) {
  return layer.protocol == (layer.source.is_v4() ? packet::kProtocolIcmp : packet::kProtocolIcmpV6);
}

}  // namespace

void decode(Octets packet, Decoded& result) {
  result.segment.Clear();
  result.ip_checksum_valid = true;
  result.transport_checksum_valid = true;
  result.malformed.clear();
  result.option_octets = {};
  result.icmp_body = {};
  const int version = packet.empty() ? 0 : packet[0] >> 4;
  IpLayer layer;
  if (version == 4) {
    if (!decode_ipv4(packet, result, layer)) return;
  } else if (version == 6) {
    if (!decode_ipv6(packet, result, layer)) return;
  } else {
    note(result.malformed, absl::StrCat("IP version ", version));
    result.ip_checksum_valid = result.transport_checksum_valid = false;
    set_payload(packet, result.segment);
    return;
  }
  if (layer.transport_follows && layer.protocol == packet::kProtocolTcp) {
    decode_tcp(layer, result);
  } else if (layer.transport_follows && is_icmp(layer)) {
    decode_icmp(layer, result);
  } else {
    set_payload(layer.payload, result.segment);
  }
}

}  // namespace tcproctor::server
