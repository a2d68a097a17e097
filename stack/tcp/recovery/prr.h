// SPDX-License-Identifier: Apache-2.0
// Proportional Rate Reduction (RFC 6937), with the slow start reduction bound: spreads the
// reduction of the window over the recovery, in proportion to what the peer's ACKs say was
// delivered.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tcproctor::tcp {

class Prr {
 public:
  // Recovery begins with a FlightSize of `flight` octets (RecoverFS), of which `delivered` have
  // been acknowledged already by ACKs that nothing was sent in answer to.
  void start(uint32_t flight, uint32_t delivered = 0) { *this = Prr(flight, delivered); }

  Prr() = default;

  // An ACK delivered `delivered` octets, cumulatively or by SACK; `pipe` are on their way now.
  // Returns how many octets may be sent in answer.
  uint32_t on_ack(uint32_t delivered, uint32_t pipe, uint32_t ssthresh, uint32_t smss) {
    delivered_ += delivered;
    if (pipe > ssthresh) {  // RFC6937-3-1
      const uint64_t share = (delivered_ * ssthresh + flight_ - 1) / flight_;
      return share > out_ ? static_cast<uint32_t>(std::min<uint64_t>(share - out_, kMost)) : 0;
    }
    // RFC6937-3-2, 4-1: catch up by a segment more than was delivered. Without progress there is
    // nothing to add to, unless no other ACK can come.
    const uint64_t banked = delivered_ > out_ ? delivered_ - out_ : 0;
    const uint64_t extra = delivered != 0 || pipe == 0 ? smss : 0;
    const uint64_t limit = std::max<uint64_t>(banked, delivered) + extra;
    return static_cast<uint32_t>(std::min<uint64_t>(ssthresh - pipe, limit));
  }

  // `octets` were sent, new ones or again.
  void on_sent(uint32_t octets) { out_ += octets; }
  uint64_t out() const { return out_; }
  uint64_t delivered() const { return delivered_; }
  uint32_t recover_flight() const { return flight_; }

 private:
  Prr(uint32_t flight, uint32_t delivered) : flight_(std::max(flight, 1u)), delivered_(delivered) {}

  static constexpr uint64_t kMost = 1u << 30;
  uint32_t flight_ = 1;     // RecoverFS
  uint64_t delivered_ = 0;  // prr_delivered
  uint64_t out_ = 0;        // prr_out
};

}  // namespace tcproctor::tcp
