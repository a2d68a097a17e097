// SPDX-License-Identifier: Apache-2.0
// The virtio_net_hdr that stands before each packet on AF_PACKET with PACKET_VNET_HDR and on TUN
// with IFF_VNET_HDR: who finishes the checksum, and whether the packet is a super-segment. Our own
// definition: Debian 12's <linux/virtio_net.h> has a field named `class`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/host/host.h"

namespace tcproctor::link {

// The legacy layout, 10 octets, in the machine's byte order.
struct VnetHeader {
  static constexpr uint8_t kNeedsChecksum = 1;  // flags: only the pseudo-header sum is there
  static constexpr uint8_t kDataValid = 2;      // flags: the receiver need not verify
  static constexpr uint8_t kGsoNone = 0;
  static constexpr uint8_t kGsoTcp4 = 1;
  static constexpr uint8_t kGsoTcp6 = 4;
  static constexpr uint8_t kGsoEcn = 0x80;  // set beside a TCP type: CWR is on the first segment

  uint8_t flags = 0;
  uint8_t gso_type = kGsoNone;
  uint16_t header_length = 0;    // octets up to the end of the TCP header
  uint16_t gso_size = 0;         // payload octets per segment
  uint16_t checksum_start = 0;   // octets from the packet's start
  uint16_t checksum_offset = 0;  // from there to the checksum field; 16 for TCP
};
static_assert(sizeof(VnetHeader) == 10);

// Where the TCP header of an unfragmented TCP packet begins; 0 when `frame` is nothing of the kind.
// IPv6 extension headers are not followed: what carries them is never offloaded.
size_t tcp_offset(std::span<const uint8_t> frame, host::LinkLayer layer);

// What to put before a frame of ours. `meta` as Host::next_frame() gave it.
VnetHeader make_vnet_header(std::span<const uint8_t> frame, const host::FrameMeta& meta,
                            host::LinkLayer layer);

// What a received header says. An unfinished checksum other than TCP's is finished in place, so
// that FrameMeta::checksum_partial always speaks of TCP. False: the header contradicts the frame,
// which is to be dropped.
bool read_vnet_header(const VnetHeader& header, std::span<uint8_t> frame, host::FrameMeta& meta);

// Completes the checksum of a frame whose field holds the pseudo-header's sum; `start` and `offset`
// as in VnetHeader. False when they point outside the frame.
bool finish_checksum(std::span<uint8_t> frame, size_t start, size_t offset);

}  // namespace tcproctor::link
