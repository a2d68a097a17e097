// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/newreno_recovery.h"

#include <algorithm>

namespace tcproctor::tcp {

void NewRenoRecovery::on_sent(const Sender& sender, SeqNum begin, SeqNum end, bool) {
  if (begin.before(sender.snd_nxt)) {
    retransmit_one_ = false;
    frto_.on_retransmission(end);
    if (begin == rtx_next_) rtx_next_ = end;
  } else {
    frto_new_ -= std::min(frto_new_, end - begin);
    note_new_data(sender, begin, end);
  }
  if (rtx_next_ == sender.snd_nxt) rtx_next_ = later_of(rtx_next_, end);
}

std::optional<LossRecovery::Span> NewRenoRecovery::next_retransmission(const Sender& sender,
                                                                       uint32_t cwnd) {
  const SeqNum begin = retransmit_one_ ? sender.una : rtx_next_;
  if (!begin.before(sender.snd_nxt)) return std::nullopt;
  if (!retransmit_one_ && frto_.sends_new_data()) return std::nullopt;
  const SeqNum end = earlier_of(sender.snd_nxt, begin + sender.smss);
  const bool fits = begin == sender.una || end - sender.una <= cwnd;
  if (!retransmit_one_ && !fits) return std::nullopt;
  return Span{begin, end};
}

bool NewRenoRecovery::lost_data_waits(const Sender& sender) const {
  return rtx_next_.before(sender.snd_nxt) && !frto_.sends_new_data();
}

uint32_t NewRenoRecovery::room(const Sender& sender, uint32_t cwnd) const {
  if (frto_.sends_new_data()) return frto_new_;
  // RFC5681-3.2-5, 3.2-6: limited transmit goes beyond cwnd without changing it.
  const uint64_t window =
      uint64_t{cwnd} + uint64_t{newreno_.limited_transmit_segments()} * sender.smss;
  const uint32_t flight = sender.flight();
  return window > flight ? static_cast<uint32_t>(std::min<uint64_t>(window - flight, 1u << 31)) : 0;
}

LossRecovery::Reaction NewRenoRecovery::on_ack(const Sender& sender, const Ack& ack,
                                               CongestionControl& congestion, const RttEstimator&) {
  Reaction reaction;
  run_frto(sender, ack, congestion);
  if (ack.acked != 0) acknowledged(sender, ack, congestion, reaction);
  if (!ack.duplicate) return reaction;
  switch (newreno_.on_duplicate(sender.una, sender.snd_nxt, true)) {
    case NewReno::OnDuplicate::kNothing:
      break;
    case NewReno::OnDuplicate::kInflate:
      if (!repairs_mtu_probe_) congestion.duplicate_in_recovery();
      break;
    case NewReno::OnDuplicate::kEnterRecovery:  // RFC5681-3.2-3
      repairs_mtu_probe_ = sender.mtu_probe.has_value() && sender.una == sender.mtu_probe->begin;
      if (repairs_mtu_probe_) {  // RFC4821-4-2
        mtu_probe_lost_ = true;
        mtu_probe_end_ = sender.mtu_probe->end;
      } else {
        congestion.enter_recovery(sender.now, flight_at_loss(sender, congestion.cwnd()),
                                  !sender.reduced_by_echo);
      }
      retransmit_one_ = true;
      reaction.restart_timer = true;
      break;
  }
  return reaction;
}

void NewRenoRecovery::acknowledged(const Sender& sender, const Ack& ack,
                                   CongestionControl& congestion, Reaction& reaction) {
  note_progress();
  rtx_next_ = later_of(rtx_next_, sender.una);
  retransmit_one_ = false;
  if (in_timeout_ && sender.una.at_or_after(timeout_point_)) in_timeout_ = false;
  reaction.restart_timer = true;  // RFC6298-5.3-1
  switch (newreno_.on_ack(sender.una)) {
    case NewReno::OnAck::kNormal:
      congestion.on_ack(ack.sample);
      break;
    case NewReno::OnAck::kFull:
      if (!repairs_mtu_probe_) congestion.leave_recovery(sender.now, sender.flight());
      repairs_mtu_probe_ = false;
      break;
    case NewReno::OnAck::kPartial:  // RFC6582-3.2-4: the next hole
      if (!repairs_mtu_probe_) {
        congestion.partial_ack(ack.acked);
      } else if (sender.una.at_or_after(mtu_probe_end_)) {
        // RFC4821-4-1: more than the probe was lost.
        repairs_mtu_probe_ = false;
        congestion.enter_recovery(sender.now, sender.flight_size, !sender.reduced_by_echo);
      }
      retransmit_one_ = true;
      reaction.restart_timer = newreno_.take_first_partial();
      break;
  }
}

void NewRenoRecovery::run_frto(const Sender& sender, const Ack& ack,
                               CongestionControl& congestion) {
  switch (frto_.on_ack({.ack = ack.ack,
                        .snd_nxt = sender.snd_nxt,
                        .advances = ack.acked != 0,
                        .duplicate = ack.duplicate,
                        .can_send_new = sender.can_send_new})) {
    case FRto::Verdict::kNothing:
    case FRto::Verdict::kConventional:
      break;
    case FRto::Verdict::kSendNew:
      frto_new_ = 2 * sender.smss;
      break;
    case FRto::Verdict::kReal:
      congestion.set_cwnd(std::min(congestion.cwnd(), 3 * sender.smss));
      break;
    case FRto::Verdict::kSpurious:  // RFC5682-2.1-4
      ++spurious_timeouts_;
      congestion.undo(sender.now);
      rtx_next_ = sender.snd_nxt;
      in_timeout_ = false;
      newreno_.allow_fast_retransmit(sender.una);
      break;
  }
}

void NewRenoRecovery::on_timeout(const Sender& sender, bool first, CongestionControl& congestion,
                                 const RttEstimator&) {
  const bool eligible = !in_timeout_ || frto_.waits_for_first_ack();
  congestion.on_timeout(sender.now, sender.flight(), first);
  newreno_.on_timeout(sender.snd_nxt);
  retransmit_one_ = false;
  repairs_mtu_probe_ = false;
  // The window of one segment lets the first go now, the others after its ACK.
  rtx_next_ = sender.una;
  in_timeout_ = true;
  timeout_point_ = sender.snd_nxt;
  frto_.on_timeout(use_frto_ && eligible);
}

void NewRenoRecovery::report(Instant, Status& status) const {
  if (newreno_.in_recovery()) {
    status.recovery_phase = RecoveryPhase::kRecovery;
  } else if (in_timeout_) {
    status.recovery_phase = RecoveryPhase::kLoss;
  } else if (newreno_.duplicates() != 0) {
    status.recovery_phase = RecoveryPhase::kDisorder;
  }
  status.spurious_timeouts = spurious_timeouts_;
}

}  // namespace tcproctor::tcp
