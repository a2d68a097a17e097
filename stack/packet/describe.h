// SPDX-License-Identifier: Apache-2.0
// One line of text for a packet, in packetdrill's way of writing; for logs and ladders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "stack/packet/tcp_header.h"

namespace tcproctor::packet {

// Subtracted (modulo 2^32) from what is printed; 0 prints absolute numbers.
struct SequenceBases {
  uint32_t sequence = 0;        // ISN of the sender
  uint32_t acknowledgment = 0;  // ISN of the receiver; also for SACK edges
};

// "S. 0:0(0) ack 1 win 65535 urg 3 <mss 1460,nop,wscale 8>": flags, SEQ:SEQ+data(data), the ACK
// number with ACK, the window as on the wire, the urgent pointer with URG, options when there are
// any.
std::string describe_segment(const TcpHeader& header, std::span<const uint8_t> options,
                             size_t payload_length, const SequenceBases& bases = {});

// A whole IP packet, malformed or not: "192.0.2.1:1025 > 192.0.2.2:80: S 0:0(0) win 65535", for
// ICMP "192.0.2.1 > 192.0.2.2: icmp 3/4 mtu 1000 [192.0.2.2:80 > 192.0.2.1:1025 seq 1]". What is
// wrong with it follows in braces: "{bad TCP checksum}". Never fails.
std::string describe_packet(std::span<const uint8_t> packet, const SequenceBases& bases = {});

}  // namespace tcproctor::packet
