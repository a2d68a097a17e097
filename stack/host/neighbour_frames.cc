// SPDX-License-Identifier: Apache-2.0
#include "stack/host/neighbour_frames.h"

#include "stack/tcp/check.h"

namespace tcproctor::host {
namespace {

using packet::IpAddress;
using packet::MacAddress;

// Ethernet, IPv6 and a message with one option.
constexpr size_t kNeighbourFrameBytes = 128;

std::vector<uint8_t> arp_frame(const packet::ArpPacket& arp, const MacAddress& destination) {
  std::vector<uint8_t> frame(packet::kEthernetHeaderBytes + packet::kArpBytes);
  const packet::EthernetHeader header = {
      .destination = destination, .source = arp.sender_mac, .ether_type = packet::kEtherTypeArp};
  const std::span<uint8_t> room(frame);
  const size_t before = packet::write_ethernet(header, room);
  TCPROCTOR_CHECK(packet::write_arp(arp, room.subspan(before)) == packet::kArpBytes);
  return frame;
}

std::vector<uint8_t> neighbour_frame(const packet::EthernetHeader& header,
                                     const packet::IpFields& ip,
                                     const packet::NeighbourMessage& message) {
  std::vector<uint8_t> frame(kNeighbourFrameBytes);
  const std::span<uint8_t> room(frame);
  const size_t before = packet::write_ethernet(header, room);
  frame.resize(before + packet::build_neighbour_packet(ip, message, room.subspan(before)));
  return frame;
}

}  // namespace

std::vector<uint8_t> neighbour_request(const MacAddress& own_mac, const IpAddress& source,
                                       const IpAddress& target) {
  if (target.is_v4()) {
    return arp_frame({.operation = packet::kArpRequest,
                      .sender_mac = own_mac,
                      .sender_ip = source,
                      .target_mac = {},
                      .target_ip = target},
                     MacAddress::broadcast());
  }
  const IpAddress group = packet::solicited_node_address(target);
  return neighbour_frame({.destination = packet::multicast_mac(group),
                          .source = own_mac,
                          .ether_type = packet::kEtherTypeIpv6},
                         {.source = source, .destination = group},
                         {.target = target, .link_layer = own_mac});
}

std::vector<uint8_t> arp_answer(const packet::ArpPacket& request, const MacAddress& own_mac) {
  return arp_frame(packet::arp_reply_to(request, own_mac), request.sender_mac);
}

std::vector<uint8_t> solicitation_answer(const packet::IpPacket& ip,
                                         const packet::NeighbourMessage& solicitation,
                                         const MacAddress& asker, const MacAddress& own_mac) {
  const bool unicast = !ip.source.is_unspecified();
  const IpAddress all_nodes = *IpAddress::parse("ff02::1");
  return neighbour_frame(
      {.destination = unicast ? asker : packet::multicast_mac(all_nodes),
       .source = own_mac,
       .ether_type = packet::kEtherTypeIpv6},
      {.source = solicitation.target, .destination = unicast ? ip.source : all_nodes},
      {.advertisement = true,
       .target = solicitation.target,
       .solicited = unicast,
       .override_cache = true,
       .link_layer = own_mac});
}

}  // namespace tcproctor::host
