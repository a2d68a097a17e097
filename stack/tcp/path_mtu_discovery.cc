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
  return v6 && !options_.path_mtu_discovery ? std::min(mtu_, 1280u) : mtu_;
}

std::optional<uint32_t> Connection::take_path_mtu_news() {
  if (!path_mtu_news_) return std::nullopt;
  path_mtu_news_ = false;
  return path_mtu_.mtu();
}

// A message that quotes something between SND.UNA and SND.NXT (RFC5927-4.1-1, RFC8201-4-3).
void Connection::packet_too_big(Instant now, const IcmpError& error) {
  const SeqNum quoted(error.quoted_sequence_number);
  if (!options_.path_mtu_discovery || !quoted.before(snd_nxt_)) return;
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
  if (!path_mtu_.on_too_big(quoted, claimed)) return;
  path_mtu_news_ = true;
  adopt_path_mtu(now, claimed);
}

void Connection::set_path_mtu(Instant now, uint32_t mtu) {
  if (!options_.path_mtu_discovery) return;
  adopt_path_mtu(now, mtu);
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
  congestion_->set_smss(payload_mss(false));
  if (path_mtu_.mtu() < before) send_again_smaller(now);
}

// RFC8201-5.4-4: at once; RFC1191-6.4-2, RFC8201-5.4-2: the window stays as many segments as it is,
// but no burst: one segment now and two for each that is acknowledged. Duplicates that this makes
// at the peer are no sign of congestion either.
void Connection::send_again_smaller(Instant now) {
  const uint32_t mss = payload_mss(false);
  if (!is_synchronized(state_) || flight() <= mss || snd_wnd_ == 0) return;
  recovery().resend_all(sender(now));
  resend_allowance_ = mss;
  tail_loss_probe_pending_ = false;
  timing_ = false;
  restart_retransmission_timer(now);
}

}  // namespace tcproctor::tcp
