// SPDX-License-Identifier: Apache-2.0
// Forward RTO-Recovery (RFC 5682): was a retransmission timeout spurious? After it only the first
// segment is sent again; the next two ACKs tell. The basic algorithm is of §2.1, the one enhanced
// by SACK of §3.1.
#pragma once

#include <cstdint>

#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

class FRto {
 public:
  // What one ACK said.
  struct Ack {
    SeqNum ack;
    SeqNum snd_nxt;
    bool sack = false;       // SACK is in use
    bool advances = false;   // SND.UNA moved
    bool duplicate = false;  // a duplicate ACK
    // With SACK: it SACKed octets not known before below / at or above recover().
    bool sacks_below = false;
    bool sacks_above = false;
    bool can_send_new = false;  // a segment of new data is queued and the peer's window takes it
  };
  enum class Verdict : uint8_t {
    kNothing,
    kSendNew,       // step 2b: up to two segments of new data instead of retransmissions
    kConventional,  // the timeout counts as real: go on retransmitting
    kReal,          // as before, two round trips later: the window is three segments at most
    kSpurious,      // nothing was lost
  };

  // The timer expired. `eligible`: no loss recovery was going on, or it expired for the same
  // segment again before any ACK (RFC5682-2.1-6, 2.1-7).
  void on_timeout(bool eligible) {
    step_ = eligible ? Step::kFirst : Step::kOff;
    retransmitted_ = false;
  }
  // The segment of step 1 was sent again, up to `end`.
  void on_retransmission(SeqNum end) {
    if (step_ != Step::kFirst || retransmitted_) return;
    retransmitted_ = true;
    retransmitted_end_ = end;
  }
  void stop() { step_ = Step::kOff; }

  bool waits_for_first_ack() const { return step_ == Step::kFirst; }
  // In step 3 new data goes instead of retransmissions.
  bool sends_new_data() const { return step_ == Step::kSecond; }
  SeqNum recover() const { return recover_; }

  Verdict on_ack(const Ack& in) {
    switch (step_) {
      case Step::kOff:
        return Verdict::kNothing;
      case Step::kFirst:
        return first_ack(in);
      case Step::kSecond:
        break;
    }
    return second_ack(in);
  }

 private:
  enum class Step : uint8_t { kOff, kFirst, kSecond };

  Verdict end(Verdict verdict) {
    step_ = Step::kOff;
    return verdict;
  }

  Verdict first_ack(const Ack& in) {
    if (!in.advances) {
      // RFC5682-2.1-3; with SACK one waits for the ACK of the retransmission.
      if (in.sack || !in.duplicate) return Verdict::kNothing;
      return end(Verdict::kConventional);
    }
    recover_ = in.snd_nxt;
    // Step 2a. An ACK of a part of what was retransmitted proves nothing (§2.2).
    const bool all = retransmitted_ && in.ack.at_or_after(retransmitted_end_);
    if (in.ack == in.snd_nxt || !all || !in.can_send_new) return end(Verdict::kConventional);
    step_ = Step::kSecond;
    return Verdict::kSendNew;  // RFC5682-2.1-2
  }

  Verdict second_ack(const Ack& in) {
    if (!in.sack) {
      if (in.advances) return end(Verdict::kSpurious);                // RFC5682-2.1-4
      return in.duplicate ? end(Verdict::kReal) : Verdict::kNothing;  // RFC5682-2.1-5
    }
    // RFC5682-3.1-2
    if (!in.advances && !in.duplicate && !in.sacks_below && !in.sacks_above) {
      return Verdict::kNothing;
    }
    if (in.sacks_above || in.ack.after(recover_)) return end(Verdict::kReal);
    return end(in.advances || in.sacks_below ? Verdict::kSpurious : Verdict::kReal);
  }

  Step step_ = Step::kOff;
  bool retransmitted_ = false;
  SeqNum retransmitted_end_;
  SeqNum recover_;  // SND.NXT when the first ACK came
};

}  // namespace tcproctor::tcp
