// SPDX-License-Identifier: Apache-2.0
#include "server/access/segment_rate.h"

#include <algorithm>
#include <chrono>

namespace tcproctor::server {

bool SegmentRate::take(run::SteadyTime now, uint64_t count, double at_once) {
  const std::lock_guard lock(mutex_);
  if (filled_ != run::SteadyTime{} && now > filled_) {
    const double seconds = std::chrono::duration<double>(now - filled_).count();
    tokens_ = std::min<double>(per_second_, tokens_ + seconds * per_second_);
  }
  filled_ = std::max(now, filled_);
  if (tokens_ < at_once) return false;
  tokens_ -= static_cast<double>(count);
  return true;
}

}  // namespace tcproctor::server
