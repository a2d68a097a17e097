// SPDX-License-Identifier: Apache-2.0
#include "stack/link/neighbour_link.h"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/host/neighbour_frames.h"
#include "stack/packet/arp.h"
#include "stack/packet/claims.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/nd.h"

namespace tcproctor::link {
namespace {

using packet::IpAddress;
using packet::ParseResult;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kHeader = packet::kEthernetHeaderBytes;
// RFC 4861 §10 has a second; an examination need not wait that long for an answer that was lost.
constexpr milliseconds kAskAgain(250);

}  // namespace

absl::StatusOr<std::unique_ptr<NeighbourLink>> NeighbourLink::create(std::unique_ptr<Link> ethernet,
                                                                     NeighbourLinkConfig config) {
  host::HostConfig book;
  book.addresses = config.addresses;
  book.gateway_v4 = config.gateway_v4;
  book.gateway_v6 = config.gateway_v6;
  if (absl::Status status = host::AddressBook::check(book); !status.ok()) return status;
  return std::unique_ptr<NeighbourLink>(
      new NeighbourLink(std::move(ethernet), book, std::move(config)));
}

NeighbourLink::NeighbourLink(std::unique_ptr<Link> ethernet, const host::HostConfig& book,
                             NeighbourLinkConfig config)
    : ethernet_(std::move(ethernet)), config_(std::move(config)), addresses_(book) {}

absl::Status NeighbourLink::find_hops() {
  for (const IpAddress& peer : config_.peers) {
    std::optional<Hop>& hop = hop_of(peer.family());
    if (hop || !addresses_.source_for(peer)) continue;
    const std::optional<IpAddress> next = addresses_.next_hop(peer);
    if (!next) {
      return absl::FailedPreconditionError(
          absl::StrCat(peer.to_string(), " is on none of our prefixes, and there is no gateway"));
    }
    hop = Hop{*next, std::nullopt};
  }
  return absl::OkStatus();
}

// False: every next hop is known.
bool NeighbourLink::ask_for_missing() {
  bool missing = false;
  for (const std::optional<Hop>* hop : {&hop_v4_, &hop_v6_}) {
    if (!*hop || (*hop)->mac) continue;
    missing = true;
    send_own(host::neighbour_request(config_.mac, *addresses_.source_for((*hop)->address),
                                     (*hop)->address));
  }
  return missing;
}

absl::Status NeighbourLink::resolve(milliseconds patience) {
  if (absl::Status status = find_hops(); !status.ok()) return status;
  const Clock::time_point end = Clock::now() + patience;
  std::vector<ReceivedFrame> ignored;
  while (ask_for_missing()) {
    const Clock::time_point again = std::min(Clock::now() + kAskAgain, end);
    while (Clock::now() < again) {
      pollfd request{.fd = fd(), .events = POLLIN, .revents = 0};
      const auto left = std::chrono::ceil<milliseconds>(again - Clock::now());
      if (::poll(&request, 1, static_cast<int>(left.count())) <= 0) continue;
      // What others say before anybody asked is nothing to us.
      if (absl::Status status = receive(ignored); !status.ok()) return status;
      const auto known = [](const std::optional<Hop>& hop) { return !hop || hop->mac; };
      if (known(hop_v4_) && known(hop_v6_)) return absl::OkStatus();
    }
    if (Clock::now() < end) continue;
    const Hop& hop = hop_v4_ && !hop_v4_->mac ? *hop_v4_ : *hop_v6_;
    return absl::FailedPreconditionError(absl::StrCat(
        "nobody answers for ", hop.address.to_string(), hop.address.is_v4() ? " (ARP)" : " (ND)",
        " within ", patience.count(), " ms: is it on this link, and up?"));
  }
  return absl::OkStatus();
}

absl::Status NeighbourLink::receive(std::vector<ReceivedFrame>& frames) {
  frames.clear();
  const absl::Status status = ethernet_->receive(frames_);
  if (!status.ok()) return status;
  for (const ReceivedFrame& frame : frames_) {
    ReceivedFrame packet;
    if (take(frame, packet)) frames.push_back(packet);
  }
  received_ += frames.size();
  return absl::OkStatus();
}

// False: it is not for the user of this link.
bool NeighbourLink::take(const ReceivedFrame& frame, ReceivedFrame& packet) {
  packet::EthernetHeader header;
  std::span<const uint8_t> payload;
  if (packet::parse_ethernet(frame.bytes, header, payload) != ParseResult::kOk) return false;
  const bool ours = header.destination == config_.mac;
  if (!ours && !header.destination.is_multicast()) return false;
  if (header.ether_type == packet::kEtherTypeArp) {
    on_arp(payload);
    return false;
  }
  const bool v6 = header.ether_type == packet::kEtherTypeIpv6;
  if (!v6 && header.ether_type != packet::kEtherTypeIpv4) return false;
  payload = packet::without_padding(payload, frame.bytes.size());
  if (v6 && on_neighbour_message(payload, header)) return false;
  const std::optional<IpAddress> source = packet::claimed_source(payload);
  if (!ours || !source || !std::ranges::count(config_.peers, *source)) return false;
  packet = frame;
  packet.bytes = payload;
  if (packet.meta.checksum_partial && packet.meta.checksum_start >= kHeader) {
    packet.meta.checksum_start = static_cast<uint16_t>(packet.meta.checksum_start - kHeader);
  }
  return true;
}

void NeighbourLink::on_arp(std::span<const uint8_t> bytes) {
  packet::ArpPacket arp;
  if (packet::parse_arp(bytes, arp) != ParseResult::kOk) return;
  if (addresses_.is_valid_source(arp.sender_ip)) learn(arp.sender_ip, arp.sender_mac);
  if (arp.operation == packet::kArpRequest && addresses_.owns(arp.target_ip)) {
    send_own(host::arp_answer(arp, config_.mac));
  }
}

bool NeighbourLink::on_neighbour_message(std::span<const uint8_t> packet,
                                         const packet::EthernetHeader& ethernet) {
  packet::IpPacket ip;
  packet::NeighbourMessage message;
  if (packet::parse_ip(packet, ip) != ParseResult::kOk ||
      packet::parse_neighbour(ip, message) != ParseResult::kOk) {
    return false;
  }
  if (message.advertisement) {
    if (message.link_layer) learn(message.target, *message.link_layer);
  } else if (addresses_.owns(message.target)) {
    if (message.link_layer) learn(ip.source, *message.link_layer);
    send_own(host::solicitation_answer(ip, message, ethernet.source, config_.mac));
  }
  return true;
}

void NeighbourLink::learn(const IpAddress& address, const packet::MacAddress& mac) {
  std::optional<Hop>& hop = hop_of(address.family());
  if (hop && hop->address == address && !mac.is_multicast()) hop->mac = mac;
}

void NeighbourLink::send_own(const std::vector<uint8_t>& frame) {
  // What the device does not take is lost, as on any network: they ask again, and so do we.
  (void)ethernet_->send(frame, {});
  (void)ethernet_->flush();
}

std::span<uint8_t> NeighbourLink::send_buffer() {
  const std::span<uint8_t> room = ethernet_->send_buffer();
  return room.size() > kHeader ? room.subspan(kHeader) : std::span<uint8_t>();
}

absl::Status NeighbourLink::send(std::span<const uint8_t> packet, const host::FrameMeta& meta) {
  // By the version field, as whoever receives it will look at it.
  const bool v6 = !packet.empty() && packet[0] >> 4 == 6;
  const std::optional<Hop>& hop = v6 ? hop_v6_ : hop_v4_;
  if (!hop || !hop->mac || packet.size() + kHeader > kMaxFrame) {
    ++refused_;
    return absl::OkStatus();
  }
  const std::span<uint8_t> room = ethernet_->send_buffer();
  if (room.empty()) return absl::ResourceExhaustedError("neighbour link: send queue is full");
  const std::span<uint8_t> frame = room.first(kHeader + packet.size());
  if (packet.data() != frame.data() + kHeader) {
    std::memcpy(frame.data() + kHeader, packet.data(), packet.size());
  }
  (void)packet::write_ethernet({.destination = *hop->mac,
                                .source = config_.mac,
                                .ether_type = v6 ? packet::kEtherTypeIpv6 : packet::kEtherTypeIpv4},
                               frame);
  host::FrameMeta framed = meta;
  if (framed.checksum_partial) {
    framed.checksum_start = static_cast<uint16_t>(framed.checksum_start + kHeader);
  }
  return ethernet_->send(frame, framed);
}

LinkCounters NeighbourLink::counters() {
  LinkCounters counters = ethernet_->counters();
  counters.received = received_;
  counters.send_refused += refused_;
  return counters;
}

}  // namespace tcproctor::link
