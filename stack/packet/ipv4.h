// SPDX-License-Identifier: Apache-2.0
// The IPv4 header (RFC 791, RFC 2474, RFC 3168).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/inline_bytes.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr size_t kIpv4MinHeaderBytes = 20;
inline constexpr size_t kIpv4MaxHeaderBytes = 60;

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolIcmpV6 = 58;

// Every field as it is on the wire, in host order, right or wrong: a crafted header keeps what it
// was given. Values wider than their field are cut to its width when written.
struct Ipv4Header {
  uint8_t version = 4;        // 4 bits
  uint8_t header_length = 5;  // IHL: 32-bit words, 4 bits; 5..15 in a correct header
  uint8_t dscp = 0;           // 6 bits
  uint8_t ecn = 0;            // 2 bits
  uint16_t total_length = 0;  // octets, header included
  uint16_t identification = 0;
  bool reserved_flag = false;  // must be zero in a correct header
  bool dont_fragment = false;
  bool more_fragments = false;
  uint16_t fragment_offset = 0;  // units of 8 octets, 13 bits
  uint8_t ttl = 64;
  uint8_t protocol = kProtocolTcp;
  uint16_t checksum = 0;
  IpAddress source;
  IpAddress destination;
  InlineBytes<40> options;  // as they stand on the wire, padding included

  bool is_fragment() const { return more_fragments || fragment_offset != 0; }
  // Octets write_ipv4 produces: 20 and the options, padded to a multiple of 4.
  size_t encoded_size() const { return kIpv4MinHeaderBytes + (options.size() + 3) / 4 * 4; }

  friend bool operator==(const Ipv4Header&, const Ipv4Header&) = default;
};

// Reads the header at the start of `packet`; octets after total_length (link padding) are not part
// of `payload`.
//  kTruncated: fewer than 20 octets; nothing is filled.
//  kBadVersion, kBadHeaderLength, kBadTotalLength: the fixed fields are filled, options and payload
//  are not.
//  kBadIpChecksum: everything is filled.
// A fragment is kOk here: see is_fragment(). IP options are kept, not interpreted (MUST-50).
[[nodiscard]] ParseResult parse_ipv4(std::span<const uint8_t> packet, Ipv4Header& header,
                                     std::span<const uint8_t>& payload);

// Is there a loose or strict source route (RFC 791 §3.1)? Options after one that cannot be read do
// not count.
bool has_source_route(std::span<const uint8_t> options);

// Writes exactly the fields given and the options padded with zeroes; returns encoded_size(), or 0
// when `out` is too small. An IPv6 source or destination is written as 0.0.0.0.
[[nodiscard]] size_t write_ipv4(const Ipv4Header& header, std::span<uint8_t> out);

// Sets version, header_length, total_length and checksum to their correct values for this header
// before `payload_length` octets. False when the sum is above 65,535; then nothing is changed.
[[nodiscard]] bool finish_ipv4(Ipv4Header& header, size_t payload_length);

}  // namespace tcproctor::packet
