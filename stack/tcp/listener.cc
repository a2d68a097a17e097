// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/listener.h"

#include <algorithm>

#include "absl/status/status.h"
#include "stack/tcp/check.h"
#include "stack/tcp/closed.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kFin;
using packet::kRst;
using packet::kSyn;

namespace {

constexpr size_t kMostReplies =
    4096;  // pending ones; beyond, the peer's retransmission gets another

// Time from the first SYN,ACK to the end of the wait after `retransmissions` more.
Duration backoff_sum(const Settings& settings, uint32_t retransmissions) {
  Duration sum{0};
  Duration rto = std::clamp(settings.initial_rto, settings.min_rto, settings.max_rto);
  for (uint32_t i = 0; i <= retransmissions; ++i) {
    sum += rto;
    rto = std::min(2 * rto, settings.max_rto);
  }
  return sum;
}

}  // namespace

Listener::Listener(const ListenerConfig& config)
    : config_(config),
      cache_(config.secret, config.settings->syn_cache_size),
      cookies_({config.secret.k0 ^ 0x436f6f6b69650001, config.secret.k1 ^ 0x436f6f6b69650002}) {
  TCPROCTOR_CHECK(config.next_id != nullptr && config.backlog != 0);
}

std::optional<Promoted> Listener::on_segment(Instant now, const packet::TcpSegment& segment,
                                             std::optional<SeqNum> iss_above) {
  const packet::SocketAddress remote{segment.source, segment.header.source_port};
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
  if (accept_queue_.size() >= config_.backlog) {
    ++dropped_;
    drop(now, "backlog: too many connections wait for ACCEPT");
    return std::nullopt;
  }
  const bool with_text = !segment.payload.empty() || segment.has(kFin);
  const bool full_connection = with_text && full_half_open_.size() < kMaxFullHalfOpen;
  if (!full_connection && cache_.full()) {
    if (config_.settings->syn_cookies && !iss_above.has_value()) {
      send_cookie(now, segment);
    } else {
      ++dropped_;
      drop(now, "SYN cache is full");
    }
    return std::nullopt;
  }

  SynEntry entry;
  entry.id = (*config_.next_id)++;
  std::ranges::copy(tuple.local.address.bytes(), entry.local.begin());
  std::ranges::copy(tuple.remote.address.bytes(), entry.remote.begin());
  entry.v6 = tuple.remote.address.is_v6();
  entry.remote_port = tuple.remote.port;
  entry.irs = segment.header.sequence_number;
  entry.iss = choose_iss(now, tuple, iss_above).value();
  entry.peer_window = segment.header.window;
  if (offered.mss.has_value()) entry.peer_mss = std::max<uint16_t>(*offered.mss, 1);
  if (config_.options.window_scale && offered.window_scale.has_value()) {
    entry.peer_window_scale = std::min<uint8_t>(*offered.window_scale, 14) & 15;  // RFC7323-2.3-5
  }
  entry.sack_permitted = config_.options.sack_permitted && offered.sack_permitted;
  entry.timestamps = config_.options.timestamps && offered.timestamps.has_value();
  if (entry.timestamps) entry.ts_recent = offered.timestamps->value;
  // Rounded up, so that no retransmission comes before its RTO (RFC6298-5-1).
  entry.created_ms = static_cast<uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(now.time_since_epoch()).count());
  emit(entry.id, {.kind = Event::Kind::kStateChange,
                  .time = now,
                  .from = State::kListen,
                  .to = State::kSynReceived,
                  .cause = "RFC 9293 §3.10.7.2 third: SYN"});
  if (full_connection) {
    Promoted promoted = make_connection(now, entry, false);
    promoted.connection->keep_text_of_syn(segment);
    full_half_open_.push_back(promoted.id);
    count_half_open(now);
    return promoted;
  }
  const Duration wait = std::min(backoff_sum(*config_.settings, 0), config_.options.syn_timeout);
  cache_.insert(entry, entry.created(now) + wait);
  send_syn_ack(now, entry);
  count_half_open(now);
  return std::nullopt;
}

// ----------------------------------------- §3.10.7.4 SYN-RECEIVED (passive), for a small entry

std::optional<Promoted> Listener::segment_arrives_syn_received(Instant now, SynCache::Slot slot,
                                                               const packet::TcpSegment& segment) {
  SynEntry& entry = cache_.entry(slot);
  const SeqNum seq(segment.header.sequence_number);
  const SeqNum rcv_nxt = SeqNum(entry.irs) + 1;
  const uint32_t window = syn_window();
  const uint32_t length = segment.sequence_length();
  if (segment.has(kSyn) && !segment.has(kRst | kAck) && seq == SeqNum(entry.irs)) {
    send_syn_ack(now, entry);  // ruling 4, EM-SYN-RECEIVED-passive-SEG-03, 21
    return std::nullopt;
  }
  const auto answer_ack = [&](std::string_view cause) {
    if (length != 0 || challenge_limiter_.allow(now, config_.settings->challenge_ack_limit,
                                                config_.settings->challenge_ack_interval)) {
      send_ack(now, entry);
    }
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
      if (challenge_limiter_.allow(now, config_.settings->challenge_ack_limit,
                                   config_.settings->challenge_ack_interval)) {
        send_ack(now, entry);
      }
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
  if (accept_queue_.size() >= config_.backlog) {
    drop(now, "backlog: too many connections wait for ACCEPT");
    return std::nullopt;
  }
  return promote_and_process(now, slot, segment);
}

std::optional<Promoted> Listener::promote_and_process(Instant now, SynCache::Slot slot,
                                                      const packet::TcpSegment& segment) {
  Promoted promoted = make_connection(now, cache_.entry(slot), true);
  cache_.erase(slot);
  promoted.connection->on_segment(now, segment);
  if (promoted.connection->state() == State::kSynReceived) {
    full_half_open_.push_back(promoted.id);
  } else {
    on_established(now, promoted.id);
  }
  count_half_open(now);
  return promoted;
}

Promoted Listener::make_connection(Instant now, const SynEntry& entry, bool syn_ack_sent) {
  const packet::FourTuple tuple = tuple_of(entry);
  const ConnectionConfig config{.tuple = tuple,
                                .iss = SeqNum(entry.iss),
                                .timestamp_offset = timestamp_offset(config_.secret, tuple),
                                .mtu = config_.mtu,
                                .settings = config_.settings,
                                .options = config_.options,
                                .trace = config_.trace};
  PassiveStart start{.irs = SeqNum(entry.irs),
                     .peer_window = entry.peer_window,
                     .sack_permitted = entry.sack_permitted,
                     .timestamps = entry.timestamps,
                     .ts_recent = entry.ts_recent,
                     .syn_received = entry.created(now),
                     .syn_ack_sent = syn_ack_sent,
                     .syn_ack_first_sent = entry.created(now),
                     .syn_ack_retransmissions = entry.retransmissions};
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
  packet::SynOptions options;
  options.mss = announced_mss(tuple.local.address.family());
  if (config_.options.timestamps && offered.timestamps.has_value()) {
    SynCookie::Options kept;
    if (config_.options.window_scale && offered.window_scale.has_value()) {
      kept.window_scale = std::min<uint8_t>(*offered.window_scale, 14);
      options.window_scale = window_shift();
    }
    kept.sack_permitted = config_.options.sack_permitted && offered.sack_permitted;
    options.sack_permitted = kept.sack_permitted;
    const uint32_t clock = timestamp_value(now, timestamp_offset(config_.secret, tuple));
    options.timestamps = {.value = SynCookie::timestamp_with(clock, kept),
                          .echo_reply = offered.timestamps->value};
  }
  reply(tuple, cookies_.make(now, tuple, irs, mss), irs + 1, kSyn | kAck, options);
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
  if (accept_queue_.size() >= config_.backlog) return std::nullopt;
  SynEntry entry;
  entry.id = (*config_.next_id)++;
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
  if (config_.options.timestamps && segment.options.timestamps.has_value()) {
    const auto kept = SynCookie::options_in(segment.options.timestamps->echo_reply);
    entry.timestamps = true;
    entry.ts_recent = segment.options.timestamps->value;
    entry.sack_permitted = kept.sack_permitted && config_.options.sack_permitted;
    if (kept.window_scale.has_value() && config_.options.window_scale) {
      entry.peer_window_scale = *kept.window_scale & 15;
    }
  }
  ++cookies_accepted_;
  emit(entry.id, {.kind = Event::Kind::kStateChange,
                  .time = now,
                  .from = State::kListen,
                  .to = State::kSynReceived,
                  .cause = "RFC 4987 §3.6: ACK of a SYN cookie"});
  Promoted promoted = make_connection(now, entry, true);
  promoted.connection->on_segment(now, segment);
  on_established(now, promoted.id);
  return promoted;
}

// ------------------------------------------------------------------------------------ user calls

bool Listener::takes(const packet::SocketAddress& remote) const {
  if (config_.remote.has_value() && *config_.remote != remote) return false;
  return accept_queue_.size() < config_.backlog && !cache_.full();
}

std::optional<Promoted> Listener::promote(Instant now, uint64_t id) {
  const SynCache::Slot slot = cache_.find_id(id);
  if (slot == SynCache::kNone) return std::nullopt;
  Promoted promoted = make_connection(now, cache_.entry(slot), true);
  cache_.erase(slot);
  full_half_open_.push_back(id);
  return promoted;
}

bool Listener::abort(Instant now, uint64_t id) {  // EM-SYN-RECEIVED-ABORT-01
  const SynCache::Slot slot = cache_.find_id(id);
  if (slot == SynCache::kNone) return false;
  const SynEntry& entry = cache_.entry(slot);
  send_reset(tuple_of(entry), SeqNum(entry.iss) + 1, entry, now);
  remove_entry(now, slot, State::kClosed, "RFC 9293 §3.10.5: ABORT", Outcome::kConnectionAborted);
  return true;
}

std::optional<Status> Listener::status(Instant now, uint64_t id) const {
  const SynCache::Slot slot = cache_.find_id(id);
  if (slot == SynCache::kNone) return std::nullopt;
  const SynEntry& entry = cache_.entry(slot);
  const packet::FourTuple tuple = tuple_of(entry);
  const bool scaled = entry.peer_window_scale != SynEntry::kNoScale;
  const uint16_t peer_mss =
      entry.peer_mss != 0 ? entry.peer_mss : default_mss(tuple.remote.address.family());
  const Instant created = entry.created(now);
  const Duration wait =
      std::min(backoff_sum(*config_.settings, entry.retransmissions), config_.options.syn_timeout);
  return Status{
      .state = State::kSynReceived,
      .passive = true,
      .local = tuple.local,
      .remote = tuple.remote,
      .iss = entry.iss,
      .irs = entry.irs,
      .snd_una = entry.iss,
      .snd_nxt = entry.iss + 1,
      .snd_up = entry.iss,
      .snd_wl1 = entry.irs,
      .snd_wl2 = entry.iss,
      .snd_wnd = entry.peer_window,
      .max_snd_wnd = entry.peer_window,
      .rcv_nxt = entry.irs + 1,
      .rcv_wnd = syn_window(),
      .rcv_up = entry.irs + 1,
      .snd_wind_shift = scaled ? static_cast<uint8_t>(entry.peer_window_scale) : uint8_t{0},
      .rcv_wind_shift = scaled ? window_shift() : uint8_t{0},
      .timestamps = entry.timestamps,
      .sack_permitted = entry.sack_permitted,
      .send_mss = static_cast<uint16_t>(
          effective_send_mss(peer_mss, tuple.remote.address.family(), config_.mtu) -
          (entry.timestamps ? 12 : 0)),
      .receive_mss = announced_mss(tuple.local.address.family()),
      .retransmissions = entry.retransmissions,
      .total_retransmissions = entry.retransmissions,
      .retransmission_timer = std::max(created + wait - now, Duration{0}),
      .user_timer = std::max(created + config_.options.syn_timeout - now, Duration{0})};
}

std::vector<uint64_t> Listener::embryonic() const {
  return cache_.ids();
}

Status Listener::status(Instant) const {
  Status status{.state = State::kListen, .passive = true, .local = config_.local};
  if (config_.remote.has_value()) status.remote = *config_.remote;
  status.receive_mss = announced_mss(config_.local.address.family());
  status.backlog_used = static_cast<uint32_t>(accept_queue_.size());
  return status;
}

void Listener::on_icmp(Instant now, const packet::FourTuple& tuple, const IcmpError& error) {
  const SynCache::Slot slot = cache_.find(tuple.local.address, tuple.remote);
  if (slot == SynCache::kNone) return;
  const SynEntry& entry = cache_.entry(slot);
  // RFC5927-4.1-1; RFC9293-MUST-55, MUST-56: only a hard error ends it (EM-SYN-RECEIVED-ICMP-03).
  if (error.quoted_sequence_number - entry.iss > 1) return;
  if (error.kind == packet::IcmpClass::kHard) {
    remove_entry(now, slot, State::kClosed, "RFC 9293 §3.9.2.2: hard ICMP error",
                 Outcome::kUnreachable);
  } else if (error.kind != packet::IcmpClass::kSourceQuench &&
             error.kind != packet::IcmpClass::kOther && config_.options.report_soft_errors) {
    emit(entry.id, {.kind = Event::Kind::kSoftError,
                    .time = now,
                    .from = State::kSynReceived,
                    .to = State::kSynReceived,
                    .icmp_type = error.type,
                    .icmp_code = error.code,
                    .cause = "RFC 9293 §3.9.2.2: soft ICMP error"});
  }
}

std::optional<uint64_t> Listener::accept() {
  if (accept_queue_.empty()) return std::nullopt;
  const uint64_t id = accept_queue_.front();
  accept_queue_.pop_front();
  return id;
}

void Listener::on_established(Instant now, uint64_t id) {
  std::erase(full_half_open_, id);
  accept_queue_.push_back(id);
  emit(config_.id, {.kind = Event::Kind::kAcceptable,
                    .time = now,
                    .from = State::kListen,
                    .to = State::kListen});
}

void Listener::on_gone(uint64_t id) {
  std::erase(full_half_open_, id);
  std::erase(accept_queue_, id);
}

Outcome Listener::can_become_active(const std::optional<packet::SocketAddress>& remote) const {
  if (remote.has_value() || config_.remote.has_value()) return Outcome::kOk;
  return Outcome::kRemoteUnspecified;  // EM-LISTEN-OPEN-02, EM-LISTEN-SEND-02
}

absl::Status Listener::set_options(const ConnectionOptions& options) {
  if (absl::Status status = validate(options); !status.ok()) return status;
  config_.options = options;
  return absl::OkStatus();
}

// ------------------------------------------------------------------------------ §3.10.8 timeouts

std::optional<Instant> Listener::next_deadline() const {
  return cache_.next_deadline();
}

// Dead half-open connections are released (S001-syn-1): EM-SYN-RECEIVED-RTO-01, UTO-01.
void Listener::on_deadline(Instant now) {
  for (;;) {
    const SynCache::Slot slot = cache_.take_expired(now);
    if (slot == SynCache::kNone) return;
    SynEntry& entry = cache_.entry(slot);
    const Instant created = entry.created(now);
    if (now >= created + config_.options.syn_timeout || entry.retransmissions == UINT8_MAX) {
      remove_entry(now, slot, State::kClosed, "RFC 9293 §3.10.8: SYN,ACK never acknowledged",
                   Outcome::kTimedOut);
      continue;
    }
    ++entry.retransmissions;
    send_syn_ack(now, entry);
    const Duration wait = std::min(backoff_sum(*config_.settings, entry.retransmissions),
                                   config_.options.syn_timeout);
    // A call that comes very late does not send all it missed at once.
    cache_.set_deadline(slot, std::max(created + wait, now + std::chrono::milliseconds(1)));
  }
}

void Listener::remove_entry(Instant now, SynCache::Slot slot, State to, std::string_view cause,
                            Outcome outcome) {
  const uint64_t id = cache_.entry(slot).id;
  cache_.erase(slot);
  emit(id, {.kind = Event::Kind::kStateChange,
            .time = now,
            .from = State::kSynReceived,
            .to = to,
            .outcome = outcome,
            .cause = cause});
  count_half_open(now);
}

// ---------------------------------------------------------------------------------------- output

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
  segment.dscp = config_.options.dscp;
  segment.ttl = config_.options.ttl;
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
  if (flags & kAck) out.header.window = static_cast<uint16_t>(syn_window());
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
void Listener::send_syn_ack(Instant now, const SynEntry& entry) {
  packet::SynOptions options;
  options.mss = announced_mss(entry.v6 ? packet::IpFamily::kV6 : packet::IpFamily::kV4);
  if (entry.peer_window_scale != SynEntry::kNoScale) options.window_scale = window_shift();
  options.sack_permitted = entry.sack_permitted;
  options.timestamps = timestamps_for(now, entry);
  reply(tuple_of(entry), SeqNum(entry.iss), SeqNum(entry.irs) + 1, kSyn | kAck, options);
}

// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
void Listener::send_ack(Instant now, const SynEntry& entry) {
  packet::SynOptions options;
  options.timestamps = timestamps_for(now, entry);
  reply(tuple_of(entry), SeqNum(entry.iss) + 1, SeqNum(entry.irs) + 1, kAck, options);
}

void Listener::send_reset(const packet::FourTuple& tuple, SeqNum seq, const SynEntry& entry,
                          Instant now) {
  packet::SynOptions options;
  options.timestamps = timestamps_for(now, entry);
  if (options.timestamps.has_value()) options.timestamps->echo_reply = 0;  // RFC7323-3.2-2
  reply(tuple, seq, SeqNum(), kRst, options);
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

// The seed's sign of an attack: many half-open connections from scattered sources (S001-syn-1). The
// sources are counted only now and then, for it takes a pass over the table.
void Listener::count_half_open(Instant now) {
  const uint32_t alarm = config_.settings->half_open_alarm;
  const size_t count = cache_.size() + full_half_open_.size();
  if (alarm == 0) return;
  if (count < alarm / 2 + 1) alarmed_ = false;
  if (alarmed_ || count < alarm || (count - alarm) % 64 != 0) return;
  if (distinct_sources() < count / 2) return;
  alarmed_ = true;
  emit(config_.id, {.kind = Event::Kind::kHalfOpenAlarm,
                    .time = now,
                    .from = State::kListen,
                    .to = State::kListen,
                    .cause = "many half-open connections from scattered sources"});
}

uint32_t Listener::distinct_sources() const {
  std::vector<std::array<uint8_t, 16>> sources;
  sources.reserve(cache_.size());
  cache_.for_each([&sources](const SynEntry& entry) { sources.push_back(entry.remote); });
  std::ranges::sort(sources);
  const auto repeated = std::ranges::unique(sources);
  return static_cast<uint32_t>(sources.size() - repeated.size());
}

Listener::HalfOpen Listener::half_open(Instant now) const {
  HalfOpen summary{.count = static_cast<uint32_t>(cache_.size() + full_half_open_.size()),
                   .distinct_sources = distinct_sources(),
                   .cookies_sent = cookies_sent_,
                   .cookies_accepted = cookies_accepted_,
                   .dropped = dropped_,
                   .bytes_per_entry = SynCache::bytes_per_entry()};
  cache_.for_each([&summary, now](const SynEntry& entry) {
    summary.oldest_age = std::max(summary.oldest_age, now - entry.created(now));
  });
  return summary;
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
  return static_cast<uint16_t>(std::min<uint32_t>(config_.options.receive_buffer_bytes, 65535));
}

uint16_t Listener::announced_mss(packet::IpFamily family) const {
  return tcp::announced_mss(config_.options.mss, family, config_.mtu);
}

uint8_t Listener::window_shift() const {
  return window_shift_for(config_.options.receive_buffer_bytes);
}

}  // namespace tcproctor::tcp
