// SPDX-License-Identifier: Apache-2.0
// RACK-TLP (RFC 8985): losses are found by time, and by a probe when the tail of a flight is lost.
// Pure state: the scoreboard and the time are given, what follows from them is the caller's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "stack/tcp/recovery/scoreboard.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// The least of the samples of the last five to ten minutes, so that a path that became longer is
// noticed (RFC 8985 §6.2 step 1).
class MinRtt {
 public:
  void sample(Instant now, Duration rtt);
  bool known() const { return value() != Duration::max(); }
  Duration value() const { return std::min(current_, before_); }

 private:
  static constexpr Duration kWindow = std::chrono::minutes(5);
  Duration current_ = Duration::max();
  Duration before_ = Duration::max();
  Instant began_{};
};

// §6: which segments are lost.
class Rack {
 public:
  static constexpr Instant kNever = Instant::max();

  // Step 1: a sample of a segment that was sent once. That of the handshake is RACK.rtt until
  // something is delivered.
  void on_rtt(Instant now, Duration rtt) {
    min_rtt_.sample(now, rtt);
    if (!any_delivered_) rtt_ = rtt;
  }
  Duration min_rtt() const { return min_rtt_.known() ? min_rtt_.value() : Duration{0}; }

  // Steps 2 and 3: `part` was newly acknowledged or SACKed. In ascending order for each ACK.
  // `original_arrived`: a timestamp tells that the ACK is not of its retransmission.
  void on_delivered(Instant now, const SentRange& part, bool original_arrived);

  // Step 4. `dsack`: the ACK carries a D-SACK.
  void on_ack(SeqNum una, SeqNum snd_nxt, bool dsack);
  void leave_recovery();  // fast or RTO recovery
  // `enough_sacked`: DupThresh segments are SACKed.
  Duration reorder_window(bool in_recovery, bool enough_sacked, Duration srtt) const;
  bool reordering_seen() const { return reordering_seen_; }

  struct Detected {
    SeqLength octets = 0;               // marked as lost
    bool retransmission_lost = false;   // one of them had been retransmitted
    Instant reorder_deadline = kNever;  // when to look again; kNever: nothing to wait for
  };
  // Step 5.
  Detected detect_loss(Scoreboard& board, Instant now, Duration reorder_window) const;
  // §6.3
  void mark_lost_on_timeout(Scoreboard& board, Instant now, Duration reorder_window) const;

 private:
  static bool sent_after(Instant t1, SeqNum end1, Instant t2, SeqNum end2) {
    return t1 > t2 || (t1 == t2 && end1.after(end2));
  }

  MinRtt min_rtt_;
  Duration rtt_{0};                   // of what was delivered last
  Instant xmit_ts_ = Instant::min();  // RACK.segment: what was sent last of all delivered
  SeqNum end_seq_;
  SeqNum fack_;         // the highest number delivered
  SeqNum dsack_round_;  // SND.NXT at the first D-SACK of this round trip
  bool in_dsack_round_ = false;
  bool any_delivered_ = false;
  bool reordering_seen_ = false;
  uint8_t persist_ = 0;  // recoveries until the window is reset
  uint16_t multiplier_ = 1;
};

// §7: the tail loss probe.
class LossProbe {
 public:
  // What a probe waits for a delayed ACK when one segment is outstanding (TLP.max_ack_delay).
  static constexpr Duration kMaxAckDelay = std::chrono::milliseconds(200);
  // No probe earlier than this after the last transmission: a clock is not finer.
  static constexpr Duration kShortest = std::chrono::milliseconds(10);

  // RFC8985-7.2-1..7.2-3. `srtt` 0 and not `measured`: none yet.
  static Duration interval(bool measured, Duration srtt, bool one_segment);

  void on_rtt() { sampled_ = true; }
  // RFC8985-7.3-1
  bool may_send() const { return !outstanding_ && sampled_; }
  bool outstanding() const { return outstanding_; }
  // It was sent; SND.NXT is `snd_nxt` now.
  void on_sent(SeqNum snd_nxt, bool retransmission) {
    outstanding_ = true;
    retransmission_ = retransmission;
    sampled_ = false;
    end_seq_ = snd_nxt;
  }
  SeqNum end_seq() const { return end_seq_; }
  // A recovery begins (RFC 8985 §7.1).
  void reset() { outstanding_ = false; }

  // §7.4. `dsack`: with a D-SACK that ends at end_seq(); `bare_duplicate`: a duplicate ACK without
  // a SACK option. True: the probe repaired a loss, congestion control must react
  // (RFC8985-7.4.2-1).
  bool on_ack(SeqNum ack, bool dsack, bool bare_duplicate);

 private:
  bool outstanding_ = false;
  bool retransmission_ = false;
  bool sampled_ = false;  // an RTT was measured since the last probe
  SeqNum end_seq_;
};

}  // namespace tcproctor::tcp
