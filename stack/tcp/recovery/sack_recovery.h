// SPDX-License-Identifier: Apache-2.0
// Loss recovery with SACK (RFC 2018, 2883): RACK-TLP (RFC 8985) or, with that switched off, RFC
// 6675 finds what is lost; PRR (RFC 6937) paces what is sent during fast recovery; F-RTO (RFC 5682)
// and D-SACK tell when a recovery was not needed.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/tcp/recovery/frto.h"
#include "stack/tcp/recovery/loss_recovery.h"
#include "stack/tcp/recovery/prr.h"
#include "stack/tcp/recovery/rack_tlp.h"
#include "stack/tcp/recovery/scoreboard.h"

namespace tcproctor::tcp {

class SackRecovery final : public LossRecovery {
 public:
  static constexpr uint32_t kDuplicateThreshold = 3;  // DupThresh

  struct Options {
    bool rack_tlp = true;  // else RFC 6675
    bool frto = true;
  };
  explicit SackRecovery(const Options& options) : options_(options) {}

  void on_sent(const Sender& sender, SeqNum begin, SeqNum end, bool probe) override;
  Reaction on_ack(const Sender& sender, const Ack& ack, CongestionControl& congestion,
                  const RttEstimator& rtt) override;
  void on_timeout(const Sender& sender, bool first, CongestionControl& congestion,
                  const RttEstimator& rtt) override;
  void resend_all(const Sender& sender) override;
  std::optional<Span> next_retransmission(const Sender& sender, uint32_t cwnd) override;
  bool lost_data_waits(const Sender& sender) const override;
  uint32_t room(const Sender& sender, uint32_t cwnd) const override;
  std::optional<Instant> deadline() const override;
  std::optional<Instant> reordering_deadline() const override;
  Due on_deadline(const Sender& sender, CongestionControl& congestion,
                  const RttEstimator& rtt) override;
  void schedule_probe(const Sender& sender, const RttEstimator& rtt, Instant timeout) override;
  void on_rtt(Instant now, Duration rtt) override;
  bool in_recovery() const override {
    return phase_ == RecoveryPhase::kRecovery || phase_ == RecoveryPhase::kLoss;
  }
  bool nothing_missing(const Sender&) const override {
    return phase_ == RecoveryPhase::kOpen && board_.lost() == 0 && board_.sacked() == 0;
  }
  void report(Instant now, Status& status) const override;

  const Scoreboard& scoreboard() const { return board_; }

 private:
  // What one ACK brought.
  struct News {
    uint32_t delivered = 0;       // octets acknowledged or SACKed for the first time
    uint32_t newly_sacked = 0;    // of them by SACK
    std::optional<Duration> rtt;  // of what was sent last of it, and once
    bool sacks_below = false;     // below frto_.recover()
    bool sacks_above = false;
    std::optional<Span> dsack;
  };
  struct Loss {
    SeqLength octets = 0;
    bool retransmission_lost = false;
    // What the recovery that has just ended found lost among what it sent itself: congestion after
    // it (RFC 6675 §5: the first segment not acknowledged IsLost()).
    bool left_over = false;
  };

  News update_scoreboard(const Sender& sender, const Ack& ack);
  static std::optional<Span> find_dsack(const Ack& ack);
  void react_to_dsack(const Sender& sender, const News& news, CongestionControl& congestion);
  void react_to_probe(const Sender& sender, const Ack& ack, const News& news,
                      CongestionControl& congestion);
  void run_frto(const Sender& sender, const Ack& ack, const News& news,
                CongestionControl& congestion);
  void settle();
  bool begins_recovery(const Sender& sender, const Loss& loss);
  bool only_mtu_probe_lost(const Sender& sender) const;
  Loss detect_loss(const Sender& sender, const RttEstimator& rtt);
  SeqLength mark_lost_by_count(const Sender& sender);
  bool enough_sacked(uint32_t smss) const;
  SeqNum lost_below(uint32_t smss) const;
  void enter_recovery(const Sender& sender, uint32_t acked, CongestionControl& congestion);
  void pace(const Sender& sender, uint32_t delivered, CongestionControl& congestion);
  void leave_recovery(const Sender& sender, CongestionControl& congestion);
  void undo(const Sender& sender, CongestionControl& congestion);
  void begin_episode(const Sender& sender);
  std::optional<Span> last_resort(const Sender& sender);
  const Options options_;
  RecoveryPhase phase_ = RecoveryPhase::kOpen;
  Scoreboard board_;
  Rack rack_;
  LossProbe probe_;
  Prr prr_;
  FRto frto_;

  SeqNum recovery_point_;    // SND.NXT when the recovery began; it ends when that is acknowledged
  uint32_t duplicates_ = 0;  // DupAcks
  bool force_one_ = false;   // the first segment after a timeout goes whatever the window says
  uint32_t frto_new_ = 0;    // octets of new data F-RTO may send yet

  // RFC 6675 only.
  SeqNum high_rxt_;
  SeqNum rescue_rxt_;
  bool rescuing_ = false;  // what next_retransmission() gave is by rule (4)

  // This episode's retransmissions that no D-SACK has called needless yet: none left, and the
  // episode was needless.
  bool undo_possible_ = false;
  bool undo_any_ = false;  // something was retransmitted
  SeqNum undo_una_;
  uint32_t undo_out_ = 0;

  enum class Armed : uint8_t { kNone, kReorder, kProbe };
  Armed armed_ = Armed::kNone;
  Instant deadline_{};

  Duration reorder_window_{0};
  uint32_t probes_sent_ = 0;
  uint32_t spurious_recoveries_ = 0;  // undone by D-SACK
  uint32_t spurious_timeouts_ = 0;    // undone by F-RTO
  uint32_t dsacks_ = 0;
};

}  // namespace tcproctor::tcp
