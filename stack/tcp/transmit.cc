// SPDX-License-Identifier: Apache-2.0
// What a connection sends and when: segmentation (RFC 9293 §3.7), the Nagle algorithm (§3.7.4),
// window management on both sides (§3.8.6), PSH and URG. Segments are made only when they are
// pulled, so one ACK answers all that arrived before (RFC9293-MUST-58, MUST-59).
#include <algorithm>
#include <tuple>

#include "stack/tcp/connection.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/mss.h"
#include "stack/tcp/user_timeout_option.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kFin;
using packet::kPsh;
using packet::kRst;
using packet::kSyn;
using packet::kUrg;

bool Connection::make_segment(Instant now, SegmentOut& out, uint32_t max_payload) {
  if (send_reset(out, now)) return true;
  if (state_ == State::kClosed || state_ == State::kListen) return false;
  if (send_syn(now, out)) return true;
  if (extra_acks_ != 0) {
    --extra_acks_;
    fill(now, out, snd_nxt_, kAck, true);
    return true;
  }
  if (state_ == State::kTimeWait) {
    if (!ack_now_) return time_wait_->next_segment(now, tuple_, out);
    fill(now, out, snd_nxt_, kAck, false);
    return true;
  }
  if (send_tail_loss_probe(now, out) || send_retransmission(now, out) || send_probe(now, out)) {
    return true;
  }
  const MtuProbe mtu_probe = send_mtu_probe(now, out);
  if (mtu_probe == MtuProbe::kSent) return true;
  if (mtu_probe == MtuProbe::kNone && send_new_data(now, out, max_payload)) return true;
  arm_persist(now);
  if (send_pure_ack(now, out)) return true;
  flight_after_turn_ = flight();
  return false;
}

// <SEQ=…><CTL=RST>. RFC7323-3.2-6, 5.2-4: with timestamps when they are in use.
bool Connection::send_reset(SegmentOut& out, Instant now) {
  if (reset_count_ == 0) return false;
  std::array<SeqNum, 4>& resets = ledger().resets;
  const SeqNum seq = resets[0];
  --reset_count_;
  std::copy_n(resets.begin() + 1, reset_count_, resets.begin());
  fill_header(out, seq, kRst);
  packet::OptionWriter writer(option_room());
  if (timestamps_.in_use) {
    writer.nop();
    writer.nop();
    writer.timestamps({.value = timestamp_value(now, timestamps_.offset), .echo_reply = 0});
  }
  put_options(out, writer);
  return true;
}

// SYN of SYN-SENT, SYN,ACK of SYN-RECEIVED (and of FIN-WAIT-1 when its SYN was never acknowledged).
bool Connection::send_syn(Instant now, SegmentOut& out) {
  if (!syn_pending_) return false;
  syn_pending_ = false;
  const bool with_ack = state_ != State::kSynSent;
  fill_header(out, iss_, with_ack ? kSyn | kAck : kSyn);
  // RFC7323-2.2-6: the window of a SYN is not scaled.
  out.header.window = static_cast<uint16_t>(
      std::min<uint32_t>(with_ack ? rcv_wnd() : receive_buffer_bytes_, 65535));
  packet::SynOptions options;
  // RFC9293-SHLD-5, MAY-3: always.
  options.mss = announced_mss();
  if (with_ack ? window_scale_agreed_ : options_->window_scale) {  // RFC7323-2.2-2, 2.2-4
    options.window_scale = with_ack ? rcv_wind_shift_ : receive_window_shift();
  }
  out.header.flags |= ecn_flags_of_syn(with_ack);
  options.sack_permitted = with_ack ? sack_permitted_ : options_->sack_permitted;
  if (with_ack ? timestamps_.in_use : options_->timestamps) {  // RFC7323-3.2-1, 3.2-2
    options.timestamps = {.value = timestamp_value(now, timestamps_.offset),
                          .echo_reply = with_ack ? timestamps_.recent : 0};
  }
  if (with_ack) {
    out.header.acknowledgment_number = rcv_nxt_.value();
    note_ack_sent();
  }
  options.fast_open = fast_open_offer();
  if (options.fast_open.has_value()) fast_open_->offered = true;
  packet::OptionWriter writer(option_room());
  packet::write_syn_options(options, writer);
  put_options(out, writer);
  if (options.fast_open.has_value()) put_data_on_syn(out);

  if (syn_sent_before_) {
    ++ledger().total_retransmissions;
    timing_ = false;
  } else {
    // RFC6298-3-1: the SYN,ACK that crosses ours answers our SYN, an ACK answers our SYN,ACK. Where
    // these did not go at one time only a timestamp tells which it was.
    timing_ = !with_ack || passive_ || (timing_ && timed_at_ == now);
    timed_end_ = iss_ + 1;
    timed_at_ = now;
  }
  syn_sent_before_ = true;
  last_send_ = now;
  if (!timer_runs(kRetransmission)) restart_retransmission_timer(now);
  return true;
}

// RFC3168-6.1.1-1, 6.1.1-10 (the SYN itself is Not-ECT). RFC3168-6.1.1.1-2: a network that drops
// such a SYN gets a plain one the next time, and then ECN is off (RFC3168-6.1.1-4).
uint16_t Connection::ecn_flags_of_syn(bool with_ack) const {
  if (with_ack) return ecn_.agreed() ? packet::kEce : uint16_t{0};
  return ecn_requested() ? packet::kEce | packet::kCwr : uint16_t{0};
}

// Owed ACKs, and the keep-alive probe (RFC9293-SHLD-12: no data; SEQ one back so that it is
// answered).
bool Connection::send_pure_ack(Instant now, SegmentOut& out) {
  if (keepalive_pending_) {
    keepalive_pending_ = false;
    fill(now, out, snd_nxt_ - 1, kAck, true);
    return true;
  }
  if (!ack_now_ || state_ == State::kSynSent) return false;
  fill(now, out, snd_nxt_, kAck, true);
  return true;
}

// What loss recovery wants sent again.
bool Connection::send_retransmission(Instant now, SegmentOut& out) {
  if (!syn_acknowledged() || flight() == 0 || snd_wnd_ == 0 || recovery_ == nullptr) return false;
  const LossRecovery::Sender sender = this->sender(now);
  const auto span = recovery_->next_retransmission(sender, congestion_->cwnd());
  if (!span.has_value()) return false;
  const SeqNum seq = span->begin;
  // RFC9293-SHLD-16: within the window as it is now, of which at least one octet is open.
  const SeqNum edge = snd_una_ + snd_wnd_;
  if (!seq.before(edge)) return false;
  // An octet that went out as a window probe is sent again with what follows it.
  const SeqNum limit = earlier_of(probed_ ? seq + sender.smss : span->end, send_end());
  const uint32_t length = limit.after(seq) ? std::min(limit - seq, edge - seq) : 0;
  if (seq != snd_una_ && (seq - snd_una_) + length > resend_allowance_) return false;
  const SeqNum end = seq + length;
  const bool fin = fin_queued_ && end == send_end() && end.before(edge) && (fin_sent() || probed_);
  if (length == 0 && !fin) return false;

  fill(now, out, seq, kAck, false);
  attach_payload(out, seq, length, 0);
  if (fin) {
    out.header.flags |= kFin;
    note_fin_sent(now);  // its first time, when all before it went out as a window probe
  }
  ++ledger().total_retransmissions;
  ledger().retransmitted_bytes += length;
  timing_ = false;  // Karn: RFC6298-3-1
  probed_ = false;
  note_sent(now, seq, end + (fin ? 1u : 0u));
  return true;
}

// RFC8985-7.3-2: a segment of new data, whatever cwnd says, or the last one again.
bool Connection::send_tail_loss_probe(Instant now, SegmentOut& out) {
  if (!tail_loss_probe_pending_) return false;
  tail_loss_probe_pending_ = false;
  if (!syn_acknowledged() || flight() == 0 || snd_wnd_ == 0 || probed_) return false;
  const uint32_t mss = payload_mss(false);
  const uint32_t unsent = send_end().after(snd_nxt_) ? send_end() - snd_nxt_ : 0;
  const uint32_t fresh = std::min({unsent, usable_window(), mss});
  SeqNum seq = snd_nxt_;
  uint32_t length = fresh;
  if (fresh == 0) {
    const SeqNum last = earlier_of(snd_nxt_, send_end());
    length = last.after(snd_una_) ? std::min(last - snd_una_, mss) : 0;
    seq = last - length;
  }
  const SeqNum end = seq + length;
  const bool fin = fresh == 0 && fin_sent();
  if (length == 0 && !fin) return false;
  if (fresh == 0) {
    ++ledger().total_retransmissions;
    ledger().retransmitted_bytes += length;
    timing_ = false;  // Karn: RFC6298-3-1
  }
  fill(now, out, seq, kAck, false);
  attach_payload(out, seq, length, 0);
  if (fin) out.header.flags |= kFin;
  note_sent(now, seq, end + (fin ? 1u : 0u), true);
  trace_probe(now, ProbeKind::kTailLoss, 1);
  return true;
}

// Zero-window probe: at least one octet (RFC9293-3.8.6.1-L2, ruling 18), or what the override timer
// lets go (§3.8.6.2.1 (4)).
bool Connection::send_probe(Instant now, SegmentOut& out) {
  if (!probe_pending_) return false;
  probe_pending_ = false;
  if (snd_wnd_ != 0) {
    const uint32_t length = std::min({send_end().after(snd_nxt_) ? send_end() - snd_nxt_ : 0u,
                                      usable_window(), payload_mss(false)});
    if (length == 0) return false;
    fill(now, out, snd_nxt_, kAck, false);
    attach_payload(out, snd_nxt_, length, 0);
    note_sent(now, snd_nxt_, snd_nxt_ + length);
    return true;
  }
  const bool data = send_buffer_.size() != 0;
  if (!data && !fin_queued_) return false;
  fill(now, out, snd_una_, kAck, false);
  attach_payload(out, snd_una_, data ? 1 : 0, 0);
  if (!data) {
    out.header.flags |= kFin;
    note_fin_sent(now);
  }
  probed_ = true;
  trace_probe(now, ProbeKind::kWindow, std::max(persist_backoff_, 1u));
  const SeqNum end = snd_una_ + 1;
  recovery(now).on_sent(sender(now), snd_una_, end, false);
  snd_nxt_ = later_of(snd_nxt_, end);
  last_send_ = now;
  timers_[kPersist] = now + persist_interval();
  if (!timer_runs(kUser)) restart_user_timer(now);
  return true;
}

bool Connection::send_new_data(Instant now, SegmentOut& out, uint32_t max_payload) {
  if (!is_synchronized(state_) && !may_answer_early()) return false;
  if (snd_nxt_.after(send_end())) return false;
  const bool unsent = send_end().after(snd_nxt_);
  if (!unsent && !fin_queued_) return false;
  if (probed_) return false;
  if (recovery_ != nullptr && recovery_->lost_data_waits(sender(now))) {
    cwnd_limited_until_ = snd_nxt_;  // it is cwnd that holds the lost data back
    return false;
  }
  if (ecn_.held()) return false;
  if (unsent && flight() == 0) congestion_->after_idle(now, now - last_send_, rtt_.rto());
  // SACK blocks ride on data unless they would take most of the segment.
  const bool with_sack = payload_mss(false) >= 536;
  const uint32_t mss = payload_mss(with_sack);
  // CWR is for one segment: it is not copied from a super-segment to those it is cut into.
  const uint32_t length = sendable_now(now, mss, ecn_.cwr_pending() ? 0 : max_payload);
  const SeqNum seq = snd_nxt_;
  const SeqNum end = seq + length;
  const bool fin = fin_queued_ && end == send_end() && usable_window() > length;
  if (length == 0 && !fin) return false;

  fill(now, out, seq, kAck, with_sack);
  attach_payload(out, seq, length, length > mss ? mss : 0);
  if (length != 0) mark_new_data(out);
  if (fin) {
    out.header.flags |= kFin;
    note_fin_sent(now);
  }
  note_sent(now, seq, end + (fin ? 1u : 0u));
  return true;
}

// RFC3168-5.2-1, 6.1.4-1, 6.1.5-1, 6.1.6-1: on new data alone.
void Connection::mark_new_data(SegmentOut& out) {
  out.ecn = ecn_.codepoint_of_new_data();
  out.header.flags |= ecn_.flags_of_new_data();
}

uint32_t Connection::usable_window() const {
  const SeqNum edge = snd_una_ + snd_wnd_;
  return edge.after(snd_nxt_) ? edge - snd_nxt_ : 0;  // RFC9293-MUST-34: may be negative
}

// RFC9293-SHLD-7, MUST-17: whether less than a segment may go at all.
bool Connection::small_may_go(uint32_t queued, uint32_t usable) const {
  // Nothing of the user's is outstanding.
  const bool idle = snd_nxt_ == snd_una_ || snd_nxt_ == iss_ + 1;
  return idle || options_->no_delay || urgent_mode_ || (fin_queued_ && queued <= usable);
}

// RFC9293-3.8.6.2.1-L1 with §3.7.4: how many octets of new data may go in the next segment (or
// super-segment). D: queued and unsent, U: usable window. RFC9293-SHLD-28, RFC5681-2-1.
uint32_t Connection::sendable_now(Instant now, uint32_t mss, uint32_t max_payload) {
  if (!send_end().after(snd_nxt_)) return 0;
  const uint32_t queued = send_end() - snd_nxt_;
  const uint32_t usable = usable_window();
  const uint32_t cwnd = congestion_->cwnd();
  const uint32_t room = recovery_ != nullptr ? recovery_->room(sender(now), cwnd) : cwnd;
  if (room < std::min(queued, usable)) cwnd_limited_until_ = snd_nxt_;
  const uint32_t allowed = std::min({queued, usable, room});
  const bool small_may_go = this->small_may_go(queued, usable);

  if (allowed >= mss) {  // (1)
    const bool bulk = max_payload > mss && !urgent_mode_;
    const uint32_t most = bulk ? max_payload - max_payload % mss : mss;
    if (allowed > most) return most;
    const bool tail_may_go = allowed == queued && small_may_go && flight() == 0;
    return tail_may_go ? allowed : allowed - allowed % mss;
  }
  if (allowed == 0 || room < std::min(queued, usable)) return 0;  // cwnd: an ACK will open it
  if (!small_may_go) return 0;                                    // Nagle: RFC9293-SHLD-7, MUST-17
  if (queued <= usable) return queued;              // (2); all data counts as pushed: MUST-60
  if (allowed >= max_snd_wnd_ / 2) return allowed;  // (3)
  return 0;                                         // (4) the override timer
}

// RFC9293-MUST-16: what of the effective send MSS is left beside this segment's options.
uint32_t Connection::payload_of(uint32_t mtu, bool with_sack) const {
  uint32_t options = options_of_data();
  if (with_sack) {
    std::array<packet::SackBlock, packet::kMaxSackBlocks> storage;
    const size_t blocks = sack_blocks(storage).size();
    if (blocks != 0) options += 4 + 8 * static_cast<uint32_t>(blocks);
  }
  const uint32_t mss = effective_send_mss(peer_mss_, tuple_.remote.address.family(), mtu);
  return mss > options ? mss - options : 1;
}

// Octets of TCP options in a segment of data, but for SACK blocks.
uint32_t Connection::options_of_data() const {
  uint32_t octets = timestamps_.in_use ? 12 : 0;
  if (user_timeout_pending_) octets += 4;
  if (authentication_ != nullptr) octets += authentication_->option_bytes();  // RFC2385-4.3-1
  return octets;
}

std::span<const packet::SackBlock> Connection::sack_blocks(
    std::array<packet::SackBlock, packet::kMaxSackBlocks>& storage) const {
  const bool duplicate = duplicate_ != packet::SackBlock{};
  if (!sack_permitted_ || (!duplicate && !receive_buffer_.has_gaps())) return {};  // RFC2018-4-1
  // RFC2018-3-2: three beside timestamps; one beside them and TCP-AO, none beside them and MD5.
  const size_t most = (option_room() - (timestamps_.in_use ? 12 : 0) - 4) / 8;
  if (most == 0) return {};
  // RFC2883-4-1, 4-4, 4-5: the D-SACK is first. If it lies above RCV.NXT, the block that encloses
  // it was touched last and comes next.
  if (duplicate) storage[0] = duplicate_;
  const size_t first = duplicate ? 1 : 0;
  const size_t others =
      receive_buffer_.sack_blocks(std::span(storage).subspan(first, most - first));
  return {storage.data(), first + others};
}

void Connection::fill_header(SegmentOut& out, SeqNum seq, uint16_t flags) const {
  out.tuple = tuple_;
  out.header = packet::TcpHeader{.source_port = tuple_.local.port,
                                 .destination_port = tuple_.remote.port,
                                 .sequence_number = seq.value(),
                                 .flags = flags};
  out.option_size = 0;
  out.payload = {};
  out.payload_rest = {};
  out.gso_size = 0;
  out.dscp = options_->dscp;  // RFC9293-MUST-48, SHLD-21, SHLD-22
  out.ecn = 0;
  out.ttl = options_->ttl;  // RFC9293-MUST-49
  out.dont_fragment = options_->path_mtu_discovery;
}

void Connection::put_options(SegmentOut& out, packet::OptionWriter& writer) {
  const auto bytes = writer.finish();
  std::ranges::copy(bytes, out.option_bytes.begin());
  out.option_size = static_cast<uint8_t>(bytes.size());
}

// A segment after the handshake: it always carries ACK (RFC9293-3.8-L1) and, when agreed,
// timestamps (RFC7323-3.2-3, 3.2-5).
void Connection::fill(Instant now, SegmentOut& out, SeqNum seq, uint16_t flags, bool with_sack) {
  fill_header(out, seq, flags);
  out.header.flags |= ecn_.flags_of_ack();
  out.header.acknowledgment_number = rcv_nxt_.value();
  out.header.window = advertise_window();
  if (urgent_mode_ && snd_up_.after(seq)) {  // RFC9293-MUST-30, MUST-62
    out.header.flags |= kUrg;
    out.header.urgent_pointer =
        static_cast<uint16_t>(std::min<uint32_t>(snd_up_ - seq, 65535));  // MUST-31: still ahead
  }
  packet::OptionWriter writer(option_room());
  std::optional<packet::TimestampsOption> timestamps;
  if (timestamps_.in_use) {
    timestamps = {.value = timestamp_value(now, timestamps_.offset),
                  .echo_reply = timestamps_.recent};
  }
  std::array<packet::SackBlock, packet::kMaxSackBlocks> storage;
  packet::write_segment_options(
      timestamps, with_sack ? sack_blocks(storage) : std::span<const packet::SackBlock>(), writer);
  if (with_sack) duplicate_ = {};  // RFC2883-4-2
  // RFC5482-3-2, 3-3. A segment full of SACK blocks has no room: the next one then.
  if (user_timeout_pending_ &&
      writer.user_timeout(user_timeout_option(*options_->advertised_user_timeout))) {
    user_timeout_pending_ = false;
  }
  put_options(out, writer);
  note_ack_sent();
}

void Connection::note_ack_sent() {
  timestamps_.last_ack_sent = rcv_nxt_;
  ack_now_ = false;
  segments_unacknowledged_ = 0;
  ecn_.note_ack_sent();
  stop(kDelayedAck);
}

void Connection::attach_payload(SegmentOut& out, SeqNum seq, uint32_t length, uint32_t gso_size) {
  if (length == 0) return;
  std::tie(out.payload, out.payload_rest) = send_buffer_.view(seq, length);
  out.gso_size = static_cast<uint16_t>(gso_size);
  const uint32_t first = gso_size != 0 ? gso_size : length;
  path_mtu_.on_sent(seq, seq + first,
                    mtu_of_mss(tuple_.remote.address.family(), first + out.option_size));
  // RFC9293-MUST-61: the last of what is buffered; SHLD-27: a PSH in between stands for all before.
  const SeqNum end = seq + length;
  if (end == send_end() || (push_mark_ && seq.before(push_end_) && end.at_or_after(push_end_))) {
    out.header.flags |= kPsh;
  }
}

void Connection::note_sent(Instant now, SeqNum seq, SeqNum end, bool tail_loss_probe) {
  const bool fresh = end.after(snd_nxt_);
  if (const auto probe = mtu_probe(); probe.has_value() && seq.before(snd_nxt_) &&
                                      seq.before(probe->end) && end.after(probe->begin)) {
    mtu_search_->on_inconclusive(after_headway(now));  // its ACK will not tell which one arrived
  }
  recovery(now).on_sent(sender(now), seq, end, tail_loss_probe);
  if (fresh) {
    if (seq == snd_nxt_ && !timing_) {  // RFC6298-3-2
      timing_ = true;
      timed_end_ = end;
      timed_at_ = now;
    }
    snd_nxt_ = end;
  }
  last_send_ = now;
  stop(kPersist);
  if (!timer_runs(kRetransmission)) restart_retransmission_timer(now);  // RFC6298-5.1-1
  if (!timer_runs(kUser)) restart_user_timer(now);
  if (fresh && !tail_loss_probe) {
    recovery_->schedule_probe(sender(now), rtt_, timers_[kRetransmission]);
  }
}

// EM-CLOSE-WAIT-CLOSE-01: LAST-ACK begins when the SENDs before the CLOSE are segmentized.
void Connection::note_fin_sent(Instant now) {
  if (state_ == State::kCloseWait) set_state(now, State::kLastAck, "RFC 9293 §3.10.4: FIN sent");
}

// The window to announce. The right edge moves by at least a segment or half the buffer, so that
// the peer is not invited to send dribbles (RFC9293-MUST-39), and never to the left (SHLD-14,
// RFC9293-3.10.7.4-L10).
uint16_t Connection::advertise_window() {
  const uint32_t unit = 1u << rcv_wind_shift_;
  const uint32_t largest = 65535u << rcv_wind_shift_;
  const SeqNum open_edge = receive_buffer_.read_position() + receive_buffer_bytes_;
  const uint32_t step =
      std::min<uint32_t>(announced_mss(), std::max(receive_buffer_bytes_ / 2, 1u));
  // Behind the peer's FIN nothing can come that would need room.
  if (!fin_received_ && open_edge.after(rcv_adv_) && open_edge - rcv_adv_ >= step) {
    const uint32_t window = std::min(open_edge - rcv_nxt_, largest) / unit;
    rcv_adv_ = later_of(rcv_adv_, rcv_nxt_ + window * unit);
    return static_cast<uint16_t>(window);
  }
  // The edge stays. With a scale, rounding up keeps it where it was on the wire as well, at the
  // price of a unit of buffer now and then. When that has cost an eighth of the buffer it is
  // rounded down (RFC7323-2.4-1), and what lies between is still accepted (RFC7323-2.4-2, 2.4-3).
  uint32_t window = (rcv_wnd() + unit - 1) / unit;
  const SeqNum limit = open_edge + receive_buffer_bytes_ / 8;
  if ((rcv_nxt_ + window * unit).after(later_of(limit, rcv_adv_)) || window > 65535) {
    window = std::min(rcv_wnd() / unit, 65535u);
  }
  rcv_adv_ = later_of(rcv_adv_, rcv_nxt_ + window * unit);
  return static_cast<uint16_t>(window);
}

// After RECEIVE: is an update worth a segment of its own? When the peer may be waiting, at the
// first full step; else for a quarter of the buffer.
bool Connection::window_update_due() const {
  if (state_ != State::kEstablished && state_ != State::kFinWait1 && state_ != State::kFinWait2) {
    return false;
  }
  SeqNum open_edge = receive_buffer_.read_position() + receive_buffer_bytes_;
  // A larger buffer than the window field can tell (no scale) opens nothing.
  const SeqNum tellable = rcv_nxt_ + (65535u << rcv_wind_shift_);
  if (open_edge.after(tellable)) open_edge = tellable;
  if (!open_edge.after(rcv_adv_)) return false;
  const uint32_t opened = open_edge - rcv_adv_;
  const uint32_t buffer = receive_buffer_bytes_;
  if (opened < std::min<uint32_t>(announced_mss(), std::max(buffer / 2, 1u))) return false;
  return rcv_wnd() < std::min<uint32_t>(2u * announced_mss(), std::max(buffer / 2, 1u)) ||
         opened >= std::max<uint32_t>(2u * announced_mss(), buffer / 4);
}

}  // namespace tcproctor::tcp
