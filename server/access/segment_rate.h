// SPDX-License-Identifier: Apache-2.0
// How many segments may be injected: a token bucket that holds what a second brings.
#pragma once

#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "stack/run/clock.h"

namespace tcproctor::server {

// Thread-safe.
class SegmentRate {
 public:
  explicit SegmentRate(uint32_t per_second) : per_second_(per_second), tokens_(per_second) {}

  uint32_t per_second() const { return per_second_; }

  // Takes `count` segments, or none (false). `at_once`: how many of them must be in the bucket now,
  // because the later ones come so much later that the bucket has been filled up for them; what is
  // taken in advance for these is missed by the next.
  bool take(run::SteadyTime now, uint64_t count, double at_once);

 private:
  const uint32_t per_second_;
  std::mutex mutex_;
  double tokens_ ABSL_GUARDED_BY(mutex_);  // below 0: taken in advance
  run::SteadyTime filled_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace tcproctor::server
