// SPDX-License-Identifier: Apache-2.0
// The octets of an IP packet as a v1::Segment, as far as they can be read. Never fails.
//
// TCP options that are well formed are listed, NOP and EOL included (padding after EOL is not);
// where one is malformed, raw_options holds the whole field instead. An ICMP error's quotation is
// `quoted_segment` as far as it reads (ports and sequence number of TCP), else `quoted_raw`. A
// packet that is neither TCP nor ICMP, and a fragment, keep their IP payload in `payload`.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

struct Decoded {
  v1::Segment segment;
  bool ip_checksum_valid = true;  // true for IPv6
  // Of TCP, ICMP, ICMPv6. True where there is nothing to verify (fragments, other protocols); false
  // where it cannot be verified because the packet is cut short.
  bool transport_checksum_valid = true;
  std::string malformed;  // empty: nothing
  // The TCP option field as it stands; points into the packet.
  std::span<const uint8_t> option_octets;
  // What follows an ICMP header; points into the packet.
  std::span<const uint8_t> icmp_body;
};

// `result` is overwritten; its storage is reused.
void decode(std::span<const uint8_t> packet, Decoded& result);

}  // namespace tcproctor::server
