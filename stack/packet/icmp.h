// SPDX-License-Identifier: Apache-2.0
// ICMP for IPv4 and IPv6 (RFC 792, RFC 1191, RFC 4443): errors about our segments, and echo. One
// set of functions serves both; the family of the packet's addresses says which it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/ip.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr size_t kIcmpHeaderBytes = 8;

// IPv4 types.
inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpDestinationUnreachable = 3;
inline constexpr uint8_t kIcmpSourceQuench = 4;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpParameterProblem = 12;
// IPv4 destination-unreachable codes that TCP tells apart.
inline constexpr uint8_t kIcmpNetUnreachable = 0;
inline constexpr uint8_t kIcmpHostUnreachable = 1;
inline constexpr uint8_t kIcmpProtocolUnreachable = 2;
inline constexpr uint8_t kIcmpPortUnreachable = 3;
inline constexpr uint8_t kIcmpFragmentationNeeded = 4;
inline constexpr uint8_t kIcmpSourceRouteFailed = 5;
// IPv6 types.
inline constexpr uint8_t kIcmpV6DestinationUnreachable = 1;
inline constexpr uint8_t kIcmpV6PacketTooBig = 2;
inline constexpr uint8_t kIcmpV6TimeExceeded = 3;
inline constexpr uint8_t kIcmpV6ParameterProblem = 4;
inline constexpr uint8_t kIcmpV6EchoRequest = 128;
inline constexpr uint8_t kIcmpV6EchoReply = 129;
// IPv6 destination-unreachable codes.
inline constexpr uint8_t kIcmpV6NoRoute = 0;
inline constexpr uint8_t kIcmpV6Prohibited = 1;
inline constexpr uint8_t kIcmpV6AddressUnreachable = 3;
inline constexpr uint8_t kIcmpV6PortUnreachable = 4;

// How TCP takes an ICMP error (RFC 9293 §3.9.2.2).
enum class IcmpClass : uint8_t {
  kSourceQuench,  // silently discarded (MUST-55)
  kSoft,          // must not abort (MUST-56): v4 3/0 3/1 3/5 11 12, v6 1/0 1/3 3 4
  kHard,          // should abort (SHLD-26): v4 3/2 3/3, v6 1/1 1/4
  kPacketTooBig,  // path MTU discovery: v4 3/4, v6 2
  kOther,         // no error that §3.9.2.2 names, echo among them
};

IcmpClass classify_icmp(IpFamily family, uint8_t type, uint8_t code);

// The packet an ICMP error quotes: enough of it to find the connection and to judge whether the
// error is about a segment in flight (RFC 5927 §4.1).
struct QuotedPacket {
  IpAddress source;  // of the quoted packet: ours, when the error is about our segment
  IpAddress destination;
  uint8_t protocol = 0;
  bool fragment = false;   // not the first fragment: no ports
  bool has_ports = false;  // at least 8 octets of the upper-layer header are quoted
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t sequence_number = 0;
  uint32_t packet_length = 0;  // octets the quoted IP header claims for the whole packet

  // The connection's name at the sender of the quoted packet.
  FourTuple four_tuple() const { return {{source, source_port}, {destination, destination_port}}; }
};

// A received ICMP message. Spans point into the packet.
struct IcmpMessage {
  IpFamily family = IpFamily::kV4;
  uint8_t type = 0;
  uint8_t code = 0;
  uint16_t checksum = 0;
  uint32_t rest = 0;                   // octets 4..7 of the header as one number, host order
  std::span<const uint8_t> body;       // from octet 8: quoted packet of an error, data of an echo
  std::optional<QuotedPacket> quoted;  // of an error whose quotation could be read

  IcmpClass classify() const { return classify_icmp(family, type, code); }
  bool is_error() const;
  bool is_echo_request() const {
    return type == (family == IpFamily::kV4 ? kIcmpEchoRequest : kIcmpV6EchoRequest) && code == 0;
  }
  bool is_echo_reply() const {
    return type == (family == IpFamily::kV4 ? kIcmpEchoReply : kIcmpV6EchoReply) && code == 0;
  }
  // Next-hop MTU of kPacketTooBig: 16 bits for IPv4 (RFC 1191 §4; 0 from an old router), 32 for
  // IPv6.
  uint32_t mtu() const { return family == IpFamily::kV4 ? rest & 0xFFFF : rest; }
  // Pointer of a parameter problem, octets into the quoted packet: 8 bits for IPv4, 32 for IPv6.
  uint32_t pointer() const { return family == IpFamily::kV4 ? rest >> 24 : rest; }
  uint16_t echo_identifier() const { return static_cast<uint16_t>(rest >> 16); }
  uint16_t echo_sequence() const { return static_cast<uint16_t>(rest); }
};

// Reads the payload of an IP packet whose protocol is ICMP (IPv4) or ICMPv6 (IPv6).
//  kOtherProtocol: it is not. kTruncated: fewer than 8 octets; nothing is filled.
//  kBadIcmpChecksum: everything is filled.
[[nodiscard]] ParseResult parse_icmp(const IpPacket& ip, IcmpMessage& message);

// Reads what can be read of a packet cut short, as errors quote it; nothing when not even the IP
// header is whole.
std::optional<QuotedPacket> parse_quoted_packet(std::span<const uint8_t> bytes);

// A message to send; every field as given.
struct IcmpFields {
  uint8_t type = 0;
  uint8_t code = 0;
  std::optional<uint16_t> checksum;  // nothing: the correct one
  uint32_t rest = 0;  // see icmp_rest_of_mtu, icmp_rest_of_pointer, or id and sequence
  std::span<const uint8_t> body;
};

constexpr uint32_t icmp_rest_of_mtu(IpFamily family, uint32_t mtu) {
  return family == IpFamily::kV4 ? mtu & 0xFFFF : mtu;
}
constexpr uint32_t icmp_rest_of_pointer(IpFamily family, uint32_t pointer) {
  return family == IpFamily::kV4 ? pointer << 24 : pointer;
}

// How much of `packet` an error may quote: the message stays within 576 octets for IPv4 (RFC 1812
// §4.3.2.3) and 1,280 for IPv6 (RFC 4443 §3.1).
std::span<const uint8_t> icmp_quotation(IpFamily family, std::span<const uint8_t> packet);

// Writes IP header and message; returns the packet's length, 0 as build_tcp_packet does.
[[nodiscard]] size_t build_icmp_packet(const IpFields& ip, const IcmpFields& fields,
                                       std::span<uint8_t> out);

// The answer to an echo request: same identifier, sequence and data.
IcmpFields echo_reply_to(const IcmpMessage& request);

}  // namespace tcproctor::packet
