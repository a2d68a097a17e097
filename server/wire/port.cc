// SPDX-License-Identifier: Apache-2.0
#include "server/wire/port.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/wire/octets.h"
#include "stack/link/vnet_header.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/claims.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"

namespace tcproctor::server {
namespace {

constexpr uint8_t kProtocolIgmp = 2;
bool is_nd(uint8_t type) {
  return type >= 133 && type <= 137;
}
bool is_mld(uint8_t type) {
  return (type >= 130 && type <= 132) || type == 143;
}

// Puts the sum over the pseudo-header where the device that cuts a super-segment expects it, and
// says where; 0 when this is no TCP packet.
uint16_t open_checksum(std::span<uint8_t> frame, host::LinkLayer layer) {
  const size_t start = link::tcp_offset(frame, layer);
  packet::IpPacket ip;
  const size_t before = layer == host::LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0;
  if (start == 0 || packet::parse_ip(frame.subspan(before), ip) != packet::ParseResult::kOk)
    return 0;
  packet::Checksum sum;
  sum.add_pseudo_header(ip.source, ip.destination, packet::kProtocolTcp,
                        static_cast<uint32_t>(ip.payload.size()));
  packet::store_be16(frame.data() + start + kTcpChecksumOffset, sum.fold());
  return static_cast<uint16_t>(start);
}

}  // namespace

Port::Port(std::unique_ptr<link::Link> link, std::optional<EthernetAddresses> addresses,
           run::Scheduler& scheduler, run::EventLoop* loop)
    : link_(std::move(link)), addresses_(addresses), scheduler_(scheduler), loop_(loop) {}

Port::~Port() {
  stop();
}

absl::Status Port::start(PacketCallback on_packet, LostCallback on_lost) {
  if (link_->layer() == host::LinkLayer::kEthernet && !addresses_) {
    return absl::InvalidArgumentError("port: an Ethernet link needs the ends' MAC addresses");
  }
  if (link_->fd() < 0) {
    link_->set_on_ready([this] { read_soon(); });
    read_soon();
  } else if (loop_ == nullptr) {
    return absl::InvalidArgumentError(
        "port: the link has a descriptor, so an event loop is needed");
  } else {
    const absl::Status status = loop_->watch(link_->fd(), {.readable = true},
                                             [this](run::Readiness ready) { on_ready(ready); });
    if (!status.ok()) return status;
  }
  on_packet_ = std::move(on_packet);
  on_lost_ = std::move(on_lost);
  running_ = true;
  return absl::OkStatus();
}

void Port::stop() {
  if (!running_) return;
  running_ = false;
  watching_writable_ = false;
  if (link_->fd() < 0) {
    link_->set_on_ready(nullptr);
  } else {
    loop_->unwatch(link_->fd());
  }
  for (std::optional<run::TimerId>* timer : {&flush_timer_, &read_timer_}) {
    if (*timer) scheduler_.cancel(**timer);
    timer->reset();
  }
}

void Port::on_ready(run::Readiness ready) {
  if (ready.writable) flush();
  if (ready.readable || ready.error) read();
}

void Port::read_soon() {
  if (read_timer_) return;
  read_timer_ = scheduler_.schedule(scheduler_.now(), [this] {
    read_timer_.reset();
    if (!backlog_.empty()) flush();
    read();
  });
}

void Port::read() {
  if (!running_) return;
  const absl::Status status = link_->receive(frames_);
  if (!status.ok()) return lose(status);
  for (const link::ReceivedFrame& frame : frames_) {
    if (running_) take(frame);
  }
  // Without a descriptor nobody reminds us of what was left.
  if (running_ && link_->fd() < 0 && !frames_.empty()) read_soon();
}

void Port::take(const link::ReceivedFrame& frame) {
  PacketMeta meta;
  meta.wall_time_ns = frame.wall_time_ns;
  meta.gso_size = frame.meta.gso_size;
  std::span<const uint8_t> packet = frame.bytes;
  size_t header = 0;
  if (link_->layer() == host::LinkLayer::kEthernet) {
    if (!strip_ethernet(packet, meta.family)) return;
    header = packet::kEthernetHeaderBytes;
  } else {
    meta.family = family_of(packet);
  }
  if (is_noise(packet)) return;
  if (frame.meta.checksum_partial && frame.meta.checksum_start >= header) {
    scratch_.assign(packet.begin(), packet.end());
    link::finish_checksum(scratch_, frame.meta.checksum_start - header, kTcpChecksumOffset);
    packet = scratch_;
  }
  on_packet_(packet, meta);
}

bool Port::strip_ethernet(std::span<const uint8_t>& bytes, packet::IpFamily& family) {
  packet::EthernetHeader header;
  std::span<const uint8_t> packet;
  if (packet::parse_ethernet(bytes, header, packet) != packet::ParseResult::kOk) {
    ++noise_.other;
    return false;
  }
  if (header.ether_type == packet::kEtherTypeArp) {
    ++noise_.arp;
    return false;
  }
  if (header.ether_type != packet::kEtherTypeIpv4 && header.ether_type != packet::kEtherTypeIpv6) {
    ++noise_.other;
    return false;
  }
  family =
      header.ether_type == packet::kEtherTypeIpv4 ? packet::IpFamily::kV4 : packet::IpFamily::kV6;
  bytes = packet::without_padding(packet, bytes.size());
  return true;
}

bool Port::is_noise(std::span<const uint8_t> packet) {
  if (packet.empty()) {
    ++noise_.other;
    return true;
  }
  const bool v4 = packet[0] >> 4 == 4;
  // Most packets are TCP without extension headers, and are known by one octet.
  const size_t at = v4 ? 9 : 6;
  if (packet.size() <= at || packet[at] == packet::kProtocolTcp) return false;
  packet::IpPacket ip;
  if (packet::parse_ip(packet, ip) != packet::ParseResult::kOk) return false;
  if (v4 && ip.protocol == kProtocolIgmp) {
    ++noise_.mld;
    return true;
  }
  if (v4 || ip.protocol != packet::kProtocolIcmpV6 || ip.payload.empty()) return false;
  if (is_nd(ip.payload[0])) ++noise_.nd;
  if (is_mld(ip.payload[0])) ++noise_.mld;
  return is_nd(ip.payload[0]) || is_mld(ip.payload[0]);
}

void Port::send(std::span<const uint8_t> packet, const PacketMeta& meta) {
  if (!running_) return;
  const bool ethernet = link_->layer() == host::LinkLayer::kEthernet;
  const size_t header = ethernet ? packet::kEthernetHeaderBytes : 0;
  const size_t length = header + packet.size();
  if (length > link::kMaxFrame) {
    ++send_drops_;
    return;
  }
  std::span<uint8_t> frame = backlog_.empty() ? link_->send_buffer() : std::span<uint8_t>();
  std::vector<uint8_t> waiting;
  if (frame.size() < length) {
    if (backlog_bytes_ + length > kMaxBacklogBytes) {
      ++send_drops_;
      return;
    }
    waiting.resize(length);
    frame = waiting;
  }
  frame = frame.first(length);
  if (ethernet) {
    const bool v4 = meta.family == packet::IpFamily::kV4;
    const packet::EthernetHeader addresses{addresses_->end, addresses_->peer,
                                           v4 ? packet::kEtherTypeIpv4 : packet::kEtherTypeIpv6};
    (void)packet::write_ethernet(addresses, frame);
  }
  std::memcpy(frame.data() + header, packet.data(), packet.size());
  host::FrameMeta frame_meta;
  if (meta.gso_size != 0 && ethernet) {
    frame_meta.checksum_start = open_checksum(frame, link_->layer());
    frame_meta.checksum_partial = frame_meta.checksum_start != 0;
    frame_meta.gso_size = frame_meta.checksum_partial ? meta.gso_size : uint16_t{0};
  } else if (link::tcp_offset(frame, link_->layer()) != 0) {
    // Nobody behind a TUN device cuts it. With its checksum whole Linux keeps it in one piece of
    // memory, and counts less of the receive buffer for it than of one whose headers stand apart.
    frame_meta.gso_size = meta.gso_size;
  }
  if (waiting.empty()) {
    transmit(frame, frame_meta);
  } else {
    keep(std::move(waiting), frame_meta);
  }
  request_flush();
}

void Port::transmit(std::span<const uint8_t> frame, const host::FrameMeta& meta) {
  const absl::Status status = link_->send(frame, meta);
  if (absl::IsResourceExhausted(status)) {
    keep({frame.begin(), frame.end()}, meta);
  } else if (!status.ok()) {
    ++send_drops_;
  }
}

void Port::keep(std::vector<uint8_t> frame, const host::FrameMeta& meta) {
  backlog_bytes_ += frame.size();
  backlog_.push_back({std::move(frame), meta});
  watch_writable(true);
}

void Port::request_flush() {
  if (flush_timer_ || !running_) return;
  flush_timer_ = scheduler_.schedule(scheduler_.now(), [this] {
    flush_timer_.reset();
    flush();
  });
}

void Port::flush() {
  if (!running_) return;
  bool full = absl::IsResourceExhausted(link_->flush());
  while (!full && !backlog_.empty()) {
    const Waiting& next = backlog_.front();
    const absl::Status status = link_->send(next.frame, next.meta);
    full = absl::IsResourceExhausted(status);
    if (full) break;
    if (!status.ok()) ++send_drops_;
    backlog_bytes_ -= next.frame.size();
    backlog_.pop_front();
  }
  if (!full) full = absl::IsResourceExhausted(link_->flush());
  watch_writable(full);
}

void Port::watch_writable(bool wanted) {
  // A link without descriptor tells of room by itself.
  if (link_->fd() < 0 || watching_writable_ == wanted || !running_) return;
  watching_writable_ = wanted;
  // Cannot fail for a descriptor that is being watched.
  loop_->change_watch(link_->fd(), {.readable = true, .writable = wanted}).IgnoreError();
}

void Port::lose(const absl::Status& status) {
  stop();
  if (on_lost_) on_lost_(status);
}

PortCounters Port::counters() {
  const link::LinkCounters link = link_->counters();
  PortCounters counters;
  counters.noise = noise_;
  counters.capture_drops = link.receive_drops + link.truncated;
  counters.send_drops = link.send_refused + send_drops_;
  return counters;
}

}  // namespace tcproctor::server
