// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/reno.h"

#include <algorithm>

namespace tcproctor::tcp {

std::unique_ptr<CongestionControl> make_reno() {
  return std::make_unique<Reno>();
}

// RFC5681-3.1-7, by counting octets (RFC3465-2.1-1).
void Reno::avoid_congestion(const AckSample& sample) {
  acked_ += sample.acked;
  if (acked_ < cwnd()) return;
  acked_ = std::min(acked_ - cwnd(), cwnd());
  grow(smss());
}

}  // namespace tcproctor::tcp
