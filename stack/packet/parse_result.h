// SPDX-License-Identifier: Apache-2.0
// What a parser of this directory says about its input. An enum, not a Status: parsers run once per
// packet and must not allocate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tcproctor::packet {

enum class ParseResult : uint8_t {
  kOk,
  kTruncated,        // fewer octets than the fixed part of the header
  kBadVersion,       // the IP version is neither 4 nor 6, or not the one of this parser
  kBadHeaderLength,  // IPv4 IHL below 5 words or beyond the packet
  kBadTotalLength,  // IPv4 total length / IPv6 payload length beyond the packet or below the header
  kBadExtensionHeader,  // IPv6 extension header runs over the packet, or is not for us to process
  kBadIpChecksum,       // IPv4 header checksum
  kFragment,            // part of a fragmented datagram; fragments are recognised, not reassembled
  kOtherProtocol,       // the IP payload is not of the protocol this parser reads
  kBadDataOffset,       // TCP data offset below 5 words or beyond the segment
  kBadTcpChecksum,
  kBadIcmpChecksum,
  kBadAddress,  // an address the protocol forbids here (ND: multicast target, wrong destination, …)
  kBadHopLimit,  // ND: hop limit is not 255
  kBadOption,    // ND: an option of length 0 or beyond the message, or one that is forbidden here
  kUnsupported,  // ARP for other than Ethernet and IPv4, an ICMPv6 code that must be 0, …
};

inline constexpr std::array<std::string_view, 16> kParseResultNames = {"ok",
                                                                       "truncated",
                                                                       "bad IP version",
                                                                       "bad IP header length",
                                                                       "bad IP total length",
                                                                       "bad IPv6 extension header",
                                                                       "bad IP checksum",
                                                                       "fragment",
                                                                       "other protocol",
                                                                       "bad TCP data offset",
                                                                       "bad TCP checksum",
                                                                       "bad ICMP checksum",
                                                                       "bad address",
                                                                       "bad hop limit",
                                                                       "bad option",
                                                                       "unsupported"};

// In words, e.g. "bad TCP checksum".
constexpr std::string_view to_string(ParseResult result) {
  return kParseResultNames[static_cast<size_t>(result)];
}

}  // namespace tcproctor::packet
