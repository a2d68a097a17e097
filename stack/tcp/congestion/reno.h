// SPDX-License-Identifier: Apache-2.0
// Reno: congestion avoidance by one segment per round trip, half the flight after a loss (RFC 5681,
// window rules of RFC 6582).
#pragma once

#include <cstdint>

#include "stack/tcp/congestion/congestion_control.h"

namespace tcproctor::tcp {

class Reno final : public CongestionControl {
 public:
  std::string_view name() const override { return "reno"; }

 protected:
  void avoid_congestion(const AckSample& sample, bool used) override;
  uint32_t reduced(uint32_t flight) const override { return flight / 2; }
  void on_reduced(uint32_t, bool) override { acked_ = 0; }
  void on_undone(Instant) override { acked_ = 0; }

 private:
  uint32_t acked_ = 0;  // octets acknowledged since cwnd grew last
};

}  // namespace tcproctor::tcp
