// SPDX-License-Identifier: Apache-2.0
// The interface of loss recovery: what is lost, and what of it is sent again when. The connection
// tells it what was sent and what came back; it tells congestion control. With SACK it is
// sack_recovery.h, without newreno.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "stack/packet/tcp_options.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/rtt.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/status.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class LossRecovery {
 public:
  virtual ~LossRecovery() = default;

  struct Span {
    SeqNum begin;
    SeqNum end;  // beyond begin
  };
  // The send side as it is at a call.
  struct Sender {
    Instant now{};
    SeqNum una;
    SeqNum snd_nxt;
    // FlightSize (RFC 5681 §2) when that came which is being answered: what it acknowledges counts.
    uint32_t flight_size = 0;
    uint32_t cwnd = 0;  // octets
    uint32_t smss = 0;  // octets of payload
    // A segment of new data is queued and the peer's window takes it.
    bool can_send_new = false;
    // ECN has reduced the window since the data at SND.UNA was sent: a loss among it costs no
    // second reduction (RFC3168-6.1.2-3).
    bool reduced_by_echo = false;
    // A probe of the path's MTU is on its way: that it alone is lost is no sign of congestion
    // (RFC4821-4-2, 7.6.2-1).
    std::optional<Span> mtu_probe;

    uint32_t flight() const { return snd_nxt - una; }
  };
  // An ACK between SND.UNA - MAX.SND.WND and SND.NXT (RFC5961-5.2-1).
  struct Ack {
    SeqNum ack;              // SEG.ACK; older than SND.UNA if it came late
    uint32_t acked = 0;      // octets by which SND.UNA moved
    bool duplicate = false;  // RFC 5681 §2
    bool repeats = false;    // the same, but something may be outstanding or not
    std::span<const packet::SackBlock> sacks;
    std::optional<uint32_t> echo_reply;   // TSecr
    uint32_t timestamp_offset = 0;        // of our TSval clock
    CongestionControl::AckSample sample;  // for congestion control, when acked != 0
  };
  struct Reaction {
    bool restart_timer = false;  // the retransmission timer begins anew
    bool reneged = false;        // the peer has dropped what it had SACKed
  };
  enum class Due : uint8_t { kNothing, kProbe, kRetransmission };

  // [begin, end) goes out; what lies below SND.NXT (`sender` is as it was before) is a
  // retransmission. `probe`: it answers Due::kProbe.
  virtual void on_sent(const Sender& sender, SeqNum begin, SeqNum end, bool probe) = 0;
  // `sender` is as the ACK has left it.
  virtual Reaction on_ack(const Sender& sender, const Ack& ack, CongestionControl& congestion,
                          const RttEstimator& rtt) = 0;
  // The retransmission timer expired; `first`: for the segment at SND.UNA for the first time.
  virtual void on_timeout(const Sender& sender, bool first, CongestionControl& congestion,
                          const RttEstimator& rtt) = 0;
  // The peer's window was closed and opens: what is outstanding goes out again.
  virtual void resend_all(const Sender& sender) = 0;

  // What to retransmit now: at most sender.smss octets. `cwnd`: the window's octets.
  virtual std::optional<Span> next_retransmission(const Sender& sender, uint32_t cwnd) = 0;
  // Lost data goes before new data.
  virtual bool lost_data_waits(const Sender& sender) const = 0;
  // Octets of new data that may go now, as far as congestion is concerned.
  virtual uint32_t room(const Sender& sender, uint32_t cwnd) const = 0;
  // A fast recovery or what follows a timeout goes on.
  virtual bool in_recovery() const = 0;
  // Nothing of what is outstanding seems to be missing.
  virtual bool nothing_missing(const Sender& sender) const = 0;
  // True once: nothing but Sender::mtu_probe was found lost.
  bool take_mtu_probe_loss() { return std::exchange(mtu_probe_lost_, false); }

  // Timers of its own, beside the retransmission timer. kNothing: nothing expired.
  virtual std::optional<Instant> deadline() const { return std::nullopt; }
  // If that is the reordering timer of RACK, which goes before a timeout (RFC8985-8-1).
  virtual std::optional<Instant> reordering_deadline() const { return std::nullopt; }
  virtual Due on_deadline(const Sender&, CongestionControl&, const RttEstimator&) {
    return Due::kNothing;
  }
  // After new data was sent or acknowledged; the retransmission timer expires at `timeout`.
  virtual void schedule_probe(const Sender&, const RttEstimator&, Instant) {}
  virtual void on_rtt(Instant, Duration) {}

  // All of STATUS that it knows; times left from `now` on.
  virtual void report(Instant now, Status& status) const = 0;

 protected:
  // New data goes out: what of it cwnd had no room for is limited transmit's (RFC 3042).
  void note_new_data(const Sender& sender, SeqNum begin, SeqNum end) {
    if (end - sender.una <= sender.cwnd) return;
    const uint32_t room = sender.cwnd - std::min(sender.cwnd, sender.flight());
    beyond_cwnd_ += end - begin - std::min(end - begin, room / sender.smss * sender.smss);
  }
  void note_progress() { beyond_cwnd_ = 0; }  // SND.UNA has moved
  // FlightSize as a fast recovery begins: RFC5681-3.2-8, without what limited transmit sent; and
  // without what is SACKed but not acknowledged: right after a recovery it is far more than the
  // window.
  uint32_t flight_at_loss(const Sender& sender, uint32_t cwnd) const {
    return std::min(sender.flight_size - std::min(sender.flight_size, beyond_cwnd_), cwnd);
  }

  bool mtu_probe_lost_ = false;

 private:
  uint32_t beyond_cwnd_ = 0;
};

}  // namespace tcproctor::tcp
