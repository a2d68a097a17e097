// SPDX-License-Identifier: Apache-2.0
// Frames out: the host's own answers first, then what connections want sent, one segment of each in
// turn, in the order in which they became ready.
#include <algorithm>
#include <cstring>
#include <utility>

#include "stack/host/host_impl.h"
#include "stack/host/neighbour_frames.h"
#include "stack/packet/ipv6.h"
#include "stack/tcp/check.h"

namespace tcproctor::host {
namespace {

using packet::IpAddress;

// A flood must not make the host hoard answers: beyond this they are dropped, as on a full queue of
// a device.
constexpr size_t kMaxOwn = 4096;

// An IP packet is at most 65,535 octets (RFC 791 §3.1), headers at their longest taken off.
constexpr uint32_t kMaxSuperPayload = 65535 - packet::kIpv6HeaderBytes - packet::kTcpMaxHeaderBytes;

}  // namespace

void Host::Impl::queue_own(Own own) {
  if (own_.size() >= kMaxOwn) return count(Drop::kControlQueueFull);
  own_.push_back(std::move(own));
}

void Host::Impl::ask_for(const IpAddress& neighbour) {
  const std::optional<IpAddress> source = addresses_.source_for(neighbour);
  TCPROCTOR_CHECK(source.has_value());
  queue_own(OwnFrame{.bytes = neighbour_request(config_.mac, *source, neighbour)});
}

size_t Host::Impl::next_frame(tcp::Instant now, std::span<uint8_t> buffer, FrameMeta& meta) {
  TCPROCTOR_CHECK(buffer.size() >= 65550);
  for (;;) {
    meta = {};
    size_t length = 0;
    if (!own_.empty()) {
      const Own own = own_.pop_front();
      length = emit_own(now, own, buffer, meta);
    } else if (!ready_.empty()) {
      const auto [index, id] = ready_.pop_front();
      if (table_[index].id != id) continue;  // stale
      tcp::SegmentOut segment;
      if (!pull(now, index, segment)) {
        table_[index].ready = false;
        // Having nothing to send now may have started a timer: that of zero-window probes.
        set_deadline(index);
        sent_everything(now, index);
        continue;
      }
      // Before anything else calls the connection: the payload lies in its buffer.
      length = emit_segment(now, segment, buffer, meta);
      ready_.push_back({.index = index, .id = table_[index].id});
      settle(now, index);
    } else {
      return 0;
    }
    if (length != 0) {
      ++counters_.frames_sent;
      return length;
    }
  }
}

bool Host::Impl::pull(tcp::Instant now, Index index, tcp::SegmentOut& segment) {
  Slot& slot = table_[index];
  if (tcp::Connection* const connection = slot.connection()) {
    return connection->next_segment(now, segment,
                                    config_.segmentation_offload ? kMaxSuperPayload : 0);
  }
  if (tcp::Listener* const listener = slot.listening()) return listener->next_segment(now, segment);
  if (tcp::TimeWait* const time_wait = slot.time_wait()) {
    return time_wait->next_segment(now, slot.tuple, segment);
  }
  return false;
}

size_t Host::Impl::emit_own(tcp::Instant now, const Own& own, std::span<uint8_t> buffer,
                            FrameMeta& meta) {
  if (const auto* const segment = std::get_if<tcp::SegmentOut>(&own)) {
    return emit_segment(now, *segment, buffer, meta);
  }
  if (const auto* const packet = std::get_if<OwnPacket>(&own)) {
    std::ranges::copy(packet->bytes, buffer.subspan(link_header()).begin());
    return frame_ip(now, packet->destination, packet->bytes.size(), buffer, meta);
  }
  const auto& frame = std::get<OwnFrame>(own);
  std::ranges::copy(frame.bytes, buffer.begin());
  meta = frame.meta;
  return frame.bytes.size();
}

size_t Host::Impl::emit_segment(tcp::Instant now, const tcp::SegmentOut& segment,
                                std::span<uint8_t> buffer, FrameMeta& meta) {
  const bool super = segment.gso_size != 0 && segment.payload_size() > segment.gso_size;
  const size_t packets =
      super ? (segment.payload_size() + segment.gso_size - 1) / segment.gso_size : 1;
  const packet::TcpPacketParts parts = {
      .ip = {.source = segment.tuple.local.address,
             .destination = segment.tuple.remote.address,
             .dscp = segment.dscp,
             .ecn = segment.ecn,
             .ttl = segment.ttl,
             .identification = next_identification(segment.tuple.remote.address, packets),
             .dont_fragment = segment.dont_fragment},
      .header = segment.header,
      .options = segment.options(),
      .payload = segment.payload,
      .payload_rest = segment.payload_rest,
      .checksum = config_.checksum_offload ? packet::ChecksumFill::kPseudoHeader
                                           : packet::ChecksumFill::kFull};
  const size_t length = packet::build_tcp_packet(parts, buffer.subspan(link_header()));
  TCPROCTOR_CHECK(length != 0);
  meta.checksum_partial = config_.checksum_offload;
  if (meta.checksum_partial) {
    meta.checksum_start = static_cast<uint16_t>(
        link_header() + packet::ip_header_bytes(segment.tuple.local.address.family()));
  }
  meta.gso_size = super ? segment.gso_size : 0;
  return frame_ip(now, segment.tuple.remote.address, length, buffer, meta);
}

// Puts the link header before an IP packet that stands where it belongs in `buffer`. 0: it has
// nowhere to go, or waits for its neighbour's address.
size_t Host::Impl::frame_ip(tcp::Instant now, const IpAddress& destination, size_t ip_bytes,
                            std::span<uint8_t> buffer, FrameMeta& meta) {
  if (config_.link_layer == LinkLayer::kRawIp) return ip_bytes;
  const std::optional<IpAddress> hop = addresses_.next_hop(destination);
  if (!hop) {
    count(Drop::kNoRoute);
    return 0;
  }
  const packet::MacAddress* const mac = neighbours_.find(*hop);
  const packet::EthernetHeader header = {
      .destination = mac == nullptr ? packet::MacAddress{} : *mac,
      .source = config_.mac,
      .ether_type = destination.is_v4() ? packet::kEtherTypeIpv4 : packet::kEtherTypeIpv6};
  const size_t length = packet::write_ethernet(header, buffer) + ip_bytes;
  if (mac != nullptr) return length;
  bool ask = false;
  if (!neighbours_.wait_for(now, *hop, buffer.first(length), meta, ask)) count(Drop::kNoNeighbour);
  if (ask) ask_for(*hop);
  return 0;
}

// Datagrams with DF set need no unique identification (RFC 6864 §4.1); a counter from a secret
// start for each destination is what middleboxes are used to, and tells an outsider nothing about
// others.
uint16_t Host::Impl::next_identification(const IpAddress& destination, size_t packets) {
  const uint64_t hash = identification_hash_(destination);
  uint16_t& counter = identifications_[hash % identifications_.size()];
  const auto first = static_cast<uint16_t>((hash >> 32) + counter);
  counter = static_cast<uint16_t>(counter + packets);
  return first;
}

}  // namespace tcproctor::host
