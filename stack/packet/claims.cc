// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/claims.h"

#include "stack/packet/byte_order.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::packet {

size_t claimed_length(std::span<const uint8_t> packet) {
  if (packet.size() >= kIpv4MinHeaderBytes && packet[0] >> 4 == 4) {
    return load_be16(packet.data() + 2);
  }
  if (packet.size() >= kIpv6HeaderBytes && packet[0] >> 4 == 6) {
    return kIpv6HeaderBytes + load_be16(packet.data() + 4);
  }
  return 0;
}

std::optional<IpAddress> claimed_source(std::span<const uint8_t> packet) {
  if (packet.size() >= kIpv4MinHeaderBytes && packet[0] >> 4 == 4) {
    return IpAddress::v4_bytes(packet.subspan<12, 4>());
  }
  if (packet.size() >= kIpv6HeaderBytes && packet[0] >> 4 == 6) {
    return IpAddress::v6_bytes(packet.subspan<8, 16>());
  }
  return std::nullopt;
}

std::span<const uint8_t> without_padding(std::span<const uint8_t> payload, size_t frame_bytes) {
  constexpr size_t kMinEthernetFrame = 60;  // less the frame check sequence
  if (frame_bytes > kMinEthernetFrame) return payload;
  const size_t claimed = claimed_length(payload);
  return claimed != 0 && claimed < payload.size() ? payload.first(claimed) : payload;
}

}  // namespace tcproctor::packet
