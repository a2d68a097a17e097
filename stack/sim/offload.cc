// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/offload.h"

#include <algorithm>

#include "stack/packet/address.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/tcp_flags.h"

namespace tcproctor::sim {
namespace {

using packet::IpAddress;

constexpr uint8_t kTcp = 6;

}  // namespace

WireView look_at(std::span<const uint8_t> frame, host::LinkLayer layer) {
  WireView view{.ip = layer == host::LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0,
                .size = frame.size()};
  if (frame.size() < view.ip + 20) return view;
  const auto ip = frame.subspan(view.ip);
  const uint8_t version = ip[0] >> 4;
  view.v6 = version == 6;
  if (version == 4 ? ip[9] != kTcp : (!view.v6 || ip.size() < 40 || ip[6] != kTcp)) return view;
  const size_t tcp = view.ip + (view.v6 ? 40u : (ip[0] & 0xFu) * 4u);
  if (frame.size() < tcp + 20) return view;
  view.tcp = tcp;
  view.flags = static_cast<uint16_t>((frame[tcp + 12] & 1) << 8 | frame[tcp + 13]);
  view.destination = packet::load_be32(ip.data() + (view.v6 ? 36 : 16));
  view.ports = packet::load_be32(frame.data() + tcp);
  view.acknowledgment = packet::load_be32(frame.data() + tcp + 8);
  view.payload = std::min(frame.size(), tcp + size_t{frame[tcp + 12]} / 16 * 4);
  return view;
}

void finish_checksum(std::span<uint8_t> frame, const WireView& view) {
  const auto ip = frame.subspan(view.ip);
  const auto segment = frame.subspan(view.tcp);
  packet::store_be16(segment.data() + 16, 0);
  const auto address = [&](size_t at) {
    return view.v6 ? IpAddress::v6_bytes(std::span<const uint8_t, 16>(ip.data() + at, 16))
                   : IpAddress::v4_bytes(std::span<const uint8_t, 4>(ip.data() + at, 4));
  };
  const uint16_t sum = packet::transport_checksum(address(view.v6 ? 8 : 12),
                                                  address(view.v6 ? 24 : 16), kTcp, segment);
  packet::store_be16(segment.data() + 16, sum);
}

std::vector<std::vector<uint8_t>> cut(std::span<const uint8_t> frame, const host::FrameMeta& meta,
                                      host::LinkLayer layer) {
  const WireView view = look_at(frame, layer);
  std::vector<std::vector<uint8_t>> pieces;
  const size_t payload = view.is_tcp() ? view.payload_size() : 0;
  const bool super = view.is_tcp() && meta.gso_size != 0 && payload > meta.gso_size;
  const size_t step = super ? meta.gso_size : std::max<size_t>(payload, 1);
  const size_t header = view.is_tcp() ? view.payload : frame.size();
  for (size_t at = 0; at == 0 || at < payload; at += step) {
    const size_t length = std::min(step, payload - at);
    std::vector<uint8_t>& piece = pieces.emplace_back(frame.begin(), frame.begin() + header);
    const auto text = frame.subspan(header + at, length);
    piece.insert(piece.end(), text.begin(), text.end());
    if (super) {
      uint8_t* const ip = piece.data() + view.ip;
      if (view.v6) {
        packet::store_be16(ip + 4, static_cast<uint16_t>(piece.size() - view.ip - 40));
      } else {
        packet::store_be16(ip + 2, static_cast<uint16_t>(piece.size() - view.ip));
        packet::store_be16(ip + 4, static_cast<uint16_t>(packet::load_be16(ip + 4) + at / step));
        packet::store_be16(ip + 10, 0);
        packet::store_be16(ip + 10, packet::internet_checksum(
                                        std::span(piece).subspan(view.ip, view.tcp - view.ip)));
      }
      uint8_t* const tcp = piece.data() + view.tcp;
      packet::store_be32(tcp + 4, packet::load_be32(tcp + 4) + static_cast<uint32_t>(at));
      if (at + length < payload) {
        tcp[13] &= static_cast<uint8_t>(~(packet::kFin | packet::kPsh));
      }
      if (at != 0) tcp[13] &= static_cast<uint8_t>(~packet::kCwr);
    }
    if (view.is_tcp() && meta.checksum_partial) {
      WireView own = view;
      own.size = piece.size();
      finish_checksum(piece, own);
    }
  }
  return pieces;
}

}  // namespace tcproctor::sim
