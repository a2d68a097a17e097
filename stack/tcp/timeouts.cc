// SPDX-License-Identifier: Apache-2.0
// Timeouts: RFC 9293 §3.10.8, with the timers of RFC 6298 (retransmission), §3.8.6.1 (zero-window
// probes), §3.8.6.2.1 (override), §3.8.6.3 (delayed ACK) and §3.8.4 (keep-alive).
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/user_timeout_option.h"

namespace tcproctor::tcp {

std::optional<Instant> Connection::next_deadline() const {
  Instant earliest = *std::ranges::min_element(timers_);
  if (recovery_ != nullptr) earliest = std::min(earliest, recovery_->deadline().value_or(kOff));
  if (earliest == kOff) return std::nullopt;
  return earliest;
}

void Connection::on_deadline(Instant now) {
  const auto expired = [this, now](Timer timer) {
    if (timers_[timer] > now) return false;
    stop(timer);
    return true;
  };
  // R2 first: what would be sent after it is not worth sending.
  if (expired(kUser)) return user_timeout(now);
  if (expired(kTimeWaitEnd)) {  // EM-TIME-WAIT-2MSL-01, RFC9293-3.10.8-L3
    return enter_closed(now, "RFC 9293 §3.10.8: TIME-WAIT timeout", Outcome::kOk);
  }
  if (expired(kOrphan)) {
    // Nobody will read what this peer may still send, and it may never close: S001-fw2.
    return enter_closed(now, "orphan in FIN-WAIT-2 timed out", Outcome::kOk);
  }
  if (recovery_ != nullptr) recovery_deadline(now);
  if (expired(kRetransmission)) retransmission_timeout(now);
  if (expired(kPersist)) persist_timeout();
  if (expired(kDelayedAck)) ack_now();  // RFC9293-MUST-40
  if (expired(kKeepAlive)) keepalive_timeout(now);
}

// §3.10.8 USER TIMEOUT: EM-*-UTO-01, RFC9293-MUST-20, 3.10.8-L2.
void Connection::user_timeout(Instant now) {
  enter_closed(now, "RFC 9293 §3.10.8: user timeout", Outcome::kTimedOut);
}

// The user timer covers SYN, data, FIN and zero-window probes that are not answered, and data that
// marks hold back.
bool Connection::user_timer_needed() const {
  if (state_ == State::kSynSent || state_ == State::kSynReceived) return true;
  return flight() != 0 || timer_runs(kPersist) || ecn_.held();
}

// Of data and FIN. That of the handshake is set once, as it begins.
void Connection::restart_user_timer(Instant now) {
  if (!user_timer_needed() && send_buffer_.size() == 0 && !(fin_queued_ && !fin_sent())) {
    return stop(kUser);
  }
  // RFC9293-MUST-37: while the window is closed nothing is unanswered before the next probe, which
  // may be further away than the user timeout is long.
  const Instant since =
      snd_wnd_ == 0 && timer_runs(kPersist) ? std::max(now, timers_[kPersist]) : now;
  timers_[kUser] = since + user_timeout_in_force();
}

// RFC5482-3.1-1; RFC5482-3.4-2, 3-4: zero is ignored, and all of it while the option is not used.
bool Connection::peer_alters_user_timeout() const {
  return remote_timeout_.has_value() && options_->advertised_user_timeout.has_value() &&
         options_->user_timeout_changeable;
}

Duration Connection::user_timeout_in_force() const {
  if (!peer_alters_user_timeout()) return options_->user_timeout;
  return adopted_user_timeout(*options_->advertised_user_timeout, duration_of(*remote_timeout_),
                              settings_.user_timeout_lower_limit,
                              settings_.user_timeout_upper_limit, rtt_.rto());
}

// RFC5482-3.3-1: in synchronized states, of acceptable segments.
void Connection::hear_user_timeout(Instant now, const packet::TcpSegment& segment) {
  const auto& option = segment.options.user_timeout;
  if (!option.has_value() || option->value == 0 || remote_timeout_ == option) return;
  remote_timeout_ = option;
  if (!peer_alters_user_timeout()) return;
  if (timer_runs(kUser)) restart_user_timer(now);
  if (timer_runs(kKeepAlive)) restart_keepalive(now);
}

void Connection::restart_retransmission_timer(Instant now) {
  timers_[kRetransmission] = now + rtt_.rto();
}

// The timers of RACK-TLP. RFC8985-7.3-3, 8-1: after them the retransmission timer begins anew.
void Connection::recovery_deadline(Instant now) {
  const bool before = recovery_->in_recovery();
  const LossRecovery::Due due = recovery_->on_deadline(sender(now), *congestion_, rtt_);
  judge_mtu_probe(now);
  if (!before && recovery_->in_recovery()) note_recovery();
  trace_recovery(now);
  if (due == LossRecovery::Due::kNothing || flight() == 0 || snd_wnd_ == 0) return;
  tail_loss_probe_pending_ = due == LossRecovery::Due::kProbe;
  restart_retransmission_timer(now);
  hold_timeout_for_reordering();
}

// §3.10.8 RETRANSMISSION TIMEOUT: EM-*-RTO-01, RFC9293-3.10.8-L1, RFC6298-5.4..5.6.
void Connection::retransmission_timeout(Instant now) {
  ecn_.hold(false);
  if (flight() == 0) return;  // EM-FIN-WAIT-2-RTO-01: the queue is empty
  const bool syn = !syn_acknowledged();
  if (!syn && snd_wnd_ == 0) {
    // The peer took its window back: probed, not timed out (RFC9293-MUST-35, SHLD-17).
    return persist_timeout();
  }
  const bool first = retransmissions_ == 0;
  ++retransmissions_;
  ++ledger().timeouts;
  rtt_.back_off();  // RFC6298-5.5-1
  if (trace_) {
    emit({.kind = Event::Kind::kTimeout,
          .time = now,
          .from = state_,
          .to = state_,
          .count = retransmissions_,
          .rto = rtt_.rto()});
  }
  timing_ = false;  // Karn: RFC6298-3-1
  if (retransmissions_ >= kR1 && !trouble_reported_) {
    trouble_reported_ = true;  // R1: RFC9293-MUST-20, SHLD-9, SHLD-10, MUST-22
    emit({.kind = Event::Kind::kDeliveryTrouble,
          .time = now,
          .from = state_,
          .to = state_,
          .cause = "RFC 9293 §3.8.3: R1 passed"});
  }
  restart_retransmission_timer(now);  // RFC6298-5.6-1
  if (syn) {
    if (syn_retransmissions_ != UINT8_MAX) ++syn_retransmissions_;
    syn_pending_ = true;
    return fast_open_failed();
  }
  resend_allowance_ = kNoLimit;
  if (const std::optional<uint32_t> mtu = path_mtu_.on_timeout()) {
    // RFC8201-5.4-2: the message that waited was true, so nothing is said about congestion.
    path_mtu_news_ = true;
    return adopt_path_mtu(now, *mtu);
  }
  tail_loss_probe_pending_ = false;
  if (const auto probe = mtu_probe()) {  // RFC 4821 §7.6.3, §7.6.4: the timeout counts as any other
    if (probe->begin == snd_una_) {
      mtu_search_->on_probe_lost(now, path_mtu_.mtu(), after_headway(now));
    } else {
      mtu_search_->on_inconclusive(after_headway(now));
    }
  }
  look_for_black_hole(now);
  recovery(now).on_timeout(sender(now), first, *congestion_, rtt_);
  ecn_.note_reduction(snd_nxt_, false);
  trace_recovery(now);
}

// Zero-window probes (§3.8.6.1) back off from the RTO: RFC9293-SHLD-29, SHLD-30. The override timer
// shares the clock: RFC9293-3.8.6.2.1-L1 wants 0.1 to 1 s.
Duration Connection::persist_interval() const {
  if (snd_wnd_ != 0) return std::chrono::milliseconds(200);
  Duration interval = rtt_.rto();
  for (uint32_t i = 0; i < persist_backoff_ && interval < settings_.max_rto; ++i) interval *= 2;
  return std::min(interval, std::max(settings_.max_rto, rtt_.rto()));
}

// Called when nothing more can be sent now: waits for a window that may never be announced, if the
// update was lost (RFC9293-MUST-36).
void Connection::arm_persist(Instant now) {
  const bool waiting = send_end().after(snd_nxt_) || (fin_queued_ && !fin_sent()) || probed_;
  const bool idle = flight() == 0 || probed_;
  if (!is_synchronized(state_) || !waiting || !idle || probe_pending_) return;
  if (timer_runs(kPersist) || timer_runs(kRetransmission)) return;
  timers_[kPersist] = now + persist_interval();
  if (snd_wnd_ == 0 || !timer_runs(kUser)) restart_user_timer(now);
}

void Connection::persist_timeout() {
  if (snd_wnd_ == 0 && persist_backoff_ < 32) ++persist_backoff_;
  probe_pending_ = true;
  timing_ = false;
  stop(kRetransmission);
}

// Keep-alive (§3.8.4).
void Connection::restart_keepalive(Instant now) {
  keepalive_probes_sent_ = 0;
  if (!options_->keepalive || !is_synchronized(state_) || state_ == State::kTimeWait) {
    return stop(kKeepAlive);  // RFC9293-MUST-25
  }
  // RFC5482-4.2-1: not before the user timeout that was agreed.
  const Duration idle = peer_alters_user_timeout()
                            ? std::max(options_->keepalive_idle, user_timeout_in_force() + 1s)
                            : options_->keepalive_idle;
  timers_[kKeepAlive] = std::max(last_received_, now) + idle;
}

void Connection::keepalive_timeout(Instant now) {
  // RFC9293-MUST-26: only when nothing is outstanding; retransmission finds a dead peer otherwise.
  if (flight() != 0 || send_buffer_.size() != 0) {
    timers_[kKeepAlive] = now + options_->keepalive_idle;
    return;
  }
  // RFC9293-MUST-29: one unanswered probe means nothing.
  if (keepalive_probes_sent_ >= options_->keepalive_probes) {
    return enter_closed(now, "RFC 9293 §3.8.4: keep-alive probes unanswered", Outcome::kTimedOut);
  }
  ++keepalive_probes_sent_;
  keepalive_pending_ = true;
  trace_probe(now, ProbeKind::kKeepalive, keepalive_probes_sent_);
  timers_[kKeepAlive] = now + options_->keepalive_interval;
}

}  // namespace tcproctor::tcp
