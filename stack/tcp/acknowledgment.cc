// SPDX-License-Identifier: Apache-2.0
// The fifth check of RFC 9293 §3.10.7.4 in synchronized states: what an acknowledgment does to the
// send side (RFC 5681, 5961 §5, 6298, 6582).
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/initial_sequence.h"

namespace tcproctor::tcp {
namespace {

// The peer seems to have reneged: how long its next ACK may yet say otherwise, at least.
constexpr Duration kShortestReneging = std::chrono::milliseconds(10);

}  // namespace

// ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK. False: the segment is done
// with.
bool Connection::process_ack(Instant now, Arriving& arriving) {
  const SeqNum ack = arriving.ack;
  if (ack.after(snd_nxt_) && !acknowledges_data_of_syn(ack)) {  // EM-ESTABLISHED-SEG-27
    arriving.reply = false;                                     // RFC5681-4.2-3: one answer
    unacceptable(now, arriving, "RFC 9293 §3.10.7.4 fifth: ACK of something not yet sent");
    return false;
  }
  // RFC9293-MAY-12, RFC5961-5.2-1, EM-ESTABLISHED-SEG-26.
  if (ack.before(snd_una_ - max_snd_wnd_)) {
    arriving.reply = false;
    challenge_ack(now);
    drop(now, "RFC 5961 §5: ACK too old");
    return false;
  }
  // Only now: a segment that only guesses must not set a TS.Recent that makes PAWS refuse the
  // peer's (RFC5961-5.2-1).
  if (timestamps_.in_use) {
    timestamps_.update(now, SeqNum(arriving.segment.header.sequence_number),
                       arriving.segment.options.timestamps->value);
  }
  if (snd_wnd_ == 0 && timer_runs(kUser)) restart_user_timer(now);  // RFC9293-MUST-37
  LossRecovery::Ack news{
      .ack = ack, .repeats = repeats_last_ack(arriving), .timestamp_offset = timestamps_.offset};
  // An answer to a zero-window probe is no duplicate. EM-ESTABLISHED-SEG-25: no acknowledgment
  // else.
  news.duplicate = news.repeats && flight() != 0 && snd_wnd_ != 0;
  const uint32_t flight_before = flight_size();
  if (ack.after(snd_una_)) {
    news.acked = ack - snd_una_;
    news.sample = acknowledge_up_to(now, arriving);
  }
  if (ack == snd_una_) update_send_window(now, arriving);
  recover(now, news, arriving.segment);
  if (ecn_.has_echo(arriving.segment)) ecn_echo(now, arriving, flight_before);

  if (!fin_is_acknowledged()) {
    // EM-CLOSING-SEG-31; its ACK of data before the FIN was used (ruling 9).
    return state_ != State::kClosing;
  }
  fin_acknowledged(now);
  return state_ != State::kClosed && state_ != State::kTimeWait;
}

void Connection::fin_acknowledged(Instant now) {
  static constexpr std::string_view kCause = "RFC 9293 §3.10.7.4 fifth: our FIN is acknowledged";
  if (state_ == State::kFinWait1) {  // EM-FIN-WAIT-1-SEG-30
    set_state(now, State::kFinWait2, kCause);
    // S001-fw2: as long as it takes while the user owns the connection.
    if (released_) timers_[kOrphan] = now + settings_.orphan_fin_wait_2;
  } else if (state_ == State::kClosing) {  // EM-CLOSING-SEG-30
    enter_time_wait(now, kCause);
  } else if (state_ == State::kLastAck) {  // EM-LAST-ACK-SEG-30
    enter_closed(now, kCause, Outcome::kOk);
  }
}

// SND.UNA < SEG.ACK =< SND.NXT: EM-ESTABLISHED-SEG-24.
CongestionControl::AckSample Connection::acknowledge_up_to(Instant now, const Arriving& arriving) {
  const uint32_t flight_before = flight_size();
  const uint32_t acked = arriving.ack - snd_una_;
  const bool cwnd_limited = snd_una_.before(cwnd_limited_until_);
  const Duration rtt = take_rtt_sample(now, arriving.segment);
  snd_una_ = arriving.ack;
  cwnd_limited_until_ = later_of(cwnd_limited_until_, snd_una_);
  ecn_.forget_before(snd_una_);
  const size_t unacknowledged = send_buffer_.size();
  send_buffer_.acknowledge(snd_una_);
  delivered_bytes_ += unacknowledged - send_buffer_.size();
  path_mtu_.on_ack(snd_una_);
  if (resend_allowance_ != kNoLimit) {
    resend_allowance_ += acked;  // as slow start grows, until all that is outstanding may go again
    if (resend_allowance_ >= snd_nxt_ - snd_una_) resend_allowance_ = kNoLimit;
  }
  retransmissions_ = 0;
  trouble_reported_ = false;
  probed_ = false;
  syn_pending_ = false;
  if (urgent_mode_ && snd_una_.at_or_after(snd_up_)) urgent_mode_ = false;
  if (push_mark_ && snd_una_.at_or_after(push_end_)) push_mark_ = false;

  report_room(now);
  return {.now = now,
          .acked = acked,
          .flight_before = flight_before,
          .rtt = rtt,
          .srtt = rtt_.srtt(),
          .cwnd_limited = cwnd_limited,
          .echoed = ecn_.has_echo(arriving.segment),
          .una = snd_una_,
          .snd_nxt = snd_nxt_};
}

void Connection::report_room(Instant now) {
  if (!send_was_full_ || send_buffer_.size() >= send_buffer_bytes_) return;
  send_was_full_ = false;
  emit({.kind = Event::Kind::kWritable, .time = now, .from = state_, .to = state_});
}

// Loss recovery and the timers: RFC6298-5.2-1, 5.3-1.
void Connection::recover(Instant now, LossRecovery::Ack ack, const packet::TcpSegment& segment) {
  if (sack_permitted_) ack.sacks = segment.options.sack_blocks();
  if (timestamps_.in_use && segment.options.timestamps.has_value()) {
    ack.echo_reply = segment.options.timestamps->echo_reply;
  }
  const bool says_something = ack.acked != 0 || ack.repeats || !ack.sacks.empty();
  LossRecovery::Reaction reaction{.restart_timer = ack.acked != 0};
  if (recovery_ != nullptr && says_something) {
    const bool before = recovery_->in_recovery();
    reaction = recovery_->on_ack(sender(now), ack, *congestion_, rtt_);
    if (!before && recovery_->in_recovery()) note_recovery();
    trace_recovery(now);
    judge_mtu_probe(now);
  }
  if (ack.acked != 0) restart_user_timer(now);
  if (flight() == 0) {
    if (ack.acked == 0) return;
    stop(kRetransmission);
    if (send_buffer_.size() == 0) stop(kPersist);
  } else if (reaction.restart_timer) {
    restart_retransmission_timer(now);
  }
  hold_timeout_for_reordering();
  if (recovery_ == nullptr || ack.acked == 0) return;
  if (reaction.reneged) {
    timers_[kRetransmission] = std::min(
        timers_[kRetransmission], now + std::max<Duration>(rtt_.srtt() / 2, kShortestReneging));
  }
  recovery_->schedule_probe(sender(now), rtt_, timers_[kRetransmission]);
}

// RFC8985-8-1: no timeout while it is waited whether segments have only changed places.
void Connection::hold_timeout_for_reordering() {
  if (recovery_ == nullptr || !timer_runs(kRetransmission)) return;
  if (const std::optional<Instant> reordering = recovery_->reordering_deadline()) {
    timers_[kRetransmission] = std::max(timers_[kRetransmission], *reordering);
  }
}

// A fast recovery begins.
void Connection::note_recovery() {
  ++ledger().recoveries;
  ecn_.note_reduction(snd_nxt_, false);
}

Duration Connection::take_rtt_sample(Instant now, const packet::TcpSegment& segment) {
  const Duration by_timestamps = rtt_by_timestamps(now, segment);
  if (timing_ && !segment_before_timed_end(segment)) {
    timing_ = false;
    const Duration rtt = now - timed_at_;
    rtt_.sample(rtt);
    note_rtt(rtt);
    return rtt;
  }
  // RFC7323-4.1-2: with timestamps also what was retransmitted gives a sample, because TSecr tells
  // the transmissions apart. One per flight is enough for the RTO, so only while nothing is being
  // timed.
  note_rtt(by_timestamps);
  const bool wanted = retransmissions_ != 0 || (!passive_ && !rtt_.measured());
  if (!timing_ && wanted && by_timestamps > Duration{0}) rtt_.sample(by_timestamps);
  return by_timestamps;
}

void Connection::note_rtt(Duration rtt) {
  if (rtt <= Duration{0}) return;
  min_rtt_ = min_rtt_ == Duration{0} ? rtt : std::min(min_rtt_, rtt);
}

// By TSecr, in whole milliseconds; 0: unknown.
Duration Connection::rtt_by_timestamps(Instant now, const packet::TcpSegment& segment) const {
  const auto& timestamps = segment.options.timestamps;
  if (!timestamps_.in_use || !timestamps.has_value() || timestamps->echo_reply == 0) return {};
  const uint32_t elapsed = timestamp_value(now, timestamps_.offset) - timestamps->echo_reply;
  constexpr uint32_t kImplausible = 1u << 30;
  return elapsed < kImplausible ? std::chrono::milliseconds(elapsed) : Duration{0};
}

bool Connection::segment_before_timed_end(const packet::TcpSegment& segment) const {
  return SeqNum(segment.header.acknowledgment_number).before(timed_end_);
}

// RFC 5681 §2, but that something is outstanding: no text, neither SYN nor FIN, ACK = SND.UNA,
// window unchanged.
bool Connection::repeats_last_ack(const Arriving& arriving) const {
  return arriving.ack == snd_una_ && arriving.segment.payload.empty() &&
         !arriving.segment.has(packet::kSyn | packet::kFin) &&
         static_cast<uint32_t>(arriving.segment.header.window) << snd_wind_shift_ == snd_wnd_;
}

// RFC3168-6.1.2-1. A recovery has reduced the window already.
// `flight_before`: FlightSize when the ACK came; what it acknowledges was marked on its way.
void Connection::ecn_echo(Instant now, const Arriving& arriving, uint32_t flight_before) {
  if (!ecn_.on_echo(arriving.ack) || (recovery_ != nullptr && recovery_->in_recovery())) return;
  const bool smallest = congestion_->cwnd() <= congestion_->smss();
  congestion_->on_ecn_echo(now, flight_before);
  ecn_.note_reduction(snd_nxt_, true);
  if (!smallest) return;
  ecn_.hold(true);  // RFC3168-6.1.2-4, RFC 9438 §4.6: less than a segment for each round trip
  restart_retransmission_timer(now);
}

// RFC9293-3.8.6-L1; EM-ESTABLISHED-SEG-28, 29. The window of a segment without SYN is scaled.
void Connection::update_send_window(Instant now, const Arriving& arriving) {
  const SeqNum seq(arriving.segment.header.sequence_number);
  // A retransmission of the peer has an old SEQ, but an ACK that advances is never old: were its
  // window not taken, the right edge would move with SND.UNA to where the peer has never put it.
  const bool newer = snd_wl1_.before(seq) || snd_wl2_.before(arriving.ack) ||
                     (snd_wl1_ == seq && snd_wl2_ == arriving.ack);
  if (!newer) return;
  const bool was_zero = snd_wnd_ == 0;
  snd_wnd_ = static_cast<uint32_t>(arriving.segment.header.window) << snd_wind_shift_;
  snd_wl1_ = seq;
  snd_wl2_ = arriving.ack;
  max_snd_wnd_ = std::max(max_snd_wnd_, snd_wnd_);
  if (!was_zero || snd_wnd_ == 0) return;
  persist_backoff_ = 0;
  probe_pending_ = false;
  stop(kPersist);
  // What was probed or was in flight when the window closed goes out again now.
  if (recovery_ != nullptr && flight() != 0) recovery_->resend_all(sender(now));
  restart_user_timer(now);
}

}  // namespace tcproctor::tcp
