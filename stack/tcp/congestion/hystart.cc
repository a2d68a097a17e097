// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/hystart.h"

#include <algorithm>

namespace tcproctor::tcp {
namespace {

constexpr uint32_t microseconds(Duration duration) {
  return static_cast<uint32_t>(
      std::min<int64_t>(duration / std::chrono::microseconds(1), UINT32_MAX - 1));
}

}  // namespace

uint32_t HyStart::growth(uint32_t acked, uint32_t smss) {
  const uint32_t counted = std::min(acked, kLimit * smss);
  if (!in_css()) return counted;
  const uint32_t quarters = counted + remainder_;
  remainder_ = static_cast<uint8_t>(quarters % kCssGrowthDivisor);
  return quarters / kCssGrowthDivisor;
}

bool HyStart::on_ack(const CongestionControl::AckSample& sample) {
  if (!in_round_) {
    window_end_ = sample.snd_nxt;
    in_round_ = true;
  }
  if (sample.rtt > Duration{0}) {
    current_round_us_ = std::min(current_round_us_, microseconds(sample.rtt));
    samples_ = static_cast<uint8_t>(std::min<uint32_t>(samples_ + 1u, kRttSamples));
    if (samples_ == kRttSamples) judge_round();
  }
  if (sample.una.before(window_end_)) return false;
  // The round ends. RFC9406-4.2-3: the one in which CSS began counts.
  if (in_css() && ++css_rounds_ == kCssRounds) return true;
  last_round_us_ = current_round_us_;
  current_round_us_ = kNone;
  samples_ = 0;
  window_end_ = sample.snd_nxt;
  in_round_ = sample.una.before(sample.snd_nxt);  // else the next begins with what is sent then
  return false;
}

void HyStart::judge_round() {
  if (in_css()) {
    if (current_round_us_ < css_baseline_us_) {  // RFC9406-4.2-1: spurious
      css_baseline_us_ = kNone;
      remainder_ = 0;
    }
    return;
  }
  if (last_round_us_ == kNone) return;
  const uint32_t threshold =
      std::clamp(last_round_us_ / kMinRttDivisor, microseconds(kMinRttThreshold),
                 microseconds(kMaxRttThreshold));
  if (current_round_us_ - std::min(current_round_us_, last_round_us_) < threshold) return;
  css_baseline_us_ = current_round_us_;
  css_rounds_ = 0;
}

}  // namespace tcproctor::tcp
