// SPDX-License-Identifier: Apache-2.0
#include "server/wire/craft.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/wire/octets.h"
#include "server/wire/packet_meta.h"
#include "server/wire/segment_check.h"
#include "server/wire/signature.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/check.h"

namespace tcproctor::server {
namespace {

using packet::IpAddress;
using packet::IpFamily;

constexpr size_t kIcmpChecksumOffset = 2;
constexpr uint32_t kDefaultQuotedOctets = 8;  // RFC 792
constexpr uint32_t kDefaultWindow = 65535;

struct Addresses {
  IpFamily family = IpFamily::kV4;
  IpAddress source;
  IpAddress destination;
};

std::optional<IpAddress> first_of(std::span<const IpAddress> addresses, IpFamily family) {
  const auto found = std::ranges::find(addresses, family, &IpAddress::family);
  if (found == addresses.end()) return std::nullopt;
  return *found;
}

// The first family that both ends have.
IpFamily common_family(const CraftContext& context) {
  const bool v4 = first_of(context.source, IpFamily::kV4).has_value() &&
                  first_of(context.destination, IpFamily::kV4).has_value();
  const bool v6 = first_of(context.source, IpFamily::kV6).has_value() &&
                  first_of(context.destination, IpFamily::kV6).has_value();
  return !v4 && v6 ? IpFamily::kV6 : IpFamily::kV4;
}

absl::StatusOr<IpAddress> choose(bool given, const std::string& text,
                                 std::span<const IpAddress> defaults, IpFamily family,
                                 const std::string& field) {
  if (given) return IpAddress::parse(text);
  if (const std::optional<IpAddress> address = first_of(defaults, family)) return *address;
  return absl::InvalidArgumentError(absl::StrCat(field, ": is required, the end has no ",
                                                 family == IpFamily::kV4 ? "IPv4" : "IPv6",
                                                 " address"));
}

absl::StatusOr<Addresses> choose_addresses(const v1::Segment& segment, const CraftContext& context,
                                           absl::string_view path) {
  Addresses addresses;
  addresses.family = segment.has_ipv4()   ? IpFamily::kV4
                     : segment.has_ipv6() ? IpFamily::kV6
                                          : common_family(context);
  const bool v4 = addresses.family == IpFamily::kV4;
  const std::string header = absl::StrCat(path, v4 ? ".ipv4" : ".ipv6");
  const v1::Ipv4Header& ipv4 = segment.ipv4();
  const v1::Ipv6Header& ipv6 = segment.ipv6();
  absl::StatusOr<IpAddress> source =
      choose(v4 ? ipv4.has_source() : ipv6.has_source(), v4 ? ipv4.source() : ipv6.source(),
             context.source, addresses.family, header + ".source");
  if (!source.ok()) return source.status();
  absl::StatusOr<IpAddress> destination =
      choose(v4 ? ipv4.has_destination() : ipv6.has_destination(),
             v4 ? ipv4.destination() : ipv6.destination(), context.destination, addresses.family,
             header + ".destination");
  if (!destination.ok()) return destination.status();
  addresses.source = *source;
  addresses.destination = *destination;
  return addresses;
}

std::string padded_options(const v1::TcpHeader& tcp) {
  std::string options = tcp.raw_options();
  for (const v1::TcpOption& option : tcp.options()) append_option(option, options);
  options.resize((options.size() + 3) / 4 * 4, '\0');  // RFC9293-MUST-69
  return options;
}

std::string build_tcp(const v1::Segment& segment, const Addresses& addresses) {
  const v1::TcpHeader& tcp = segment.tcp();
  const std::string options = padded_options(tcp);
  packet::TcpHeader header;
  header.source_port = static_cast<uint16_t>(tcp.source_port());
  header.destination_port = static_cast<uint16_t>(tcp.destination_port());
  header.sequence_number = tcp.sequence_number();
  header.acknowledgment_number = tcp.acknowledgment_number();
  header.data_offset = static_cast<uint8_t>(
      tcp.has_data_offset() ? tcp.data_offset()
                            : (packet::kTcpMinHeaderBytes + options.size()) / 4);
  header.reserved = static_cast<uint8_t>(tcp.reserved());
  header.flags = static_cast<uint16_t>(tcp.flags());
  header.window = static_cast<uint16_t>(tcp.has_window() ? tcp.window() : kDefaultWindow);
  header.checksum = static_cast<uint16_t>(tcp.checksum());
  header.urgent_pointer = static_cast<uint16_t>(tcp.urgent_pointer());

  std::string body(packet::kTcpMinHeaderBytes + options.size(), '\0');
  TCPROCTOR_CHECK(packet::write_tcp_header(header, octets_of(options),
                                           {octets_of(body), body.size()}) == body.size());
  body += segment.payload();
  sign(tcp, addresses.source, addresses.destination, options.size(),
       {octets_of(body), body.size()});
  if (!tcp.has_checksum()) {
    const uint16_t checksum =
        packet::transport_checksum(addresses.source, addresses.destination, packet::kProtocolTcp,
                                   octets_of(std::as_const(body)));
    packet::store_be16(octets_of(body) + kTcpChecksumOffset, checksum);
  }
  return body;
}

// IP header and `octets` after it.
absl::string_view cut_quotation(absl::string_view packet, uint32_t octets) {
  if (packet.empty()) return packet;
  const auto first = static_cast<uint8_t>(packet[0]);
  const size_t claimed = (first & 0x0F) * size_t{4};
  const size_t header = first >> 4 == 6                          ? packet::kIpv6HeaderBytes
                        : claimed >= packet::kIpv4MinHeaderBytes ? claimed
                                                                 : packet::kIpv4MinHeaderBytes;
  return packet.substr(0, header + octets);
}

void set_family(v1::Segment& segment, IpFamily family) {
  if (family == IpFamily::kV4) {
    segment.mutable_ipv4();
  } else {
    segment.mutable_ipv6();
  }
}

absl::StatusOr<std::string> quotation(const v1::IcmpMessage& icmp, IpFamily family,
                                      const CraftContext& context, const std::string& path) {
  const uint32_t octets = icmp.has_quoted_octets() ? icmp.quoted_octets() : kDefaultQuotedOctets;
  std::string quoted;
  if (icmp.has_quoted_raw()) {
    quoted = icmp.quoted_raw();
  } else if (icmp.has_quoted_number()) {
    const std::span<const uint8_t> packet =
        context.logged ? context.logged(icmp.quoted_number()) : std::span<const uint8_t>();
    if (packet.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ".quoted_number: no segment ", icmp.quoted_number(), " in the session's log"));
    }
    quoted = std::string(
        cut_quotation({reinterpret_cast<const char*>(packet.data()), packet.size()}, octets));
  } else if (icmp.has_quoted_segment()) {
    // It is about a segment of the end to which the error goes.
    CraftContext reverse = context;
    std::swap(reverse.source, reverse.destination);
    v1::Segment segment = icmp.quoted_segment();
    const bool no_network = segment.network_case() == v1::Segment::NETWORK_NOT_SET;
    if (!segment.has_raw() && no_network) set_family(segment, family);
    absl::StatusOr<Crafted> crafted = craft(segment, reverse, path + ".quoted_segment");
    if (!crafted.ok()) return crafted.status();
    quoted = std::string(cut_quotation(crafted->packet, octets));
  }
  if (quoted.size() > kMaxPayload) {
    return absl::InvalidArgumentError(absl::StrCat(path, ".quoted_octets: the quotation of ",
                                                   quoted.size(), " octets is above 65000"));
  }
  return quoted;
}

absl::StatusOr<std::string> build_icmp(const v1::IcmpMessage& icmp, const Addresses& addresses,
                                       const CraftContext& context, const std::string& path) {
  const bool v4 = addresses.family == IpFamily::kV4;
  absl::StatusOr<std::string> quoted = quotation(icmp, addresses.family, context, path);
  if (!quoted.ok()) return quoted;
  std::string body(packet::kIcmpHeaderBytes, '\0');
  body[0] = static_cast<char>(icmp.type());
  body[1] = static_cast<char>(icmp.code());
  packet::store_be16(octets_of(body) + kIcmpChecksumOffset, static_cast<uint16_t>(icmp.checksum()));
  packet::store_be32(octets_of(body) + 4,
                     packet::icmp_rest_of_mtu(addresses.family, icmp.mtu()) |
                         packet::icmp_rest_of_pointer(addresses.family, icmp.pointer()));
  body += *quoted;
  if (!icmp.has_checksum()) {
    const std::span<const uint8_t> octets = octets_of(std::as_const(body));
    const uint16_t checksum =
        v4 ? packet::internet_checksum(octets)
           : packet::transport_checksum(addresses.source, addresses.destination,
                                        packet::kProtocolIcmpV6, octets);
    packet::store_be16(octets_of(body) + kIcmpChecksumOffset, checksum);
  }
  return body;
}

uint8_t default_protocol(const v1::Segment& segment, IpFamily family) {
  if (!segment.has_icmp()) return packet::kProtocolTcp;
  return family == IpFamily::kV4 ? packet::kProtocolIcmp : packet::kProtocolIcmpV6;
}

std::string build_ipv4(const v1::Segment& segment, const Addresses& addresses,
                       const CraftContext& context, size_t body_octets) {
  const v1::Ipv4Header& ipv4 = segment.ipv4();
  packet::Ipv4Header header;
  header.source = addresses.source;
  header.destination = addresses.destination;
  header.options = packet::InlineBytes<40>(octets_of(ipv4.options()));
  const size_t size = header.encoded_size();
  const auto or_default = [](bool given, uint32_t value, size_t otherwise) {
    return given ? value : static_cast<uint32_t>(otherwise);
  };
  header.version = static_cast<uint8_t>(or_default(ipv4.has_version(), ipv4.version(), 4));
  header.header_length =
      static_cast<uint8_t>(or_default(ipv4.has_header_length(), ipv4.header_length(), size / 4));
  header.dscp = static_cast<uint8_t>(ipv4.dscp());
  header.ecn = static_cast<uint8_t>(ipv4.ecn());
  header.total_length = static_cast<uint16_t>(
      or_default(ipv4.has_total_length(), ipv4.total_length(), size + body_octets));
  header.identification = static_cast<uint16_t>(
      or_default(ipv4.has_identification(), ipv4.identification(), context.identification));
  header.dont_fragment = ipv4.has_dont_fragment() ? ipv4.dont_fragment() : true;
  header.more_fragments = ipv4.more_fragments();
  header.fragment_offset = static_cast<uint16_t>(ipv4.fragment_offset());
  header.ttl = static_cast<uint8_t>(or_default(ipv4.has_ttl(), ipv4.ttl(), 64));
  header.protocol = static_cast<uint8_t>(
      or_default(ipv4.has_protocol(), ipv4.protocol(), default_protocol(segment, IpFamily::kV4)));
  header.checksum = static_cast<uint16_t>(ipv4.checksum());
  std::string octets(size, '\0');
  TCPROCTOR_CHECK(packet::write_ipv4(header, {octets_of(octets), size}) == size);
  if (!ipv4.has_checksum()) {
    packet::store_be16(octets_of(octets) + 10,
                       packet::internet_checksum(octets_of(std::as_const(octets))));
  }
  return octets;
}

std::string build_ipv6(const v1::Segment& segment, const Addresses& addresses, size_t body_octets) {
  const v1::Ipv6Header& ipv6 = segment.ipv6();
  packet::Ipv6Header header;
  header.source = addresses.source;
  header.destination = addresses.destination;
  header.version = static_cast<uint8_t>(ipv6.has_version() ? ipv6.version() : 6);
  header.dscp = static_cast<uint8_t>(ipv6.dscp());
  header.ecn = static_cast<uint8_t>(ipv6.ecn());
  header.flow_label = ipv6.flow_label();
  header.payload_length =
      static_cast<uint16_t>(ipv6.has_payload_length() ? ipv6.payload_length() : body_octets);
  header.next_header = static_cast<uint8_t>(
      ipv6.has_next_header() ? ipv6.next_header() : default_protocol(segment, IpFamily::kV6));
  header.hop_limit = static_cast<uint8_t>(ipv6.has_hop_limit() ? ipv6.hop_limit() : 64);
  std::string octets(packet::kIpv6HeaderBytes, '\0');
  TCPROCTOR_CHECK(packet::write_ipv6(header, {octets_of(octets), octets.size()}) == octets.size());
  return octets;
}

// What could only be checked once the family was chosen.
absl::Status check_icmp_family(const v1::IcmpMessage& icmp, IpFamily family,
                               absl::string_view path) {
  v1::Segment segment;
  *segment.mutable_icmp() = icmp;
  segment.mutable_icmp()->clear_quote();
  set_family(segment, family);
  return check_segment(segment, SegmentUse::kCraft, path);
}

}  // namespace

absl::StatusOr<Crafted> craft(const v1::Segment& segment, const CraftContext& context,
                              absl::string_view path) {
  if (absl::Status status = check_segment(segment, SegmentUse::kCraft, path); !status.ok()) {
    return status;
  }
  Crafted crafted;
  if (segment.has_raw()) {
    crafted.packet = segment.raw();
    crafted.family = family_of(octets_of(segment.raw()));
    return crafted;
  }
  const absl::StatusOr<Addresses> addresses = choose_addresses(segment, context, path);
  if (!addresses.ok()) return addresses.status();
  crafted.family = addresses->family;
  std::string body = segment.payload();
  if (segment.has_tcp()) {
    body = build_tcp(segment, *addresses);
    crafted.transport_checksum_computed = !segment.tcp().has_checksum();
  } else if (segment.has_icmp()) {
    if (absl::Status status = check_icmp_family(segment.icmp(), crafted.family, path);
        !status.ok()) {
      return status;
    }
    absl::StatusOr<std::string> icmp =
        build_icmp(segment.icmp(), *addresses, context, absl::StrCat(path, ".icmp"));
    if (!icmp.ok()) return icmp.status();
    body = *std::move(icmp);
    crafted.transport_checksum_computed = !segment.icmp().has_checksum();
  }
  const bool v4 = crafted.family == IpFamily::kV4;
  crafted.packet = v4 ? build_ipv4(segment, *addresses, context, body.size())
                      : build_ipv6(segment, *addresses, body.size());
  crafted.ip_header_bytes = crafted.packet.size();
  crafted.ip_checksum_computed = v4 && !segment.ipv4().has_checksum();
  crafted.packet += body;
  return crafted;
}

}  // namespace tcproctor::server
