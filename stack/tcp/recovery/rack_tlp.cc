// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/rack_tlp.h"

namespace tcproctor::tcp {

void MinRtt::sample(Instant now, Duration rtt) {
  if (now - began_ > kWindow) {
    before_ = now - began_ > 2 * kWindow ? Duration::max() : current_;
    current_ = Duration::max();
    began_ = now;
  }
  current_ = std::min(current_, rtt);
}

void Rack::on_delivered(Instant now, const SentRange& part, bool original_arrived) {
  // Step 3. What was delivered first begins it.
  if (!any_delivered_ || part.end.after(fack_)) {
    any_delivered_ = true;
    fack_ = part.end;
  } else if (part.end.before(fack_) && !part.retransmitted) {
    reordering_seen_ = true;
  }
  // Step 2: what may be the ACK of the original tells nothing of the retransmission.
  const Duration rtt = now - part.last_sent;
  if (part.retransmitted && (original_arrived || rtt < min_rtt())) return;
  rtt_ = rtt;
  if (sent_after(part.last_sent, part.end, xmit_ts_, end_seq_)) {
    xmit_ts_ = part.last_sent;
    end_seq_ = part.end;
  }
}

// RFC8985-3.3.2-3: once a round trip. RFC8985-3.3.2-4: reorder_window() bounds it.
void Rack::on_ack(SeqNum una, SeqNum snd_nxt, bool dsack) {
  if (in_dsack_round_ && una.at_or_after(dsack_round_)) in_dsack_round_ = false;
  if (in_dsack_round_ || !dsack) return;
  in_dsack_round_ = true;
  dsack_round_ = snd_nxt;
  if (multiplier_ < 1000) ++multiplier_;
  persist_ = 16;
}

void Rack::leave_recovery() {
  if (persist_ > 0) --persist_;
  if (persist_ == 0) multiplier_ = 1;
}

Duration Rack::reorder_window(bool in_recovery, bool enough_sacked, Duration srtt) const {
  if (!reordering_seen_ && (in_recovery || enough_sacked)) return Duration{0};  // RFC8985-3.3.2-1
  return std::min(multiplier_ * min_rtt() / 4, srtt);  // RFC8985-3.3.2-2, 3.3.2-4
}

// RFC8985-6.2-1, 6.2-2.
Rack::Detected Rack::detect_loss(Scoreboard& board, Instant now, Duration reorder_window) const {
  Detected result;
  if (xmit_ts_ == Instant::min()) return result;
  result.octets = board.mark_lost_if([&](const SentRange& range) {
    if (!sent_after(xmit_ts_, end_seq_, range.last_sent, range.end)) return false;
    const Instant lost_at = range.last_sent + rtt_ + reorder_window;
    if (lost_at <= now) {
      result.retransmission_lost = result.retransmission_lost || range.retransmission_out;
      return true;
    }
    result.reorder_deadline =
        result.reorder_deadline == kNever ? lost_at : std::max(result.reorder_deadline, lost_at);
    return false;
  });
  return result;
}

// RFC8985-6.3-1: RFC6298-5.4-1 for the first; the others only if they are old enough.
void Rack::mark_lost_on_timeout(Scoreboard& board, Instant now, Duration reorder_window) const {
  if (board.empty()) return;
  const SeqNum una = board.front().begin;
  (void)board.mark_lost_if([&](const SentRange& range) {
    return range.begin == una || range.last_sent + rtt_ + reorder_window <= now;
  });
}

Duration LossProbe::interval(bool measured, Duration srtt, bool one_segment) {
  if (!measured) return std::chrono::seconds(1);
  return std::max(2 * srtt, kShortest) + (one_segment ? kMaxAckDelay : Duration{0});
}

bool LossProbe::on_ack(SeqNum ack, bool dsack, bool bare_duplicate) {
  if (!outstanding_ || ack.before(end_seq_)) return false;
  if (retransmission_ && !dsack) {
    if (ack.after(end_seq_)) {
      outstanding_ = false;
      return true;
    }
    if (!bare_duplicate) return false;  // it may still come
  }
  outstanding_ = false;
  return false;
}

}  // namespace tcproctor::tcp
