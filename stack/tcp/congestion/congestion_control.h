// SPDX-License-Identifier: Apache-2.0
// Congestion control: how much may be in flight (RFC 5681). Loss is found elsewhere (recovery/);
// the connection tells the algorithm what happened. All sizes in octets.
//
// What all algorithms share is here: the initial window, slow start, the window of a recovery
// without SACK, timeouts, idle times, ECN and undo. An algorithm adds how the window grows in
// congestion avoidance and what is left of it after a congestion event.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>

#include "stack/tcp/sequence.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// IW (RFC 5681 §3.1, RFC 6928 §2).
constexpr uint32_t initial_window(uint32_t smss, InitialWindow choice) {
  if (choice == InitialWindow::kRfc6928) {  // RFC6928-2-1
    const uint32_t octets = 2 * smss > 14600 ? 2 * smss : 14600;
    return 10 * smss < octets ? 10 * smss : octets;
  }
  if (smss > 2190) return 2 * smss;  // RFC5681-3.1-1: 2 to 4 segments, not over about 4 KB
  return smss > 1095 ? 3 * smss : 4 * smss;
}

class CongestionControl {
 public:
  struct Start {
    uint32_t smss = 536;                     // sender's MSS: octets of payload in a full segment
    uint32_t handshake_retransmissions = 0;  // of our SYN or SYN,ACK
    InitialWindow initial_window = InitialWindow::kRfc5681;
    // RFC 3465 with L = 2: an ACK lets slow start grow by up to two segments.
    bool appropriate_byte_counting = false;
  };
  // An ACK of new data (or, with SACK, of newly delivered data) outside a recovery.
  struct AckSample {
    Instant now;
    uint32_t acked = 0;          // octets newly acknowledged
    uint32_t flight_before = 0;  // octets outstanding before this ACK
    Duration rtt{0};             // this ACK's sample; 0: none
    Duration srtt{0};            // 0: none yet
    bool cwnd_limited = false;   // cwnd was what kept more from being sent
    bool echoed = false;         // it carries ECE: nothing grows (RFC3168-6.1.2-2)
    SeqNum una;                  // SND.UNA after this ACK
    SeqNum snd_nxt;
  };

  // ssthresh before anything is known (RFC5681-3.1-4).
  static constexpr uint32_t kNoThreshold = std::numeric_limits<uint32_t>::max();

  virtual ~CongestionControl() = default;
  CongestionControl(const CongestionControl&) = delete;
  CongestionControl& operator=(const CongestionControl&) = delete;

  // The handshake is done. May be called again as long as nothing was sent.
  void start(const Start& start);
  void on_ack(const AckSample& sample);

  // Loss was inferred with `flight` octets outstanding: sets ssthresh, and cwnd to ssthresh + 3
  // SMSS (RFC 5681 §3.2); who repairs with SACK governs cwnd from here on by set_cwnd(). `reduce`
  // false: this window of data cost a reduction already (by ECN), ssthresh stays.
  void enter_recovery(Instant now, uint32_t flight, bool reduce = true);
  void duplicate_in_recovery();      // RFC 5681 §3.2 (4); without SACK
  void partial_ack(uint32_t acked);  // RFC 6582 §3.2; without SACK
  // All that was outstanding when the recovery began is acknowledged; `flight` is outstanding now.
  void leave_recovery(Instant now, uint32_t flight);
  // The window of a recovery, as RFC 6937 computes it. At least one segment.
  void set_cwnd(uint32_t octets);

  // The retransmission timer expired; `first`: for this segment for the first time.
  void on_timeout(Instant now, uint32_t flight, bool first);
  // ECE came (RFC 3168 §6.1.2). The caller sees to it that this happens once per window of data and
  // never in a recovery.
  void on_ecn_echo(Instant now, uint32_t flight);
  // The last enter_recovery(), on_timeout() or on_ecn_echo() was for nothing: what was in force
  // before returns, at most once. No effect when there was none, or start() came after it.
  void undo(Instant now);
  // Data is to be sent while nothing is outstanding; the last segment went out `idle` ago.
  void after_idle(Instant now, Duration idle, Duration rto);

  // The path's MTU changed: full segments have `smss` octets from now on.
  void set_smss(uint32_t smss);
  // The user chose another algorithm: this one goes on with what `other` had.
  void take_over(const CongestionControl& other);

  virtual std::string_view name() const = 0;
  // Where the last congestion event happened, for algorithms that aim at it; 0: none.
  virtual uint32_t w_max() const { return 0; }
  virtual bool in_css() const { return false; }  // Conservative Slow Start of HyStart++
  uint32_t cwnd() const { return cwnd_; }
  uint32_t ssthresh() const { return ssthresh_; }
  uint32_t smss() const { return smss_; }
  bool in_slow_start() const { return cwnd_ < ssthresh_; }

 protected:
  CongestionControl() = default;

  // An ACK in slow start and in congestion avoidance. `used`: the window was, so it may grow
  // (RFC9438-5.8-1).
  virtual void slow_start(const AckSample& sample, bool used);
  virtual void avoid_congestion(const AckSample& sample, bool used) = 0;
  // What is left after a congestion event with `flight` outstanding, before its lower bound.
  virtual uint32_t reduced(uint32_t flight) const = 0;
  // The window is about to be reduced from `cwnd_before`; later, all of it was put back.
  virtual void on_reduced(uint32_t cwnd_before, bool timeout) = 0;
  virtual void on_undone(Instant now) = 0;
  // after_idle(), idle time however short; set_smss().
  virtual void on_idle(Instant) {}
  virtual void on_smss_changed(uint32_t, uint32_t) {}

  void grow(uint32_t by);
  void leave_slow_start() { ssthresh_ = cwnd_; }

 private:
  void reduce(uint32_t flight, bool timeout);
  void fall_back_to_smaller_window(uint32_t flight);

  static constexpr uint32_t kLargest = 1u << 30;  // no window can be larger (RFC 7323 §2.3)
  uint32_t smss_ = 536;
  uint32_t cwnd_ = 536;
  uint32_t ssthresh_ = kNoThreshold;
  uint32_t undo_cwnd_ = 0;  // 0: nothing to undo
  uint32_t undo_ssthresh_ = 0;
  uint32_t acked_of_first_window_ = 0;  // octets since start() or the last restart, saturating
  InitialWindow initial_window_ = InitialWindow::kRfc5681;
  uint8_t limit_ = 1;           // L of RFC 3465, in SMSS
  bool after_timeout_ = false;  // this slow start repairs what a timeout found lost
  bool recovering_ = false;     // cwnd is inflated or governed by set_cwnd()
};

std::unique_ptr<CongestionControl> make_congestion_control(const ConnectionOptions& options);

}  // namespace tcproctor::tcp
