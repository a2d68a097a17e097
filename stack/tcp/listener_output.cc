// SPDX-License-Identifier: Apache-2.0
// Segments and events of a listener.
#include <algorithm>

#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/buffer_tuning.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kRst;
using packet::kSyn;

bool Listener::next_segment(Instant, SegmentOut& out) {
  if (replies_.empty()) return false;
  out = replies_.front();
  replies_.pop_front();
  return true;
}

bool Listener::next_event(ListenerEvent& event) {
  if (events_.empty()) return false;
  event = events_.front();
  events_.pop_front();
  return true;
}

void Listener::queue_reply(SegmentOut segment) {
  // Beyond that many pending ones the peer's retransmission gets another.
  constexpr size_t kMostReplies = 4096;
  segment.dscp = config_.options->dscp;
  segment.ttl = config_.options->ttl;
  if (has_keys_for(segment.tuple.remote.address) &&
      !make_authenticator(*config_.options, segment.tuple, SeqNum())->sign(segment)) {
    return;
  }
  segment.dont_fragment = config_.options->path_mtu_discovery;
  if (replies_.size() < kMostReplies) replies_.push_back(segment);
}

void Listener::reply(const packet::FourTuple& tuple, SeqNum seq, SeqNum ack, uint16_t flags,
                     const packet::SynOptions& options) {
  SegmentOut out;
  out.tuple = tuple;
  out.header = packet::TcpHeader{.source_port = tuple.local.port,
                                 .destination_port = tuple.remote.port,
                                 .sequence_number = seq.value(),
                                 .acknowledgment_number = (flags & kAck) ? ack.value() : 0,
                                 .flags = flags};
  if (flags & kAck) {
    // RFC7323-2.3-4: only the window of a SYN is not scaled.
    const int shift = (flags & kSyn) ? 0 : options.window_scale.value_or(0);
    out.header.window = static_cast<uint16_t>(syn_window() >> shift);
  }
  packet::OptionWriter writer;
  if (flags & kSyn) {
    packet::write_syn_options(options, writer);
  } else {
    packet::write_segment_options(options.timestamps, {}, writer);
  }
  const auto bytes = writer.finish();
  std::ranges::copy(bytes, out.option_bytes.begin());
  out.option_size = static_cast<uint8_t>(bytes.size());
  queue_reply(out);
}

std::optional<packet::TimestampsOption> Listener::timestamps_for(Instant now,
                                                                 const SynEntry& entry) const {
  if (!entry.timestamps) return std::nullopt;
  const uint32_t offset = timestamp_offset(config_.secret, tuple_of(entry));
  return packet::TimestampsOption{.value = timestamp_value(now, offset),
                                  .echo_reply = entry.ts_recent};
}

// EM-LISTEN-SEG-09: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>.
// RFC7413-4.2.2-7: a cookie goes with the first one only.
void Listener::send_syn_ack(Instant now, const SynEntry& entry,
                            std::optional<FastOpenCookie> cookie) {
  packet::SynOptions options;
  if (cookie.has_value()) options.fast_open = cookie->span();
  options.mss = announced_mss(entry.v6 ? packet::IpFamily::kV6 : packet::IpFamily::kV4);
  if (entry.peer_window_scale != SynEntry::kNoScale) options.window_scale = window_shift();
  options.sack_permitted = entry.sack_permitted;
  options.timestamps = timestamps_for(now, entry);
  // RFC3168-6.1.1-1, 6.1.1-10
  const uint16_t ece = entry.ecn ? packet::kEce : uint16_t{0};
  reply(tuple_of(entry), SeqNum(entry.iss), SeqNum(entry.irs) + 1, kSyn | kAck | ece, options);
}

// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
void Listener::send_ack(Instant now, const SynEntry& entry) {
  packet::SynOptions options;
  options.timestamps = timestamps_for(now, entry);
  if (entry.peer_window_scale != SynEntry::kNoScale) options.window_scale = window_shift();
  reply(tuple_of(entry), SeqNum(entry.iss) + 1, SeqNum(entry.irs) + 1, kAck, options);
}

void Listener::send_reset(const packet::FourTuple& tuple, SeqNum seq, const SynEntry& entry,
                          Instant now) {
  packet::SynOptions options;
  options.timestamps = timestamps_for(now, entry);
  if (options.timestamps.has_value()) options.timestamps->echo_reply = 0;  // RFC7323-3.2-2
  reply(tuple, seq, SeqNum(), kRst, options);
}

bool Listener::has_keys_for(const packet::IpAddress& peer) const {
  return config_.options->keys != nullptr && config_.options->keys->find(peer) != nullptr;
}

// Empty: the segment may be looked at.
std::string_view Listener::check_signature(const packet::TcpSegment& segment) const {
  if (has_keys_for(segment.source)) {
    return make_authenticator(*config_.options, segment.four_tuple(), SeqNum())->verify(segment);
  }
  return unexpected_signature(segment.options, *config_.settings);
}

void Listener::emit(uint64_t id, Event event) {
  events_.push_back({id, event});
}

void Listener::drop(Instant now, std::string_view cause) {
  if (!config_.trace) return;
  emit(config_.id, {.kind = Event::Kind::kDropped,
                    .time = now,
                    .from = State::kListen,
                    .to = State::kListen,
                    .cause = cause});
}

SeqNum Listener::choose_iss(Instant now, const packet::FourTuple& tuple,
                            std::optional<SeqNum> iss_above) const {
  const SeqNum iss = initial_sequence_number(config_.secret, now, tuple);
  if (!iss_above.has_value() || iss.after(*iss_above)) return iss;
  // RFC9293-MAY-2 (1): above all the last incarnation used, and above what it could have in flight.
  return *iss_above + 65537;
}

packet::FourTuple Listener::tuple_of(const SynEntry& entry) const {
  return {{entry.local_address(), config_.local.port}, entry.remote_socket()};
}

uint16_t Listener::syn_window() const {
  return static_cast<uint16_t>(
      std::min<uint32_t>(initial_receive_buffer(*config_.options, *config_.settings), 65535));
}

uint16_t Listener::announced_mss(packet::IpFamily family) const {
  return tcp::announced_mss(config_.options->mss, family, config_.mtu);
}

uint8_t Listener::window_shift() const {
  return receive_window_shift(*config_.options, *config_.settings);
}

}  // namespace tcproctor::tcp
