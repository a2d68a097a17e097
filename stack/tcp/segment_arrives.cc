// SPDX-License-Identifier: Apache-2.0
// SEGMENT ARRIVES: RFC 9293 §3.10.7. CLOSED (§3.10.7.1) is closed.h, LISTEN (§3.10.7.2) is
// listener.h, SYN-SENT (§3.10.7.3) and the other states (§3.10.7.4, first to eighth check) are
// here.
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kFin;
using packet::kRst;
using packet::kSyn;
using packet::kUrg;

void Connection::on_segment(Instant now, const packet::TcpSegment& segment) {
  if (!is_authentic(now, segment)) return;
  last_received_ = now;
  if (timer_runs(kKeepAlive)) restart_keepalive(now);
  switch (state_) {
    case State::kClosed:
    case State::kListen:
      return;
    case State::kSynSent:
      return segment_arrives_syn_sent(now, segment);
    case State::kTimeWait:
      return segment_arrives_time_wait(now, segment);
    default:
      return segment_arrives_otherwise(now, segment);
  }
}

// ---------------------------------------------------------------------------- §3.10.7.3 SYN-SENT

void Connection::segment_arrives_syn_sent(Instant now, const packet::TcpSegment& segment) {
  const SeqNum ack(segment.header.acknowledgment_number);
  const bool has_ack = segment.has(kAck);
  // First, check the ACK bit. RFC9293-3.5.2-L3; EM-SYN-SENT-SEG-01..04.
  if (has_ack && (ack.at_or_before(iss_) || ack.after(snd_nxt_))) {
    if (!segment.has(kRst)) queue_reset(ack);
    return drop(now, "RFC 9293 §3.10.7.3 first: ACK is not acceptable");
  }
  // Second, check the RST bit. Only the ACK vouches for it: RFC5961-3.2-5, erratum 8167;
  // EM-SYN-SENT-SEG-05, 06.
  if (segment.has(kRst)) {
    if (!has_ack) return drop(now, "RFC 9293 §3.10.7.3 second: RST without ACK");
    fast_open_failed();
    return enter_closed(now, "RFC 9293 §3.10.7.3 second: RST", Outcome::kConnectionRefused);
  }
  // Third, check the security: this stack has no security compartments (EM-SYN-SENT-SEG-07, 08).
  // Fourth, check the SYN bit; fifth, without SYN drop. EM-SYN-SENT-SEG-15, 16.
  if (!segment.has(kSyn)) return drop(now, "RFC 9293 §3.10.7.3 fifth: neither SYN nor RST");
  accept_syn(now, segment);
  if (!has_ack) {  // Simultaneous open: RFC9293-MUST-10; EM-SYN-SENT-SEG-13.
    retransmissions_ = 0;
    stop(kRetransmission);
    syn_pending_ = true;       // now as SYN,ACK,
    syn_sent_before_ = false;  // whose first is no retransmission of our SYN
    set_state(now, State::kSynReceived, "RFC 9293 §3.10.7.3 fourth: SYN");
    return hold_text_of_syn(segment);
  }
  // EM-SYN-SENT-SEG-09. Ruling 2: SND.WND, WL1 and WL2 are set here too (accept_syn).
  (void)take_rtt_sample(now, segment);
  snd_una_ = ack;
  snd_wl2_ = ack;
  send_buffer_.acknowledge(ack);
  learn_fast_open(segment);
  establish(now, "RFC 9293 §3.10.7.3 fourth: SYN,ACK");
  ack_now();
  hear_user_timeout(now, segment);
  // EM-SYN-SENT-SEG-10, 11: continue at the sixth check with what comes behind the SYN.
  Arriving arriving{.segment = segment,
                    .seq = rcv_nxt_,
                    .ack = ack,
                    .text = segment.payload,
                    .fin = segment.has(kFin)};
  trim_to_window(arriving);
  check_urg(now, arriving);
  if (process_text(now, arriving)) check_fin(now, arriving);
}

// What every SYN of the peer tells: RCV.NXT, IRS, its window and options.
void Connection::accept_syn(Instant now, const packet::TcpSegment& segment) {
  const auto& options = segment.options;
  irs_ = SeqNum(segment.header.sequence_number);
  if (authentication_ != nullptr) authentication_->set_irs(irs_);
  rcv_nxt_ = irs_ + 1;
  rcv_up_ = rcv_nxt_;
  rcv_adv_ = rcv_nxt_ + std::min<uint32_t>(receive_buffer_bytes_, 65535);
  receive_buffer_.start(rcv_nxt_);
  snd_wnd_ = segment.header.window;  // RFC7323-2.2-6: never scaled on a SYN
  max_snd_wnd_ = snd_wnd_;
  snd_wl1_ = irs_;
  snd_wl2_ = SeqNum(segment.header.acknowledgment_number);
  if (options.mss.has_value()) peer_mss_ = *options.mss;  // RFC9293-MUST-14, MUST-15
  // Each option is in force when both SYNs carry it: RFC7323-2.2-3, 2.3-2, RFC2018-4-1.
  if (options_->window_scale && options.window_scale.has_value()) {
    snd_wind_shift_ = std::min<uint8_t>(*options.window_scale, 14);  // RFC7323-2.3-5
    rcv_wind_shift_ = receive_window_shift();
    window_scale_agreed_ = true;
  }
  sack_permitted_ = options_->sack_permitted && options.sack_permitted;
  if (options_->timestamps && options.timestamps.has_value()) {
    timestamps_.start(now, options.timestamps->value);
  }
  // RFC3168-6.1.1-3..5, 6.1.1-9. In a simultaneous open both SYNs ask and the SYN,ACKs grant.
  ecn_.agree(ecn_requested() &&
             (segment.has(kAck) ? is_ecn_setup_syn_ack(segment) : is_ecn_setup_syn(segment)));
  timestamps_.last_ack_sent = rcv_nxt_;
  start_congestion_control();
}

// EM-SYN-SENT-SEG-14, EM-LISTEN-SEG-10..12: text and FIN of a SYN without an acceptable ACK wait,
// and are acknowledged once ESTABLISHED (RFC9293-3.5-L1).
void Connection::hold_text_of_syn(const packet::TcpSegment& segment) {
  Arriving arriving{.segment = segment,
                    .seq = rcv_nxt_,
                    .ack = SeqNum(),
                    .text = segment.payload,
                    .fin = segment.has(kFin)};
  trim_to_window(arriving);
  if (!receive_buffer_.hold(rcv_nxt_, arriving.text)) return;
  if (arriving.fin) {
    receive_buffer_.note_fin(rcv_nxt_ + static_cast<SeqLength>(arriving.text.size()));
  }
  if (segment.has(kUrg)) rcv_up_ = irs_ + segment.header.urgent_pointer;
}

// Our SYN is acknowledged; SND.UNA, SND.WND, WL1 and WL2 are set.
void Connection::establish(Instant now, std::string_view cause) {
  retransmissions_ = 0;
  trouble_reported_ = false;
  syn_pending_ = false;
  // RFC7413-4.2.2-8: data of our SYN that its answer did not take is as good as never sent.
  if (!passive_) snd_nxt_ = snd_una_;
  if (flight() == 0) stop(kRetransmission);
  report_room(now);
  if (syn_retransmissions_ != 0) rtt_.after_lost_syn();  // RFC6298-5.7-1
  start_congestion_control();                            // RFC5681-3.1-2
  last_send_ = now;
  receive_tuning_.start(now, receive_buffer_.read_position());
  set_state(now, State::kEstablished, cause);
  user_timeout_pending_ = options_->advertised_user_timeout.has_value();  // RFC5482-3-2
  restart_user_timer(now);
  restart_keepalive(now);
  // What came with a SYN is delivered now.
  if (rcv_up_.after(rcv_nxt_)) signal_urgent(now);
  receive_buffer_.release_held();
  if (receive_buffer_.next() == rcv_nxt_) return;
  rcv_nxt_ = receive_buffer_.next();
  emit({.kind = Event::Kind::kReadable, .time = now, .from = state_, .to = state_});
  ack_now();
}

// ------------------------------------------------- §3.10.7.4 SYN-RECEIVED and synchronized states

void Connection::segment_arrives_otherwise(Instant now, const packet::TcpSegment& segment) {
  if (state_ == State::kSynReceived && answer_syn_in_syn_received(now, segment)) return;
  Arriving arriving{.segment = segment,
                    .seq = SeqNum(segment.header.sequence_number),
                    .ack = SeqNum(segment.header.acknowledgment_number),
                    .text = segment.payload,
                    .fin = segment.has(kFin)};
  const bool go_on = check_timestamps(now, arriving) &&       // RFC 7323 §5.3, before the first
                     check_sequence_number(now, arriving) &&  // first
                     check_rst(now, arriving) &&              // second
                     check_security(arriving) &&              // third
                     check_syn(now, arriving) &&              // fourth
                     check_ack(now, arriving);                // fifth
  if (go_on) {
    hear_user_timeout(now, segment);
    // RFC3168-6.1.5-2, 6.1.6-2: marks count within the window, those of its probes too.
    if (!segment.payload.empty() && ecn_.on_text(segment)) ack_now();
    check_urg(now, arriving);                                   // sixth
    if (process_text(now, arriving)) check_fin(now, arriving);  // seventh, eighth
  }
  if (arriving.reply && state_ != State::kClosed) ack_at_once_each();
  start_queued_close(now);
}

// The peer's SYN again (SEQ = IRS) is old to the first check, which would answer <ACK> and drop it.
// True: done with.
bool Connection::answer_syn_in_syn_received(Instant now, const packet::TcpSegment& segment) {
  if (!segment.has(kSyn) || segment.has(kRst)) return false;
  if (SeqNum(segment.header.sequence_number) != irs_) return false;
  const SeqNum ack(segment.header.acknowledgment_number);
  if (!segment.has(kAck)) {
    // Ruling 4, EM-SYN-RECEIVED-active-SEG-03: our SYN,ACK was lost, so it goes again.
    if (!is_ecn_setup_syn(segment)) ecn_.agree(false);  // RFC3168-6.1.1-5
    syn_pending_ = true;
    drop(now, "RFC 9293 §3.10.7.4 first: the SYN again");
    return true;
  }
  if (passive_ || !ack.after(snd_una_) || ack.after(snd_nxt_)) return false;
  Arriving arriving{.segment = segment,
                    .seq = irs_,
                    .ack = ack,
                    .text = segment.payload,
                    .fin = segment.has(kFin)};
  if (!check_timestamps(now, arriving)) return true;  // RFC7323-5.3-2
  if (timestamps_.in_use) timestamps_.update(now, irs_, segment.options.timestamps->value);
  // Ruling 1, EM-SYN-RECEIVED-active-SEG-23: SYN,ACK of a simultaneous open, Figure 7 line 6. The
  // SYN is trimmed and the ACK counts. Nothing is sent, as in the figure, if our SYN,ACK is on its
  // way.
  if (!is_ecn_setup_syn_ack(segment)) ecn_.agree(false);  // RFC3168-6.1.1-5
  const bool ours_unsent = syn_pending_;
  (void)take_rtt_sample(now, segment);
  snd_una_ = ack;
  send_buffer_.acknowledge(ack);
  snd_wnd_ = segment.header.window;
  max_snd_wnd_ = std::max(max_snd_wnd_, snd_wnd_);
  snd_wl1_ = irs_;
  snd_wl2_ = ack;
  establish(now, "RFC 9293 §3.5 Figure 7: SYN,ACK of a simultaneous open");
  hear_user_timeout(now, segment);
  if (ours_unsent) ack_now();
  trim_to_window(arriving);  // EM-SYN-RECEIVED-active-SEG-10: what came with the first SYN is old
  check_urg(now, arriving);
  if (process_text(now, arriving)) check_fin(now, arriving);
  if (arriving.reply && state_ != State::kClosed) ack_at_once_each();
  start_queued_close(now);
  return true;
}

// R1 of RFC 7323 §5.3, before everything else (RFC7323-5.3-2). RST is exempt (RFC7323-5.2-1).
bool Connection::check_timestamps(Instant now, Arriving& arriving) {
  if (!timestamps_.in_use || arriving.segment.has(kRst)) return true;
  const auto& option = arriving.segment.options.timestamps;
  if (!option.has_value()) {  // RFC7323-3.2-7, 3.2-8
    drop(now, "RFC 7323 §3.2: timestamps option is missing");
    return false;
  }
  if (!timestamps_.is_old(now, option->value)) return true;
  unacceptable(now, arriving, "RFC 7323 §5.3 R1: old timestamp");  // EM-ESTABLISHED-SEG-37
  return false;
}

// First check: RFC9293-3.4-L2, the four cases, and trimming to the window.
bool Connection::check_sequence_number(Instant now, Arriving& arriving) {
  const packet::TcpSegment& segment = arriving.segment;
  const uint32_t length = segment.sequence_length();
  const uint32_t window = rcv_wnd();
  if (segment.has(kRst)) {
    // RFC 5961 §3.2 judges a RST by its SEQ alone; with a closed window RCV.NXT is still good
    // (RFC9293-MUST-66, EM-ESTABLISHED-SEG-09).
    if (arriving.seq.in_window(rcv_nxt_, std::max(window, 1u))) return true;
    drop(now, "RFC 9293 §3.10.7.4 first: RST outside the window");  // EM-ESTABLISHED-SEG-08, 16
    return false;
  }
  const bool at_next = arriving.seq == rcv_nxt_;
  bool acceptable = false;
  if (length == 0) {
    acceptable = window == 0 ? at_next : arriving.seq.in_window(rcv_nxt_, window);
  } else if (window != 0) {
    acceptable = arriving.seq.in_window(rcv_nxt_, window) ||
                 (arriving.seq + (length - 1)).in_window(rcv_nxt_, window);
  } else if (at_next) {
    // Ruling 10, EM-ESTABLISHED-SEG-07: nothing of its text is taken and an ACK is owed, but its
    // ACK and URG count (RFC9293-MUST-66; 3.8.6.1-L1).
    arriving.reply = true;
    acceptable = true;
  }
  if (!acceptable) {  // EM-ESTABLISHED-SEG-01..05
    unacceptable(now, arriving, "RFC 9293 §3.10.7.4 first: outside the window");
    return false;
  }
  if (!arriving.text.empty()) note_duplicate(arriving.seq, rcv_nxt_);  // RFC2883-4.2-1
  trim_to_window(arriving);
  return true;
}

// RFC9293-3.10.7.4-L8, L9; EM-ESTABLISHED-SEG-10, 11. A SYN takes the first number.
void Connection::trim_to_window(Arriving& arriving) {
  const packet::TcpSegment& segment = arriving.segment;
  if (segment.has(kSyn) && arriving.seq == SeqNum(segment.header.sequence_number)) {
    arriving.seq += 1;
  }
  if (arriving.seq.before(rcv_nxt_)) {
    const size_t old = std::min<size_t>(rcv_nxt_ - arriving.seq, arriving.text.size());
    arriving.text = arriving.text.subspan(old);
    arriving.seq += static_cast<SeqLength>(old);
    if (arriving.seq.before(rcv_nxt_)) arriving.fin = false;  // the FIN itself is old
  }
  const size_t room = rcv_adv_.after(arriving.seq) ? rcv_adv_ - arriving.seq : 0;
  if (arriving.text.size() > room) {
    arriving.text = arriving.text.first(room);
    arriving.fin = false;
  } else if (arriving.text.size() == room) {
    arriving.fin = false;  // it stands just beyond the right edge
  }
}

// Not acceptable: EM-*-SEG "send <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; drop" (RFC9293-3.5.2-L4). For
// segments without text or FIN the answers are throttled, or two ends that disagree would answer
// each other's ACKs for ever.
void Connection::unacceptable(Instant now, const Arriving& arriving, std::string_view cause) {
  if (arriving.segment.has(kSyn)) {
    challenge_ack(now);  // RFC5961-4.2-1, RFC5961-7-1: whatever its number
  } else if (arriving.segment.sequence_length() != 0 ||
             answer_allowed(now, &Ledger::invalid_limiter)) {
    ack_at_once_each();
  }
  // RFC2883-4.3-1: also of segments that PAWS rejects.
  if (!arriving.text.empty()) {
    const SeqNum end = arriving.seq + static_cast<SeqLength>(arriving.text.size());
    note_duplicate(arriving.seq, earlier_of(end, rcv_nxt_));
  }
  drop(now, cause);
}

// [left, right) came before, if there is anything in it: the next ACK says so (RFC2883-4-1..4-3).
void Connection::note_duplicate(SeqNum left, SeqNum right) {
  if (sack_permitted_ && left.before(right)) duplicate_ = {left.value(), right.value()};
}

// Second check: RFC 5961 §3.2 (RFC9293-3.10.7.4-U1..U3). RFC9293-SHLD-2: data on it is no matter.
bool Connection::check_rst(Instant now, Arriving& arriving) {
  static constexpr std::string_view kCause = "RFC 9293 §3.10.7.4 second: RST";
  if (!arriving.segment.has(kRst)) return true;
  arriving.reply = false;
  if (arriving.seq != rcv_nxt_) {  // EM-ESTABLISHED-SEG-14, 18
    challenge_ack(now);
    drop(now, "RFC 5961 §3.2: RST in the window but not at RCV.NXT");
    return false;
  }
  switch (state_) {
    case State::kSynReceived:
      if (may_answer_early()) {  // its user knows of it already
        enter_closed(now, kCause, Outcome::kConnectionReset);
      } else if (passive_) {  // EM-SYN-RECEIVED-passive-SEG-13, RFC9293-MUST-11
        return_to_listen(now, kCause);
      } else {  // EM-SYN-RECEIVED-active-SEG-13
        enter_closed(now, kCause, Outcome::kConnectionRefused);
      }
      break;
    case State::kClosing:  // EM-CLOSING-SEG-13: both users have closed, nobody waits
    case State::kLastAck:
      enter_closed(now, kCause, Outcome::kOk);
      break;
    default:  // EM-ESTABLISHED-SEG-13
      enter_closed(now, kCause, Outcome::kConnectionReset);
      break;
  }
  return false;
}

// Third check: this stack has no security compartments, so nothing can mismatch (EM-*-SEG-19).
bool Connection::check_security(const Arriving&) {
  return true;
}

// Fourth check.
bool Connection::check_syn(Instant now, Arriving& arriving) {
  if (!arriving.segment.has(kSyn)) return true;
  arriving.reply = false;
  if (state_ == State::kSynReceived && passive_ && !may_answer_early()) {
    // Ruling 5, EM-SYN-RECEIVED-passive-SEG-20, erratum 8710.
    return_to_listen(now, "RFC 9293 §3.10.7.4 fourth: SYN in the window");
    return false;
  }
  challenge_ack(now);  // RFC9293-3.10.7.4-U4, U5; EM-ESTABLISHED-SEG-20
  drop(now, "RFC 5961 §4.2: SYN");
  return false;
}

void Connection::return_to_listen(Instant now, std::string_view cause) {
  stop_all_timers();
  flush();
  receive_buffer_.clear();
  set_state(now, State::kListen, cause);
}

// Fifth check.
bool Connection::check_ack(Instant now, Arriving& arriving) {
  if (!arriving.segment.has(kAck)) {  // EM-ESTABLISHED-SEG-23
    drop(now, "RFC 9293 §3.10.7.4 fifth: no ACK");
    return false;
  }
  if (state_ == State::kSynReceived && !check_ack_syn_received(now, arriving)) return false;
  return process_ack(now, arriving);
}

bool Connection::check_ack_syn_received(Instant now, Arriving& arriving) {
  const SeqNum ack = arriving.ack;
  if (!ack.after(snd_una_) || ack.after(snd_nxt_)) {
    // Ruling 3: RST, not the ACK of RFC 5961 §5. EM-SYN-RECEIVED-passive-SEG-24, 25.
    arriving.reply = false;
    queue_reset(ack);
    drop(now, "RFC 9293 §3.10.7.4 fifth: ACK is not acceptable");
    return false;
  }
  if (held_back_) {
    arriving.reply = false;
    drop(now, "RFC 9293 §3.10.7.4 fifth: too many connections wait for ACCEPT");
    return false;
  }
  // EM-SYN-RECEIVED-passive-SEG-23.
  (void)take_rtt_sample(now, arriving.segment);
  // Of our SYN alone: what was sent before the handshake was done (RFC7413-4.2.2-5) is
  // process_ack's.
  snd_una_ = iss_ + 1;
  snd_wnd_ = static_cast<uint32_t>(arriving.segment.header.window) << snd_wind_shift_;
  max_snd_wnd_ = std::max(max_snd_wnd_, snd_wnd_);
  snd_wl1_ = SeqNum(arriving.segment.header.sequence_number);
  snd_wl2_ = ack;
  establish(now, "RFC 9293 §3.10.7.4 fifth: ACK of our SYN");
  // Text that came with the SYN may have been delivered just now: this segment's copy of it is old.
  if (arriving.seq.before(rcv_nxt_)) trim_to_window(arriving);
  return true;
}

// Sixth check: RFC9293-MUST-30..32; 3.1-L2. In the states behind the peer's FIN URG is ignored
// (EM-CLOSE-WAIT-SEG-30).
void Connection::check_urg(Instant now, Arriving& arriving) {
  if (!arriving.segment.has(kUrg)) return;
  if (state_ != State::kEstablished && state_ != State::kFinWait1 && state_ != State::kFinWait2) {
    return;
  }
  // The pointer counts from the segment's sequence number, before it was trimmed.
  const SeqNum up =
      SeqNum(arriving.segment.header.sequence_number) + arriving.segment.header.urgent_pointer;
  if (!up.after(receive_buffer_.read_position())) return;  // EM-ESTABLISHED-SEG-32
  if (urgent_ahead_ && !up.after(rcv_up_)) return;         // EM-ESTABLISHED-SEG-31, ruling 11
  rcv_up_ = later_of(rcv_up_, up);
  signal_urgent(now);
}

void Connection::signal_urgent(Instant now) {  // EM-ESTABLISHED-SEG-30, RFC9293-MUST-32
  urgent_ahead_ = true;
  emit({.kind = Event::Kind::kUrgent,
        .time = now,
        .from = state_,
        .to = state_,
        .cause = "RFC 9293 §3.10.7.4 sixth: URG"});
}

// Seventh: segment text. False: the connection ended.
bool Connection::process_text(Instant now, Arriving& arriving) {
  if (arriving.text.empty()) return true;
  if (state_ != State::kEstablished && state_ != State::kFinWait1 && state_ != State::kFinWait2) {
    // EM-CLOSE-WAIT-SEG-31: it cannot be the peer's, which has sent FIN.
    drop(now, "RFC 9293 §3.10.7.4 seventh: text behind the FIN");
    arriving.reply = true;
    return true;
  }
  if (released_) {  // RFC9293-SHLD-3; EM-FIN-WAIT-1-SEG-37, EM-FIN-WAIT-2-SEG-36
    queue_reset(snd_nxt_);
    enter_closed(now, "RFC 9293 §3.6.1: data after the user has gone", Outcome::kOk);
    return false;
  }
  const bool had_gaps = receive_buffer_.has_gaps();
  if (had_gaps && arriving.seq == SeqNum(arriving.segment.header.sequence_number)) {
    const packet::SackBlock held = receive_buffer_.first_held(arriving.seq, arriving.text.size());
    note_duplicate(SeqNum(held.left), SeqNum(held.right));
  }
  const bool stored = receive_buffer_.insert(arriving.seq, arriving.text);
  if (stored && arriving.segment.has(packet::kPsh)) {  // EM-ESTABLISHED-SEG-34
    const SeqNum end = arriving.seq + static_cast<SeqLength>(arriving.text.size());
    received_push_end_ = push_received_ ? later_of(received_push_end_, end) : end;
    push_received_ = true;
  }
  if (receive_buffer_.next() == rcv_nxt_) {
    // EM-ESTABLISHED-SEG-12: behind a gap, held (RFC9293-SHLD-31); RFC5681-3.2-1, RFC2018-4-4.
    ack_at_once_each();
    return true;
  }
  rcv_nxt_ = receive_buffer_.next();  // EM-ESTABLISHED-SEG-33
  emit({.kind = Event::Kind::kReadable, .time = now, .from = state_, .to = state_});
  acknowledge_text(now, arriving, had_gaps);
  return true;
}

// Delayed ACK (§3.8.6.3): RFC9293-SHLD-18, SHLD-19, MUST-40, MUST-58, MUST-59. Duplicate ACKs that
// were owed are overtaken by this one.
void Connection::acknowledge_text(Instant now, const Arriving& arriving, bool filled_gap) {
  extra_acks_ = 0;
  const bool large = arriving.text.size() >= 2u * announced_mss();
  if (++segments_unacknowledged_ >= 2 || large || filled_gap ||  // RFC5681-3.2-2
      options_->delayed_ack == Duration{0}) {
    ack_now();
  } else if (!timer_runs(kDelayedAck)) {
    timers_[kDelayedAck] = now + options_->delayed_ack;
  }
}

// Eighth: FIN.
void Connection::check_fin(Instant now, Arriving& arriving) {
  if (arriving.fin) {
    if (fin_received_) {  // EM-CLOSE-WAIT-SEG-32
      arriving.reply = true;
      return;
    }
    const SeqNum fin = arriving.seq + static_cast<SeqLength>(arriving.text.size());
    receive_buffer_.note_fin(fin);
    // EM-ESTABLISHED-SEG-36: behind a gap; its text, if any, was answered already.
    if (fin.after(rcv_nxt_) && arriving.text.empty()) ack_at_once_each();
  }
  if (!fin_received_ && receive_buffer_.fin_is_next()) fin_in_order(now);
}

void Connection::fin_in_order(Instant now) {
  static constexpr std::string_view kCause = "RFC 9293 §3.10.7.4 eighth: FIN";
  fin_received_ = true;
  rcv_nxt_ += 1;
  rcv_adv_ = later_of(rcv_adv_, rcv_nxt_);
  extra_acks_ = 0;
  ack_now();  // RFC9293-3.6-L2
  emit(
      {.kind = Event::Kind::kReadable, .time = now, .from = state_, .to = state_, .cause = kCause});
  switch (state_) {
    case State::kEstablished:  // EM-ESTABLISHED-SEG-35
      set_state(now, State::kCloseWait, kCause);
      break;
    case State::kFinWait1:  // EM-FIN-WAIT-1-SEG-39: our FIN is not acknowledged, else FIN-WAIT-2
      set_state(now, State::kClosing, kCause);
      break;
    case State::kFinWait2:  // EM-FIN-WAIT-1-SEG-38, EM-FIN-WAIT-2-SEG-37
      enter_time_wait(now, kCause);
      break;
    default:
      break;
  }
}

// ------------------------------------------------------------------------------------ TIME-WAIT

void Connection::segment_arrives_time_wait(Instant now, const packet::TcpSegment& segment) {
  switch (time_wait_->on_segment(now, segment, settings_)) {
    case TimeWait::Action::kStay:
      break;
    case TimeWait::Action::kReopen:
      reopen_requested_ = true;
      break;
    case TimeWait::Action::kDelete:  // EM-TIME-WAIT-SEG-13
      return enter_closed(now, "RFC 9293 §3.10.7.4 second: RST", Outcome::kOk);
  }
  timers_[kTimeWaitEnd] = time_wait_->deadline();
}

bool Connection::take_reopen_request() {
  const bool requested = reopen_requested_;
  reopen_requested_ = false;
  return requested;
}

void Connection::refuse_reopen(Instant now) {
  time_wait_->refuse_reopen(now, settings_);
}

}  // namespace tcproctor::tcp
