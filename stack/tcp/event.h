// SPDX-License-Identifier: Apache-2.0
// What a connection tells its user without being asked (RFC 9293 §3.9.1.8 and DESIGN: Watch).
#pragma once

#include <cstdint>
#include <string_view>

#include "stack/tcp/outcome.h"
#include "stack/tcp/state.h"
#include "stack/tcp/status.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// What was sent only to be answered.
enum class ProbeKind : uint8_t {
  kKeepalive,
  kWindow,    // into a closed window
  kTailLoss,  // RFC 8985 §7
};

struct Event {
  enum class Kind : uint8_t {
    kStateChange,      // from -> to, with the cause in words
    kError,            // the connection ended: outcome says how
    kSoftError,        // ICMP soft error: icmp_type, icmp_code (MUST-47)
    kUrgent,           // urgent data ahead or the pointer advanced (MUST-32)
    kDeliveryTrouble,  // R1 was passed (SHLD-9)
    kReadable,         // data or end of stream can be received
    kWritable,         // room in the send buffer after it was full
    kAcceptable,       // a listener has a connection for ACCEPT
    kHalfOpenAlarm,    // many half-open entries from scattered sources (S001-syn-1)
    // The trace (ConnectionConfig::trace).
    kDropped,   // a segment or ICMP message was dropped: cause names the step, e.g. of §3.10.7
    kRecovery,  // a recovery begins or ends: phase_before -> phase_after, cwnd, ssthresh
    kTimeout,   // the retransmission timer expired: count, rto
    kSpurious,  // a recovery was undone, cwnd, ssthresh; count 1: of a timeout, 0: by D-SACK
    kPathMtu,   // mtu_before -> mtu_after
    kProbe,     // probe, count
  };
  Kind kind = Kind::kStateChange;
  Instant time{};
  State from = State::kClosed;
  State to = State::kClosed;
  Outcome outcome = Outcome::kOk;
  uint8_t icmp_type = 0;
  uint8_t icmp_code = 0;
  RecoveryPhase phase_before = RecoveryPhase::kOpen;
  RecoveryPhase phase_after = RecoveryPhase::kOpen;
  ProbeKind probe = ProbeKind::kKeepalive;
  uint32_t count = 0;                      // in a row, from 1
  uint32_t cwnd = 0, ssthresh = 0;         // octets, after it
  uint32_t mtu_before = 0, mtu_after = 0;  // octets of an IP packet
  Duration rto{0};                         // backed off
  std::string_view cause;  // a string literal, e.g. "RFC 9293 §3.10.7.4 second: RST"
};

// A cause taken apart, e.g. "RFC 9293 §3.10.7.4 fifth: no ACK" as "RFC 9293 §3.10.7.4", 5, "no
// ACK".
struct Cause {
  std::string_view section;  // whose rule; empty: none
  uint8_t check = 0;  // the section's "First, check …" and so on, from 1; 0: not one of them
  std::string_view reason;
};
Cause parse_cause(std::string_view cause);

}  // namespace tcproctor::tcp
