// SPDX-License-Identifier: Apache-2.0
// TCP timestamps and PAWS (RFC 7323 §3 to §5) for one connection.
#pragma once

#include <cstdint>

#include "stack/tcp/sequence.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

struct Timestamps {
  Instant recent_at{};   // when TS.Recent was set
  uint32_t recent = 0;   // TS.Recent
  uint32_t offset = 0;   // of our own TSval clock
  SeqNum last_ack_sent;  // Last.ACK.sent
  bool in_use = false;   // both SYNs carried the option
  bool recent_valid = false;

  // TS.Recent of a connection idle that long may have wrapped around (RFC7323-5.5-1).
  static constexpr Duration kOutdated = std::chrono::hours(24 * 24);

  void start(Instant now, uint32_t ts_value) {
    in_use = true;
    recent_valid = true;
    recent = ts_value;
    recent_at = now;
  }

  // R1 (RFC7323-5.3-1): is the segment's TSval older than TS.Recent?
  bool is_old(Instant now, uint32_t ts_value) const {
    if (!recent_valid || now - recent_at > kOutdated) return false;
    return static_cast<int32_t>(ts_value - recent) < 0;
  }

  // R3 (RFC7323-4.3-4): TS.Recent follows the segment that the next ACK answers, so that a delayed
  // ACK echoes the earliest, and an ACK of out-of-order data the last one in order.
  void update(Instant now, SeqNum seq, uint32_t ts_value) {
    if (is_old(now, ts_value) || seq.after(last_ack_sent)) return;
    recent = ts_value;
    recent_at = now;
    recent_valid = true;
  }
};

}  // namespace tcproctor::tcp
