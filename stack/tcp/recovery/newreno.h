// SPDX-License-Identifier: Apache-2.0
// Fast retransmit and recovery without SACK (RFC 5681 §3.2, RFC 6582), and limited transmit (RFC
// 3042): counts duplicate ACKs and remembers how far a recovery reaches.
#pragma once

#include <cstdint>

#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

class NewReno {
 public:
  static constexpr uint32_t kDuplicateThreshold = 3;  // RFC5681-3.2-3, 3.2-4

  // RFC6582-3.2-1: recover is the ISS at first.
  void start(SeqNum iss) { *this = NewReno(iss); }

  NewReno() = default;

  bool in_recovery() const { return in_recovery_; }
  SeqNum recover() const { return recover_; }
  uint32_t duplicates() const { return duplicates_; }

  // Segments of new data that the first two duplicates allow beyond cwnd (RFC5681-3.2-5).
  uint32_t limited_transmit_segments() const { return in_recovery_ ? 0 : allowance_; }

  enum class OnDuplicate : uint8_t { kNothing, kEnterRecovery, kInflate };
  // A duplicate ACK came for `una`, `snd_nxt` being the next number to send. `new_information`:
  // with SACK, that it carries blocks (RFC5681-3.2-7); true without SACK.
  OnDuplicate on_duplicate(SeqNum una, SeqNum snd_nxt, bool new_information) {
    if (in_recovery_) return OnDuplicate::kInflate;
    ++duplicates_;
    if (duplicates_ < kDuplicateThreshold) {
      if (new_information) ++allowance_;
      return OnDuplicate::kNothing;
    }
    // RFC6582-3.2-2: these duplicates may still be about what was sent before the last recovery.
    if (duplicates_ > kDuplicateThreshold || !una.after(recover_)) return OnDuplicate::kNothing;
    in_recovery_ = true;
    first_partial_ = true;
    recover_ = snd_nxt - 1;
    allowance_ = 0;
    return OnDuplicate::kEnterRecovery;
  }

  enum class OnAck : uint8_t { kNormal, kPartial, kFull };
  // SND.UNA moved to `una`.
  OnAck on_ack(SeqNum una) {
    duplicates_ = 0;
    allowance_ = 0;
    if (!in_recovery_) return OnAck::kNormal;
    if (!una.after(recover_)) return OnAck::kPartial;
    in_recovery_ = false;
    return OnAck::kFull;
  }

  // RFC6582-3.2-6: only the first partial ACK restarts the retransmission timer.
  bool take_first_partial() {
    const bool first = first_partial_;
    first_partial_ = false;
    return first;
  }

  // RFC6582-3.2-7.
  void on_timeout(SeqNum snd_nxt) {
    in_recovery_ = false;
    duplicates_ = 0;
    allowance_ = 0;
    recover_ = snd_nxt - 1;
  }

  // The timeout was spurious (RFC 5682 §2.1, step 3b): duplicates of `una` count again.
  void allow_fast_retransmit(SeqNum una) { recover_ = una - 1; }

 private:
  explicit NewReno(SeqNum iss) : recover_(iss) {}

  SeqNum recover_;
  uint32_t duplicates_ = 0;
  uint32_t allowance_ = 0;
  bool in_recovery_ = false;
  bool first_partial_ = false;
};

}  // namespace tcproctor::tcp
