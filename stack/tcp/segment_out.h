// SPDX-License-Identifier: Apache-2.0
// A segment the core wants sent. The host adds the IP header, the data offset and the checksum.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/tcp_header.h"
#include "stack/packet/tcp_options.h"

namespace tcproctor::tcp {

struct SegmentOut {
  packet::FourTuple tuple;   // local is the source of the segment
  packet::TcpHeader header;  // all but data_offset and checksum
  std::array<uint8_t, packet::kMaxTcpOptionBytes> option_bytes{};
  uint8_t option_size = 0;  // multiple of 4, 0..40
  // Into the send buffer of the connection: valid until the connection is called again. Two spans,
  // because a ring wraps.
  std::span<const uint8_t> payload;
  std::span<const uint8_t> payload_rest;
  // Not 0: a super-segment, to be cut into segments of this many octets of payload each.
  uint16_t gso_size = 0;
  uint8_t dscp = 0;           // 0..63 (RFC9293-MUST-48)
  uint8_t ecn = 0;            // codepoint: 0 Not-ECT, 2 ECT(0) (RFC 3168 §5)
  uint8_t ttl = 64;           // RFC9293-MUST-49
  bool dont_fragment = true;  // IPv4: DF (RFC1191-3-7)

  std::span<const uint8_t> options() const { return {option_bytes.data(), option_size}; }
  size_t payload_size() const { return payload.size() + payload_rest.size(); }
};

}  // namespace tcproctor::tcp
