// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/congestion/reno.h"

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

CongestionControl::Start start_with(uint32_t smss, uint32_t handshake_retransmissions = 0) {
  return {.smss = smss, .handshake_retransmissions = handshake_retransmissions};
}

// An ACK of `acked` octets while `flight` were outstanding.
CongestionControl::AckSample ack(uint32_t acked, uint32_t flight, bool limited) {
  return {.acked = acked, .flight_before = flight, .cwnd_limited = limited};
}

TEST(Reno, InitialWindow) {  // RFC5681-3.1-1, RFC3390-1-1
  EXPECT_EQ(initial_window(2200, InitialWindow::kRfc5681), 4400u);
  EXPECT_EQ(initial_window(1460, InitialWindow::kRfc5681), 4380u);
  EXPECT_EQ(initial_window(1000, InitialWindow::kRfc5681), 4000u);
  Reno reno;
  reno.start(start_with(1460, 1));
  EXPECT_EQ(reno.cwnd(), 1460u);  // RFC5681-3.1-3
}

TEST(Reno, SlowStart) {
  Reno reno;
  reno.start(start_with(1000));
  reno.on_ack(ack(1000, 4000, true));
  EXPECT_EQ(reno.cwnd(), 5000u);
  reno.on_ack(ack(3000, 5000, true));  // RFC5681-3.1-5: at most one SMSS an ACK
  EXPECT_EQ(reno.cwnd(), 6000u);
  reno.on_ack(ack(1, 6000, true));  // RFC5681-3.1-6: ACK division gains nothing
  EXPECT_EQ(reno.cwnd(), 6001u);
  reno.on_ack(ack(1000, 100, false));  // not used, not grown
  EXPECT_EQ(reno.cwnd(), 6001u);
}

TEST(Reno, CongestionAvoidanceIsLinear) {  // RFC5681-3.1-7; RFC 2525 2.6
  Reno reno;
  reno.start(start_with(1000));
  reno.on_timeout(Instant(), 20000, true);
  EXPECT_EQ(reno.ssthresh(), 10000u);  // RFC5681-3.1-8
  EXPECT_EQ(reno.cwnd(), 1000u);       // RFC5681-3.1-9
  while (reno.cwnd() < 10000) reno.on_ack(ack(1000, reno.cwnd(), true));
  for (uint32_t window = 10000; window < 20000; window += 1000) {
    for (int i = 0; i < static_cast<int>(window / 1000); ++i) {
      EXPECT_EQ(reno.cwnd(), window);
      reno.on_ack(ack(1000, window, true));
    }
    EXPECT_EQ(reno.cwnd(), window + 1000);
  }
}

TEST(Reno, RepeatedTimeoutKeepsSsthresh) {  // RFC5681-3.1-10
  Reno reno;
  reno.start(start_with(1000));
  reno.on_timeout(Instant(), 20000, true);
  reno.on_timeout(Instant(), 1000, false);
  EXPECT_EQ(reno.ssthresh(), 10000u);
  reno.on_timeout(Instant(), 1000, true);
  EXPECT_EQ(reno.ssthresh(), 2000u);  // at least two segments
}

TEST(Reno, Recovery) {
  Reno reno;
  reno.start(start_with(1000));
  reno.enter_recovery(Instant(), 20000);
  EXPECT_EQ(reno.ssthresh(), 10000u);
  EXPECT_EQ(reno.cwnd(), 13000u);  // RFC5681-3.2-9
  reno.duplicate_in_recovery();
  EXPECT_EQ(reno.cwnd(), 14000u);  // RFC5681-3.2-10
  reno.partial_ack(3000);
  EXPECT_EQ(reno.cwnd(), 12000u);  // RFC6582-3.2-5
  reno.leave_recovery(Instant(), 20000);
  EXPECT_EQ(reno.cwnd(), 10000u);  // RFC5681-3.2-12; RFC 2525 2.8
  reno.enter_recovery(Instant(), 20000);
  reno.leave_recovery(Instant(), 0);
  EXPECT_EQ(reno.cwnd(), 2000u);  // RFC6582-3.2-3: no burst
}

TEST(Reno, PartialAckNeverEmptiesTheWindow) {
  Reno reno;
  reno.start(start_with(1000));
  reno.enter_recovery(Instant(), 4000);
  reno.partial_ack(1u << 30);
  EXPECT_GE(reno.cwnd(), 1000u);
}

TEST(Reno, LargerInitialWindow) {  // RFC6928-2-1
  EXPECT_EQ(initial_window(536, InitialWindow::kRfc6928), 5360u);
  EXPECT_EQ(initial_window(1460, InitialWindow::kRfc6928), 14600u);
  EXPECT_EQ(initial_window(2000, InitialWindow::kRfc6928), 14600u);
  EXPECT_EQ(initial_window(8960, InitialWindow::kRfc6928), 17920u);
  Reno reno;
  CongestionControl::Start start{.smss = 1000, .initial_window = InitialWindow::kRfc6928};
  reno.start(start);
  EXPECT_EQ(reno.cwnd(), 10000u);
  start.handshake_retransmissions = 1;  // RFC6928-2-2: may have been a spurious timeout
  reno.start(start);
  EXPECT_EQ(reno.cwnd(), 10000u);
  start.handshake_retransmissions = 2;
  reno.start(start);
  EXPECT_EQ(reno.cwnd(), 1000u);
}

TEST(Reno, LossInTheFirstWindowMakesTheRestartWindowSmaller) {  // RFC6928-2-3
  for (const uint32_t acked : {9000u, 10000u}) {
    Reno reno;
    reno.start({.smss = 1000, .initial_window = InitialWindow::kRfc6928});
    reno.on_ack(ack(acked, 10000, true));
    reno.enter_recovery(Instant(), 20000);
    reno.leave_recovery(Instant(), 20000);
    for (int i = 0; i < 200; ++i) reno.on_ack(ack(1000, reno.cwnd(), true));
    reno.after_idle(Instant(), 2s, 1s);
    EXPECT_EQ(reno.cwnd(), acked < 10000 ? 4000u : 10000u);
  }
}

TEST(Reno, AppropriateByteCounting) {  // RFC3465-2.2-1, 2.3-1..4
  Reno reno;
  reno.start({.smss = 1000, .appropriate_byte_counting = true});
  reno.on_ack(ack(8000, 4000, true));
  EXPECT_EQ(reno.cwnd(), 6000u);
  reno.on_ack(ack(1500, 6000, true));
  EXPECT_EQ(reno.cwnd(), 7500u);
  reno.on_timeout(Instant(), 40000, true);
  reno.on_ack(ack(8000, 1000, true));
  EXPECT_EQ(reno.cwnd(), 2000u);
}

TEST(Reno, SlowStartEndsAtSsthresh) {
  Reno reno;
  reno.start({.smss = 1000, .appropriate_byte_counting = true});
  reno.on_timeout(Instant(), 11001, true);
  for (int i = 0; i < 4; ++i) reno.on_ack(ack(1000, reno.cwnd(), true));
  EXPECT_EQ(reno.cwnd(), 5000u);
  reno.on_ack(ack(1000, 5000, true));
  EXPECT_EQ(reno.cwnd(), 5500u);
  EXPECT_FALSE(reno.in_slow_start());
}

TEST(Reno, EcnEcho) {  // RFC3168-6.1.2-1
  Reno reno;
  reno.start(start_with(1000));
  reno.on_ecn_echo(Instant(), 20000);
  EXPECT_EQ(reno.ssthresh(), 10000u);
  EXPECT_EQ(reno.cwnd(), 10000u);
  // A loss in the same window of data costs nothing more.
  reno.enter_recovery(Instant(), 20000, false);
  EXPECT_EQ(reno.ssthresh(), 10000u);
}

TEST(Reno, UndoInARecoveryGivesNoInflatedWindow) {
  Reno reno;
  reno.start(start_with(1000));
  reno.enter_recovery(Instant(), 20000);
  for (int i = 0; i < 30; ++i) reno.duplicate_in_recovery();
  reno.on_timeout(Instant(), 30000, true);
  reno.undo(Instant());
  EXPECT_EQ(reno.cwnd(), 10000u);
  EXPECT_EQ(reno.ssthresh(), 10000u);
}

TEST(Reno, SmallerSegments) {  // RFC5681-3.1-11
  Reno reno;
  reno.start(start_with(1000));
  reno.set_smss(500);
  EXPECT_EQ(reno.cwnd(), 2000u);
  reno.set_smss(4000);
  EXPECT_EQ(reno.cwnd(), 4000u);
}

TEST(Reno, TakesOver) {
  ConnectionOptions options;
  const auto cubic = make_congestion_control(options);
  EXPECT_EQ(cubic->name(), "cubic");
  cubic->start({.smss = 1000, .initial_window = InitialWindow::kRfc6928});
  cubic->on_ecn_echo(Instant(), 10000);
  options.congestion_control = CongestionAlgorithm::kReno;
  const auto reno = make_congestion_control(options);
  EXPECT_EQ(reno->name(), "reno");
  reno->take_over(*cubic);
  EXPECT_EQ(reno->cwnd(), 7000u);
  EXPECT_EQ(reno->ssthresh(), 7000u);
  EXPECT_EQ(reno->smss(), 1000u);
}

TEST(Reno, RestartAfterIdle) {  // RFC5681-4.1-1
  Reno reno;
  reno.start(start_with(1000));
  for (int i = 0; i < 50; ++i) reno.on_ack(ack(1000, reno.cwnd(), true));
  reno.after_idle(Instant(), 1s, 1s);
  EXPECT_GT(reno.cwnd(), 50000u);
  reno.after_idle(Instant(), 1001ms, 1s);
  EXPECT_EQ(reno.cwnd(), 4000u);
}

}  // namespace
}  // namespace tcproctor::tcp
