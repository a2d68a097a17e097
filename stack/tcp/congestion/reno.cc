// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/reno.h"

#include <algorithm>

namespace tcproctor::tcp {

std::unique_ptr<CongestionControl> make_reno() {
  return std::make_unique<Reno>();
}

void Reno::start(uint32_t smss, bool handshake_loss) {
  smss_ = smss;
  // RFC5681-3.1-1; RFC5681-3.1-3: one segment when the handshake lost a segment.
  cwnd_ = handshake_loss ? smss : initial_window(smss);
  avoidance_acked_ = 0;
}

void Reno::grow(uint32_t by) {
  cwnd_ = std::min(cwnd_ + by, kLargest);
}

void Reno::on_ack(uint32_t acked, uint32_t flight) {
  // A window that is not used says nothing about the path: it does not grow then.
  if (flight < cwnd_ / 2) return;
  if (cwnd_ < ssthresh_) {  // RFC5681-3.1-5, 3.1-6
    grow(std::min(acked, smss_));
    return;
  }
  avoidance_acked_ += acked;  // RFC5681-3.1-7, by counting octets
  if (avoidance_acked_ < cwnd_) return;
  avoidance_acked_ -= cwnd_;
  avoidance_acked_ = std::min(avoidance_acked_, cwnd_);
  grow(smss_);
}

void Reno::enter_recovery(uint32_t flight) {
  ssthresh_ = std::max(flight / 2, 2 * smss_);  // RFC5681-3.2-8
  cwnd_ = ssthresh_ + 3 * smss_;                // RFC5681-3.2-9
  avoidance_acked_ = 0;
}

void Reno::duplicate_in_recovery() {
  grow(smss_);
}  // RFC5681-3.2-10

void Reno::partial_ack(uint32_t acked) {  // RFC6582-3.2-5
  cwnd_ -= std::min(acked, cwnd_ - smss_);
  if (acked >= smss_) grow(smss_);
}

void Reno::leave_recovery(uint32_t flight) {
  // RFC6582-3.2-3, the form that avoids a burst; RFC5681-3.2-12.
  cwnd_ = std::min(ssthresh_, std::max(flight, smss_) + smss_);
  avoidance_acked_ = 0;
}

void Reno::on_timeout(uint32_t flight, bool first) {
  if (first) ssthresh_ = std::max(flight / 2, 2 * smss_);  // RFC5681-3.1-8, 3.1-10
  cwnd_ = smss_;                                           // RFC5681-3.1-9
  avoidance_acked_ = 0;
}

void Reno::after_idle() {
  cwnd_ = std::min(cwnd_, initial_window(smss_));
}  // RFC5681-4.1-1

}  // namespace tcproctor::tcp
