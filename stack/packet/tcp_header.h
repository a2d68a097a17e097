// SPDX-License-Identifier: Apache-2.0
// The TCP header (RFC 9293 §3.1), and whole TCP packets in and out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/ip.h"
#include "stack/packet/parse_result.h"
#include "stack/packet/tcp_flags.h"
#include "stack/packet/tcp_options.h"

namespace tcproctor::packet {

inline constexpr size_t kTcpMinHeaderBytes = 20;
inline constexpr size_t kTcpMaxHeaderBytes = 60;

// Every fixed field as on the wire, in host order, right or wrong. Values wider than their field
// are cut to its width when written.
struct TcpHeader {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t sequence_number = 0;
  uint32_t acknowledgment_number = 0;
  uint8_t data_offset = 5;  // 32-bit words, 4 bits; 5..15 in a correct header
  uint8_t reserved = 0;     // 3 bits after the data offset; the fourth is AE, a flag
  uint16_t flags = 0;       // kFin … kAe, 9 bits
  uint16_t window = 0;      // as on the wire, not scaled
  uint16_t checksum = 0;
  uint16_t urgent_pointer = 0;  // offset from sequence_number to the octet following urgent data

  bool has(uint16_t flag) const { return (flags & flag) != 0; }

  friend bool operator==(const TcpHeader&, const TcpHeader&) = default;
};

// Reads the header at the start of `segment` (the payload of an IP packet). `options` and `payload`
// point into it.
//  kTruncated: fewer than 20 octets; nothing is filled.
//  kBadDataOffset: the fixed fields are filled, `options` and `payload` are empty.
// The checksum is read, not verified.
[[nodiscard]] ParseResult parse_tcp_header(std::span<const uint8_t> segment, TcpHeader& header,
                                           std::span<const uint8_t>& options,
                                           std::span<const uint8_t>& payload);

// Writes exactly the fields given, then `options` (any length) as they are. Returns 20 and the
// length of `options`, or 0 when `out` is too small.
[[nodiscard]] size_t write_tcp_header(const TcpHeader& header, std::span<const uint8_t> options,
                                      std::span<uint8_t> out);

// One received segment with what the TCP needs of its IP header. Spans point into the packet.
struct TcpSegment {
  IpAddress source;
  IpAddress destination;
  uint8_t dscp = 0;
  uint8_t ecn = 0;
  uint8_t ttl = 0;
  TcpHeader header;
  TcpOptions options;
  std::span<const uint8_t> payload;

  bool has(uint16_t flag) const { return header.has(flag); }
  // SEG.LEN: octets of data, counting SYN and FIN.
  uint32_t sequence_length() const {
    return static_cast<uint32_t>(payload.size()) + (has(kSyn) ? 1u : 0u) + (has(kFin) ? 1u : 0u);
  }
  // The connection's name at the receiver: local is the destination.
  FourTuple four_tuple() const {
    return {{destination, header.destination_port}, {source, header.source_port}};
  }
};

enum class ChecksumPolicy : uint8_t {
  kVerify,   // RFC9293-MUST-3
  kTrusted,  // the link vouches for the TCP checksum (offload); the IP checksum is verified still
};

// Reads a whole IPv4 or IPv6 packet that carries TCP. Anything but kOk: the segment must not reach
// the TCP; the fields that could be read are filled (all of them when only a checksum is wrong),
// for logs. Malformed TCP options are not an error here: see TcpOptions::error. At most one result
// is given, the outermost layer's first.
[[nodiscard]] ParseResult parse_tcp_packet(std::span<const uint8_t> packet, ChecksumPolicy policy,
                                           TcpSegment& segment);

// The same for a packet whose IP header was read by parse_ip.
[[nodiscard]] ParseResult parse_tcp_payload(const IpPacket& ip, ChecksumPolicy policy,
                                            TcpSegment& segment);

enum class ChecksumFill : uint8_t {
  kFull,          // RFC9293-MUST-2
  kPseudoHeader,  // the sum over the pseudo-header only, for a link that finishes it (offload)
};

// A correct packet to send. data_offset and checksum of `header` are computed.
struct TcpPacketParts {
  IpFields ip;
  TcpHeader header;
  std::span<const uint8_t> options;  // multiple of 4, at most 40 (OptionWriter::finish gives that)
  std::span<const uint8_t> payload;  // two spans, because a ring buffer wraps
  std::span<const uint8_t> payload_rest;
  ChecksumFill checksum = ChecksumFill::kFull;
};

// Octets build_tcp_packet produces.
constexpr size_t tcp_packet_size(const TcpPacketParts& parts) {
  return ip_header_bytes(parts.ip.source.family()) + kTcpMinHeaderBytes + parts.options.size() +
         parts.payload.size() + parts.payload_rest.size();
}

// Writes IP header, TCP header, options and payload; returns the packet's length, or 0 when `out`
// is too small, the packet too long for IP, the families differ or the options' length is not
// lawful.
[[nodiscard]] size_t build_tcp_packet(const TcpPacketParts& parts, std::span<uint8_t> out);

}  // namespace tcproctor::packet
