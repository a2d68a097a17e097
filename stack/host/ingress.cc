// SPDX-License-Identifier: Apache-2.0
// Frames in. What is malformed, misaddressed or forged beyond doubt is counted and silently dropped
// here; only sound segments for one of our addresses reach the TCP.
#include <utility>

#include "stack/host/host_impl.h"
#include "stack/host/neighbour_frames.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/tcp/closed.h"

namespace tcproctor::host {
namespace {

using packet::IpAddress;
using packet::ParseResult;

Drop drop_for(ParseResult result) {
  switch (result) {
    case ParseResult::kBadIpChecksum:
      return Drop::kBadIpChecksum;
    case ParseResult::kFragment:
      return Drop::kFragment;
    default:
      return Drop::kMalformedIp;
  }
}

}  // namespace

void Host::Impl::on_frame(tcp::Instant now, std::span<const uint8_t> frame, const FrameMeta& meta) {
  ++counters_.frames_received;
  if (config_.link_layer == LinkLayer::kRawIp) return on_ip(now, frame, meta, nullptr);

  packet::EthernetHeader ethernet;
  std::span<const uint8_t> payload;
  if (packet::parse_ethernet(frame, ethernet, payload) != ParseResult::kOk) {
    return count(Drop::kMalformedFrame);
  }
  if (ethernet.destination != config_.mac && !ethernet.destination.is_multicast()) {
    return count(Drop::kNotForUs);
  }
  switch (ethernet.ether_type) {
    case packet::kEtherTypeArp:
      return on_arp(now, payload);
    case packet::kEtherTypeIpv4:
    case packet::kEtherTypeIpv6:
      return on_ip(now, payload, meta, &ethernet);
    default:
      return count(Drop::kNotForUs);
  }
}

void Host::Impl::on_arp(tcp::Instant, std::span<const uint8_t> bytes) {
  packet::ArpPacket arp;
  if (packet::parse_arp(bytes, arp) != ParseResult::kOk) return count(Drop::kMalformedFrame);
  const bool for_us = addresses_.owns(arp.target_ip);
  // RFC 826: whoever asks for us is about to talk to us; of others only what we know is refreshed.
  // A probe (RFC 5227) has no sender address.
  if (addresses_.is_valid_source(arp.sender_ip)) learn(arp.sender_ip, arp.sender_mac, for_us);
  if (for_us && arp.operation == packet::kArpRequest) {
    queue_own(OwnFrame{.bytes = arp_answer(arp, config_.mac)});
  }
}

void Host::Impl::on_ip(tcp::Instant now, std::span<const uint8_t> packet, const FrameMeta& meta,
                       const packet::EthernetHeader* ethernet) {
  packet::IpPacket ip;
  const ParseResult result = packet::parse_ip(packet, ip);
  if (result != ParseResult::kOk) return count(drop_for(result));
  const bool group = ip.destination.is_multicast() || addresses_.is_broadcast(ip.destination);
  if (!group && !addresses_.owns(ip.destination)) return count(Drop::kNotForUs);
  // RFC9293-MUST-51 to 53 ask for source routes; they are refused, as RFC 7126 §4.3 and §4.4 (BCP
  // 186) advise and Linux does: whoever names a route can take any address for its own, and an
  // answer that left by another way would not come from where the peer looks.
  if (ip.source_route) return count(Drop::kSourceRoute);
  if (ip.protocol == packet::kProtocolTcp) {
    // RFC9293-MUST-57, and RFC 1122 §3.3.6 for a unicast address in a link-level broadcast.
    if (group || (ethernet != nullptr && ethernet->destination.is_multicast())) {
      return count(Drop::kGroupAddress);
    }
    return on_tcp(now, ip, meta.checksum_trusted);
  }
  if (ip.protocol == (ip.source.is_v4() ? packet::kProtocolIcmp : packet::kProtocolIcmpV6)) {
    return on_icmp(now, ip, ethernet);
  }
  count(Drop::kNotForUs);
}

void Host::Impl::on_icmp(tcp::Instant now, const packet::IpPacket& ip,
                         const packet::EthernetHeader* ethernet) {
  packet::IcmpMessage message;
  if (packet::parse_icmp(ip, message) != ParseResult::kOk) return count(Drop::kMalformedIcmp);
  if (message.family == packet::IpFamily::kV6 &&
      (message.type == packet::kNeighbourSolicitation ||
       message.type == packet::kNeighbourAdvertisement)) {
    return on_neighbour_message(ip, ethernet);
  }
  if (!addresses_.is_valid_source(ip.source)) return count(Drop::kInvalidSource);
  // Pings to groups may stay unanswered (RFC 1122 §3.2.2.6), and errors are never sent to groups.
  if (!addresses_.owns(ip.destination)) return count(Drop::kNotForUs);
  if (message.is_echo_request()) return on_echo_request(ip, message);
  if (message.is_error()) return on_icmp_error(now, message);
  count(Drop::kNotForUs);
}

void Host::Impl::on_neighbour_message(const packet::IpPacket& ip,
                                      const packet::EthernetHeader* ethernet) {
  packet::NeighbourMessage message;
  if (ethernet == nullptr) return count(Drop::kNotForUs);
  if (packet::parse_neighbour(ip, message) != ParseResult::kOk) {
    return count(Drop::kMalformedFrame);
  }
  if (message.advertisement) {
    const packet::MacAddress* const known = neighbours_.find(message.target);
    if (message.link_layer && (known == nullptr || message.override_cache)) {
      learn(message.target, *message.link_layer, false);
    }
    return;
  }
  if (!addresses_.owns(message.target)) return count(Drop::kNotForUs);
  const bool unicast = addresses_.is_valid_source(ip.source);
  if (unicast && message.link_layer) learn(ip.source, *message.link_layer, true);
  // Anything else than a host or "nobody yet" (duplicate detection) is no lawful asker.
  if (!unicast && !ip.source.is_unspecified()) return count(Drop::kInvalidSource);
  queue_own(OwnFrame{.bytes = solicitation_answer(ip, message, ethernet->source, config_.mac)});
}

void Host::Impl::on_echo_request(const packet::IpPacket& ip, const packet::IcmpMessage& request) {
  const packet::IpFields fields = {.source = ip.destination,
                                   .destination = ip.source,
                                   .dscp = ip.dscp,
                                   .identification = next_identification(ip.source, 1)};
  OwnPacket packet{.destination = ip.source,
                   .bytes = std::vector<uint8_t>(packet::kIpv6HeaderBytes +
                                                 packet::kIcmpHeaderBytes + request.body.size())};
  packet.bytes.resize(
      packet::build_icmp_packet(fields, packet::echo_reply_to(request), packet.bytes));
  if (packet.bytes.size() > config_.mtu) return count(Drop::kNoRoute);
  queue_own(std::move(packet));
}

// RFC9293-MUST-54: to the connection that caused it, and to no other (RFC5927-5.2-2). Whether it is
// about a segment in flight the connection judges (RFC5927-4.1-1).
void Host::Impl::on_icmp_error(tcp::Instant now, const packet::IcmpMessage& message) {
  if (!message.quoted || message.quoted->protocol != packet::kProtocolTcp ||
      !message.quoted->has_ports) {
    return count(Drop::kIcmpNoConnection);
  }
  const packet::FourTuple tuple = message.quoted->four_tuple();
  const tcp::IcmpError error = {.kind = message.classify(),
                                .type = message.type,
                                .code = message.code,
                                .quoted_sequence_number = message.quoted->sequence_number,
                                .quoted_length = message.quoted->packet_length,
                                .mtu = message.mtu()};
  if (config_.trace) {
    arriving_ = {.pair = tuple, .icmp = true, .sequence_number = message.quoted->sequence_number};
  }
  if (const std::optional<Index> index = table_.find(tuple)) {
    // TIME-WAIT in its small form has nothing in flight but the ACK of a FIN.
    if (tcp::Connection* const connection = table_[*index].connection()) {
      connection->on_icmp(now, error);
      settle(now, *index);
    }
    return;
  }
  if (const std::optional<Index> index = table_.find_listener(tuple)) {
    table_[*index].listening()->on_icmp(now, tuple, error);
    return settle(now, *index);
  }
  count(Drop::kIcmpNoConnection);
}

void Host::Impl::on_tcp(tcp::Instant now, const packet::IpPacket& ip, bool checksum_trusted) {
  packet::TcpSegment segment;
  const ParseResult result = packet::parse_tcp_payload(
      ip, checksum_trusted ? packet::ChecksumPolicy::kTrusted : packet::ChecksumPolicy::kVerify,
      segment);
  if (config_.trace) {
    arriving_ = {.pair = segment.four_tuple(),
                 .sequence_number = segment.header.sequence_number,
                 .acknowledgment_number = segment.header.acknowledgment_number,
                 .flags = segment.header.flags,
                 .length = static_cast<uint32_t>(segment.payload.size())};
  }
  const auto refuse = [&](Drop drop, std::string_view cause) {
    count(drop);
    trace_drop(now, cause);
  };
  // RFC9293-MUST-63; for every segment, not only SYN (RFC1122-3.2.1.3-1).
  if (!addresses_.is_valid_source(ip.source)) {
    return refuse(Drop::kInvalidSource, "RFC 9293 §3.9.2.3: its source is no host's address");
  }
  if (result == ParseResult::kBadTcpChecksum) {
    return refuse(Drop::kBadTcpChecksum, "RFC 9293 §3.1: wrong checksum");
  }
  if (result != ParseResult::kOk) {
    return refuse(Drop::kMalformedTcp, "RFC 9293 §3.1: malformed header");
  }
  // RFC 9293 §3.4.3: nothing may be sent yet, so nothing is answered.
  if (is_quiet(now)) return refuse(Drop::kQuietTime, "RFC 9293 §3.4.3: quiet time");
  ++counters_.segments_received;
  segment_arrives(now, segment);
}

bool Host::Impl::is_quiet(tcp::Instant now) {
  if (!started_) started_ = now;
  return now - *started_ < config_.tcp.quiet_time;
}

void Host::Impl::segment_arrives(tcp::Instant now, const packet::TcpSegment& segment) {
  const packet::FourTuple tuple = segment.four_tuple();
  const std::optional<Index> index = table_.find(tuple);
  if (index && !table_[*index].reopening) {
    if (table_[*index].is_time_wait()) return segment_to_time_wait(now, *index, segment);
    ask_for_room(table_[*index]);
    table_[*index].connection()->on_segment(now, segment);
    return settle(now, *index);
  }
  if (const std::optional<Index> listener = table_.find_listener(tuple)) {
    return segment_to_listener(now, *listener, segment, std::nullopt);
  }
  // RFC 9293 §3.10.7.1.
  trace_drop(now, "RFC 9293 §3.10.7.1: no connection");
  tcp::SegmentOut reset;
  if (!tcp::reset_for(segment, reset)) return;
  reset.ttl = config_.tcp.defaults.ttl;
  ++counters_.resets_for_closed;
  queue_own(reset);
}

void Host::Impl::segment_to_time_wait(tcp::Instant now, Index index,
                                      const packet::TcpSegment& segment) {
  Slot& slot = table_[index];
  tcp::SeqNum iss_above;
  bool wants_reopen = false;
  if (tcp::Connection* const connection = slot.connection()) {
    connection->on_segment(now, segment);
    wants_reopen = connection->take_reopen_request();
    iss_above = tcp::SeqNum(connection->status(now).snd_nxt);
  } else {
    tcp::TimeWait& time_wait = *slot.time_wait();
    const tcp::TimeWait::Action action = time_wait.on_segment(now, segment, config_.tcp);
    if (action == tcp::TimeWait::Action::kDelete) {
      return end_time_wait(now, index, "RFC 9293 §3.10.7.4 second: RST");
    }
    wants_reopen = action == tcp::TimeWait::Action::kReopen;
    iss_above = time_wait.reopen_iss_above();
  }
  if (!wants_reopen) return settle(now, index);

  const std::optional<Index> listener = table_.find_listener(slot.tuple);
  if (!listener || !table_[*listener].listening()->takes(slot.tuple.remote)) {
    if (tcp::Connection* const connection = slot.connection()) {
      connection->refuse_reopen(now);
    } else {
      slot.time_wait()->refuse_reopen(now, config_.tcp);
    }
    return settle(now, index);
  }
  // RFC9293-MAY-2: the TIME-WAIT is kept until the new incarnation is real, and comes back when the
  // SYN turns out an old duplicate (EM-TIME-WAIT-REOPEN-01).
  slot.reopening = true;
  reopening_.push_back({.time_wait = index, .embryonic = 0});
  judging_reopening_ = true;
  segment_to_listener(now, *listener, segment, iss_above);
  judging_reopening_ = false;
}

void Host::Impl::segment_to_listener(tcp::Instant now, Index index,
                                     const packet::TcpSegment& segment,
                                     std::optional<tcp::SeqNum> iss_above) {
  std::optional<tcp::Promoted> promoted =
      table_[index].listening()->on_segment(now, segment, iss_above);
  if (promoted) {
    adopt(now, index, *std::move(promoted));
  } else {
    settle(now, index);
  }
}

void Host::Impl::learn(const IpAddress& address, const packet::MacAddress& mac, bool create) {
  neighbours_.learn(address, mac, create, released_);
  for (WaitingFrame& frame : released_) {
    queue_own(OwnFrame{.bytes = std::move(frame.bytes), .meta = frame.meta});
  }
  released_.clear();
}

}  // namespace tcproctor::host
