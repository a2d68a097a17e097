// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/congestion_control.h"

#include <algorithm>

namespace tcproctor::tcp {

void CongestionControl::start(const Start& start) {
  smss_ = start.smss;
  initial_window_ = start.initial_window;
  // RFC5681-3.1-3: one segment when the handshake lost a segment. RFC6928-2-2: with the larger
  // window one loss is forgiven, it may have been a spurious timeout.
  const uint32_t forgiven = initial_window_ == InitialWindow::kRfc6928 ? 1 : 0;
  cwnd_ =
      start.handshake_retransmissions > forgiven ? smss_ : initial_window(smss_, initial_window_);
  undo_cwnd_ = 0;
}

void CongestionControl::grow(uint32_t by) {
  cwnd_ = std::min(cwnd_ + by, kLargest);
}

void CongestionControl::on_ack(const AckSample& sample) {
  // A window that is not used says nothing about the path: it does not grow then. In slow start
  // half of it is enough, or a sender that starts and stops would never come to use more.
  const bool used = sample.cwnd_limited || (in_slow_start() && sample.flight_before >= cwnd_ / 2);
  if (!used) return;
  if (in_slow_start()) return grow(std::min(sample.acked, smss_));  // RFC5681-3.1-5, 3.1-6
  avoid_congestion(sample);
}

void CongestionControl::remember() {
  // A recovery's own window is inflated or nearly empty: what it leads to is its ssthresh.
  undo_cwnd_ = recovering_ ? std::max(ssthresh_, smss_) : cwnd_;
  undo_ssthresh_ = ssthresh_;
}

void CongestionControl::reduce(Instant now, uint32_t flight, bool timeout) {
  remember();
  on_reduced(now, timeout);
  ssthresh_ = std::max(reduced(flight), 2 * smss_);  // RFC5681-3.1-8, 3.2-8
}

void CongestionControl::enter_recovery(Instant now, uint32_t flight, bool reduce) {
  if (reduce) this->reduce(now, flight, false);
  recovering_ = true;
  cwnd_ = std::min(ssthresh_, kLargest) + 3 * smss_;  // RFC5681-3.2-9
}

void CongestionControl::duplicate_in_recovery() {
  grow(smss_);
}  // RFC5681-3.2-10

void CongestionControl::partial_ack(uint32_t acked) {  // RFC6582-3.2-5
  cwnd_ -= std::min(acked, cwnd_ - smss_);
  if (acked >= smss_) grow(smss_);
}

void CongestionControl::leave_recovery(Instant, uint32_t flight) {
  // RFC6582-3.2-3, the form that avoids a burst; RFC5681-3.2-12.
  cwnd_ = std::min(ssthresh_, std::max(flight, smss_) + smss_);
  recovering_ = false;
}

void CongestionControl::set_cwnd(uint32_t octets) {
  cwnd_ = std::clamp(octets, smss_, kLargest);
}

void CongestionControl::on_timeout(Instant now, uint32_t flight, bool first) {
  if (first) reduce(now, flight, true);  // RFC5681-3.1-8, 3.1-10
  cwnd_ = smss_;                         // RFC5681-3.1-9
  recovering_ = false;
}

void CongestionControl::on_ecn_echo(Instant now, uint32_t flight) {
  reduce(now, flight, false);
  cwnd_ = ssthresh_;
}

void CongestionControl::undo(Instant now) {
  if (undo_cwnd_ == 0) return;
  cwnd_ = std::max(cwnd_, undo_cwnd_);
  ssthresh_ = undo_ssthresh_;
  undo_cwnd_ = 0;
  recovering_ = false;
  on_undone(now);
}

uint32_t CongestionControl::restart_window() const {
  return std::min(cwnd_, initial_window(smss_, initial_window_));
}

void CongestionControl::after_idle(Instant, Duration idle, Duration rto) {
  if (idle > rto) cwnd_ = restart_window();  // RFC5681-4.1-1
}

}  // namespace tcproctor::tcp
