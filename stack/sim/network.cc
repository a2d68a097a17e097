// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/network.h"

#include <algorithm>
#include <array>
#include <utility>

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"
#include "stack/sim/offload.h"
#include "stack/tcp/check.h"

namespace tcproctor::sim {
namespace {

using packet::IpAddress;
using packet::IpFamily;

constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.arrival.at != b.arrival.at ? a.arrival.at > b.arrival.at : a.order > b.order;
};

bool is_ip(std::span<const uint8_t> frame, size_t link_header) {
  if (frame.size() < link_header + 20) return false;
  if (link_header == 0) return true;
  const uint16_t type = packet::load_be16(frame.data() + 12);
  return type == packet::kEtherTypeIpv4 || type == packet::kEtherTypeIpv6;
}

}  // namespace

Faults& Faults::operator+=(const Faults& other) {
  lost += other.lost;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  too_big += other.too_big;
  vanished += other.vanished;
  overflowed += other.overflowed;
  unreachable += other.unreachable;
  marked += other.marked;
  return *this;
}

Network::Network(Choices& choices, std::vector<Attached> hosts, host::LinkLayer layer)
    : choices_(choices),
      hosts_(std::move(hosts)),
      layer_(layer),
      link_header_(layer == host::LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0),
      paths_(hosts_.size() * hosts_.size()) {}

// Which host owns the destination address; all for ARP and multicast, nobody for a forged source
// that is answered.
std::optional<size_t> Network::destination(std::span<const uint8_t> frame) const {
  if (!is_ip(frame, link_header_)) return std::nullopt;
  const auto ip = frame.subspan(link_header_);
  const bool v6 = ip[0] >> 4 == 6;
  if (v6 && ip.size() >= 40 && ip[24] == 0xFF) return std::nullopt;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const IpAddress& own = v6 ? hosts_[i].v6 : hosts_[i].v4;
    const size_t at = v6 ? 24 : 16;
    if (ip.size() >= at + own.bytes().size() &&
        std::ranges::equal(own.bytes(), ip.subspan(at, own.bytes().size()))) {
      return i;
    }
  }
  return kNobody;
}

void Network::send(tcp::Instant now, size_t from, std::span<const uint8_t> frame,
                   const host::FrameMeta& meta) {
  const std::optional<size_t> to = destination(frame);
  if (to == kNobody) return;
  const bool offloaded = meta.checksum_partial || meta.gso_size != 0;
  if (offloaded && !keep_super_) {
    for (const auto& piece : cut(frame, meta, layer_)) carry(now, from, *to, piece, {});
    return;
  }
  host::FrameMeta arriving = meta;
  arriving.checksum_trusted = meta.checksum_partial;
  if (to) return carry(now, from, *to, frame, arriving);
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (i != from) carry(now, from, i, frame, arriving);
  }
}

void Network::carry(tcp::Instant now, size_t from, size_t to, std::span<const uint8_t> frame,
                    const host::FrameMeta& meta) {
  Path& path = paths_[from * hosts_.size() + to];
  const Conditions& now_is = path.now;
  if (now_is.outage) {
    ++faults_.unreachable;
    if (now_is.tell_unreachable) answer_with_icmp(now, from, now_is, frame, false);
    return;
  }
  const size_t packet = meta.gso_size == 0
                            ? frame.size() - link_header_
                            : look_at(frame, layer_).payload - link_header_ + meta.gso_size;
  if (packet > now_is.mtu && is_ip(frame, link_header_)) {
    ++faults_.too_big;
    if (now_is.tell_too_big) answer_with_icmp(now, from, now_is, frame, true);
    return;
  }
  if (choices_.permille(now_is.loss)) {
    ++faults_.lost;
    return;
  }
  tcp::Instant leaves = now;
  bool mark = false;
  if (!queue(now, path, frame, leaves, mark)) return;
  const bool twice = choices_.permille(now_is.duplicate);
  if (twice) ++faults_.duplicated;
  for (int copies = twice ? 2 : 1; copies != 0; --copies) {
    tcp::Instant at = leaves + now_is.delay;
    if (now_is.jitter.count() != 0) at += choices_.between(tcp::Duration{0}, now_is.jitter);
    if (choices_.permille(now_is.reorder)) {
      ++faults_.reordered;
      at += choices_.between(tcp::Duration{0}, now_is.reorder_by);
    } else {
      at = path.last_arrival = std::max(at, path.last_arrival);
    }
    std::vector<uint8_t> bytes = copy(frame);
    if (mark && set_congestion_experienced(bytes)) ++faults_.marked;
    // Without a finished checksum damage could not be told.
    if (!meta.checksum_partial && is_ip(frame, link_header_) && choices_.permille(now_is.corrupt)) {
      damage(bytes);
    }
    fly(at, from, to, std::move(bytes), meta);
  }
}

// The bottleneck and the queue before it. False: the queue is full.
bool Network::queue(tcp::Instant now, Path& path, std::span<const uint8_t> frame,
                    tcp::Instant& leaves, bool& mark) {
  if (path.now.bytes_per_second == 0) return true;
  const auto takes = [&](uint64_t bytes) {
    return tcp::Duration(static_cast<int64_t>(bytes * 1'000'000'000 / path.now.bytes_per_second));
  };
  const tcp::Instant begins = std::max(now, path.bottleneck_free);
  const tcp::Duration waiting = begins - now;
  if (waiting > takes(path.now.queue_bytes)) {
    ++faults_.overflowed;
    return false;
  }
  mark = path.now.marks && waiting > takes(path.now.queue_bytes / 2);
  leaves = path.bottleneck_free = begins + takes(frame.size());
  return true;
}

// Only what a checksum finds: one octet of the IP packet (of IPv6 not the length, which with the
// right payload could keep the sum), or the end is cut off.
void Network::damage(std::vector<uint8_t>& bytes) {
  ++faults_.corrupted;
  if (choices_.one_in(8)) {
    bytes.resize(bytes.size() - 1 - choices_.below(bytes.size() - link_header_ - 1));
    return;
  }
  const size_t at = link_header_ + choices_.below(bytes.size() - link_header_);
  const bool v6_length = bytes[link_header_] >> 4 == 6 && (at - link_header_) / 2 == 2;
  if (!v6_length) bytes[at] ^= static_cast<uint8_t>(1 + choices_.below(255));
}

bool Network::set_congestion_experienced(std::vector<uint8_t>& bytes) const {
  if (!is_ip(bytes, link_header_)) return false;
  uint8_t* const ip = bytes.data() + link_header_;
  if (ip[0] >> 4 == 6) {
    if ((ip[1] & 0x30) == 0) return false;
    ip[1] |= 0x30;
    return true;
  }
  if ((ip[1] & 3) == 0) return false;
  ip[1] |= 3;
  packet::store_be16(ip + 10, 0);
  packet::store_be16(ip + 10, packet::internet_checksum({ip, (ip[0] & 0xFu) * 4u}));
  return true;
}

// A router of the path answers the sender; its answers are not lost.
void Network::answer_with_icmp(tcp::Instant now, size_t from, const Conditions& conditions,
                               std::span<const uint8_t> frame, bool too_big) {
  if (!look_at(frame, layer_).is_tcp()) return;
  const auto ip = frame.subspan(link_header_);
  const bool v6 = ip[0] >> 4 == 6;
  const IpFamily family = v6 ? IpFamily::kV6 : IpFamily::kV4;
  static const IpAddress kRouterV6 = *IpAddress::parse("2001:db8::fe");
  const packet::IpFields fields = {.source = v6 ? kRouterV6 : IpAddress::v4(192, 0, 2, 254),
                                   .destination = v6 ? hosts_[from].v6 : hosts_[from].v4};
  packet::IcmpFields message = {.body = packet::icmp_quotation(family, ip)};
  if (too_big) {
    message.type = v6 ? packet::kIcmpV6PacketTooBig : packet::kIcmpDestinationUnreachable;
    message.code = v6 ? 0 : packet::kIcmpFragmentationNeeded;
    message.rest = packet::icmp_rest_of_mtu(family, conditions.mtu);
  } else {
    message.type = v6 ? packet::kIcmpV6DestinationUnreachable : packet::kIcmpDestinationUnreachable;
    message.code = v6 ? packet::kIcmpV6AddressUnreachable : packet::kIcmpHostUnreachable;
  }
  std::vector<uint8_t> bytes(1400);
  if (link_header_ != 0) {
    std::copy_n(frame.begin() + 6, 6, bytes.begin());
    std::copy_n(frame.begin(), 6, bytes.begin() + 6);
    std::copy_n(frame.begin() + 12, 2, bytes.begin() + 12);
  }
  const size_t length =
      packet::build_icmp_packet(fields, message, std::span(bytes).subspan(link_header_));
  TCPROCTOR_CHECK(length != 0);
  bytes.resize(link_header_ + length);
  fly(now + conditions.delay, from, from, std::move(bytes), {});
}

void Network::inject(tcp::Instant at, size_t to, std::span<const uint8_t> frame) {
  fly(at, to, to, copy(frame), {});
}

void Network::fly(tcp::Instant at, size_t from, size_t to, std::vector<uint8_t> bytes,
                  const host::FrameMeta& meta) {
  heap_.push_back(
      {.arrival = {.at = at, .from = from, .to = to, .bytes = std::move(bytes), .meta = meta},
       .order = order_++});
  std::ranges::push_heap(heap_, kLater);
}

void Network::vanish(size_t from, std::optional<size_t> to) {
  faults_.vanished += std::erase_if(heap_, [&](const Flying& flying) {
    return flying.arrival.from == from && (!to || flying.arrival.to == *to);
  });
  std::ranges::make_heap(heap_, kLater);
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (!to || i == *to) paths_[from * hosts_.size() + i].last_arrival = {};
  }
}

std::optional<tcp::Instant> Network::next() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().arrival.at;
}

Network::Arrival Network::take() {
  std::ranges::pop_heap(heap_, kLater);
  Arrival arrival = std::move(heap_.back().arrival);
  heap_.pop_back();
  return arrival;
}

std::vector<uint8_t> Network::copy(std::span<const uint8_t> frame) {
  std::vector<uint8_t> bytes;
  if (!spare_.empty()) {
    bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  bytes.assign(frame.begin(), frame.end());
  return bytes;
}

void Network::recycle(std::vector<uint8_t> bytes) {
  if (spare_.size() < 256) spare_.push_back(std::move(bytes));
}

}  // namespace tcproctor::sim
