// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/mtu_search.h"

namespace tcproctor::tcp {

void MtuSearch::open_range(uint32_t ceiling) {
  high_ = static_cast<uint16_t>(ceiling);
  whole_ = true;
}

// RFC 4821 §7.3: the top of the range first, since a path is mostly as wide as its links; then
// halves.
uint32_t MtuSearch::size_to_probe(Instant now, uint32_t eff_pmtu, uint32_t ceiling) {
  if (probing() || now < next_) return 0;
  if (converged(eff_pmtu)) {
    open_range(ceiling);  // RFC 4821 §7.3: the timer of a search that has ended expired
    if (whole_ && high_ <= eff_pmtu) {
      next_ = now + kReprobe;
      return 0;
    }
  }
  const uint32_t low = std::max<uint32_t>(low_, eff_pmtu);
  return whole_ ? high_ : low + (high_ - low + 1) / 2;  // RFC4821-7.1-1
}

void MtuSearch::on_probe_sent(SeqNum begin, SeqNum end, uint32_t size) {
  probe_begin_ = begin;
  probe_end_ = end;
  probe_size_ = static_cast<uint16_t>(size);
  ++probes_sent_;
}

uint32_t MtuSearch::on_probe_acked(Instant now) {
  low_ = probe_size_;
  high_ = std::max(high_, low_);
  probe_size_ = 0;
  wait_if_converged(now, low_);
  return low_;
}

void MtuSearch::on_probe_lost(Instant now, uint32_t eff_pmtu, Instant next) {
  ++probes_lost_;
  high_ = std::min(high_, static_cast<uint16_t>(probe_size_ - 1));
  probe_size_ = 0;
  whole_ = false;
  next_ = next;
  wait_if_converged(now, eff_pmtu);
}

void MtuSearch::on_inconclusive(Instant next) {
  probe_size_ = 0;
  next_ = next;
}

void MtuSearch::on_too_big(uint32_t claimed) {
  if (claimed < probe_size_) high_ = std::min(high_, static_cast<uint16_t>(claimed));
}

// RFC4821-7.7-1, 7.7-2. Where a step would change nothing the next one is taken at once.
uint32_t MtuSearch::on_full_stop(Instant now, uint32_t eff_pmtu, uint32_t ceiling) {
  probe_size_ = 0;
  if (eff_pmtu <= low_) {
    low_ = low_ > first_low_ ? first_low_ : std::max(static_cast<uint16_t>(low_ / 2), least_);
  }
  open_range(ceiling);
  next_ = now;
  return low_;
}

void MtuSearch::on_mtu_set(Instant now, uint32_t mtu, bool lower) {
  probe_size_ = 0;
  low_ = std::min(low_, static_cast<uint16_t>(mtu));
  if (lower) {
    high_ = std::min(high_, static_cast<uint16_t>(mtu));
    whole_ = false;
  }
  wait_if_converged(now, mtu);
}

void MtuSearch::restart(Instant now) {
  if (probing()) return;
  high_ = 0;  // so that the next probe opens the range
  next_ = now;
}

void MtuSearch::wait_if_converged(Instant now, uint32_t eff_pmtu) {
  if (converged(eff_pmtu)) next_ = now + kReprobe;
}

}  // namespace tcproctor::tcp
