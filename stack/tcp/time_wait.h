// SPDX-License-Identifier: Apache-2.0
// What is left of a connection in TIME-WAIT: enough to answer the peer for 2 MSL, in at most 64
// octets. A Connection keeps one inside; once its user has released it and its buffers are empty
// the host may keep only this (Connection::time_wait()).
//
// The host keys it by the socket pair, which therefore is not stored here.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/packet/tcp_header.h"
#include "stack/tcp/challenge_ack.h"
#include "stack/tcp/segment_out.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class TimeWait {
 public:
  enum class Action : uint8_t {
    kStay,    // an ACK may be pending: call next_segment
    kDelete,  // RST accepted: CLOSED, forget it
    kReopen,  // a SYN that may begin a new incarnation (RFC 6191, RFC9293-MAY-2): when somebody
              // listens, forget this and hand the SYN to the listener with reopen_iss_above();
              // otherwise call refuse_reopen()
  };

  struct Start {
    SeqNum snd_nxt;
    SeqNum rcv_nxt;
    uint32_t rcv_wnd = 0;  // octets: acceptability and the window we keep announcing
    uint8_t rcv_wind_shift = 0;
    bool timestamps = false;          // RFC 7323 in use
    bool timestamps_enabled = false;  // the next incarnation would use them if asked
    uint32_t ts_recent = 0;
    uint32_t timestamp_offset = 0;
    uint8_t dscp = 0;
    uint8_t ttl = 64;
  };

  TimeWait() = default;
  // Starts the 2 MSL timer (RFC9293-MUST-13).
  TimeWait(Instant now, const Start& start, const Settings& settings);

  // RFC 9293 §3.10.7.4 in TIME-WAIT. `settings` are the stack's.
  Action on_segment(Instant now, const packet::TcpSegment& segment, const Settings& settings);
  // The SYN of kReopen finds no listener: challenge ACK instead.
  void refuse_reopen(Instant now, const Settings& settings);
  // The new incarnation's ISS must lie after this (RFC9293-MAY-2 condition 1).
  SeqNum reopen_iss_above() const { return snd_nxt_; }

  // Pulls the pending ACK, if any. `tuple`: local is ours.
  [[nodiscard]] bool next_segment(Instant now, const packet::FourTuple& tuple, SegmentOut& out);

  // End of the 2 MSL: at or after this moment the socket pair is free.
  Instant deadline() const { return deadline_; }

  SeqNum snd_nxt() const { return snd_nxt_; }
  SeqNum rcv_nxt() const { return rcv_nxt_; }
  uint32_t rcv_wnd() const { return rcv_wnd_; }
  uint32_t ts_recent() const { return ts_recent_; }
  bool timestamps() const { return timestamps_; }

 private:
  bool may_reopen(const packet::TcpSegment& segment) const;
  void challenge(Instant now, const Settings& settings);

  Instant deadline_{};
  ChallengeAckLimiter limiter_;
  SeqNum snd_nxt_;
  SeqNum rcv_nxt_;
  uint32_t rcv_wnd_ = 0;
  uint32_t ts_recent_ = 0;
  uint32_t timestamp_offset_ = 0;
  uint8_t rcv_wind_shift_ = 0;
  uint8_t pending_acks_ = 0;
  uint8_t dscp_ = 0;
  uint8_t ttl_ = 64;
  bool timestamps_ = false;
  bool timestamps_enabled_ = false;
};

static_assert(sizeof(TimeWait) <= 64);

}  // namespace tcproctor::tcp
