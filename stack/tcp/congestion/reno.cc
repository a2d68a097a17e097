// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/reno.h"

#include <algorithm>

namespace tcproctor::tcp {

// RFC5681-3.1-7, by counting octets (RFC3465-2.1-1).
void Reno::avoid_congestion(const AckSample& sample, bool used) {
  if (!used) return;
  acked_ += sample.acked;
  if (acked_ < cwnd()) return;
  acked_ = std::min(acked_ - cwnd(), cwnd());
  grow(smss());
}

}  // namespace tcproctor::tcp
