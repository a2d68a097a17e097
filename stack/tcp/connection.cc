// SPDX-License-Identifier: Apache-2.0
// Birth, changes of state and end of a connection, and what the other files share.
#include "stack/tcp/connection.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/check.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/mss.h"
#include "stack/tcp/recovery/newreno_recovery.h"
#include "stack/tcp/recovery/sack_recovery.h"

namespace tcproctor::tcp {

Connection::Connection(const ConnectionConfig& config)
    : settings_(*config.settings),
      options_(config.options),
      tuple_(config.tuple),
      mtu_(config.mtu),
      path_mtu_(largest_path_mtu()),
      trace_(config.trace),
      iss_(config.iss),
      snd_una_(config.iss),
      snd_nxt_(config.iss),
      snd_up_(config.iss),
      send_buffer_bytes_(initial_send_buffer(*options_, settings_)),
      push_end_(config.iss),
      receive_buffer_(config.reassembly),
      receive_buffer_bytes_(initial_receive_buffer(*options_, settings_)),
      peer_mss_(default_mss(config.tuple.remote.address.family())),
      rtt_(config.settings->initial_rto, config.settings->min_rto, config.settings->max_rto),
      congestion_(make_congestion_control(*options_)),
      authentication_(make_authenticator(*options_, config.tuple, config.iss)) {
  stop_all_timers();
  if (config.path_mtu.has_value() && options_->path_mtu_discovery) {
    path_mtu_.set(std::min(config.path_mtu->mtu, path_mtu_.mtu()));
    if (config.path_mtu->searched) start_mtu_search(path_mtu_.mtu());
  }
  if (options_->fast_open) {
    fast_open_ = std::make_unique<FastOpenState>(FastOpenState{.path = config.fast_open});
  }
  timestamps_.offset = config.timestamp_offset;
  send_buffer_.start(iss_ + 1);
}

Connection::Connection(const ConnectionConfig& config, const PassiveStart& start, Instant now)
    : Connection(config) {
  passive_ = true;
  state_ = State::kSynReceived;
  last_received_ = now;
  irs_ = start.irs;
  if (authentication_ != nullptr) {
    if (start.signed_syn != nullptr) (void)authentication_->verify(*start.signed_syn);
    authentication_->set_irs(irs_);
  }
  rcv_nxt_ = irs_ + 1;
  rcv_up_ = rcv_nxt_;
  rcv_adv_ = rcv_nxt_ + std::min<uint32_t>(receive_buffer_bytes_, 65535);
  receive_buffer_.start(rcv_nxt_);
  snd_nxt_ = iss_ + 1;
  snd_wnd_ = start.peer_window;
  max_snd_wnd_ = snd_wnd_;
  snd_wl1_ = irs_;
  snd_wl2_ = iss_;
  peer_mss_ = start.peer_mss.value_or(peer_mss_);
  if (start.peer_window_scale.has_value()) {
    snd_wind_shift_ = std::min<uint8_t>(*start.peer_window_scale, 14);  // RFC7323-2.3-5
    rcv_wind_shift_ = receive_window_shift();
    window_scale_agreed_ = true;
  }
  sack_permitted_ = start.sack_permitted;
  ecn_.agree(start.ecn);
  if (start.timestamps) timestamps_.start(start.syn_received, start.ts_recent);
  timestamps_.last_ack_sent = rcv_nxt_;
  retransmissions_ = start.syn_ack_retransmissions;
  if (retransmissions_ != 0) ledger().total_retransmissions = retransmissions_;
  syn_retransmissions_ = static_cast<uint8_t>(std::min<uint32_t>(retransmissions_, UINT8_MAX));
  start_congestion_control();
  timers_[kUser] = start.syn_received + options_->syn_timeout;
  syn_sent_before_ = start.syn_ack_sent;
  if (!start.syn_ack_sent) {
    syn_pending_ = true;
    return;
  }
  for (uint32_t i = 0; i < retransmissions_; ++i) rtt_.back_off();
  timers_[kRetransmission] = std::max(now, start.next_syn_ack.value_or(now + rtt_.rto()));
  if (syn_retransmissions_ == 0 && start.syn_ack_first_sent.has_value()) {
    timing_ = true;
    timed_end_ = snd_nxt_;
    timed_at_ = *start.syn_ack_first_sent;
  }
}

Connection::~Connection() = default;

void Connection::emit(Event event) {
  if (events_head_ == events_.size()) {
    events_.clear();
    events_head_ = 0;
  } else if (event.kind == Event::Kind::kReadable &&
             events_.back().kind == Event::Kind::kReadable) {
    return;  // one that was not collected yet says the same
  }
  events_.push_back(event);
}

bool Connection::next_event(Event& event) {
  if (events_head_ == events_.size()) return false;
  event = events_[events_head_++];
  // Who has come to rest keeps no queue.
  if (event.kind == Event::Kind::kStateChange && events_head_ == events_.size()) {
    events_ = {};
    events_head_ = 0;
  }
  return true;
}

void Connection::set_state(Instant now, State state, std::string_view cause, Outcome outcome) {
  const State from = state_;
  state_ = state;
  emit({.kind = Event::Kind::kStateChange,
        .time = now,
        .from = from,
        .to = state,
        .outcome = outcome,
        .cause = cause});
}

void Connection::enter_closed(Instant now, std::string_view cause, Outcome outcome) {
  last_error_ = outcome;
  stop_all_timers();
  flush();
  set_state(now, State::kClosed, cause, outcome);
  if (outcome == Outcome::kOk) return;
  receive_buffer_.clear();  // "all segment queues should be flushed"
  emit({.kind = Event::Kind::kError, .time = now, .outcome = outcome, .cause = cause});
}

void Connection::flush() {
  send_buffer_.clear();
  recovery_.reset();
  syn_pending_ = probe_pending_ = keepalive_pending_ = tail_loss_probe_pending_ = false;
  ack_now_ = false;
  extra_acks_ = 0;
  segments_unacknowledged_ = 0;
}

// RFC9293-MUST-13: all other timers are turned off.
void Connection::enter_time_wait(Instant now, std::string_view cause) {
  stop_all_timers();
  recovery_.reset();
  set_state(now, State::kTimeWait, cause);
  time_wait_ = std::make_unique<TimeWait>(
      now,
      TimeWait::Start{.snd_nxt = snd_nxt_,
                      .rcv_nxt = rcv_nxt_,
                      .rcv_wnd = rcv_adv_.after(rcv_nxt_) ? rcv_wnd() : 0,
                      .rcv_wind_shift = rcv_wind_shift_,
                      .timestamps = timestamps_.in_use,
                      .timestamps_enabled = options_->timestamps,
                      .ts_recent = timestamps_.recent,
                      .timestamp_offset = timestamps_.offset,
                      .dscp = options_->dscp,
                      .ttl = options_->ttl},
      settings_);
  timers_[kTimeWaitEnd] = time_wait_->deadline();
}

void Connection::queue_reset(SeqNum seq) {
  std::array<SeqNum, 4>& resets = ledger().resets;
  if (reset_count_ < resets.size()) resets[reset_count_++] = seq;
}

void Connection::ack_at_once_each() {
  constexpr uint8_t kMost = 100;  // of one batch of received segments
  if (extra_acks_ < kMost) ++extra_acks_;
}

// RFC5961-7-1. The throttle is this connection's own.
void Connection::challenge_ack(Instant now) {
  if (answer_allowed(now, &Ledger::challenge_limiter)) ack_at_once_each();
}

bool Connection::answer_allowed(Instant now, ChallengeAckLimiter Ledger::*limiter) {
  Ledger& counts = ledger();
  const bool allowed =
      (counts.*limiter).allow(now, settings_.challenge_ack_limit, settings_.challenge_ack_interval);
  ++(allowed ? counts.challenge_acks_sent : counts.challenge_acks_throttled);
  return allowed;
}

Connection::Ledger& Connection::ledger() {
  if (ledger_ == nullptr) ledger_ = std::make_unique<Ledger>();
  return *ledger_;
}

void Connection::drop(Instant now, std::string_view cause) {
  if (!trace_) return;
  emit({.kind = Event::Kind::kDropped, .time = now, .from = state_, .to = state_, .cause = cause});
}

// What loss recovery has done since it was told last.
void Connection::trace_recovery(Instant now) {
  if (!trace_ || recovery_ == nullptr) return;
  Ledger& told = ledger();
  Status status;
  recovery_->report(now, status);
  Event event{.time = now,
              .from = state_,
              .to = state_,
              .cwnd = congestion_->cwnd(),
              .ssthresh = congestion_->ssthresh()};
  const auto undone = [&](uint32_t& before, uint32_t count, bool timeout) {
    if (std::exchange(before, count) == count) return;
    event.kind = Event::Kind::kSpurious;
    event.count = timeout ? 1 : 0;
    emit(event);
  };
  undone(told.spurious_recoveries, status.spurious_recoveries, false);
  undone(told.spurious_timeouts, status.spurious_timeouts, true);
  // Disorder comes and goes with every reordered segment.
  const bool open = status.recovery_phase == RecoveryPhase::kDisorder;
  event.phase_after = open ? RecoveryPhase::kOpen : status.recovery_phase;
  event.phase_before = std::exchange(told.phase, event.phase_after);
  if (event.phase_before == event.phase_after) return;
  event.kind = Event::Kind::kRecovery;
  event.count = 0;
  emit(event);
}

void Connection::trace_probe(Instant now, ProbeKind kind, uint32_t count) {
  if (!trace_) return;
  emit({.kind = Event::Kind::kProbe,
        .time = now,
        .from = state_,
        .to = state_,
        .probe = kind,
        .count = count});
}

void Connection::start_congestion_control() {
  cwnd_limited_until_ = snd_una_;
  if (options_->mtu_probing == MtuProbing::kAlways && mtu_search_ == nullptr) {
    // What is known of the path already is better than a guess.
    const bool known = path_mtu_.mtu() < largest_path_mtu();
    start_mtu_search(known ? path_mtu_.mtu() : MtuSearch::kFirstMtu);
  }
  congestion_->start({.smss = payload_mss(false),
                      .handshake_retransmissions = syn_retransmissions_,
                      .initial_window = options_->initial_window,
                      .appropriate_byte_counting = options_->appropriate_byte_counting});
}

LossRecovery& Connection::recovery(Instant now) {
  if (recovery_ != nullptr) return *recovery_;
  if (sack_permitted_) {  // RFC8985-4-1
    recovery_ = std::make_unique<SackRecovery>(
        SackRecovery::Options{.rack_tlp = settings_.rack_tlp, .frto = settings_.frto});
  } else {
    recovery_ = std::make_unique<NewRenoRecovery>(iss_, snd_nxt_, settings_.frto);
  }
  if (rtt_.measured()) recovery_->on_rtt(now, rtt_.srtt());  // RFC8985-6.2-1: of the handshake
  return *recovery_;
}

// RFC5682-2.1-2, RFC6675-4-4: up to a segment of new data, where the window and the Nagle algorithm
// let it go.
bool Connection::can_send_new(uint32_t unsent, uint32_t mss) const {
  const uint32_t usable = usable_window();
  if (std::min(unsent, usable) >= mss) return true;
  return unsent != 0 && unsent <= usable && small_may_go(unsent, usable);
}

LossRecovery::Sender Connection::sender(Instant now) const {
  const uint32_t mss = payload_mss(false);
  const uint32_t unsent = send_end().after(snd_nxt_) ? send_end() - snd_nxt_ : 0;
  return {.now = now,
          .una = snd_una_,
          .snd_nxt = snd_nxt_,
          .flight_size = flight_size(),
          .cwnd = congestion_->cwnd(),
          .smss = mss,
          .can_send_new = can_send_new(unsent, mss),
          .reduced_by_echo = ecn_.echo_reduced_since(snd_una_),
          .mtu_probe = mtu_probe()};
}

uint16_t Connection::announced_mss() const {
  return tcp::announced_mss(options_->mss, tuple_.local.address.family(), mtu_);
}

uint8_t Connection::receive_window_shift() const {
  return tcp::receive_window_shift(*options_, settings_);
}

// ICMP errors (§3.9.2.2). They are believed only when they quote what may be in flight
// (RFC5927-4.1-1): SND.UNA =< SEQ < SND.NXT, or SND.NXT itself where we may have sent pure ACKs.
void Connection::on_icmp(Instant now, const IcmpError& error) {
  if (error.kind == packet::IcmpClass::kSourceQuench) return;  // RFC9293-MUST-55, EM-*-ICMP-01
  if (state_ == State::kClosed || state_ == State::kListen || state_ == State::kTimeWait) return;
  if (ignores_icmp(error)) return drop(now, "RFC 5925 §7.8: ICMP error to a TCP-AO connection");
  const SeqNum quoted(error.quoted_sequence_number);
  const bool pure_acks = is_synchronized(state_) && quoted == snd_nxt_;
  if (quoted.before(snd_una_) || (!quoted.before(snd_nxt_) && !pure_acks)) {
    return drop(now, "RFC 5927 §4.1: ICMP error quotes a segment that is not in flight");
  }
  if (error.kind == packet::IcmpClass::kPacketTooBig) packet_too_big(now, error);
  fast_open_failed();  // RFC7413-4.1.3.1-1: after whatever error
  if (error.kind == packet::IcmpClass::kOther) return;
  soft_error_type_ = error.type;
  soft_error_code_ = error.code;
  // RFC9293-SHLD-26, EM-SYN-SENT-ICMP-03; in synchronized states by choice (ruling 19: RFC 5927
  // §5.2 treats them as soft there).
  if (error.kind == packet::IcmpClass::kHard &&
      (!is_synchronized(state_) || settings_.hard_icmp_aborts)) {
    return enter_closed(now, "RFC 9293 §3.9.2.2: hard ICMP error", Outcome::kUnreachable);
  }
  if (!options_->report_soft_errors) return;  // RFC9293-SHLD-20
  emit({.kind = Event::Kind::kSoftError,      // RFC9293-MUST-47, MUST-56, SHLD-25; EM-*-ICMP-02
        .time = now,
        .from = state_,
        .to = state_,
        .icmp_type = error.type,
        .icmp_code = error.code,
        .cause = "RFC 9293 §3.9.2.2: soft ICMP error"});
}

}  // namespace tcproctor::tcp
