// SPDX-License-Identifier: Apache-2.0
// User calls: RFC 9293 §3.10.1 OPEN, 3.10.2 SEND, 3.10.3 RECEIVE, 3.10.4 CLOSE, 3.10.5 ABORT and
// 3.10.6 STATUS. A wait is not made here: kWouldBlock says that the RFC would queue the request,
// and an event tells when to ask again.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

// §3.10.1, active. Passive OPEN is listener.h.
Outcome Connection::open_active(Instant now) {
  if (state_ != State::kClosed) return Outcome::kConnectionExists;  // EM-<all others>-OPEN-01
  if (last_error_ != Outcome::kOk || snd_nxt_ != iss_) return Outcome::kConnectionDoesNotExist;
  // EM-CLOSED-OPEN-02: SND.UNA = ISS, SND.NXT = ISS+1.
  snd_nxt_ = iss_ + 1;
  syn_pending_ = true;
  timers_[kUser] = now + options_->syn_timeout;  // RFC9293-MUST-23
  set_state(now, State::kSynSent, "RFC 9293 §3.10.1: OPEN active");
  return Outcome::kOk;
}

// §3.10.2
SendResult Connection::send(Instant now, std::span<const uint8_t> data, bool push, bool urgent) {
  switch (state_) {
    case State::kClosed:  // EM-CLOSED-SEND-02
      return {last_error_ != Outcome::kOk ? last_error_ : Outcome::kConnectionDoesNotExist, 0};
    case State::kListen:
      return {Outcome::kConnectionDoesNotExist, 0};
    case State::kSynSent:      // EM-SYN-SENT-SEND-01: queued until ESTABLISHED
    case State::kSynReceived:  // EM-SYN-RECEIVED-SEND-01
    case State::kEstablished:
    case State::kCloseWait:
      break;
    default:  // EM-FIN-WAIT-1-SEND-01 and the like
      return {Outcome::kConnectionClosing, 0};
  }
  if (fin_queued_ || close_waits_ || released_) return {Outcome::kConnectionClosing, 0};
  size_t accepted = send_buffer_.append(data, send_buffer_bytes_);
  if (accepted < data.size() && grow_send_buffer()) {
    accepted += send_buffer_.append(data.subspan(accepted), send_buffer_bytes_);
  }
  if (accepted < data.size()) send_was_full_ = true;
  if (accepted == 0 && !data.empty()) return {Outcome::kWouldBlock, 0};  // EM-*-SEND-02
  const bool whole = accepted == data.size();
  if (push && whole) {
    push_end_ = send_end();
    push_mark_ = true;
  }
  if (urgent && whole && !data.empty()) {
    // EM-ESTABLISHED-SEND-03. RFC9293-MUST-62: SND.UP is the octet following the urgent data.
    snd_up_ = send_end();
    urgent_mode_ = true;
    // The pointer travels even when no data may (§3.8.5): it is what makes the peer's user read on.
    if (usable_window() == 0 && is_synchronized(state_)) ack_now();
  }
  if (user_timer_needed() && !timer_runs(kUser)) restart_user_timer(now);
  return {Outcome::kOk, accepted};
}

// §3.10.3
ReceiveResult Connection::receive(Instant now, std::span<uint8_t> buffer) {
  ReceiveResult result;
  if (state_ == State::kClosed && last_error_ != Outcome::kOk) return {.outcome = last_error_};
  // RFC9293-3.5-L1: nothing is delivered before ESTABLISHED (EM-SYN-SENT-RECEIVE-01 and the like).
  const bool too_early = state_ == State::kListen || state_ == State::kSynSent ||
                         (state_ == State::kSynReceived && !may_answer_early());
  if (too_early) {
    return {.outcome = Outcome::kWouldBlock};
  }
  if (receive_buffer_.readable() == 0) {
    if (fin_received_ && (state_ != State::kClosed || !eos_reported_)) {
      // EM-CLOSE-WAIT-RECEIVE-02, EM-CLOSING-RECEIVE-01, …: the RFC's "connection closing", said to
      // a reader, is the end of the stream (RFC9293-MUST-12 tells it from a reset).
      eos_reported_ = true;
      return {.outcome = Outcome::kEndOfStream};
    }
    if (state_ == State::kClosed) return {.outcome = Outcome::kConnectionDoesNotExist};
    return {.outcome = Outcome::kWouldBlock};  // EM-ESTABLISHED-RECEIVE-01: the request would queue
  }
  // Data on hand is delivered in CLOSING, LAST-ACK and TIME-WAIT too: the peer's octets were
  // acknowledged, so its user relies on ours getting them.
  const SeqNum before = receive_buffer_.read_position();
  if (urgent_ahead_ && rcv_up_.after(before)) {
    buffer = buffer.first(std::min<size_t>(buffer.size(), rcv_up_ - before));
    result.urgent = true;  // EM-ESTABLISHED-RECEIVE-04
  }
  result.received = receive_buffer_.read(buffer);
  const SeqNum after = receive_buffer_.read_position();
  if (urgent_ahead_) {
    result.urgent_remaining = rcv_up_.after(after) ? rcv_up_ - after : 0;  // RFC9293-MUST-33
    urgent_ahead_ = result.urgent_remaining != 0;
  }
  if (push_received_) {  // RFC9293-MAY-17
    result.pushed = after.at_or_after(received_push_end_);
    if (result.pushed) push_received_ = false;
  }
  tune_receive_buffer(now);
  if (window_update_due()) ack_now();  // EM-ESTABLISHED-RECEIVE-03, RFC9293-MUST-39
  return result;
}

void Connection::tune_receive_buffer(Instant now) {
  const uint32_t limit = largest_receive_buffer(*options_, settings_);
  if (receive_buffer_bytes_ >= limit) return;
  if (receive_tuning_.on_read(now, receive_buffer_.read_position(), rtt_.srtt(),
                              receive_buffer_bytes_)) {
    receive_buffer_bytes_ = std::min(2 * receive_buffer_bytes_, limit);
  }
}

// When its user has more to send than fits. True: it grew.
bool Connection::grow_send_buffer() {
  const uint32_t before = send_buffer_bytes_;
  send_buffer_bytes_ =
      grown_send_buffer(before, congestion_->cwnd(), largest_send_buffer(*options_, settings_));
  return send_buffer_bytes_ > before;
}

// §3.10.4
Outcome Connection::close(Instant now) {
  static constexpr std::string_view kCause = "RFC 9293 §3.10.4: CLOSE";
  switch (state_) {
    case State::kClosed:  // EM-CLOSED-CLOSE-02
      return last_error_ != Outcome::kOk ? last_error_ : Outcome::kConnectionDoesNotExist;
    case State::kListen:
      return Outcome::kConnectionDoesNotExist;
    case State::kSynSent:  // EM-SYN-SENT-CLOSE-01
      enter_closed(now, kCause, Outcome::kOk);
      return Outcome::kOk;
    case State::kSynReceived:
      if (close_waits_) return Outcome::kConnectionClosing;
      if (send_buffer_.size() != 0) {  // EM-SYN-RECEIVED-CLOSE-02: queued until ESTABLISHED
        close_waits_ = true;
        return Outcome::kOk;
      }
      [[fallthrough]];         // EM-SYN-RECEIVED-CLOSE-01
    case State::kEstablished:  // EM-ESTABLISHED-CLOSE-01, 02: the state changes in any case
      fin_queued_ = true;
      set_state(now, State::kFinWait1, kCause);
      break;
    case State::kCloseWait:  // EM-CLOSE-WAIT-CLOSE-01
      if (fin_queued_) return Outcome::kConnectionClosing;
      fin_queued_ = true;
      // LAST-ACK begins with the FIN, which waits for the SENDs before it (note_sent).
      if (!send_end().after(snd_nxt_)) set_state(now, State::kLastAck, kCause);
      break;
    default:  // EM-FIN-WAIT-1-CLOSE-01 and the like: no second FIN
      return Outcome::kConnectionClosing;
  }
  restart_user_timer(now);
  return Outcome::kOk;
}

// CLOSE that was queued (EM-SYN-RECEIVED-CLOSE-02) is issued once the handshake is done.
void Connection::start_queued_close(Instant now) {
  if (!close_waits_ || (state_ != State::kEstablished && state_ != State::kCloseWait)) return;
  close_waits_ = false;
  (void)close(now);
}

// What close(2) does: the user will neither read nor write any more (RFC9293-MAY-1).
Outcome Connection::release(Instant now) {
  if (released_) return Outcome::kConnectionDoesNotExist;
  released_ = true;
  if (state_ == State::kClosed || state_ == State::kListen) return Outcome::kOk;
  const bool may_carry_data = state_ != State::kTimeWait && state_ != State::kSynSent;
  if (receive_buffer_.readable() != 0 && may_carry_data) {
    // RFC9293-SHLD-3, EM-ESTABLISHED-CLOSE-03: the peer learns that its data was lost.
    queue_reset(snd_nxt_);
    enter_closed(now, "RFC 9293 §3.6.1: CLOSE with received data unread", Outcome::kOk);
    return Outcome::kOk;
  }
  (void)close(now);  // closed already is as good
  if (state_ == State::kFinWait2) timers_[kOrphan] = now + settings_.orphan_fin_wait_2;
  return Outcome::kOk;
}

// §3.10.5
Outcome Connection::abort(Instant now) {
  static constexpr std::string_view kCause = "RFC 9293 §3.10.5: ABORT";
  switch (state_) {
    case State::kClosed:  // EM-CLOSED-ABORT-02
      return last_error_ != Outcome::kOk ? last_error_ : Outcome::kConnectionDoesNotExist;
    case State::kListen:
      return Outcome::kConnectionDoesNotExist;
    case State::kSynSent:  // EM-SYN-SENT-ABORT-01
      break;
    case State::kClosing:  // EM-CLOSING-ABORT-01 and the like: no RST
    case State::kLastAck:
    case State::kTimeWait:
      enter_closed(now, kCause, Outcome::kOk);
      return Outcome::kOk;
    default:  // EM-ESTABLISHED-ABORT-01 and the like: <SEQ=SND.NXT><CTL=RST>
      queue_reset(snd_nxt_);
      break;
  }
  enter_closed(now, kCause, Outcome::kConnectionAborted);
  return Outcome::kOk;
}

// §3.10.6
Status Connection::status(Instant now) const {
  const auto left = [this, now](Timer timer) -> std::optional<Duration> {
    if (!timer_runs(timer)) return std::nullopt;
    return std::max(timers_[timer] - now, Duration{0});
  };
  Status status{
      .state = state_,
      .passive = passive_,
      .released = released_,
      .local = tuple_.local,
      .remote = tuple_.remote,
      .last_error = last_error_,
      .soft_error_type = soft_error_type_,
      .soft_error_code = soft_error_code_,
      .end_of_stream = fin_received_,
      .iss = iss_.value(),
      .irs = irs_.value(),
      .snd_una = snd_una_.value(),
      .snd_nxt = snd_nxt_.value(),
      .snd_up = snd_up_.value(),
      .snd_wl1 = snd_wl1_.value(),
      .snd_wl2 = snd_wl2_.value(),
      .snd_wnd = snd_wnd_,
      .max_snd_wnd = max_snd_wnd_,
      .rcv_nxt = rcv_nxt_.value(),
      .rcv_wnd = state_ == State::kSynSent ? receive_buffer_bytes_ : rcv_wnd(),
      .rcv_up = rcv_up_.value(),
      .snd_wind_shift = snd_wind_shift_,
      .rcv_wind_shift = rcv_wind_shift_,
      .timestamps = timestamps_.in_use,
      .sack_permitted = sack_permitted_,
      .fast_open = fast_open_report(),
      .send_mss = static_cast<uint16_t>(payload_mss(false)),
      .receive_mss = announced_mss(),
      .user_timeout = user_timeout_in_force(),
      .path_mtu = path_mtu_.mtu(),
      .mtu_search_low = mtu_search_ == nullptr ? 0 : mtu_search_->low(),
      .mtu_search_high = mtu_search_ == nullptr ? 0 : mtu_search_->high(),
      .mtu_probes_sent = mtu_search_ == nullptr ? 0 : mtu_search_->probes_sent(),
      .mtu_probes_lost = mtu_search_ == nullptr ? 0 : mtu_search_->probes_lost(),
      .send_queue_bytes = static_cast<uint32_t>(send_buffer_.size()),
      .receive_queue_bytes = static_cast<uint32_t>(receive_buffer_.readable()),
      .reassembly_bytes = static_cast<uint32_t>(receive_buffer_.out_of_order()),
      .send_buffer_bytes = send_buffer_bytes_,
      .receive_buffer_bytes = receive_buffer_bytes_,
      .srtt = rtt_.srtt(),
      .rttvar = rtt_.rttvar(),
      .rto = rtt_.rto(),
      .min_rtt = min_rtt_,
      .cwnd = congestion_->cwnd(),
      .ssthresh = congestion_->ssthresh(),
      .congestion_control = congestion_->name(),
      .w_max = congestion_->w_max(),
      .slow_start = congestion_->in_slow_start(),
      .css = congestion_->in_css(),
      .delivered_bytes = delivered_bytes_,
      .ecn_agreed = ecn_.agreed(),
      .ecn = ecn_.counters(),
      .retransmissions = retransmissions_,
      .pipe_bytes = flight(),
      .retransmission_timer = left(kRetransmission),
      .persist_timer = left(kPersist),
      .keepalive_timer = left(kKeepAlive),
      .time_wait_timer = left(kTimeWaitEnd),
      .delayed_ack_timer = left(kDelayedAck),
      .user_timer = left(kUser),
      .orphan_timer = left(kOrphan),
      .keepalive_probes_sent = keepalive_probes_sent_,
      .authentication =
          authentication_ == nullptr ? AuthenticationKind::kNone : authentication_->kind(),
      .ao_key_ids = authentication_ == nullptr ? std::nullopt : authentication_->key_ids(),
      .signature_failures = signature_failures_};
  if (ledger_ != nullptr) {
    status.total_retransmissions = ledger_->total_retransmissions;
    status.retransmitted_bytes = ledger_->retransmitted_bytes;
    status.timeouts = ledger_->timeouts;
    status.recoveries = ledger_->recoveries;
    status.challenge_acks_sent = ledger_->challenge_acks_sent;
    status.challenge_acks_throttled = ledger_->challenge_acks_throttled;
  }
  if (recovery_ != nullptr) recovery_->report(now, status);
  return status;
}

absl::Status Connection::set_options(Instant now, const ConnectionOptions& options) {
  if (absl::Status status = validate(options); !status.ok()) return status;
  if (state_ != State::kClosed || snd_nxt_ != iss_) {
    const auto fixed = [](absl::string_view name) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " is in force from the SYN on: it cannot be changed afterwards"));
    };
    if (options.mss != options_->mss) return fixed("mss");
    if (options.window_scale != options_->window_scale) return fixed("window_scale");
    if (options.timestamps != options_->timestamps) return fixed("timestamps");
    if (options.fast_open != options_->fast_open) return fixed("fast_open");
    if (options.sack_permitted != options_->sack_permitted) return fixed("sack_permitted");
    if (options.ecn != options_->ecn) return fixed("ecn");
    if (options.hystart != options_->hystart) return fixed("hystart");
    if (options.initial_window != options_->initial_window) return fixed("initial_window");
    if (options.appropriate_byte_counting != options_->appropriate_byte_counting) {
      return fixed("appropriate_byte_counting");
    }
  }
  if (options.congestion_control != options_->congestion_control) {
    auto other = make_congestion_control(options);
    other->take_over(*congestion_);
    congestion_ = std::move(other);
  }
  if (absl::Status status = update_keys(options); !status.ok()) return status;
  const bool discovery_changes = options.path_mtu_discovery != options_->path_mtu_discovery;
  if (options.advertised_user_timeout != options_->advertised_user_timeout) {  // RFC5482-3-3
    user_timeout_pending_ = options.advertised_user_timeout.has_value() && is_synchronized(state_);
  }
  const Duration user_timeout_before = user_timeout_in_force();
  const Duration syn_timeout_before = options_->syn_timeout;
  ConnectionOptions chosen = options;
  // A window smaller than the unit of its scale could never be announced.
  if (chosen.receive_buffer_bytes.has_value()) {
    chosen.receive_buffer_bytes =
        std::max(*chosen.receive_buffer_bytes, uint32_t{1} << rcv_wind_shift_);
  }
  // A size that is left open from now on goes on from what it is.
  receive_buffer_bytes_ = chosen.receive_buffer_bytes.value_or(receive_buffer_bytes_);
  send_buffer_bytes_ = chosen.send_buffer_bytes.value_or(send_buffer_bytes_);
  options_ = chosen;
  if (options_->mtu_probing == MtuProbing::kOff || !options_->path_mtu_discovery) {
    mtu_search_.reset();
  } else if (options_->mtu_probing == MtuProbing::kAlways && is_synchronized(state_)) {
    start_mtu_search(path_mtu_.mtu());
  }
  if (discovery_changes) adopt_path_mtu(now, largest_path_mtu());
  restart_keepalive(now);
  if (!timer_runs(kUser)) return absl::OkStatus();
  // RFC9293-3.10.8-L2: another option gives what is on its way no more time. That of the handshake
  // counts from its beginning.
  if (state_ == State::kSynSent || state_ == State::kSynReceived) {
    timers_[kUser] += options_->syn_timeout - syn_timeout_before;
  } else if (user_timeout_in_force() != user_timeout_before) {
    restart_user_timer(now);
  }
  return absl::OkStatus();
}

}  // namespace tcproctor::tcp
