// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/rack_tlp.h"

#include <string>

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using namespace std::chrono_literals;

constexpr SeqNum kStart(0xFFFFF800);
constexpr Instant kBegin{1h};
constexpr uint32_t kMss = 1000;

SeqNum segment(uint32_t number) {
  return kStart + number * kMss;
}

class RackTest : public ::testing::Test {
 protected:
  // Segments [first, last) go out at `when` after the beginning.
  void send(Duration when, uint32_t first, uint32_t last) {
    board_.on_sent(kBegin + when, segment(first), segment(last));
    highest_ = later_of(highest_, segment(last));
  }
  void deliver(Instant now, const SentRange& part) {
    if (!part.retransmitted) rack_.on_rtt(now, now - part.last_sent);
    rack_.on_delivered(now, part, echo_of_original_);
  }
  void sack(Duration when, uint32_t first, uint32_t last) {
    board_.sack(segment(first), segment(last),
                [&](const SentRange& part) { deliver(kBegin + when, part); });
  }
  void acknowledge(Duration when, uint32_t una) {
    board_.acknowledge(segment(una), [&](const SentRange& part) { deliver(kBegin + when, part); });
    rack_.on_ack(segment(una), highest_, false);
  }
  // The number of the lost segments in all, after detection.
  uint32_t lost(Duration when, Duration window) {
    found_ = rack_.detect_loss(board_, kBegin + when, window);
    return board_.lost() / kMss;
  }
  void see_reordering() {
    send(0ms, 0, 2);
    sack(100ms, 1, 2);
    acknowledge(100ms, 2);
    ASSERT_TRUE(rack_.reordering_seen());
  }

  Scoreboard board_;
  Rack rack_;
  Rack::Detected found_;
  SeqNum highest_ = kStart;
  bool echo_of_original_ = false;
};

TEST_F(RackTest, WhatWasSentBeforeADeliveredSegmentIsLostAfterTheWindow) {  // RFC8985-6.2-1, 6.2-2
  send(0ms, 0, 1);
  send(1ms, 1, 2);
  send(2ms, 2, 3);
  sack(101ms, 1, 2);
  EXPECT_EQ(lost(101ms, 25ms), 0u);
  EXPECT_EQ(found_.reorder_deadline, kBegin + 125ms);  // sent 0, rtt 100, window 25
  EXPECT_EQ(lost(124ms, 25ms), 0u);
  EXPECT_EQ(lost(125ms, 25ms), 1u);  // the third was sent later: nothing is known of it
  EXPECT_EQ(found_.reorder_deadline, Rack::kNever);
}

TEST_F(RackTest, OneTransmissionIsJudgedBySequence) {  // a super-segment: one time for all
  send(0ms, 0, 10);
  sack(100ms, 4, 5);
  EXPECT_EQ(lost(100ms, 0ms), 4u);
}

TEST_F(RackTest, ALostRetransmissionIsFound) {  // RFC 8985 §9.1, example 2
  send(0ms, 0, 3);
  sack(100ms, 2, 3);
  EXPECT_EQ(lost(100ms, 0ms), 2u);
  send(100ms, 0, 1);
  send(101ms, 1, 2);
  sack(201ms, 1, 2);
  EXPECT_EQ(lost(201ms, 0ms), 1u);
  EXPECT_TRUE(found_.retransmission_lost);
  EXPECT_TRUE(board_.front().wants_retransmission());
}

TEST_F(RackTest, TheAckOfASpuriousRetransmissionIsNoSample) {  // RFC 8985 §6.2 step 2
  send(0ms, 0, 1);
  send(1ms, 1, 3);
  sack(101ms, 2, 3);
  EXPECT_EQ(lost(126ms, 25ms), 2u);
  send(126ms, 0, 1);
  send(127ms, 1, 2);
  // The original arrives: 10 ms after the retransmission, less than any RTT.
  sack(137ms, 1, 2);
  EXPECT_EQ(lost(400ms, 0ms), 1u);
  EXPECT_EQ(found_.octets, 0u);  // the retransmission of the first is not judged by it
}

TEST_F(RackTest, ATimestampTellsTheOriginal) {
  send(0ms, 0, 1);
  send(1ms, 1, 3);
  sack(101ms, 2, 3);
  EXPECT_EQ(lost(126ms, 25ms), 2u);
  send(126ms, 0, 1);
  send(127ms, 1, 2);
  echo_of_original_ = true;
  sack(300ms, 1, 2);
  EXPECT_EQ(lost(400ms, 0ms), 1u);
  EXPECT_EQ(found_.octets, 0u);
}

TEST_F(RackTest, ReorderingIsSeenWhenAnOriginalArrivesLate) {  // step 3
  send(0ms, 0, 3);
  sack(100ms, 1, 3);
  EXPECT_FALSE(rack_.reordering_seen());
  acknowledge(101ms, 3);
  EXPECT_TRUE(rack_.reordering_seen());
}

TEST_F(RackTest, ARetransmissionThatArrivesIsNoReordering) {
  send(0ms, 0, 3);
  sack(100ms, 1, 3);
  EXPECT_EQ(lost(100ms, 0ms), 1u);
  send(100ms, 0, 1);
  acknowledge(200ms, 3);
  EXPECT_FALSE(rack_.reordering_seen());
}

TEST_F(RackTest, ReorderWindow) {  // RFC8985-3.3.2-1..4
  send(0ms, 0, 1);
  acknowledge(100ms, 1);
  EXPECT_EQ(rack_.reorder_window(true, false, 100ms), 0ms);
  EXPECT_EQ(rack_.reorder_window(false, true, 100ms), 0ms);
  EXPECT_EQ(rack_.reorder_window(false, false, 100ms), 25ms);
  EXPECT_EQ(rack_.reorder_window(false, false, 10ms), 10ms);  // SRTT
}

TEST_F(RackTest, ReorderWindowGrowsOncePerRoundTripWithDsack) {  // RFC8985-3.3.2-3, 3.3.2-4
  see_reordering();
  EXPECT_EQ(rack_.reorder_window(true, true, 1s), 25ms);
  rack_.on_ack(segment(2), segment(10), true);
  rack_.on_ack(segment(3), segment(11), true);  // the same round trip
  EXPECT_EQ(rack_.reorder_window(true, true, 1s), 50ms);
  rack_.on_ack(segment(10), segment(20), true);
  EXPECT_EQ(rack_.reorder_window(true, true, 1s), 75ms);
  EXPECT_EQ(rack_.reorder_window(true, true, 60ms), 60ms);
  for (int i = 0; i < 15; ++i) rack_.leave_recovery();
  EXPECT_EQ(rack_.reorder_window(true, true, 1s), 75ms);
  rack_.leave_recovery();  // sixteen without a D-SACK
  EXPECT_EQ(rack_.reorder_window(true, true, 1s), 25ms);
}

TEST_F(RackTest, TimeoutMarksTheFirstAndWhatIsOldEnough) {  // RFC8985-6.3-1
  send(0ms, 0, 1);
  acknowledge(100ms, 1);
  send(200ms, 1, 3);
  send(1200ms, 3, 4);
  rack_.mark_lost_on_timeout(board_, kBegin + 1250ms, 25ms);
  EXPECT_EQ(board_.lost(), 2 * kMss);
  EXPECT_FALSE(board_.back().lost);
}

TEST_F(RackTest, TheFirstIsLostOnTimeoutHoweverYoung) {
  send(0ms, 0, 1);
  acknowledge(100ms, 1);
  send(1000ms, 1, 2);
  rack_.mark_lost_on_timeout(board_, kBegin + 1001ms, 25ms);
  EXPECT_EQ(board_.lost(), kMss);
}

TEST(MinRtt, ForgetsWhatIsOld) {
  MinRtt least;
  EXPECT_FALSE(least.known());
  least.sample(kBegin, 10ms);
  least.sample(kBegin + 1min, 50ms);
  EXPECT_EQ(least.value(), 10ms);
  least.sample(kBegin + 6min, 50ms);
  EXPECT_EQ(least.value(), 10ms);
  least.sample(kBegin + 12min, 60ms);
  EXPECT_EQ(least.value(), 50ms);
}

TEST(LossProbe, Interval) {  // RFC8985-7.2-1..7.2-3
  EXPECT_EQ(LossProbe::interval(false, 0ms, false), 1s);
  EXPECT_EQ(LossProbe::interval(true, 50ms, false), 100ms);
  EXPECT_EQ(LossProbe::interval(true, 50ms, true), 100ms + LossProbe::kMaxAckDelay);
  EXPECT_EQ(LossProbe::interval(true, 0ms, false), LossProbe::kShortest);
}

TEST(LossProbe, OneInFlightAndASampleSinceTheLast) {  // RFC8985-7.3-1
  LossProbe probe;
  EXPECT_FALSE(probe.may_send());
  probe.on_rtt();
  EXPECT_TRUE(probe.may_send());
  probe.on_sent(segment(5), false);
  EXPECT_FALSE(probe.may_send());
  probe.on_rtt();
  EXPECT_FALSE(probe.may_send());
  EXPECT_FALSE(probe.on_ack(segment(4), false, false));
  EXPECT_FALSE(probe.may_send());
  EXPECT_FALSE(probe.on_ack(segment(5), false, false));  // new data: acknowledged
  EXPECT_TRUE(probe.may_send());
}

TEST(LossProbe, ARepairedLossIsCongestion) {  // RFC8985-7.4.2-1
  LossProbe probe;
  probe.on_sent(segment(5), true);
  EXPECT_FALSE(probe.on_ack(segment(5), false, false));
  EXPECT_TRUE(probe.outstanding());
  EXPECT_TRUE(probe.on_ack(segment(6), false, false));
  EXPECT_FALSE(probe.outstanding());
}

TEST(LossProbe, ADsackOrABareDuplicateMeansNoLoss) {  // RFC 8985 §7.4.2, cases 1 and 2
  LossProbe probe;
  probe.on_sent(segment(5), true);
  EXPECT_FALSE(probe.on_ack(segment(5), true, false));
  EXPECT_FALSE(probe.outstanding());
  EXPECT_FALSE(probe.on_ack(segment(6), false, false));
  probe.on_sent(segment(7), true);
  EXPECT_FALSE(probe.on_ack(segment(7), false, true));
  EXPECT_FALSE(probe.on_ack(segment(8), false, false));
}

}  // namespace
}  // namespace tcproctor::tcp
