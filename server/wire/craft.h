// SPDX-License-Identifier: Apache-2.0
// A v1::Segment as the octets of an IP packet. Every field may be right or wrong: what is given is
// written as given, what is absent is computed or defaulted as segment.proto says.
//
// Beyond that: a segment needs tcp, icmp or raw; or a network header whose protocol (next_header)
// is given, and then `payload` follows the IP header directly (a fragment, a truncated TCP header).
// Without a network header the packet is of the first family both ends have, IPv4 before IPv6.
// Ports, sequence and acknowledgment numbers default to 0. TCP options: mss.octets and
// window_scale.shift must be given, time stamps default to 0.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stack/packet/address.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

inline constexpr size_t kMaxPayload = 65'000;   // Segment.payload
inline constexpr size_t kMaxIpPacket = 65'575;  // IPv6 header and 65,535 octets

// What defaults are taken from.
struct CraftContext {
  std::span<const packet::IpAddress> source;       // of the end in whose name the segment is sent
  std::span<const packet::IpAddress> destination;  // of the other end
  uint16_t identification = 0;                     // of this IPv4 packet, unless it is given
  // The packet of that number in the session's log; empty when there is none (any more).
  std::function<std::span<const uint8_t>(uint64_t number)> logged;
};

struct Crafted {
  std::string packet;
  packet::IpFamily family = packet::IpFamily::kV4;
  size_t ip_header_bytes = 0;         // as written; 0 for raw
  bool ip_checksum_computed = false;  // false: given, raw, or IPv6
  bool transport_checksum_computed = false;
};

// INVALID_ARGUMENT with a message that begins with the field, e.g. "segment.tcp.source_port: 70000
// is above 65535"; `path` is what stands for "segment" there.
absl::StatusOr<Crafted> craft(const v1::Segment& segment, const CraftContext& context,
                              absl::string_view path);

}  // namespace tcproctor::server
