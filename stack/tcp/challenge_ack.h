// SPDX-License-Identifier: Apache-2.0
// Throttle of challenge ACKs (RFC 5961 §7). One per connection: a global counter can be read from
// outside (RFC5961-7-3, CVE-2016-5696).
#pragma once

#include <cstdint>

#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class ChallengeAckLimiter {
 public:
  // True when one more may be sent now. `limit` 0 means no limit.
  bool allow(Instant now, uint32_t limit, Duration interval) {
    if (limit == 0) return true;
    if (!started_ || now - interval_start_ >= interval) {
      started_ = true;
      interval_start_ = now;
      sent_ = 0;
    }
    if (sent_ >= limit) return false;
    ++sent_;
    return true;
  }

 private:
  Instant interval_start_{};
  uint32_t sent_ = 0;
  bool started_ = false;
};

}  // namespace tcproctor::tcp
