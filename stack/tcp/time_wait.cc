// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/time_wait.h"

#include <algorithm>

#include "stack/tcp/initial_sequence.h"

namespace tcproctor::tcp {

using packet::kAck;
using packet::kFin;
using packet::kRst;
using packet::kSyn;

TimeWait::TimeWait(Instant now, const Start& start, const Settings& settings)
    : deadline_(now + 2 * settings.msl),
      snd_nxt_(start.snd_nxt),
      rcv_nxt_(start.rcv_nxt),
      rcv_wnd_(start.rcv_wnd),
      ts_recent_(start.ts_recent),
      timestamp_offset_(start.timestamp_offset),
      rcv_wind_shift_(start.rcv_wind_shift),
      dscp_(start.dscp),
      ttl_(start.ttl),
      timestamps_(start.timestamps),
      timestamps_enabled_(start.timestamps_enabled) {}

// RFC6191-2-1..2-7. "Last sequence number" is that of the peer's FIN, RCV.NXT - 1.
bool TimeWait::may_reopen(const packet::TcpSegment& segment) const {
  const bool above = SeqNum(segment.header.sequence_number).at_or_after(rcv_nxt_);
  const auto& option = segment.options.timestamps;
  const bool offered = timestamps_enabled_ && option.has_value();
  if (!timestamps_) return offered || above;
  if (!offered || option->value == ts_recent_) return above;
  return static_cast<int32_t>(option->value - ts_recent_) > 0;
}

void TimeWait::challenge(Instant now, const Settings& settings) {
  if (limiter_.allow(now, settings.challenge_ack_limit, settings.challenge_ack_interval) &&
      pending_acks_ < 100) {
    ++pending_acks_;
  }
}

void TimeWait::refuse_reopen(Instant now, const Settings& settings) {
  challenge(now, settings);
}

TimeWait::Action TimeWait::on_segment(Instant now, const packet::TcpSegment& segment,
                                      const Settings& settings) {
  const SeqNum seq(segment.header.sequence_number);
  const uint32_t length = segment.sequence_length();
  if (segment.has(kSyn) && !segment.has(kRst)) {
    // EM-TIME-WAIT-SEG-20: SHLD-4, MAY-2; before the sequence check, which most of them fail.
    if (settings.rfc6191 && !segment.has(kAck) && may_reopen(segment)) return Action::kReopen;
    challenge(now, settings);  // EM-TIME-WAIT-SEG-21, ruling 17
    return Action::kStay;
  }
  const auto& option = segment.options.timestamps;
  if (timestamps_ && !segment.has(kRst)) {
    if (!option.has_value()) return Action::kStay;               // RFC7323-3.2-7
    if (static_cast<int32_t>(option->value - ts_recent_) < 0) {  // EM-TIME-WAIT-SEG-29
      challenge(now, settings);
      return Action::kStay;
    }
  }
  // First check.
  if (segment.has(kRst)) {
    if (!seq.in_window(rcv_nxt_, std::max(rcv_wnd_, 1u))) return Action::kStay;  // SEG-08, 16
    // Second check.
    if (seq != rcv_nxt_) {  // EM-TIME-WAIT-SEG-14, 18
      challenge(now, settings);
      return Action::kStay;
    }
    // EM-TIME-WAIT-SEG-13, ruling 16: RFC 1337 would ignore it (RFC1337-3-1).
    return settings.rfc1337 ? Action::kStay : Action::kDelete;
  }
  const bool acceptable =
      length == 0 ? (rcv_wnd_ == 0 ? seq == rcv_nxt_ : seq.in_window(rcv_nxt_, rcv_wnd_))
                  : rcv_wnd_ != 0 && (seq.in_window(rcv_nxt_, rcv_wnd_) ||
                                      (seq + (length - 1)).in_window(rcv_nxt_, rcv_wnd_));
  // The peer's FIN again: EM-TIME-WAIT-SEG-24, 28. It lies left of the window, so the first check
  // would answer and be done; ruling 8: answer and restart.
  const bool fin_again = segment.has(kFin) && seq + length == rcv_nxt_;
  if (!acceptable) {
    if (fin_again && segment.has(kAck)) deadline_ = now + 2 * settings.msl;
    if (length == 0) {
      challenge(now, settings);
    } else if (pending_acks_ < 100) {
      ++pending_acks_;
    }
    return Action::kStay;
  }
  // Fifth check.
  if (!segment.has(kAck)) return Action::kStay;                        // EM-TIME-WAIT-SEG-23
  if (SeqNum(segment.header.acknowledgment_number).after(snd_nxt_)) {  // EM-TIME-WAIT-SEG-25
    challenge(now, settings);
    return Action::kStay;
  }
  // Sixth to eighth: URG and text cannot be the peer's and are ignored (EM-TIME-WAIT-SEG-26, 27), a
  // FIN is acknowledged. A bare ACK at RCV.NXT is what this end waits for: an answer to it could be
  // answered in turn by a peer in the same state, for ever.
  if (segment.has(kFin)) deadline_ = now + 2 * settings.msl;  // EM-TIME-WAIT-SEG-28
  if (length != 0 && pending_acks_ < 100) ++pending_acks_;
  return Action::kStay;
}

bool TimeWait::next_segment(Instant now, const packet::FourTuple& tuple, SegmentOut& out) {
  if (pending_acks_ == 0) return false;
  --pending_acks_;
  out = SegmentOut{};
  out.tuple = tuple;
  out.header = packet::TcpHeader{
      .source_port = tuple.local.port,
      .destination_port = tuple.remote.port,
      .sequence_number = snd_nxt_.value(),
      .acknowledgment_number = rcv_nxt_.value(),
      .flags = kAck,
      .window = static_cast<uint16_t>(std::min(rcv_wnd_ >> rcv_wind_shift_, 65535u))};
  out.dscp = dscp_;
  out.ttl = ttl_;
  if (timestamps_) {
    packet::OptionWriter writer;
    packet::write_segment_options(
        packet::TimestampsOption{.value = timestamp_value(now, timestamp_offset_),
                                 .echo_reply = ts_recent_},
        {}, writer);
    const auto bytes = writer.finish();
    std::ranges::copy(bytes, out.option_bytes.begin());
    out.option_size = static_cast<uint8_t>(bytes.size());
  }
  return true;
}

}  // namespace tcproctor::tcp
