// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/listener.h"

#include <algorithm>

#include "absl/status/status.h"
#include "stack/tcp/check.h"
#include "stack/tcp/closed.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kFin;
using packet::kRst;
using packet::kSyn;

Listener::Listener(const ListenerConfig& config)
    : config_(config),
      cache_(config.secret, config.settings->syn_cache_size),
      cookies_({config.secret.k0 ^ 0x436f6f6b69650001, config.secret.k1 ^ 0x436f6f6b69650002}),
      fast_open_cookies_(
          {config.secret.k0 ^ 0x46617374204f7001, config.secret.k1 ^ 0x46617374204f7002}) {
  TCPROCTOR_CHECK(config.next_id != nullptr && config.backlog != 0);
}

std::optional<Promoted> Listener::on_segment(Instant now, const packet::TcpSegment& segment,
                                             std::optional<SeqNum> iss_above) {
  const packet::SocketAddress remote{segment.source, segment.header.source_port};
  if (const std::string_view cause = check_signature(segment); !cause.empty()) {
    ++signature_failures_;
    drop(now, cause);  // RFC2385-2-3, RFC5925-7.3-2: silently
    return std::nullopt;
  }
  if (config_.remote.has_value() && *config_.remote != remote) {
    // Not this listener's peer: as if nobody listened (§3.10.7.1).
    SegmentOut reset;
    if (reset_for(segment, reset)) queue_reply(reset);
    return std::nullopt;
  }
  const SynCache::Slot slot = cache_.find(segment.destination, remote);
  if (slot != SynCache::kNone) return segment_arrives_syn_received(now, slot, segment);
  return segment_arrives_listen(now, segment, iss_above);
}

// ------------------------------------------------------------------------------ §3.10.7.2 LISTEN

std::optional<Promoted> Listener::segment_arrives_listen(Instant now,
                                                         const packet::TcpSegment& segment,
                                                         std::optional<SeqNum> iss_above) {
  // First, check for a RST: EM-LISTEN-SEG-01..03.
  if (segment.has(kRst)) {
    drop(now, "RFC 9293 §3.10.7.2 first: RST");
    return std::nullopt;
  }
  // Second, check for an ACK: EM-LISTEN-SEG-04..07, unless it answers a cookie.
  if (segment.has(kAck)) {
    if (!segment.has(kSyn)) {
      if (auto promoted = ack_of_cookie(now, segment)) return promoted;
    }
    SegmentOut reset;
    if (reset_for(segment, reset)) queue_reply(reset);
    drop(now, "RFC 9293 §3.10.7.2 second: ACK");
    return std::nullopt;
  }
  // Third, check for a SYN. Its security check has nothing to compare (EM-LISTEN-SEG-08).
  if (segment.has(kSyn)) return accept_syn(now, segment, iss_above);
  // Fourth, other data or control: EM-LISTEN-SEG-15..18.
  drop(now, "RFC 9293 §3.10.7.2 fourth: neither RST, ACK nor SYN");
  return std::nullopt;
}

// EM-LISTEN-SEG-09..12.
std::optional<Promoted> Listener::accept_syn(Instant now, const packet::TcpSegment& segment,
                                             std::optional<SeqNum> iss_above) {
  const packet::FourTuple tuple = segment.four_tuple();
  const auto& offered = segment.options;
  if (!has_room()) {
    ++dropped_;
    drop(now, "RFC 9293 §3.10.7.2 third: too many connections wait for ACCEPT");
    return std::nullopt;
  }
  // RFC7413-4.2-1, 4.2-2: only while it is on and not too many are pending.
  const bool fast_open = offered.fast_open.has_value() && takes_fast_open();
  const bool early = fast_open && cookie_is_good(now, segment);
  // RFC7413-4.2.2-4: text that came with a bad cookie is not kept.
  const bool bad_cookie = fast_open && !early && !offered.fast_open->empty();
  const bool with_text = (!segment.payload.empty() || segment.has(kFin)) && !bad_cookie;
  const bool with_keys = has_keys_for(segment.source);
  const bool full_connection =
      early || ((with_text || with_keys) && full_half_open_.size() < kMaxFullHalfOpen);
  if (with_keys && !full_connection) {
    ++dropped_;
    drop(now, "RFC 9293 §3.10.7.2 third: too many signed connections are half open");
    return std::nullopt;
  }
  if (!full_connection && cache_.full()) {
    if (config_.settings->syn_cookies && !iss_above.has_value()) {
      send_cookie(now, segment);
    } else {
      ++dropped_;
      drop(now, "RFC 9293 §3.10.7.2 third: the SYN cache is full");
    }
    return std::nullopt;
  }

  SynEntry entry;
  entry.set_id((*config_.next_id)++);
  std::ranges::copy(tuple.local.address.bytes(), entry.local.begin());
  std::ranges::copy(tuple.remote.address.bytes(), entry.remote.begin());
  entry.v6 = tuple.remote.address.is_v6();
  entry.remote_port = tuple.remote.port;
  entry.irs = segment.header.sequence_number;
  entry.iss = choose_iss(now, tuple, iss_above).value();
  entry.peer_window = segment.header.window;
  if (offered.mss.has_value()) entry.peer_mss = std::max<uint16_t>(*offered.mss, 1);
  if (config_.options->window_scale && offered.window_scale.has_value()) {
    entry.peer_window_scale = std::min<uint8_t>(*offered.window_scale, 14) & 15;  // RFC7323-2.3-5
  }
  entry.sack_permitted = config_.options->sack_permitted && offered.sack_permitted;
  entry.timestamps = config_.options->timestamps && offered.timestamps.has_value();
  if (entry.timestamps) entry.ts_recent = offered.timestamps->value;
  entry.ecn = config_.options->ecn != EcnUse::kOff && is_ecn_setup_syn(segment);
  // Rounded up, so that no retransmission comes before its RTO (RFC6298-5-1).
  entry.created_ms = static_cast<uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(now.time_since_epoch()).count());
  emit(entry.id, {.kind = Event::Kind::kStateChange,
                  .time = now,
                  .from = State::kListen,
                  .to = State::kSynReceived,
                  .cause = "RFC 9293 §3.10.7.2 third: SYN"});
  if (full_connection) {
    Promoted promoted = make_connection(now, entry, SynAck::kNotSent, &segment);
    if (early) {
      promoted.connection->take_text_of_syn(now, segment);
      fast_open_pending_.push_back(promoted.id);
      queue_for_accept(now, promoted.id);
    } else {
      if (!bad_cookie) promoted.connection->keep_text_of_syn(segment);
      full_half_open_.push_back(promoted.id);
    }
    count_half_open(now);
    return promoted;
  }
  const Duration wait = time_until_next_syn_ack(0);
  cache_.insert(entry, entry.created(now) + wait);
  std::optional<FastOpenCookie> cookie;
  if (fast_open) cookie = fast_open_cookies_.make(now, tuple.remote.address);
  send_syn_ack(now, entry, cookie);
  count_half_open(now);
  return std::nullopt;
}

// ----------------------------------------- §3.10.7.4 SYN-RECEIVED (passive), for a small entry

// RFC5961-7-1, 7-3: counted for each entry, all its life. A count that others share would tell them
// which connections there are.
bool Listener::may_challenge(SynEntry& entry) const {
  const uint32_t limit = config_.settings->challenge_ack_limit;
  if (limit == 0) return true;
  if (entry.challenges >= std::min<uint32_t>(limit, UINT8_MAX)) return false;
  ++entry.challenges;
  return true;
}

std::optional<Promoted> Listener::segment_arrives_syn_received(Instant now, SynCache::Slot slot,
                                                               const packet::TcpSegment& segment) {
  SynEntry& entry = cache_.entry(slot);
  const SeqNum seq(segment.header.sequence_number);
  const SeqNum rcv_nxt = SeqNum(entry.irs) + 1;
  const uint32_t window = syn_window();
  const uint32_t length = segment.sequence_length();
  if (segment.has(kSyn) && !segment.has(kRst | kAck) && seq == SeqNum(entry.irs)) {
    // RFC3168-6.1.1-5, 6.1.1.1-2: the peer gave ECN up.
    if (!is_ecn_setup_syn(segment)) entry.ecn = false;
    entry.asked_again = 1;
    send_syn_ack(now, entry);  // ruling 4, EM-SYN-RECEIVED-passive-SEG-03, 21
    return std::nullopt;
  }
  const auto answer_ack = [&](std::string_view cause) {
    if (length != 0 || may_challenge(entry)) send_ack(now, entry);
    drop(now, cause);
  };
  if (entry.timestamps && !segment.has(kRst)) {  // RFC7323-3.2-7, 5.3-1
    const auto& option = segment.options.timestamps;
    if (!option.has_value()) {
      drop(now, "RFC 7323 §3.2: timestamps option is missing");
      return std::nullopt;
    }
    if (static_cast<int32_t>(option->value - entry.ts_recent) < 0) {
      answer_ack("RFC 7323 §5.3 R1: old timestamp");
      return std::nullopt;
    }
  }
  // First check: EM-SYN-RECEIVED-passive-SEG-01..08. A RST is judged by its SEQ alone.
  const bool acceptable =
      seq.in_window(rcv_nxt, window) ||
      (!segment.has(kRst) && length != 0 && (seq + (length - 1)).in_window(rcv_nxt, window));
  if (!acceptable) {
    if (segment.has(kRst)) {
      drop(now, "RFC 9293 §3.10.7.4 first: RST outside the window");
    } else {
      answer_ack("RFC 9293 §3.10.7.4 first: outside the window");
    }
    return std::nullopt;
  }
  if (segment.has(kRst)) {  // Second: EM-SYN-RECEIVED-passive-SEG-13, 14, 17, 18.
    if (seq == rcv_nxt) {
      remove_entry(now, slot, State::kListen, "RFC 9293 §3.10.7.4 second: RST", Outcome::kOk);
    } else {
      if (may_challenge(entry)) send_ack(now, entry);
      drop(now, "RFC 5961 §3.2: RST in the window but not at RCV.NXT");
    }
    return std::nullopt;
  }
  if (segment.has(kSyn) && seq.in_window(rcv_nxt, window)) {
    // Fourth: ruling 5, EM-SYN-RECEIVED-passive-SEG-20.
    remove_entry(now, slot, State::kListen, "RFC 9293 §3.10.7.4 fourth: SYN in the window",
                 Outcome::kOk);
    return std::nullopt;
  }
  if (!segment.has(kAck)) {  // Fifth: EM-SYN-RECEIVED-passive-SEG-22..25.
    drop(now, "RFC 9293 §3.10.7.4 fifth: no ACK");
    return std::nullopt;
  }
  const SeqNum ack(segment.header.acknowledgment_number);
  if (ack != SeqNum(entry.iss) + 1) {
    send_reset(tuple_of(entry), ack, entry, now);
    drop(now, "RFC 9293 §3.10.7.4 fifth: ACK is not acceptable");
    return std::nullopt;
  }
  if (!has_room()) {
    drop(now, "RFC 9293 §3.10.7.4 fifth: too many connections wait for ACCEPT");
    return std::nullopt;
  }
  return promote_and_process(now, slot, segment);
}

std::optional<Promoted> Listener::promote_and_process(Instant now, SynCache::Slot slot,
                                                      const packet::TcpSegment& segment) {
  std::optional<Promoted> promoted = make_connection(now, cache_.entry(slot), SynAck::kSent);
  cache_.erase(slot);
  promoted->connection->on_segment(now, segment);
  if (promoted->connection->state() == State::kSynReceived) {
    full_half_open_.push_back(promoted->id);
  } else {
    on_established(now, promoted->id);
  }
  count_half_open(now);
  return promoted;
}

Promoted Listener::make_connection(Instant now, const SynEntry& entry, SynAck syn_ack,
                                   const packet::TcpSegment* syn) {
  const packet::FourTuple tuple = tuple_of(entry);
  const ConnectionConfig config{.tuple = tuple,
                                .iss = SeqNum(entry.iss),
                                .timestamp_offset = timestamp_offset(config_.secret, tuple),
                                .mtu = config_.mtu,
                                .settings = config_.settings,
                                .options = config_.options,
                                .reassembly = config_.reassembly,
                                .trace = config_.trace};
  PassiveStart start{.irs = SeqNum(entry.irs),
                     .peer_window = entry.peer_window,
                     .sack_permitted = entry.sack_permitted,
                     .timestamps = entry.timestamps,
                     .ecn = entry.ecn,
                     .ts_recent = entry.ts_recent,
                     .syn_received = entry.created(now),
                     .syn_ack_sent = syn_ack != SynAck::kNotSent,
                     .signed_syn = syn,
                     .syn_ack_retransmissions = entry.retransmissions};
  if (syn_ack == SynAck::kSent) {
    // RFC6298-3-1: which of several SYN,ACKs is acknowledged nobody knows.
    if (entry.asked_again == 0) start.syn_ack_first_sent = entry.created(now);
    // RFC6298-5.1-1: its timer goes on, whoever made a connection of it.
    start.next_syn_ack = entry.created(now) + time_until_next_syn_ack(entry.retransmissions);
  }
  if (entry.peer_mss != 0) start.peer_mss = entry.peer_mss;
  if (entry.peer_window_scale != SynEntry::kNoScale) {
    start.peer_window_scale = entry.peer_window_scale;
  }
  return {entry.id, std::make_unique<Connection>(config, start, now)};
}

// ---------------------------------------------------------------------------------- SYN cookies

void Listener::send_cookie(Instant now, const packet::TcpSegment& segment) {
  const packet::FourTuple tuple = segment.four_tuple();
  const auto& offered = segment.options;
  const SeqNum irs(segment.header.sequence_number);
  const uint16_t mss = offered.mss.value_or(default_mss(tuple.remote.address.family()));
  uint16_t flags = kSyn | kAck;
  packet::SynOptions options;
  options.mss = announced_mss(tuple.local.address.family());
  if (config_.options->timestamps && offered.timestamps.has_value()) {
    SynCookie::Options kept;
    if (config_.options->window_scale && offered.window_scale.has_value()) {
      kept.window_scale = std::min<uint8_t>(*offered.window_scale, 14);
      options.window_scale = window_shift();
    }
    kept.sack_permitted = config_.options->sack_permitted && offered.sack_permitted;
    options.sack_permitted = kept.sack_permitted;
    kept.ecn = config_.options->ecn != EcnUse::kOff && is_ecn_setup_syn(segment);
    if (kept.ecn) flags |= packet::kEce;
    const uint32_t clock = timestamp_value(now, timestamp_offset(config_.secret, tuple));
    options.timestamps = {.value = SynCookie::timestamp_with(clock, kept),
                          .echo_reply = offered.timestamps->value};
  }
  reply(tuple, cookies_.make(now, tuple, irs, mss), irs + 1, flags, options);
  ++cookies_sent_;
  last_cookie_ = now;
}

std::optional<Promoted> Listener::ack_of_cookie(Instant now, const packet::TcpSegment& segment) {
  if (!last_cookie_.has_value() || now - *last_cookie_ > 2 * SynCookie::kPeriod) {
    return std::nullopt;
  }
  const packet::FourTuple tuple = segment.four_tuple();
  const SeqNum irs = SeqNum(segment.header.sequence_number) - 1;
  const SeqNum iss = SeqNum(segment.header.acknowledgment_number) - 1;
  const std::optional<uint16_t> mss = cookies_.check(now, tuple, irs, iss);
  if (!mss.has_value()) return std::nullopt;
  if (!has_room()) return std::nullopt;
  SynEntry entry;
  entry.set_id((*config_.next_id)++);
  std::ranges::copy(tuple.local.address.bytes(), entry.local.begin());
  std::ranges::copy(tuple.remote.address.bytes(), entry.remote.begin());
  entry.v6 = tuple.remote.address.is_v6();
  entry.remote_port = tuple.remote.port;
  entry.irs = irs.value();
  entry.iss = iss.value();
  entry.peer_mss = *mss;
  entry.peer_window = segment.header.window;
  entry.created_ms = static_cast<uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(now.time_since_epoch()).count());
  // The round trip is not known, and whether our SYN,ACK went more than once neither.
  if (config_.options->timestamps && segment.options.timestamps.has_value()) {
    const auto kept = SynCookie::options_in(segment.options.timestamps->echo_reply);
    entry.timestamps = true;
    entry.ts_recent = segment.options.timestamps->value;
    entry.ecn = kept.ecn && config_.options->ecn != EcnUse::kOff;
    entry.sack_permitted = kept.sack_permitted && config_.options->sack_permitted;
    if (kept.window_scale.has_value() && config_.options->window_scale) {
      entry.peer_window_scale = *kept.window_scale & 15;
    }
  }
  ++cookies_accepted_;
  emit(entry.id, {.kind = Event::Kind::kStateChange,
                  .time = now,
                  .from = State::kListen,
                  .to = State::kSynReceived,
                  .cause = kOfCookie});
  std::optional<Promoted> promoted = make_connection(now, entry, SynAck::kInCookie);
  promoted->connection->on_segment(now, segment);
  on_established(now, promoted->id);
  return promoted;
}

}  // namespace tcproctor::tcp
