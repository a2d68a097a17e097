// SPDX-License-Identifier: Apache-2.0
// Reno: slow start, congestion avoidance, fast recovery (RFC 5681, window rules of RFC 6582), with
// the initial window of RFC 3390.
#pragma once

#include <cstdint>
#include <limits>

#include "stack/tcp/congestion/congestion_control.h"

namespace tcproctor::tcp {

// RFC 5681 §3.1, RFC 3390: 2 to 4 segments, not over about 4 KB.
constexpr uint32_t initial_window(uint32_t smss) {
  if (smss > 2190) return 2 * smss;
  return smss > 1095 ? 3 * smss : 4 * smss;
}

class Reno final : public CongestionControl {
 public:
  void start(uint32_t smss, bool handshake_loss) override;
  void on_ack(uint32_t acked, uint32_t flight) override;
  void enter_recovery(uint32_t flight) override;
  void duplicate_in_recovery() override;
  void partial_ack(uint32_t acked) override;
  void leave_recovery(uint32_t flight) override;
  void on_timeout(uint32_t flight, bool first) override;
  void after_idle() override;
  uint32_t cwnd() const override { return cwnd_; }
  uint32_t ssthresh() const override { return ssthresh_; }

 private:
  void grow(uint32_t by);

  static constexpr uint32_t kLargest = 1u << 30;  // no window can be larger (RFC 7323 §2.3)
  uint32_t smss_ = 536;
  uint32_t cwnd_ = 536;
  uint32_t ssthresh_ = std::numeric_limits<uint32_t>::max();  // RFC5681-3.1-4
  uint32_t avoidance_acked_ = 0;  // octets acknowledged since cwnd grew last
};

}  // namespace tcproctor::tcp
