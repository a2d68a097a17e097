// SPDX-License-Identifier: Apache-2.0
// The IPv6 header and its extension headers (RFC 8200).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr size_t kIpv6HeaderBytes = 40;

// The fixed header, every field as on the wire in host order, right or wrong. Values wider than
// their field are cut to its width when written.
struct Ipv6Header {
  uint8_t version = 6;          // 4 bits
  uint8_t dscp = 0;             // upper 6 bits of the traffic class
  uint8_t ecn = 0;              // lower 2 bits of the traffic class
  uint32_t flow_label = 0;      // 20 bits
  uint16_t payload_length = 0;  // octets after the fixed header, extension headers included
  uint8_t next_header = kProtocolTcp;
  uint8_t hop_limit = 64;
  IpAddress source = IpAddress::any(IpFamily::kV6);
  IpAddress destination = IpAddress::any(IpFamily::kV6);

  friend bool operator==(const Ipv6Header&, const Ipv6Header&) = default;
};

// What stands between the fixed header and the upper-layer header. Options within are not
// interpreted.
struct Ipv6Extensions {
  static constexpr size_t kMaxHeaders = 8;

  uint8_t protocol = 0;  // upper-layer protocol at the end of the chain
  uint8_t count = 0;
  std::array<uint8_t, kMaxHeaders>
      kinds{};  // next-header values of the extension headers, in order
  bool fragmented =
      false;  // a fragment header that says so; an atomic fragment (RFC 6946) does not
  bool more_fragments = false;
  uint16_t fragment_offset = 0;  // units of 8 octets
  uint32_t identification = 0;   // of the fragment header
  uint16_t bytes = 0;            // octets of all extension headers together
};

// Reads fixed and extension headers at the start of `packet`; `payload` is the upper-layer header
// and data.
//  kTruncated: fewer than 40 octets; nothing is filled.
//  kBadVersion, kBadTotalLength: the fixed header is filled.
//  kBadExtensionHeader: the chain runs over the packet, has more than kMaxHeaders members, or holds
//  a routing header with segments left (this host is not a router); what was read before it is
//  filled.
// A fragment is kOk here: see Ipv6Extensions::fragmented; the chain ends at the fragment header.
[[nodiscard]] ParseResult parse_ipv6(std::span<const uint8_t> packet, Ipv6Header& header,
                                     Ipv6Extensions& extensions, std::span<const uint8_t>& payload);

// Walks a chain of extension headers at the start of `bytes`, which may be cut short (a quoted
// packet). Results as above.
[[nodiscard]] ParseResult parse_ipv6_extensions(uint8_t next_header, std::span<const uint8_t> bytes,
                                                Ipv6Extensions& extensions);

// Writes exactly the fields given (40 octets); returns 40, or 0 when `out` is too small. An IPv4
// source or destination is written as ::. Extension headers are the caller's payload.
[[nodiscard]] size_t write_ipv6(const Ipv6Header& header, std::span<uint8_t> out);

// Sets version and payload_length to their correct values before `payload_length` octets. False
// above 65,535 (no jumbograms); then nothing is changed.
[[nodiscard]] bool finish_ipv6(Ipv6Header& header, size_t payload_length);

}  // namespace tcproctor::packet
