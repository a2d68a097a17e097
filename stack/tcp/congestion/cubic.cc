// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/cubic.h"

#include <algorithm>

namespace tcproctor::tcp {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Newton's method from above, until it falls no more. std::cbrt may differ from one C library to
// the next in the last place.
double cube_root(double value) {
  if (value < 0) return -cube_root(-value);
  if (value == 0) return 0;
  double root = std::max(value, 1.0);
  for (;;) {
    const double next = (2 * root + value / (root * root)) / 3;
    if (next >= root) return root;
    root = next;
  }
}

}  // namespace

double Cubic::window_at(double seconds, double k, uint32_t w_max, uint32_t smss) {
  const double t = seconds - k;
  return kC * smss * t * t * t + w_max;
}

double Cubic::time_to(uint32_t w_max, uint32_t cwnd_epoch, uint32_t smss) {
  return cube_root((static_cast<double>(w_max) - cwnd_epoch) / (kC * smss));
}

void Cubic::slow_start(const AckSample& sample, bool used) {
  last_ack_ = sample.now;
  if (epoch_ != nullptr) epoch_->running = false;
  if (!in_first_slow_start()) return CongestionControl::slow_start(sample, used);
  if (used) grow(hystart_.growth(sample.acked, smss()));
  if (!hystart_.on_ack(sample)) return;
  // RFC 9438 §4.10: nothing was lost, so there is no W_max yet.
  leave_slow_start();
  current() = {.cwnd_prior = cwnd(), .k_is_zero = true};
}

Cubic::Epoch& Cubic::current() {
  if (epoch_ == nullptr) epoch_ = std::make_unique<Epoch>();
  return *epoch_;
}

// RFC9438-4.2-1, 4.3-1: W_max is where the last event happened; K is the time to it.
void Cubic::begin_epoch() {
  Epoch& epoch = current();
  if (epoch.k_is_zero || epoch.w_max == 0) epoch.w_max = cwnd();
  if (epoch.cwnd_prior == 0) epoch.cwnd_prior = cwnd();
  epoch.k = time_to(epoch.w_max, cwnd(), smss());
  epoch.w_est = cwnd();
  epoch.elapsed = Duration{0};
  epoch.k_is_zero = false;
  epoch.running = true;
  fraction_ = 0;
}

void Cubic::avoid_congestion(const AckSample& sample, bool used) {
  const Duration since = sample.now - last_ack_;
  last_ack_ = sample.now;
  if (!used) return;  // RFC9438-4.2-1, 5.8-1: time in which cwnd is not used does not count
  Epoch& epoch = current();
  if (epoch.running) {
    epoch.elapsed += since;
  } else {
    begin_epoch();
  }
  const double window = cwnd();
  const double acked = sample.acked;
  // RFC9438-4.3-1, 4.3-2
  const double alpha = epoch.w_est >= epoch.cwnd_prior ? 1.0 : kAlpha;
  epoch.w_est += alpha * acked * smss() / window;
  const double t = seconds(epoch.elapsed);
  double increase = 0;
  if (window_at(t, epoch.k, epoch.w_max, smss()) < epoch.w_est) {
    increase = std::max(epoch.w_est - window - fraction_, 0.0);  // Reno-friendly
  } else {
    // RFC9438-4.2-2; RFC9438-4.4-1, 4.5-1. The RFC adds this for each ACK, which reaches the target
    // in a round trip when each segment has its ACK; counting octets does so for any receiver.
    const double target = std::clamp(
        window_at(t + seconds(sample.srtt), epoch.k, epoch.w_max, smss()), window, 1.5 * window);
    increase = (target - window) * std::min(acked, window) / window;
  }
  increase += fraction_;
  const auto whole = static_cast<uint32_t>(increase);
  fraction_ = increase - whole;
  grow(whole);
}

uint32_t Cubic::reduced(uint32_t flight) const {
  return static_cast<uint32_t>(flight * kBeta);
}

void Cubic::on_reduced(uint32_t cwnd_before, bool timeout) {
  Epoch& epoch = current();
  if (undo_ == nullptr) undo_ = std::make_unique<Epoch>();
  *undo_ = epoch;
  const bool converge = cwnd_before < epoch.w_max;  // RFC9438-4.7-1
  epoch.w_max = converge ? static_cast<uint32_t>(cwnd_before * (1.0 + kBeta) / 2.0) : cwnd_before;
  epoch.cwnd_prior = cwnd_before;
  epoch.k_is_zero = timeout;  // RFC9438-4.8-1
  epoch.running = false;
  hystart_in_use_ = false;  // RFC9406-4.3-4, 4.2-2
}

void Cubic::on_undone(Instant now) {
  if (undo_ != nullptr) current() = *undo_;
  last_ack_ = now;  // the time of the recovery does not count
}

// RFC5681-3.1-11: what is remembered is in octets of the old segments.
void Cubic::on_smss_changed(uint32_t from, uint32_t to) {
  if (epoch_ == nullptr) return;
  const double ratio = static_cast<double>(to) / from;
  epoch_->w_max = static_cast<uint32_t>(epoch_->w_max * ratio);
  epoch_->cwnd_prior = static_cast<uint32_t>(epoch_->cwnd_prior * ratio);
  epoch_->running = false;
  undo_.reset();
}

}  // namespace tcproctor::tcp
