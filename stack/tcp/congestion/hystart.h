// SPDX-License-Identifier: Apache-2.0
// HyStart++ (RFC 9406): leaves the first slow start when the round-trip time grows, before a queue
// overflows. A suspicion leads to Conservative Slow Start (CSS), which grows a quarter as fast;
// five rounds later it is believed, or the round-trip time falls again and slow start goes on.
#pragma once

#include <cstdint>
#include <limits>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class HyStart {
 public:
  // RFC9406-4.3-1.
  static constexpr Duration kMinRttThreshold = std::chrono::milliseconds(4);
  static constexpr Duration kMaxRttThreshold = std::chrono::milliseconds(16);
  static constexpr uint32_t kMinRttDivisor = 8;
  static constexpr uint32_t kRttSamples = 8;        // N_RTT_SAMPLE
  static constexpr uint32_t kCssGrowthDivisor = 4;  // RFC9406-4.3-2
  static constexpr uint32_t kCssRounds = 5;
  static constexpr uint32_t kLimit = 8;  // L, in SMSS, of a sender that does not pace

  // Octets by which cwnd grows for this ACK (RFC 9406 §4.2).
  uint32_t growth(uint32_t acked, uint32_t smss);
  // Measures this ACK. True: the last round of CSS ended, congestion avoidance begins.
  bool on_ack(const CongestionControl::AckSample& sample);

  bool in_css() const { return css_baseline_us_ != kNone; }

 private:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();  // the RFC's infinity

  void judge_round();

  SeqNum window_end_;  // the round ends when this is acknowledged
  uint32_t last_round_us_ = kNone;
  uint32_t current_round_us_ = kNone;
  uint32_t css_baseline_us_ = kNone;
  uint8_t samples_ = 0;
  uint8_t css_rounds_ = 0;
  uint8_t remainder_ = 0;  // octets of CSS growth not yet given
  bool in_round_ = false;  // window_end_ is set
};

}  // namespace tcproctor::tcp
