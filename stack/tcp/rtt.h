// SPDX-License-Identifier: Apache-2.0
// The retransmission timeout (RFC 6298). Karn's rule is the caller's: it never gives a sample of a
// retransmitted segment (RFC6298-3-1), unless a timestamp tells which transmission was
// acknowledged.
#pragma once

#include <algorithm>
#include <chrono>

#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class RttEstimator {
 public:
  // G, the granularity of our clock: of the timestamps, the coarser of the two we measure with.
  static constexpr Duration kGranularity = std::chrono::milliseconds(1);

  // `minimum` <= `initial` <= `maximum` is not required: the RTO is held within [minimum, maximum].
  RttEstimator(Duration initial, Duration minimum, Duration maximum)
      : minimum_(minimum), maximum_(std::max(minimum, maximum)), rto_(clamp(initial)) {}

  void sample(Duration rtt) {
    rtt = std::max(rtt, Duration{0});
    if (!measured()) {  // RFC6298-2.2-1
      srtt_ = rtt;
      rttvar_ = rtt / 2;
    } else {  // RFC6298-2.3-1, in this order
      const Duration error = srtt_ > rtt ? srtt_ - rtt : rtt - srtt_;
      rttvar_ = (3 * rttvar_ + error) / 4;
      srtt_ = (7 * srtt_ + rtt) / 8;
    }
    // RFC6298-4-1, 2.4-1, 2.5-1
    rto_ = clamp(srtt_ + std::max(kGranularity, 4 * rttvar_));
  }

  // RFC6298-5.5-1. The doubled value stays until a new sample comes.
  void back_off() { rto_ = clamp(2 * rto_); }

  // RFC6298-5.7-1: the timer of the SYN expired, data begins now.
  void after_lost_syn() { rto_ = clamp(std::max<Duration>(rto_, std::chrono::seconds(3))); }

  bool measured() const { return srtt_ >= Duration{0}; }
  Duration rto() const { return rto_; }
  Duration srtt() const { return std::max(srtt_, Duration{0}); }  // 0 before a sample
  Duration rttvar() const { return rttvar_; }

 private:
  Duration clamp(Duration value) const { return std::clamp(value, minimum_, maximum_); }

  Duration minimum_;
  Duration maximum_;
  Duration rto_;
  Duration srtt_{-1};  // less than 0: there was no sample
  Duration rttvar_{0};
};

}  // namespace tcproctor::tcp
