// SPDX-License-Identifier: Apache-2.0
// What a network card does for a host with offloads: finishes checksums and cuts super-segments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stack/host/host.h"

namespace tcproctor::sim {

// A TCP/IP header as far as the simulated wire needs it; no extension headers.
struct WireView {
  size_t ip = 0;       // octets before the IP header
  size_t tcp = 0;      // … before the TCP header, 0 if it is no TCP
  size_t payload = 0;  // … before the payload
  bool v6 = false;
  uint16_t flags = 0;
  uint32_t ports = 0;           // source, destination
  uint32_t destination = 0;     // the last four octets of the address
  uint32_t acknowledgment = 0;  // with the ACK flag
  size_t size = 0;              // of the frame

  bool is_tcp() const { return tcp != 0; }
  size_t payload_size() const { return size - payload; }
};
WireView look_at(std::span<const uint8_t> frame, host::LinkLayer layer);

// Stores the right TCP checksum; `frame` is a whole TCP packet.
void finish_checksum(std::span<uint8_t> frame, const WireView& view);

// The packets that `frame` stands for, checksums finished: itself, or the pieces of a
// super-segment.
std::vector<std::vector<uint8_t>> cut(std::span<const uint8_t> frame, const host::FrameMeta& meta,
                                      host::LinkLayer layer);

}  // namespace tcproctor::sim
