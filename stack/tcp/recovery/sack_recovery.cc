// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/sack_recovery.h"

#include <algorithm>
#include <array>

#include "stack/tcp/initial_sequence.h"

namespace tcproctor::tcp {

// --------------------------------------------------------------------------------- what is sent

void SackRecovery::on_sent(const Sender& sender, SeqNum begin, SeqNum end, bool probe) {
  const bool again = begin.before(sender.snd_nxt);
  board_.on_sent(sender.now, begin, end);
  const SeqLength octets = end - begin;
  if (!again) note_new_data(sender, begin, end);
  if (phase_ == RecoveryPhase::kRecovery) prr_.on_sent(octets);
  if (probe) {
    ++probes_sent_;
    probe_.on_sent(later_of(sender.snd_nxt, end), again);
    if (armed_ == Armed::kProbe) armed_ = Armed::kNone;
    return;
  }
  if (!again) {
    frto_new_ -= std::min(frto_new_, octets);
    return;
  }
  force_one_ = false;
  undo_out_ += octets;
  undo_any_ = true;
  frto_.on_retransmission(end);
  if (!rescuing_) high_rxt_ = later_of(high_rxt_, end);
  rescuing_ = false;
}

std::optional<LossRecovery::Span> SackRecovery::next_retransmission(const Sender& sender,
                                                                    uint32_t cwnd) {
  if (frto_.sends_new_data()) return std::nullopt;
  if (!board_.wants_retransmission()) {
    // RFC8985-9.2-1: NextSeg() (3) and (4) only without RACK-TLP.
    const bool stuck = !options_.rack_tlp && phase_ == RecoveryPhase::kRecovery &&
                       !sender.can_send_new && board_.pipe() + sender.smss <= cwnd;
    return stuck ? last_resort(sender) : std::nullopt;
  }
  // RFC6675-4-3: the lowest lost octets; parts with different histories make one segment.
  Span span{};
  bool found = false;
  for (const SentRange& range : board_.ranges()) {
    if (!range.wants_retransmission()) {
      if (found) break;
      continue;
    }
    if (!found) span.begin = range.begin;
    found = true;
    span.end = range.end;
    if (span.end - span.begin >= sender.smss) break;
  }
  span.end = earlier_of(span.end, span.begin + sender.smss);
  // RFC6675-5-6, RFC8985-9.3-1. With nothing on its way no ACK will come and open the window.
  const uint32_t pipe = board_.pipe();
  if (!force_one_ && pipe != 0 && pipe + (span.end - span.begin) > cwnd) return std::nullopt;
  return span;
}

// NextSeg() (3) and (4) of RFC 6675 §4: when nothing is deemed lost and there is no new data.
std::optional<LossRecovery::Span> SackRecovery::last_resort(const Sender& sender) {
  const SeqNum highest = board_.highest_sacked();
  const SentRange* last = nullptr;
  for (const SentRange& range : board_.ranges()) {
    if (range.sacked) continue;
    last = &range;
    const SeqNum begin = later_of(range.begin, high_rxt_);
    if (range.retransmission_out || !begin.before(range.end) || !begin.before(highest)) continue;
    return Span{begin, earlier_of(range.end, begin + sender.smss)};  // RFC6675-4-5
  }
  // RFC6675-4-6: once in a recovery, and after the first retransmission has arrived.
  if (last == nullptr || !sender.una.after(rescue_rxt_)) return std::nullopt;
  rescue_rxt_ = recovery_point_;
  rescuing_ = true;
  const SeqLength length = std::min(last->length(), sender.smss);
  return Span{last->end - length, last->end};
}

bool SackRecovery::lost_data_waits(const Sender&) const {
  return board_.wants_retransmission() && !frto_.sends_new_data();
}

// RFC6675-4-4, RFC 6675 §5 (3), RFC3042-2-1..2-4: what was SACKed has left the pipe, so that
// limited transmit needs no allowance of its own.
uint32_t SackRecovery::room(const Sender&, uint32_t cwnd) const {
  if (frto_.sends_new_data()) return frto_new_;
  const uint32_t pipe = board_.pipe();
  return cwnd > pipe ? cwnd - pipe : 0;
}

void SackRecovery::resend_all(const Sender&) {
  (void)board_.mark_lost_if([](const SentRange&) { return true; });
}

// ------------------------------------------------------------------------------------ what came

// RFC2883-5-1: judged by the ACK field of the same segment, and by the block that follows.
std::optional<LossRecovery::Span> SackRecovery::find_dsack(const Ack& ack) {
  if (ack.sacks.empty()) return std::nullopt;
  const Span first{SeqNum(ack.sacks[0].left), SeqNum(ack.sacks[0].right)};
  if (!first.begin.before(first.end)) return std::nullopt;
  if (first.end.at_or_before(ack.ack)) return first;
  if (ack.sacks.size() < 2) return std::nullopt;
  const bool enclosed = first.begin.at_or_after(SeqNum(ack.sacks[1].left)) &&
                        first.end.at_or_before(SeqNum(ack.sacks[1].right));
  if (enclosed) return first;
  return std::nullopt;
}

// Update() of RFC 6675 §4 with steps 1 to 3 of RFC 8985 §6.2.
SackRecovery::News SackRecovery::update_scoreboard(const Sender& sender, const Ack& ack) {
  News news;
  news.dsack = find_dsack(ack);
  const auto delivered = [&](const SentRange& part) {
    news.delivered += part.length();
    bool original_arrived = false;
    if (!part.retransmitted) {
      const Duration rtt = sender.now - part.last_sent;
      news.rtt = std::min(news.rtt.value_or(rtt), rtt);
      on_rtt(sender.now, rtt);
    } else if (ack.echo_reply.has_value()) {
      const uint32_t sent = timestamp_value(part.last_sent, ack.timestamp_offset);
      original_arrived = static_cast<int32_t>(*ack.echo_reply - sent) < 0;
    }
    rack_.on_delivered(sender.now, part, original_arrived);
  };
  board_.acknowledge(sender.una, delivered);

  std::array<packet::SackBlock, packet::kMaxSackBlocks> blocks{};
  const size_t count = std::min(ack.sacks.size(), blocks.size());
  std::copy_n(ack.sacks.begin(), count, blocks.begin());
  std::ranges::sort(std::span(blocks).first(count), [](const auto& a, const auto& b) {
    return SeqNum(a.left).before(SeqNum(b.left));
  });
  for (const packet::SackBlock& block : std::span(blocks).first(count)) {
    const SeqNum left(block.left);
    const SeqNum right(block.right);
    const bool plausible =
        left.before(right) && right.after(sender.una) && right.at_or_before(sender.snd_nxt);
    if (!plausible) continue;
    board_.sack(left, right, [&](const SentRange& part) {
      delivered(part);
      news.newly_sacked += part.length();
      if (part.begin.before(frto_.recover())) news.sacks_below = true;
      if (part.end.after(frto_.recover())) news.sacks_above = true;
    });
  }
  return news;
}

LossRecovery::Reaction SackRecovery::on_ack(const Sender& sender, const Ack& ack,
                                            CongestionControl& congestion,
                                            const RttEstimator& rtt) {
  const News news = update_scoreboard(sender, ack);
  Reaction reaction{.restart_timer = ack.acked != 0};  // RFC6298-5.3-1
  if (ack.acked != 0) {
    duplicates_ = 0;  // RFC6675-5-1
    force_one_ = false;
    note_progress();
  }
  if (news.newly_sacked != 0) ++duplicates_;  // RFC6675-2-1
  rack_.on_ack(sender.una, sender.snd_nxt, news.dsack.has_value());
  react_to_dsack(sender, news, congestion);
  react_to_probe(sender, ack, news, congestion);
  if (phase_ == RecoveryPhase::kLoss) run_frto(sender, ack, news, congestion);

  const bool fast = phase_ == RecoveryPhase::kRecovery;
  bool left_over = false;
  if (in_recovery() && sender.una.at_or_after(recovery_point_)) {
    leave_recovery(sender, congestion);  // RFC6675-5-4
    left_over = board_.lost() != 0;
  }
  if (ack.acked != 0 && !fast) {
    CongestionControl::AckSample sample = ack.sample;
    sample.rtt = news.rtt.value_or(sample.rtt);
    congestion.on_ack(sample);
  }

  Loss loss = detect_loss(sender, rtt);
  loss.left_over = left_over;
  if (begins_recovery(sender, loss)) {
    enter_recovery(sender, ack.acked, congestion);
    reaction.restart_timer = true;
  }
  if (phase_ == RecoveryPhase::kRecovery) pace(sender, news.delivered, congestion);
  settle();
  if (armed_ == Armed::kProbe && board_.sacked() != 0) armed_ = Armed::kNone;
  // The peer would have acknowledged what it holds at SND.UNA: RFC 2018 §8, early.
  reaction.reneged = ack.acked != 0 && !board_.empty() && board_.front().sacked;
  return reaction;
}

// Open or disorder, when no recovery goes on.
void SackRecovery::settle() {
  if (in_recovery()) return;
  phase_ = board_.sacked() != 0 ? RecoveryPhase::kDisorder : RecoveryPhase::kOpen;
}

// ------------------------------------------------------------------------------------ loss

SackRecovery::Loss SackRecovery::detect_loss(const Sender& sender, const RttEstimator& rtt) {
  if (!options_.rack_tlp) return {.octets = mark_lost_by_count(sender)};
  reorder_window_ = rack_.reorder_window(in_recovery(), enough_sacked(sender.smss), rtt.srtt());
  const Rack::Detected found = rack_.detect_loss(board_, sender.now, reorder_window_);
  if (found.reorder_deadline != Rack::kNever) {  // RFC8985-6.2-2
    armed_ = Armed::kReorder;
    deadline_ = found.reorder_deadline;
  } else if (armed_ == Armed::kReorder) {
    armed_ = Armed::kNone;
  }
  return {.octets = found.octets, .retransmission_lost = found.retransmission_lost};
}

// DupThresh segments are SACKed.
bool SackRecovery::enough_sacked(uint32_t smss) const {
  return duplicates_ >= kDuplicateThreshold || board_.sacked() > 2 * smss ||
         lost_below(smss).after(board_.empty() ? SeqNum() : board_.front().begin);
}

// IsLost() of RFC 6675 §4: the octets that are not SACKed below this have DupThresh ranges or more
// than (DupThresh - 1) * SMSS octets SACKed above them (RFC6675-4-2). front().begin: none.
SeqNum SackRecovery::lost_below(uint32_t smss) const {
  if (board_.empty()) return {};
  uint32_t count = 0;
  SeqLength octets = 0;
  const std::span<const SentRange> ranges = board_.ranges();
  for (size_t i = ranges.size(); i > 0; --i) {
    if (!ranges[i - 1].sacked) continue;
    ++count;
    octets += ranges[i - 1].length();
    if (count >= kDuplicateThreshold || octets > (kDuplicateThreshold - 1) * smss) {
      return ranges[i - 1].begin;
    }
  }
  return board_.front().begin;
}

// RFC6675-5-2.
SeqLength SackRecovery::mark_lost_by_count(const Sender& sender) {
  if (board_.sacked() == 0) return 0;
  const SeqNum edge = lost_below(sender.smss);
  SeqLength marked = board_.mark_lost_if([edge](const SentRange& range) {
    return !range.lost && !range.retransmission_out && range.end.at_or_before(edge);
  });
  const SentRange& front = board_.front();
  if (marked == 0 && !in_recovery() && duplicates_ >= kDuplicateThreshold && !front.lost) {
    marked = std::min(sender.smss, front.length());
    board_.mark_lost(sender.una, marked);
  }
  return marked;
}

// RFC6675-5.1-1: after a timeout no fast recovery begins, but RFC8985-9.3-2: a lost retransmission
// is congestion once more.
bool SackRecovery::begins_recovery(const Sender& sender, const Loss& loss) {
  if (phase_ == RecoveryPhase::kRecovery) return false;
  if (phase_ == RecoveryPhase::kLoss) return loss.retransmission_lost && !frto_.sends_new_data();
  if (loss.octets == 0 && !loss.left_over) return false;
  if (!only_mtu_probe_lost(sender)) return true;
  mtu_probe_lost_ = true;  // RFC4821-4-2: it goes again, and the window stays
  return false;
}

// The segments beside it tell whether it is the path's MTU that took it, or congestion:
// RFC4821-4-1.
bool SackRecovery::only_mtu_probe_lost(const Sender& sender) const {
  if (!sender.mtu_probe.has_value()) return false;
  return std::ranges::all_of(board_.ranges(), [&](const SentRange& range) {
    return !range.lost || (range.begin.at_or_after(sender.mtu_probe->begin) &&
                           range.end.at_or_before(sender.mtu_probe->end));
  });
}

// `acked`: octets of the ACK that shows the loss.
void SackRecovery::enter_recovery(const Sender& sender, uint32_t acked,
                                  CongestionControl& congestion) {
  // RFC6675-5-3
  congestion.enter_recovery(sender.now, flight_at_loss(sender, congestion.cwnd()),
                            !sender.reduced_by_echo);
  // What ACKs that came together with this one acknowledged is not made up for yet.
  const uint32_t unanswered = sender.flight_size - sender.flight();
  prr_.start(sender.flight_size, unanswered - std::min(unanswered, acked));
  phase_ = RecoveryPhase::kRecovery;
  begin_episode(sender);
  frto_.stop();
}

// A fast or RTO recovery begins.
void SackRecovery::begin_episode(const Sender& sender) {
  recovery_point_ = sender.snd_nxt;
  undo_possible_ = true;
  undo_any_ = false;
  undo_una_ = sender.una;
  undo_out_ = 0;
  high_rxt_ = sender.una;
  rescue_rxt_ = sender.una + std::min(sender.smss, sender.flight());
  probe_.reset();
  if (armed_ == Armed::kProbe) armed_ = Armed::kNone;
}

// The window of fast recovery: what is on its way and what PRR lets go.
void SackRecovery::pace(const Sender& sender, uint32_t delivered, CongestionControl& congestion) {
  const uint32_t pipe = board_.pipe();
  uint32_t allowed = prr_.on_ack(delivered, pipe, congestion.ssthresh(), sender.smss);
  if (prr_.out() == 0) allowed = std::max(allowed, sender.smss);  // RFC 6675 §5 (4.3)
  congestion.set_cwnd(std::max(pipe + allowed, sender.smss));
}

// RFC6675-5-5: the scoreboard stays. RFC6937-3-3.
void SackRecovery::leave_recovery(const Sender& sender, CongestionControl& congestion) {
  if (phase_ == RecoveryPhase::kRecovery) {
    congestion.leave_recovery(sender.now, sender.flight());
    congestion.set_cwnd(congestion.ssthresh());
  }
  phase_ = RecoveryPhase::kOpen;
  rack_.leave_recovery();
  frto_.stop();
}

void SackRecovery::on_timeout(const Sender& sender, bool first, CongestionControl& congestion,
                              const RttEstimator& rtt) {
  // What is SACKed is not sent again (ruling of erratum 1610), unless the peer reneged:
  // RFC2018-5-2, 5-3, 5.1-2.
  const bool reneged = !board_.empty() && board_.front().sacked;
  if (reneged) board_.forget_sacks();
  const bool again = phase_ == RecoveryPhase::kLoss && frto_.waits_for_first_ack();
  const bool fresh = !in_recovery();
  congestion.on_timeout(sender.now, sender.flight(), first);
  if (!again) begin_episode(sender);
  if (!again && !fresh) undo_possible_ = false;  // two reductions: there is no way back to before
  recovery_point_ = sender.snd_nxt;
  phase_ = RecoveryPhase::kLoss;
  frto_.on_timeout(options_.frto && !reneged && (fresh || again));
  duplicates_ = 0;
  force_one_ = true;
  armed_ = Armed::kNone;
  if (options_.rack_tlp) {
    reorder_window_ = rack_.reorder_window(true, false, rtt.srtt());
    rack_.mark_lost_on_timeout(board_, sender.now, reorder_window_);
  } else {
    resend_all(sender);
  }
}

// ------------------------------------------------------------------- was the recovery needed?

void SackRecovery::run_frto(const Sender& sender, const Ack& ack, const News& news,
                            CongestionControl& congestion) {
  const FRto::Verdict verdict = frto_.on_ack({.ack = ack.ack,
                                              .snd_nxt = sender.snd_nxt,
                                              .sack = true,
                                              .advances = ack.acked != 0,
                                              .duplicate = ack.duplicate || news.newly_sacked != 0,
                                              .sacks_below = news.sacks_below,
                                              .sacks_above = news.sacks_above,
                                              .can_send_new = sender.can_send_new});
  switch (verdict) {
    case FRto::Verdict::kNothing:
    case FRto::Verdict::kConventional:  // the window is one segment, two after this ACK
      break;
    case FRto::Verdict::kSendNew:
      frto_new_ = 2 * sender.smss;
      break;
    case FRto::Verdict::kReal:
      congestion.set_cwnd(std::min(congestion.cwnd(), 3 * sender.smss));
      break;
    case FRto::Verdict::kSpurious:
      ++spurious_timeouts_;
      undo(sender, congestion);
      break;
  }
}

// All that this episode retransmitted had arrived before: it was needless.
void SackRecovery::react_to_dsack(const Sender& sender, const News& news,
                                  CongestionControl& congestion) {
  if (!news.dsack.has_value()) return;
  ++dsacks_;
  if (!undo_possible_ || !undo_any_ || !news.dsack->end.after(undo_una_)) return;
  if (probe_.outstanding() && news.dsack->end == probe_.end_seq()) return;
  undo_out_ -= std::min(undo_out_, news.dsack->end - news.dsack->begin);
  if (undo_out_ != 0) return;
  ++spurious_recoveries_;
  undo(sender, congestion);
}

void SackRecovery::undo(const Sender& sender, CongestionControl& congestion) {
  congestion.undo(sender.now);
  board_.forgive();
  if (in_recovery()) rack_.leave_recovery();
  phase_ = RecoveryPhase::kOpen;
  recovery_point_ = sender.una;
  undo_possible_ = false;
  force_one_ = false;
  frto_.stop();
}

// ------------------------------------------------------------------------------------ the probe

// RFC8985-7.4.2-1, 7.4.2-2.
void SackRecovery::react_to_probe(const Sender& sender, const Ack& ack, const News& news,
                                  CongestionControl& congestion) {
  const bool dsack = news.dsack.has_value() && news.dsack->end == probe_.end_seq();
  const bool repaired = probe_.on_ack(ack.ack, dsack, ack.repeats && ack.sacks.empty());
  if (!repaired || in_recovery()) return;
  congestion.enter_recovery(sender.now, sender.flight_size, !sender.reduced_by_echo);
  congestion.leave_recovery(sender.now, sender.flight());
  congestion.set_cwnd(congestion.ssthresh());
  undo_possible_ = false;
}

// RFC8985-7.2-1, 7.2-4, 8-1. Where it may not be sent (RFC8985-7.3-1) the retransmission timer
// runs alone.
void SackRecovery::schedule_probe(const Sender& sender, const RttEstimator& rtt, Instant timeout) {
  if (armed_ == Armed::kReorder) return;
  armed_ = Armed::kNone;
  if (!options_.rack_tlp || in_recovery() || board_.sacked() != 0 || board_.lost() != 0 ||
      sender.flight() == 0 || !probe_.may_send()) {
    return;
  }
  armed_ = Armed::kProbe;
  const bool one_segment = sender.flight() <= sender.smss;
  deadline_ =
      std::min(sender.now + LossProbe::interval(rtt.measured(), rtt.srtt(), one_segment), timeout);
}

void SackRecovery::on_rtt(Instant now, Duration rtt) {
  rack_.on_rtt(now, rtt);
  probe_.on_rtt();
}

std::optional<Instant> SackRecovery::reordering_deadline() const {
  if (armed_ != Armed::kReorder) return std::nullopt;
  return deadline_;
}

std::optional<Instant> SackRecovery::deadline() const {
  if (armed_ == Armed::kNone) return std::nullopt;
  return deadline_;
}

LossRecovery::Due SackRecovery::on_deadline(const Sender& sender, CongestionControl& congestion,
                                            const RttEstimator& rtt) {
  if (armed_ == Armed::kNone || deadline_ > sender.now) return Due::kNothing;
  const Armed expired = armed_;
  armed_ = Armed::kNone;
  if (expired == Armed::kProbe) return Due::kProbe;
  const Loss loss = detect_loss(sender, rtt);
  if (begins_recovery(sender, loss)) enter_recovery(sender, 0, congestion);
  if (phase_ == RecoveryPhase::kRecovery) pace(sender, 0, congestion);
  return Due::kRetransmission;
}

void SackRecovery::report(Instant now, Status& status) const {
  status.recovery_phase = phase_;
  status.pipe_bytes = board_.pipe();
  status.sacked_bytes = board_.sacked();
  status.lost_bytes = board_.lost();
  status.retransmission_out_bytes = board_.retransmission_out();
  status.reorder_window = reorder_window_;
  if (const Duration least = rack_.min_rtt(); least > Duration{0}) status.min_rtt = least;
  status.reordering_seen = rack_.reordering_seen();
  status.tail_loss_probes = probes_sent_;
  status.dsacks_received = dsacks_;
  status.spurious_recoveries = spurious_recoveries_;
  status.spurious_timeouts = spurious_timeouts_;
  if (phase_ == RecoveryPhase::kRecovery) {
    status.rate_reduction = {
        .flight = prr_.recover_flight(), .delivered = prr_.delivered(), .sent = prr_.out()};
  }
  if (armed_ == Armed::kNone) return;
  const Duration left = std::max(deadline_ - now, Duration{0});
  (armed_ == Armed::kProbe ? status.tail_loss_probe_timer : status.reordering_timer) = left;
}

}  // namespace tcproctor::tcp
