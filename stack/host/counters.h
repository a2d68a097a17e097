// SPDX-License-Identifier: Apache-2.0
// What a host did not hand to TCP, and why. Every frame that on_frame() takes is counted once in
// `segments`, `answered` or one of the drops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tcproctor::host {

enum class Drop : uint8_t {
  kNotForUs,        // another host's MAC or IP address, or a protocol this host does not speak
  kMalformedFrame,  // Ethernet, ARP or ND that cannot be read
  kMalformedIp,     // lengths, version, extension headers
  kBadIpChecksum,
  kFragment,        // fragments are not reassembled
  kInvalidSource,   // RFC9293-MUST-63, RFC1122-3.2.1.3-1
  kGroupAddress,    // TCP to a broadcast or multicast address of IP or link (RFC9293-MUST-57)
  kMalformedTcp,    // data offset, too short
  kBadTcpChecksum,  // RFC9293-MUST-3
  kMalformedIcmp,
  kIcmpNoConnection,  // an ICMP error that quotes no segment of an existing connection
  kQuietTime,         // received while the host keeps silent after its start (RFC 9293 §3.4.3)
  kControlQueueFull,  // an answer of the host itself (RST, echo, ARP) found its queue full
  kNoRoute,           // to send: no on-link prefix and no gateway
  kSourceRoute,       // received over a source route: refused (RFC 7126 §4.3, §4.4)
  kNoNeighbour,       // to send: the neighbour did not answer ARP or ND, or too many frames waited
};

inline constexpr std::array<std::string_view, 16> kDropNames = {
    "not-for-us",         "malformed-frame", "malformed-ip",       "bad-ip-checksum",
    "fragment",           "invalid-source",  "group-address",      "malformed-tcp",
    "bad-tcp-checksum",   "malformed-icmp",  "icmp-no-connection", "quiet-time",
    "control-queue-full", "no-route",        "source-route",       "no-neighbour"};

constexpr std::string_view to_string(Drop drop) {
  return kDropNames[static_cast<size_t>(drop)];
}

struct HostCounters {
  uint64_t frames_received = 0;
  uint64_t frames_sent = 0;
  uint64_t segments_received = 0;  // TCP segments that passed all checks
  uint64_t resets_for_closed = 0;  // RSTs sent for segments that belong to no connection
  std::array<uint64_t, kDropNames.size()> drops{};

  uint64_t dropped(Drop drop) const { return drops[static_cast<size_t>(drop)]; }
};

}  // namespace tcproctor::host
