// SPDX-License-Identifier: Apache-2.0
// What the user does with a listener and its embryonic connections, what time does (§3.10.8), and
// the watch over half-open connections.
#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

bool Listener::takes(const packet::SocketAddress& remote) const {
  if (config_.remote.has_value() && *config_.remote != remote) return false;
  return has_room() && !cache_.full();
}

std::optional<Promoted> Listener::promote(Instant now, uint64_t id) {
  const SynCache::Slot slot = cache_.find_id(id);
  if (slot == SynCache::kNone) return std::nullopt;
  Promoted promoted = make_connection(now, cache_.entry(slot), SynAck::kSent);
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
  const Duration wait = time_until_next_syn_ack(entry.retransmissions);
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
      .user_timer = std::max(created + config_.options->syn_timeout - now, Duration{0})};
}

std::vector<uint64_t> Listener::embryonic() const {
  return cache_.ids();
}

Status Listener::status(Instant) const {
  Status status{.state = State::kListen, .passive = true, .local = config_.local};
  if (config_.remote.has_value()) status.remote = *config_.remote;
  status.receive_mss = announced_mss(config_.local.address.family());
  status.signature_failures = signature_failures_;
  status.backlog_used = static_cast<uint32_t>(accept_queue_.size());
  return status;
}

void Listener::on_icmp(Instant now, const packet::FourTuple& tuple, const IcmpError& error) {
  const SynCache::Slot slot = cache_.find(tuple.local.address, tuple.remote);
  if (slot == SynCache::kNone) return;
  const SynEntry& entry = cache_.entry(slot);
  // RFC5927-4.1-1; RFC9293-MUST-55, MUST-56: only a hard error ends it (EM-SYN-RECEIVED-ICMP-03).
  if (error.quoted_sequence_number != entry.iss) return;
  if (error.kind == packet::IcmpClass::kHard) {
    remove_entry(now, slot, State::kClosed, "RFC 9293 §3.9.2.2: hard ICMP error",
                 Outcome::kUnreachable);
  } else if (error.kind != packet::IcmpClass::kSourceQuench &&
             error.kind != packet::IcmpClass::kOther && config_.options->report_soft_errors) {
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

bool Listener::cookie_is_good(Instant now, const packet::TcpSegment& segment) const {
  return fast_open_cookies_.check(now, segment.source, *segment.options.fast_open);
}

bool Listener::on_established(Instant now, uint64_t id) {
  if (std::erase(fast_open_pending_, id) != 0) return false;
  std::erase(full_half_open_, id);
  queue_for_accept(now, id);
  return true;
}

void Listener::queue_for_accept(Instant now, uint64_t id) {
  accept_queue_.push_back(id);
  emit(config_.id, {.kind = Event::Kind::kAcceptable,
                    .time = now,
                    .from = State::kListen,
                    .to = State::kListen});
}

void Listener::on_gone(uint64_t id) {
  std::erase(full_half_open_, id);
  std::erase(fast_open_pending_, id);
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

// RFC6298-5.5-1: from the first SYN,ACK to the end of the wait after `retransmissions` more.
Duration Listener::time_until_next_syn_ack(uint32_t retransmissions) const {
  const Settings& settings = *config_.settings;
  Duration sum{0};
  Duration rto = std::clamp(settings.initial_rto, settings.min_rto, settings.max_rto);
  for (uint32_t i = 0; i <= retransmissions && sum < config_.options->syn_timeout; ++i) {
    sum += rto;
    rto = std::min(2 * rto, settings.max_rto);
  }
  return std::min(sum, config_.options->syn_timeout);
}

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
    if (now >= created + config_.options->syn_timeout || entry.retransmissions == UINT8_MAX) {
      remove_entry(now, slot, State::kClosed, "RFC 9293 §3.10.8: SYN,ACK never acknowledged",
                   Outcome::kTimedOut);
      continue;
    }
    ++entry.retransmissions;
    send_syn_ack(now, entry);
    const Duration wait = time_until_next_syn_ack(entry.retransmissions);
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

// The seed's sign of an attack: many half-open connections from scattered sources (S001-syn-1). The
// sources are counted only now and then, for it takes a pass over the table.
void Listener::count_half_open(Instant now) {
  const uint32_t alarm = config_.settings->half_open_alarm;
  const size_t count = half_open_count();
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
  return static_cast<uint32_t>(std::unique(sources.begin(), sources.end()) - sources.begin());
}

Listener::HalfOpen Listener::half_open(Instant now) const {
  HalfOpen summary{.count = static_cast<uint32_t>(half_open_count()),
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

}  // namespace tcproctor::tcp
