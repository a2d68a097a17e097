// SPDX-License-Identifier: Apache-2.0
// Buffers whose size the user left open: how large they are at first, and how they grow. Neither
// ever shrinks: the window must not (RFC9293-SHLD-14).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "stack/tcp/mss.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

constexpr uint32_t largest_receive_buffer(const ConnectionOptions& options,
                                          const Settings& settings) {
  return options.receive_buffer_bytes.value_or(
      std::max(settings.initial_buffer_bytes, settings.receive_buffer_limit_bytes));
}

// The scale for which the window field reaches as far as the buffer may ever grow.
constexpr uint8_t receive_window_shift(const ConnectionOptions& options, const Settings& settings) {
  return window_shift_for(largest_receive_buffer(options, settings));
}

// Of an open size at least a unit of the scale: less could never be announced.
constexpr uint32_t initial_receive_buffer(const ConnectionOptions& options,
                                          const Settings& settings) {
  return options.receive_buffer_bytes.value_or(
      std::max(settings.initial_buffer_bytes, 1u << receive_window_shift(options, settings)));
}

constexpr uint32_t largest_send_buffer(const ConnectionOptions& options, const Settings& settings) {
  return options.send_buffer_bytes.value_or(
      std::max(settings.initial_buffer_bytes, settings.send_buffer_limit_bytes));
}

constexpr uint32_t initial_send_buffer(const ConnectionOptions& options, const Settings& settings) {
  return options.send_buffer_bytes.value_or(settings.initial_buffer_bytes);
}

// Twice the congestion window: what is in flight, and as much for the user to fill meanwhile, so
// that neither of the two holds the other back.
constexpr uint32_t grown_send_buffer(uint32_t buffer, uint32_t cwnd, uint32_t limit) {
  return std::max(buffer, static_cast<uint32_t>(std::min<uint64_t>(2ull * cwnd, limit)));
}

// Dynamic right-sizing: a window of W octets lets W octets through in a round trip. When the user
// takes more than half of that in one, the window may soon be what holds the sender back (in slow
// start it doubles its rate with each round trip), and the buffer doubles. A user who reads slowly,
// or a sender with little to say, never gets there.
class ReceiveTuning {
 public:
  // After a RECEIVE: the user has read up to `read`. True: the buffer is too small. `rtt` is 0
  // while it is not known.
  bool on_read(Instant now, SeqNum read, Duration rtt, uint32_t buffer) {
    rtt = rtt == Duration{0} ? kUnknownRtt : std::max<Duration>(rtt, kShortestRtt);
    const Duration elapsed = now - since_;
    if (elapsed < rtt) return false;
    const double per_round_trip =
        static_cast<double>(read - from_) *
        (static_cast<double>(rtt.count()) / static_cast<double>(elapsed.count()));
    from_ = read;
    since_ = now;
    return per_round_trip > static_cast<double>(buffer / 2);
  }

  void start(Instant now, SeqNum first) {
    from_ = first;
    since_ = now;
  }

 private:
  static constexpr Duration kUnknownRtt = std::chrono::milliseconds(100);
  // Below this it is the pace of the two programs that counts, not the path.
  static constexpr Duration kShortestRtt = std::chrono::microseconds(50);

  SeqNum from_;      // what the user had read
  Instant since_{};  // at this time
};

}  // namespace tcproctor::tcp
