// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/congestion_control.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/reno.h"

namespace tcproctor::tcp {

std::unique_ptr<CongestionControl> make_congestion_control(const ConnectionOptions& options) {
  if (options.congestion_control == CongestionAlgorithm::kReno) return std::make_unique<Reno>();
  return std::make_unique<Cubic>(options.hystart);
}

void CongestionControl::start(const Start& start) {
  smss_ = start.smss;
  initial_window_ = start.initial_window;
  limit_ = start.appropriate_byte_counting ? 2 : 1;  // RFC3465-2.3-1, 2.3-2
  // RFC5681-3.1-3: one segment when the handshake lost a segment. RFC6928-2-2: with the larger
  // window one loss is forgiven, it may have been a spurious timeout.
  const uint32_t forgiven = initial_window_ == InitialWindow::kRfc6928 ? 1 : 0;
  cwnd_ =
      start.handshake_retransmissions > forgiven ? smss_ : initial_window(smss_, initial_window_);
  undo_cwnd_ = 0;
  acked_of_first_window_ = 0;
}

void CongestionControl::grow(uint32_t by) {
  cwnd_ = std::min(cwnd_ + by, kLargest);
}

void CongestionControl::on_ack(const AckSample& sample) {
  if (sample.echoed) return;
  // A window that is not used says nothing about the path: it does not grow then. In slow start
  // half of it is enough, or a sender that starts and stops would never come to use more.
  const bool used = sample.cwnd_limited || (in_slow_start() && sample.flight_before >= cwnd_ / 2);
  if (acked_of_first_window_ < kLargest) acked_of_first_window_ += sample.acked;
  if (in_slow_start()) return slow_start(sample, used);
  after_timeout_ = false;
  avoid_congestion(sample, used);
}

// RFC5681-3.1-5, 3.1-6; RFC3465-2.2-1. RFC3465-2.3-3: after a timeout L is one segment.
void CongestionControl::slow_start(const AckSample& sample, bool used) {
  if (!used) return;
  const uint32_t limit = after_timeout_ ? smss_ : limit_ * smss_;
  grow(std::min({sample.acked, limit, ssthresh_ - cwnd_}));
}

void CongestionControl::reduce(uint32_t flight, bool timeout) {
  // A recovery's own window is inflated or nearly empty: what it leads to is its ssthresh.
  undo_cwnd_ = recovering_ ? std::max(ssthresh_, smss_) : cwnd_;
  undo_ssthresh_ = ssthresh_;
  on_reduced(undo_cwnd_, timeout);
  ssthresh_ = std::max(reduced(flight), 2 * smss_);  // RFC5681-3.1-8, 3.2-8
}

// RFC6928-2-3: loss among the first segments; after an idle time fewer go at once from now on.
void CongestionControl::fall_back_to_smaller_window(uint32_t flight) {
  const bool first_window = acked_of_first_window_ < initial_window(smss_, initial_window_);
  if (first_window && flight > 4096) initial_window_ = InitialWindow::kRfc5681;
}

void CongestionControl::enter_recovery(Instant, uint32_t flight, bool reduce) {
  if (reduce) this->reduce(flight, false);
  fall_back_to_smaller_window(flight);
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

void CongestionControl::on_timeout(Instant, uint32_t flight, bool first) {
  // RFC5681-3.1-8, 3.1-10. RFC5681-4.3-1: lost again in recovery, and lowered again; most of what
  // is not acknowledged there has left the network.
  if (first) reduce(recovering_ ? std::min(flight, ssthresh_) : flight, true);
  cwnd_ = smss_;  // RFC5681-3.1-9
  fall_back_to_smaller_window(flight);
  recovering_ = false;
  after_timeout_ = true;
}

// RFC3168-6.1.2-1. Marks that go on bring cwnd down to one segment, unlike losses (RFC 9438 §4.6).
void CongestionControl::on_ecn_echo(Instant, uint32_t flight) {
  reduce(flight, false);
  cwnd_ = std::max(reduced(flight), smss_);
}

void CongestionControl::undo(Instant now) {
  if (undo_cwnd_ == 0) return;
  cwnd_ = std::max(cwnd_, undo_cwnd_);  // RFC9438-4.9-1: what has grown beyond stays
  ssthresh_ = undo_ssthresh_;
  undo_cwnd_ = 0;
  recovering_ = false;
  on_undone(now);
}

void CongestionControl::after_idle(Instant now, Duration idle, Duration rto) {
  on_idle(now);
  if (idle <= rto) return;
  cwnd_ = std::min(cwnd_, initial_window(smss_, initial_window_));  // RFC5681-4.1-1
  acked_of_first_window_ = 0;
}

void CongestionControl::set_smss(uint32_t smss) {
  const uint32_t before = std::exchange(smss_, smss);
  if (smss < before) {  // RFC5681-3.1-11: as many segments as before, not as many octets
    cwnd_ = static_cast<uint32_t>(uint64_t{cwnd_} * smss / before);
  }
  cwnd_ = std::max(cwnd_, smss_);
  undo_cwnd_ = 0;
  on_smss_changed(before, smss);
}

void CongestionControl::take_over(const CongestionControl& other) {
  smss_ = other.smss_;
  cwnd_ = other.cwnd_;
  ssthresh_ = other.ssthresh_;
  acked_of_first_window_ = other.acked_of_first_window_;
  initial_window_ = other.initial_window_;
  limit_ = other.limit_;
  after_timeout_ = other.after_timeout_;
  recovering_ = other.recovering_;
}

}  // namespace tcproctor::tcp
