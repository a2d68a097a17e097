// SPDX-License-Identifier: Apache-2.0
// CUBIC (RFC 9438): after a congestion event the window follows a cubic function of time that is
// flat around the window at which the event happened, and never grows slower than Reno would.
// Slow start is HyStart++ (RFC 9406) until the first congestion event.
//
// Arithmetic is in double precision, with additions, multiplications and divisions alone, so that a
// run repeats exactly.
#pragma once

#include <cstdint>
#include <memory>

#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/congestion/hystart.h"

namespace tcproctor::tcp {

class Cubic final : public CongestionControl {
 public:
  static constexpr double kC = 0.4;                                      // RFC9438-5.1-1
  static constexpr double kBeta = 0.7;                                   // RFC9438-4.6-1
  static constexpr double kAlpha = 3.0 * (1.0 - kBeta) / (1.0 + kBeta);  // 9/17, RFC9438-4.3-1

  explicit Cubic(bool hystart) : hystart_in_use_(hystart) {}

  std::string_view name() const override { return "cubic"; }
  uint32_t w_max() const override { return epoch_ == nullptr ? 0 : epoch_->w_max; }
  bool in_css() const override { return in_first_slow_start() && hystart_.in_css(); }

  // W_cubic(t) in octets, t since the epoch began, and K in seconds (RFC 9438 §4.2).
  static double window_at(double seconds, double k, uint32_t w_max, uint32_t smss);
  static double time_to(uint32_t w_max, uint32_t cwnd_epoch, uint32_t smss);

 protected:
  void slow_start(const AckSample& sample, bool used) override;
  void avoid_congestion(const AckSample& sample, bool used) override;
  uint32_t reduced(uint32_t flight) const override;
  void on_reduced(uint32_t cwnd_before, bool timeout) override;
  void on_undone(Instant now) override;
  void on_idle(Instant now) override { last_ack_ = now; }
  void on_smss_changed(uint32_t from, uint32_t to) override;

 private:
  // A stage of congestion avoidance (RFC 9438 §4.1.2), in octets and time.
  struct Epoch {
    double w_est = 0;
    double k = 0;         // seconds
    Duration elapsed{0};  // without the times in which cwnd was not used (RFC9438-4.2-1)
    uint32_t w_max = 0;   // 0: none yet
    uint32_t cwnd_prior = 0;
    bool running = false;
    bool k_is_zero = false;  // the next stage begins at its own w_max (§4.8, §4.10)
  };

  Epoch& current();
  void begin_epoch();
  bool in_first_slow_start() const { return hystart_in_use_ && ssthresh() == kNoThreshold; }

  std::unique_ptr<Epoch> epoch_;  // null in the first slow start
  std::unique_ptr<Epoch> undo_;   // as it was before the last reduction (RFC9438-4.9-1)
  Instant last_ack_{};            // end of the time that `elapsed` holds
  double fraction_ = 0;           // of an octet that cwnd is owed
  HyStart hystart_;
  bool hystart_in_use_;  // until the first congestion event
};

}  // namespace tcproctor::tcp
