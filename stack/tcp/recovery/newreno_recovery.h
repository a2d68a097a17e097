// SPDX-License-Identifier: Apache-2.0
// Loss recovery without SACK: fast retransmit and NewReno (newreno.h), go-back-N after a timeout,
// and the basic F-RTO (RFC 5682 §2).
#pragma once

#include <cstdint>
#include <optional>

#include "stack/tcp/recovery/frto.h"
#include "stack/tcp/recovery/loss_recovery.h"
#include "stack/tcp/recovery/newreno.h"

namespace tcproctor::tcp {

class NewRenoRecovery final : public LossRecovery {
 public:
  // Nothing is outstanding; the next number to send is `snd_nxt`.
  NewRenoRecovery(SeqNum iss, SeqNum snd_nxt, bool frto) : rtx_next_(snd_nxt), use_frto_(frto) {
    newreno_.start(iss);
  }

  void on_sent(const Sender& sender, SeqNum begin, SeqNum end, bool probe) override;
  Reaction on_ack(const Sender& sender, const Ack& ack, CongestionControl& congestion,
                  const RttEstimator& rtt) override;
  void on_timeout(const Sender& sender, bool first, CongestionControl& congestion,
                  const RttEstimator& rtt) override;
  void resend_all(const Sender& sender) override { rtx_next_ = sender.una; }
  std::optional<Span> next_retransmission(const Sender& sender, uint32_t cwnd) override;
  bool lost_data_waits(const Sender& sender) const override;
  uint32_t room(const Sender& sender, uint32_t cwnd) const override;
  bool in_recovery() const override {
    return (newreno_.in_recovery() && !repairs_mtu_probe_) || in_timeout_;
  }
  bool nothing_missing(const Sender& sender) const override {
    return !newreno_.in_recovery() && !in_timeout_ && newreno_.duplicates() == 0 &&
           rtx_next_ == sender.snd_nxt;
  }
  void report(Status& status) const override;

 private:
  void acknowledged(const Sender& sender, const Ack& ack, CongestionControl& congestion,
                    Reaction& reaction);
  void run_frto(const Sender& sender, const Ack& ack, CongestionControl& congestion);

  NewReno newreno_;
  SeqNum rtx_next_;              // next octet to retransmit; SND.NXT when there is nothing to
  bool retransmit_one_ = false;  // fast retransmit: the segment at SND.UNA, outside cwnd
  // This recovery repairs a lost probe of the path's MTU, which ends here: the window stays.
  bool repairs_mtu_probe_ = false;
  SeqNum mtu_probe_end_;
  const bool use_frto_;
  bool in_timeout_ = false;  // what was outstanding at a timeout is not acknowledged yet
  FRto frto_;
  SeqNum timeout_point_;   // SND.NXT at that timeout
  uint32_t frto_new_ = 0;  // octets of new data F-RTO may send yet
  uint32_t spurious_timeouts_ = 0;
};

}  // namespace tcproctor::tcp
