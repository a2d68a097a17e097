// SPDX-License-Identifier: Apache-2.0
// What a user call can come back with (RFC 9293 §3.10.1-6 and §3.9.1). These are data, not errors
// of the program: a reset connection is a lawful result of RECEIVE.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tcproctor::tcp {

enum class Outcome : uint8_t {
  kOk,
  kWouldBlock,              // cannot be done now without waiting; nothing was changed
  kEndOfStream,             // RECEIVE: the peer closed in an orderly way and all data was read
  kConnectionReset,         // "connection reset": the peer aborted (RST)
  kConnectionRefused,       // "connection refused": RST answered our SYN
  kConnectionAborted,       // the local user aborted
  kTimedOut,                // "connection aborted due to user timeout" / R2 / keep-alive
  kUnreachable,             // aborted by a hard ICMP error
  kConnectionClosing,       // "connection closing"
  kConnectionDoesNotExist,  // "connection does not exist"
  kConnectionExists,        // "connection already exists"
  kRemoteUnspecified,       // "remote socket unspecified"
  kInsufficientResources,   // "insufficient resources"
  kInvalidRemote,           // OPEN to a broadcast, multicast or unspecified address (MUST-46)
  kInvalidLocal,            // OPEN from an address this host does not own
  kAddressInUse,            // the local socket is held by another listener or connection
  kSocketPairInTimeWait,    // the same socket pair waits out its 2 MSL
  kQuietTime,               // refused during the quiet time after a restart (§3.4.3)
};

inline constexpr std::array<std::string_view, 18> kOutcomeNames = {"OK",
                                                                   "WOULD-BLOCK",
                                                                   "END-OF-STREAM",
                                                                   "CONNECTION-RESET",
                                                                   "CONNECTION-REFUSED",
                                                                   "CONNECTION-ABORTED",
                                                                   "TIMED-OUT",
                                                                   "UNREACHABLE",
                                                                   "CONNECTION-CLOSING",
                                                                   "CONNECTION-DOES-NOT-EXIST",
                                                                   "CONNECTION-EXISTS",
                                                                   "REMOTE-UNSPECIFIED",
                                                                   "INSUFFICIENT-RESOURCES",
                                                                   "INVALID-REMOTE",
                                                                   "INVALID-LOCAL",
                                                                   "ADDRESS-IN-USE",
                                                                   "SOCKET-PAIR-IN-TIME-WAIT",
                                                                   "QUIET-TIME"};

constexpr std::string_view to_string(Outcome outcome) {
  return kOutcomeNames[static_cast<size_t>(outcome)];
}

// What SEND answers (RFC 9293 §3.10.2).
struct SendResult {
  Outcome outcome = Outcome::kOk;
  size_t accepted = 0;  // octets taken into the send buffer (0..size); kWouldBlock: none fitted
};

// What RECEIVE answers (RFC 9293 §3.10.3).
struct ReceiveResult {
  Outcome outcome = Outcome::kOk;  // kWouldBlock: nothing there yet
  size_t received = 0;
  bool pushed = false;            // the data reaches the end of what a PSH covered (MAY-17)
  bool urgent = false;            // the data lies in front of RCV.UP (EM-ESTABLISHED-RECEIVE-04)
  uint32_t urgent_remaining = 0;  // octets of urgent data still ahead of the reader (MUST-33)
};

}  // namespace tcproctor::tcp
