// SPDX-License-Identifier: Apache-2.0
// What a connection tells its user without being asked (RFC 9293 §3.9.1.8 and DESIGN: Watch).
#pragma once

#include <cstdint>
#include <string_view>

#include "stack/tcp/outcome.h"
#include "stack/tcp/state.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

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
    kDropped,          // a segment was dropped: cause names the step of §3.10.7
  };
  Kind kind = Kind::kStateChange;
  Instant time{};
  State from = State::kClosed;
  State to = State::kClosed;
  Outcome outcome = Outcome::kOk;
  uint8_t icmp_type = 0;
  uint8_t icmp_code = 0;
  std::string_view cause;  // a string literal, e.g. "RFC 9293 §3.10.7.4 second: RST"
};

}  // namespace tcproctor::tcp
