// SPDX-License-Identifier: Apache-2.0
#include "server/wire/segment_check.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/wire/craft.h"
#include "server/wire/field_check.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/address.h"
#include "stack/packet/tcp_flags.h"

namespace tcproctor::server {
namespace {

// An ICMP error that quotes an ICMP error that quotes …
constexpr int kMaxQuotationDepth = 4;

void check_address(FieldCheck& check, absl::string_view field, const std::string& text,
                   packet::IpFamily family) {
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(text);
  const bool v4 = family == packet::IpFamily::kV4;
  if (!address.ok() || address->family() != family) {
    check.fail(field, absl::StrCat("\"", text, "\" is no ", v4 ? "IPv4" : "IPv6", " address"));
  }
}

absl::Status check_ipv4(const v1::Ipv4Header& header, absl::string_view path) {
  FieldCheck check(path);
  if (header.has_source()) {
    check_address(check, "source", header.source(), packet::IpFamily::kV4);
  }
  if (header.has_destination()) {
    check_address(check, "destination", header.destination(), packet::IpFamily::kV4);
  }
  check.at_most("version", header.version(), 15);
  check.at_most("header_length", header.header_length(), 15);
  check.at_most("dscp", header.dscp(), 63);
  check.at_most("ecn", header.ecn(), 3);
  check.at_most("total_length", header.total_length(), 65535);
  check.at_most("identification", header.identification(), 65535);
  check.at_most("fragment_offset", header.fragment_offset(), 8191);
  check.at_most("ttl", header.ttl(), 255);
  check.at_most("protocol", header.protocol(), 255);
  check.at_most("checksum", header.checksum(), 65535);
  if (header.options().size() > 40) {
    check.fail("options", absl::StrCat(header.options().size(), " octets are above 40"));
  }
  return check.status();
}

absl::Status check_ipv6(const v1::Ipv6Header& header, absl::string_view path) {
  FieldCheck check(path);
  if (header.has_source()) {
    check_address(check, "source", header.source(), packet::IpFamily::kV6);
  }
  if (header.has_destination()) {
    check_address(check, "destination", header.destination(), packet::IpFamily::kV6);
  }
  check.at_most("version", header.version(), 15);
  check.at_most("dscp", header.dscp(), 63);
  check.at_most("ecn", header.ecn(), 3);
  check.at_most("flow_label", header.flow_label(), 0xFFFFF);
  check.at_most("payload_length", header.payload_length(), 65535);
  check.at_most("next_header", header.next_header(), 255);
  check.at_most("hop_limit", header.hop_limit(), 255);
  return check.status();
}

absl::Status check_tcp(const v1::TcpHeader& header, SegmentUse use, absl::string_view path) {
  FieldCheck check(path);
  check.at_most("source_port", header.source_port(), 65535);
  check.at_most("destination_port", header.destination_port(), 65535);
  check.at_most("data_offset", header.data_offset(), 15);
  check.at_most("reserved", header.reserved(), 7);
  check.at_most("flags", header.flags(), packet::kAllFlags);
  check.at_most("window", header.window(), 65535);
  check.at_most("checksum", header.checksum(), 65535);
  check.at_most("urgent_pointer", header.urgent_pointer(), 65535);
  if (header.has_raw_options() && header.options_size() > 0) {
    check.fail("raw_options", "stands instead of options: give one of them");
  }
  if (header.raw_options().size() > kMaxOptionOctets) {
    check.fail("raw_options", absl::StrCat(header.raw_options().size(),
                                           " octets are above 40: use a raw packet for that"));
  }
  check.add(check_tcp_options(header, use, path));
  return check.status();
}

absl::Status check_any(const v1::Segment& segment, SegmentUse use, absl::string_view path,
                       int depth);

absl::Status check_icmp(const v1::IcmpMessage& icmp, SegmentUse use, absl::string_view path,
                        int depth) {
  FieldCheck check(path);
  if (use == SegmentUse::kCraft) {
    check.require(icmp.has_type(), "type", "is required in a message to be sent");
  }
  check.at_most("type", icmp.type(), 255);
  check.at_most("code", icmp.code(), 255);
  check.at_most("checksum", icmp.checksum(), 65535);
  check.at_most("quoted_octets", icmp.quoted_octets(), 65535);
  if (icmp.has_quoted_raw() && icmp.has_quoted_octets()) {
    check.fail("quoted_octets", "cuts a packet; quoted_raw is sent as it is: give one of them");
  }
  if (icmp.has_quoted_raw() && icmp.quoted_raw().size() > kMaxPayload) {
    check.fail("quoted_raw", absl::StrCat(icmp.quoted_raw().size(), " octets are above 65000"));
  }
  if (icmp.has_quoted_number() && icmp.quoted_number() == 0) {
    check.fail("quoted_number", "0 names no segment; they are counted from 1");
  }
  if (icmp.has_quoted_segment()) {
    if (depth >= kMaxQuotationDepth) {
      check.fail("quoted_segment", "is nested more than 4 deep");
    } else {
      check.add(check_any(icmp.quoted_segment(), use, check.join("quoted_segment"), depth + 1));
    }
  }
  return check.status();
}

// The second word of the header holds both.
absl::Status check_icmp_rest(const v1::Segment& segment, absl::string_view path) {
  FieldCheck check(path);
  const v1::IcmpMessage& icmp = segment.icmp();
  if (segment.has_ipv4()) {
    check.at_most("icmp.mtu", icmp.mtu(), 65535);
    check.at_most("icmp.pointer", icmp.pointer(), 255);
  } else if (segment.has_ipv6() && icmp.has_mtu() && icmp.has_pointer()) {
    check.fail("icmp.pointer", "lies where icmp.mtu lies (RFC 4443): give one of them");
  }
  return check.status();
}

absl::Status check_raw(const v1::Segment& segment, absl::string_view path) {
  FieldCheck check(path);
  check.require(segment.network_case() == v1::Segment::NETWORK_NOT_SET &&
                    segment.transport_case() == v1::Segment::TRANSPORT_NOT_SET &&
                    !segment.has_payload(),
                "raw", "stands instead of everything else: give raw alone or the fields");
  check.require(!segment.raw().empty(), "raw", "is empty; a packet has at least 1 octet");
  if (segment.raw().size() > kMaxIpPacket) {
    check.fail("raw", absl::StrCat(segment.raw().size(), " octets are above ", kMaxIpPacket));
  }
  return check.status();
}

absl::Status check_any(const v1::Segment& segment, SegmentUse use, absl::string_view path,
                       int depth) {
  if (segment.has_raw()) return check_raw(segment, path);
  FieldCheck check(path);
  if (segment.has_ipv4()) check.add(check_ipv4(segment.ipv4(), check.join("ipv4")));
  if (segment.has_ipv6()) check.add(check_ipv6(segment.ipv6(), check.join("ipv6")));
  if (segment.has_tcp()) check.add(check_tcp(segment.tcp(), use, check.join("tcp")));
  if (segment.has_icmp()) {
    check.add(check_icmp(segment.icmp(), use, check.join("icmp"), depth));
    check.add(check_icmp_rest(segment, path));
    check.require(!segment.has_payload(), "payload",
                  "follows a TCP header; what an ICMP message carries is its quotation");
  }
  if (segment.payload().size() > kMaxPayload) {
    check.fail("payload", absl::StrCat(segment.payload().size(), " octets are above 65000"));
  }
  const bool has_protocol = segment.ipv4().has_protocol() || segment.ipv6().has_next_header();
  if (use == SegmentUse::kCraft && !has_protocol &&
      segment.transport_case() == v1::Segment::TRANSPORT_NOT_SET) {
    check.fail("tcp", "is missing: give tcp, icmp or raw, or an IP header with its protocol");
  }
  return check.status();
}

}  // namespace

absl::Status check_segment(const v1::Segment& segment, SegmentUse use, absl::string_view path) {
  return check_any(segment, use, path, 0);
}

}  // namespace tcproctor::server
