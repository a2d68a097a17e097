// SPDX-License-Identifier: Apache-2.0
// Path-MTU discovery as a connection takes part in it (RFC 1191, RFC 8201): which messages count,
// and what goes again when the path turns out to be narrower. What is known of a path is shared
// through the host (take_path_mtu_news, set_path_mtu).
#include <algorithm>

#include "stack/tcp/connection.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

// Without discovery IPv6 keeps to what every link carries (RFC 8201 §4).
uint32_t Connection::largest_path_mtu() const {
  const bool v6 = tuple_.remote.address.is_v6();
  return v6 && !options_->path_mtu_discovery ? std::min(mtu_, 1280u) : mtu_;
}

std::optional<PathMtuNews> Connection::take_path_mtu_news() {
  if (!path_mtu_news_) return std::nullopt;
  path_mtu_news_ = false;
  return PathMtuNews{.mtu = path_mtu_.mtu(), .searched = mtu_search_ != nullptr};
}

// A message that quotes something between SND.UNA and SND.NXT (RFC5927-4.1-1, RFC8201-4-3).
void Connection::packet_too_big(Instant now, const IcmpError& error) {
  const SeqNum quoted(error.quoted_sequence_number);
  if (!options_->path_mtu_discovery || !quoted.before(snd_nxt_)) return;
  uint32_t claimed = error.mtu;
  const bool v4 = tuple_.remote.address.is_v4();
  if (v4 && claimed == 0) {  // RFC1191-3-6
    // Below the packet it speaks of: the others of one flight say the same then.
    claimed = plateau_below(error.quoted_length == 0 ? path_mtu_.mtu() : error.quoted_length);
  }
  // RFC8201-4-1; RFC1191-3-3: no router may claim less (RFC 791 §3.2).
  if (claimed < least_path_mtu(tuple_.remote.address.family())) {
    return drop(now, "RFC 8201 §4: packet too big claims an MTU that no link may have");
  }
  if (mtu_search_ != nullptr && claimed >= path_mtu_.mtu()) mtu_search_->on_too_big(claimed);
  if (!path_mtu_.on_too_big(quoted, claimed)) return;
  path_mtu_news_ = true;
  adopt_path_mtu(now, claimed);
}

void Connection::set_path_mtu(Instant now, const PathMtuNews& news) {
  if (!options_->path_mtu_discovery) return;
  adopt_path_mtu(now, news.mtu);
  if (news.searched && news.mtu < search_ceiling()) start_mtu_search(path_mtu_.mtu());
}

// Who searches does not jump to what may be a black hole again: it probes (RFC4821-7.3-1).
void Connection::path_mtu_aged(Instant now, uint32_t mtu) {
  if (!options_->path_mtu_discovery) return;
  if (mtu_search_ == nullptr) return adopt_path_mtu(now, mtu);
  mtu_search_->restart(now);
  path_mtu_news_ = path_mtu_.mtu() < largest_path_mtu();
}

void Connection::adopt_path_mtu(Instant now, uint32_t mtu) {
  const uint32_t before = path_mtu_.mtu();
  path_mtu_.set(std::min(mtu, largest_path_mtu()));
  if (path_mtu_.mtu() == before) return;
  if (trace_) {
    emit({.kind = Event::Kind::kPathMtu,
          .time = now,
          .from = state_,
          .to = state_,
          .mtu_before = before,
          .mtu_after = path_mtu_.mtu()});
  }
  if (mtu_search_ != nullptr) {
    mtu_search_->on_mtu_set(now, path_mtu_.mtu(), path_mtu_.mtu() < before);
  }
  congestion_->set_smss(payload_mss(false));  // RFC4821-4-4: the window's octets stay
  if (path_mtu_.mtu() < before) send_again_smaller(now);
}

// RFC8201-5.4-4: at once; RFC1191-6.4-2, RFC8201-5.4-2: the window stays as many segments as it is,
// but no burst: one segment now and two for each that is acknowledged. Duplicates that this makes
// at the peer are no sign of congestion either.
void Connection::send_again_smaller(Instant now) {
  const uint32_t mss = payload_mss(false);
  if (!is_synchronized(state_) || flight() <= mss || snd_wnd_ == 0) return;
  recovery(now).resend_all(sender(now));
  resend_allowance_ = mss;
  tail_loss_probe_pending_ = false;
  timing_ = false;
  restart_retransmission_timer(now);
}

// ------------------------------------------------------------- the search of RFC 4821
// (mtu_search.h)

void Connection::start_mtu_search(uint32_t eff_pmtu) {
  const bool wanted = options_->path_mtu_discovery && options_->mtu_probing != MtuProbing::kOff;
  if (!wanted || mtu_search_ != nullptr) return;
  path_mtu_.set(std::min(eff_pmtu, path_mtu_.mtu()));
  mtu_search_ = std::make_unique<MtuSearch>(tuple_.remote.address.family(), path_mtu_.mtu());
}

// What neither the link nor the peer's MSS takes is not probed.
uint32_t Connection::search_ceiling() const {
  const uint32_t mss = std::max(peer_mss_, kSmallestSendMss);
  return std::min(largest_path_mtu(), mtu_of_mss(tuple_.remote.address.family(), mss));
}

std::optional<LossRecovery::Span> Connection::mtu_probe() const {
  if (mtu_search_ == nullptr || !mtu_search_->probing()) return std::nullopt;
  return LossRecovery::Span{mtu_search_->probe_begin(), mtu_search_->probe_end()};
}

// RFC4821-4-3: losses that cost no window are at least as far apart as one round trip for each
// segment of the window, as those are that TCP answers.
Instant Connection::after_headway(Instant now) const {
  const uint32_t segments = congestion_->cwnd() / congestion_->smss() + 1;
  return now + segments * std::max<Duration>(rtt_.srtt(), std::chrono::milliseconds(1));
}

// A segment of new data larger than the others (RFC 4821 §7.4, §7.5).
Connection::MtuProbe Connection::send_mtu_probe(Instant now, SegmentOut& out) {
  if (mtu_search_ == nullptr || recovery_ == nullptr || !rtt_.measured()) return MtuProbe::kNone;
  const uint32_t ceiling = search_ceiling();
  const uint32_t size = mtu_search_->size_to_probe(now, path_mtu_.mtu(), ceiling);
  if (size == 0) return MtuProbe::kNone;
  const uint32_t mss = payload_mss(false);
  const uint32_t length = payload_of(size, false);
  // RFC4821-7.4-1: nothing is being repaired, and what follows the probe can show that it was lost.
  const uint32_t followers = 3 * mss;
  const bool calm = is_synchronized(state_) && delivered_bytes_ != 0 && !probed_ && !urgent_mode_ &&
                    !ecn_.held() && resend_allowance_ == kNoLimit &&
                    recovery_->nothing_missing(sender(now));
  const uint32_t queued = send_end().after(snd_nxt_) ? send_end() - snd_nxt_ : 0;
  const uint32_t cwnd = congestion_->cwnd();
  const uint32_t needed = length + followers;
  if (!calm || length <= mss || std::min({queued, usable_window(), cwnd}) < needed) {
    return MtuProbe::kNone;
  }
  if (recovery_->room(sender(now), cwnd) < length) return MtuProbe::kWait;
  const SeqNum seq = snd_nxt_;
  fill(now, out, seq, packet::kAck, false);
  attach_payload(out, seq, length, 0);
  mark_new_data(out);
  mtu_search_->on_probe_sent(seq, seq + length, size);
  note_sent(now, seq, seq + length);
  return MtuProbe::kSent;
}

// RFC 4821 §7.6, after loss recovery has seen an ACK or found something lost.
void Connection::judge_mtu_probe(Instant now) {
  if (mtu_search_ == nullptr || !mtu_search_->probing()) return;
  if (recovery_->take_mtu_probe_loss()) {
    mtu_search_->on_probe_lost(now, path_mtu_.mtu(), after_headway(now));
  } else if (snd_una_.at_or_after(mtu_search_->probe_end())) {
    path_mtu_.set(mtu_search_->on_probe_acked(now));
    path_mtu_news_ = true;
    congestion_->set_smss(payload_mss(false));
  }
}

// RFC4821-7.7-1, 7.7-2: after R1, where what is sent again is larger than what would be tried. The
// window was reduced by the timeouts before.
void Connection::look_for_black_hole(Instant now) {
  const packet::IpFamily family = tuple_.remote.address.family();
  if (retransmissions_ < kR1 || !options_->path_mtu_discovery) return;
  if (options_->mtu_probing == MtuProbing::kOff) return;
  const uint32_t outstanding = std::min(flight(), payload_mss(false));
  const uint32_t sent = mtu_of_mss(family, outstanding + options_of_data());
  // Options may leave nothing of the least packet: octets one by one are no remedy.
  constexpr uint32_t kLeastPayload = 28;  // what it carries without options over IPv4
  const uint32_t floor =
      std::max(least_path_mtu(family), mtu_of_mss(family, kLeastPayload + options_of_data()));
  const uint32_t least = mtu_search_ != nullptr ? floor : MtuSearch::first_low(family);
  if (sent <= least) return;
  start_mtu_search(path_mtu_.mtu());
  const uint32_t before = path_mtu_.mtu();
  path_mtu_.set(std::max(mtu_search_->on_full_stop(now, before, search_ceiling()), floor));
  if (path_mtu_.mtu() == before) return;
  path_mtu_.forget_acked();
  path_mtu_news_ = true;
  congestion_->set_smss(payload_mss(false));
}

}  // namespace tcproctor::tcp
