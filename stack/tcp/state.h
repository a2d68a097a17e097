// SPDX-License-Identifier: Apache-2.0
// The eleven states of RFC 9293 §3.3.2 and their names: the only list of them in the project
// (the proto's enum has the same order, which a test holds).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tcproctor::tcp {

enum class State : uint8_t {
  kClosed,
  kListen,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};

inline constexpr std::array<std::string_view, 11> kStateNames = {
    "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
    "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT"};

// The RFC's spelling, e.g. "FIN-WAIT-1".
constexpr std::string_view to_string(State state) {
  return kStateNames[static_cast<size_t>(state)];
}

// The state of that name (RFC spelling, upper case), or nothing.
constexpr std::optional<State> state_from_name(std::string_view name) {
  for (size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

// RFC 9293 §3.5.2: ESTABLISHED and every later state.
constexpr bool is_synchronized(State state) {
  return state >= State::kEstablished;
}

}  // namespace tcproctor::tcp
