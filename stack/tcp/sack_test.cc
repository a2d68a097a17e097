// SPDX-License-Identifier: Apache-2.0
// Loss recovery with SACK on a whole connection: RFC 2018, 2883, 5682, 6675, 6937, 8985.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using absl::StrAppend;
using absl::StrCat;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr uint32_t kMss = 1000;
constexpr Duration kRtt = 100ms;

// A connection with a round trip of 100 ms and a window of ten segments that has delivered segments
// 0 and 1; 2 to 11 are on their way.
class SackFixture {
 protected:
  static RigConfig config(bool rack_tlp) {
    RigConfig config;
    config.peer_mss = kMss;
    config.peer_sack = config.options.sack_permitted = true;
    config.peer_window_scale = 4;
    config.options.window_scale = true;
    config.options.no_delay = true;
    config.options.send_buffer_bytes = 1 << 20;
    config.options.initial_window = InitialWindow::kRfc6928;
    config.settings.rack_tlp = rack_tlp;
    return config;
  }
  explicit SackFixture(const RigConfig& with, uint32_t queued = 1000) : rig_(with) {
    rig_.reach(State::kSynSent);
    EXPECT_THAT(rig_.advance(kRtt), IsEmpty());
    rig_.recv("S. 0(0) ack 1");
    EXPECT_EQ(rig_.sent().size(), 1u);
    (void)rig_.send(2 * kMss);
    EXPECT_EQ(rig_.sent().size(), 2u);
    EXPECT_THAT(rig_.advance(kRtt), IsEmpty());
    ack(2);
    EXPECT_EQ(rig_.status().cwnd, 10 * kMss);
    if (queued == 0) return;
    (void)rig_.send(queued * kMss);
    EXPECT_EQ(rig_.sent().size(), std::min(queued, 10u));
  }

  static std::string data(uint32_t segment) {
    return StrCat(". ", 1 + segment * kMss, "(", kMss, ") ack 1");
  }
  static std::string pushed(uint32_t segment) {  // the last of what is queued
    return StrCat("P. ", 1 + segment * kMss, "(", kMss, ") ack 1");
  }
  using Blocks = std::vector<std::pair<uint32_t, uint32_t>>;  // segments [first, last)
  void ack(uint32_t segments, const Blocks& blocks = {}) {
    std::string text = StrCat(". 1(0) ack ", 1 + segments * kMss);
    for (const auto& [first, last] : blocks) {
      StrAppend(&text, " sack ", 1 + first * kMss, ":", 1 + last * kMss);
    }
    rig_.recv(text);
  }
  RecoveryPhase phase() const { return rig_.status().recovery_phase; }

  Rig rig_;
};

// ------------------------------------------------------ what RACK-TLP and RFC 6675 have in common

class SackBoth : public SackFixture, public ::testing::TestWithParam<bool> {
 protected:
  SackBoth() : SackFixture(config(GetParam())) { EXPECT_THAT(rig_.advance(kRtt), IsEmpty()); }
};

// RFC6675-5-2, 5-3, 4-3, RFC8985-3.3.2-1, RFC3042-2-1
TEST_P(SackBoth, ThirdDuplicateRetransmitsTheHole) {
  ack(2, {{3, 4}});
  EXPECT_THAT(rig_.sent(), ElementsAre(data(12)));  // limited transmit
  EXPECT_EQ(phase(), RecoveryPhase::kDisorder);
  ack(2, {{3, 5}});
  EXPECT_THAT(rig_.sent(), ElementsAre(data(13)));
  EXPECT_EQ(rig_.status().cwnd, 10 * kMss);  // RFC3042-2-3
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), ElementsAre(data(2)));
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  EXPECT_EQ(rig_.status().ssthresh, 5 * kMss);  // of the ten, not of limited transmit
  EXPECT_EQ(rig_.status().sacked_bytes, 3 * kMss);
  EXPECT_EQ(rig_.status().lost_bytes, kMss);
  EXPECT_EQ(rig_.status().retransmission_out_bytes, kMss);
  EXPECT_EQ(rig_.status().pipe_bytes, 9 * kMss);  // 12 - 3 - 1 + 1
  // RFC6675-5-4, RFC6937-3-3: over when all of it is acknowledged.
  ack(13);
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  ack(14);
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
  EXPECT_EQ(rig_.status().cwnd, 5 * kMss);
}

TEST_P(SackBoth, DuplicatesWithoutNewSackInformationMeanNothing) {  // RFC6675-2-1, RFC3042-2-4
  for (int i = 0; i < 10; ++i) ack(2);
  EXPECT_THAT(rig_.sent(), IsEmpty());
  ack(2, {{3, 4}});
  EXPECT_THAT(rig_.sent(), ElementsAre(data(12)));
  for (int i = 0; i < 10; ++i) ack(2, {{3, 4}});
  EXPECT_THAT(rig_.sent(), IsEmpty());
  EXPECT_EQ(phase(), RecoveryPhase::kDisorder);
}

TEST_P(SackBoth, SeveralHolesAreRepairedInOneRoundTrip) {  // RFC6675-4-3, RFC2018-5-1
  std::vector<std::string> sent;
  const auto collect = [&] {
    for (const std::string& line : rig_.sent()) sent.push_back(line);
  };
  // 2, 4 and 6 are lost.
  for (const Blocks& blocks :
       {Blocks{{3, 4}}, Blocks{{5, 6}, {3, 4}}, Blocks{{7, 8}, {5, 6}, {3, 4}},
        Blocks{{7, 9}, {5, 6}, {3, 4}}, Blocks{{7, 10}, {5, 6}, {3, 4}},
        Blocks{{7, 11}, {5, 6}, {3, 4}}, Blocks{{7, 12}, {5, 6}, {3, 4}}}) {
    ack(2, blocks);
    collect();
  }
  for (const uint32_t lost : {2u, 4u, 6u}) EXPECT_THAT(sent, Contains(data(lost)).Times(1));
  for (const uint32_t there : {3u, 5u, 7u, 8u}) EXPECT_THAT(sent, Not(Contains(data(there))));
  EXPECT_EQ(rig_.status().total_retransmissions, 3u);
  ack(14);
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
}

// What is SACKed is outstanding by the letter (FlightSize), but not in the network: a second loss
// reduces the window there is, not all that waits for one hole.
TEST_P(SackBoth, ASecondLossReducesTheWindowOfTheFirst) {
  uint32_t sent = 12;
  const auto count_new = [&](const std::vector<std::string>& segments) {
    for (const std::string& segment : segments) sent += segment == data(sent) ? 1 : 0;
  };
  for (uint32_t last = 4; last < 40; ++last) {
    const uint32_t there = std::min(last, sent);
    if (there > 15) {
      ack(2, {{15, there}, {3, 14}});
    } else {
      ack(2, {{3, std::min(there, 14U)}});
    }
    count_new(rig_.sent());
    count_new(rig_.advance(1ms));
  }
  ASSERT_GT(sent, 14U + 5 + 1);  // more is outstanding than the window that is reduced next
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  ack(14, {{15, sent}});  // all of the first recovery is there; 14 was lost in it
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  EXPECT_EQ(rig_.status().ssthresh, 5 * kMss / 2);
}

// A batch of ACKs is answered at once. What its first acknowledges was in the network too when the
// loss happened: it counts for ssthresh, and PRR makes up for it.
TEST_P(SackBoth, AcksThatComeTogetherDoNotShrinkFlightSize) {  // RFC5681-3.2-8, RFC6937-3-2
  ack(8);
  ack(8, {{9, 10}});
  ack(8, {{9, 11}});
  ack(8, {{9, 12}});
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  EXPECT_EQ(rig_.status().ssthresh, 5 * kMss);  // of ten segments, not of the last four
  EXPECT_THAT(rig_.sent(), ElementsAre(data(8), data(12), data(13), data(14), data(15)));
}

TEST_P(SackBoth, OneAckThatSacksThreeIsEnough) {  // RFC6675-4-2
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), Contains(data(2)));
}

// RFC6937-3-1, 3-2, 4-1: what leaves for each ACK is bounded by what it delivered.
TEST_P(SackBoth, NoBurstAfterHeavyLoss) {
  // Of 2..11 only 9, 10 and 11 arrive.
  ack(2, {{9, 10}});
  EXPECT_LE(rig_.sent().size(), 1u);
  ack(2, {{9, 11}});
  EXPECT_LE(rig_.sent().size(), 1u);
  size_t sent = 0;
  ack(2, {{9, 12}});
  sent += rig_.sent().size();
  EXPECT_GE(sent, 1u);
  EXPECT_LE(sent, 2u);  // it delivered one, and one more is lawful: not seven
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  // The retransmissions come back one by one.
  for (uint32_t una = 3; una <= 8; ++una) {
    ack(una, {{9, 12}});
    const size_t more = rig_.sent().size();
    EXPECT_LE(more, 2u) << una;
    EXPECT_LE(rig_.status().pipe_bytes, rig_.status().cwnd) << una;
  }
  EXPECT_EQ(rig_.status().total_retransmissions, 7u);
}

TEST_P(SackBoth, OnTimeoutWhatIsSackedIsNotSentAgain) {  // RFC6675-5.1-1, 5.1-2, RFC6298-5.4-1
  ack(2, {{3, 4}, {6, 7}});
  while (phase() != RecoveryPhase::kLoss) ASSERT_TRUE(rig_.next_timer());
  EXPECT_EQ(rig_.status().cwnd, kMss);
  (void)rig_.sent();
  // No second recovery for this window of data.
  const uint32_t ssthresh = rig_.status().ssthresh;
  ack(2, {{6, 10}, {3, 4}});
  EXPECT_EQ(phase(), RecoveryPhase::kLoss);
  EXPECT_EQ(rig_.status().ssthresh, ssthresh);
  std::vector<std::string> sent = rig_.sent();
  for (const uint32_t una : {3u, 5u}) {
    ack(una, {{6, 10}});
    for (const std::string& line : rig_.sent()) sent.push_back(line);
  }
  EXPECT_THAT(sent, Contains(data(5)).Times(::testing::Le(1u)));
  for (const uint32_t there : {6u, 7u, 8u, 9u}) EXPECT_THAT(sent, Not(Contains(data(there))));
}

// RFC2018-5-3, 5.1-2, 8-4, RFC6675-4-1.
TEST_P(SackBoth, APeerThatRenegesGetsItAgainSoon) {
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), Contains(data(2)));
  ack(3);  // it held 3 to 5, it said: it would have acknowledged them
  EXPECT_THAT(rig_.sent(), Not(Contains(data(3))));
  const std::vector<std::string> soon = rig_.advance(60ms);  // half the RTT
  EXPECT_THAT(soon, Contains(::testing::HasSubstr(data(3))));
  EXPECT_EQ(rig_.status().sacked_bytes, 0u);
  // In the end everything that it dropped is sent again.
  std::vector<std::string> sent;
  for (const uint32_t una : {4u, 5u}) {
    ack(una);
    for (const std::string& line : rig_.sent()) sent.push_back(line);
  }
  EXPECT_THAT(sent, Contains(data(4)));
  EXPECT_THAT(sent, Contains(data(5)));
}

TEST_P(SackBoth, DsackUndoesANeedlessRecovery) {  // RFC2883-5-1
  const uint32_t ssthresh = rig_.status().ssthresh;
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), Contains(data(2)));
  EXPECT_EQ(rig_.status().ssthresh, 5 * kMss);
  ack(6);  // the original was late
  (void)rig_.sent();
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  EXPECT_EQ(rig_.status().recoveries, 1u);
  ASSERT_TRUE(rig_.status().rate_reduction.has_value());
  EXPECT_GE(rig_.status().rate_reduction->sent, kMss);
  ack(6, {{2, 3}});  // the retransmission came twice
  EXPECT_FALSE(rig_.status().rate_reduction.has_value());
  EXPECT_THAT(rig_.trace(), ElementsAre("recovery OPEN -> RECOVERY", "undone: D-SACK",
                                        "recovery RECOVERY -> OPEN"));
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
  EXPECT_EQ(rig_.status().spurious_recoveries, 1u);
  EXPECT_EQ(rig_.status().dsacks_received, 1u);
  EXPECT_EQ(rig_.status().ssthresh, ssthresh);
  EXPECT_GE(rig_.status().cwnd, 10 * kMss);
}

TEST_P(SackBoth, ADsackIsJudgedByItsOwnAck) {  // RFC2883-5-1
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), Contains(data(2)));
  ack(6);
  ack(2, {{2, 3}});  // an old ACK overtaken by the last: then this was no D-SACK
  EXPECT_EQ(rig_.status().dsacks_received, 0u);
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
}

TEST_P(SackBoth, AbsurdBlocksChangeNothing) {
  for (const char* block :
       {"20001:30001", "4294900000:500000", "2001:2001", "3001:2001", "1:2001"}) {
    rig_.recv(StrCat(". 1(0) ack 2001 sack ", block));
    EXPECT_EQ(rig_.status().sacked_bytes, 0u) << block;
  }
}

INSTANTIATE_TEST_SUITE_P(RackOrCount, SackBoth, ::testing::Bool());

// ------------------------------------------------------------------------------------ RFC 6675

class SackByCount : public SackFixture, public ::testing::Test {
 protected:
  SackByCount() : SackFixture(config(false), 10) { (void)rig_.advance(kRtt); }
};

TEST_F(SackByCount, NothingBelowTheThreshold) {
  ack(2, {{4, 5}});
  ack(2, {{4, 6}});
  EXPECT_THAT(rig_.advance(500ms), IsEmpty());  // it has no clock but the ACKs
}

TEST_F(SackByCount, LastResortRetransmissions) {  // RFC6675-4-5, 4-6
  // 2, 4 and 11 are lost; there is no new data.
  ack(2, {{3, 4}});
  ack(2, {{5, 6}, {3, 4}});
  ack(2, {{5, 7}, {3, 4}});
  std::vector<std::string> sent = rig_.sent();
  EXPECT_THAT(sent, Contains(data(2)));
  ack(2, {{5, 8}, {3, 4}});
  ack(2, {{5, 9}, {3, 4}});
  ack(2, {{5, 10}, {3, 4}});
  for (const std::string& line : rig_.sent()) sent.push_back(line);
  EXPECT_THAT(sent, Contains(data(4)).Times(1));
  EXPECT_THAT(sent, Not(Contains(pushed(11))));
  ack(4, {{5, 11}});  // the first retransmission arrived: rescue
  EXPECT_THAT(rig_.sent(), ElementsAre(pushed(11)));
  ack(11);
  EXPECT_THAT(rig_.sent(), IsEmpty());  // once
}

// ------------------------------------------------------------------------------------ RACK-TLP

class SackByTime : public SackFixture, public ::testing::Test {
 protected:
  explicit SackByTime(uint32_t queued = 1000) : SackFixture(config(true), queued) {}
  void round_trip() { EXPECT_THAT(rig_.advance(kRtt), IsEmpty()); }
};

TEST_F(SackByTime, ReorderingWithinTheWindowCostsNothing) {  // RFC8985-3.3.2-2
  round_trip();
  ack(2, {{3, 4}});
  (void)rig_.sent();
  EXPECT_THAT(rig_.advance(20ms), IsEmpty());
  ack(4);
  (void)rig_.sent();
  EXPECT_TRUE(rig_.status().reordering_seen);
  // Now that reordering was seen, three SACKs are no loss either.
  ack(4, {{5, 8}});
  (void)rig_.sent();
  EXPECT_THAT(rig_.advance(4ms), IsEmpty());
  ack(9);
  EXPECT_EQ(rig_.status().total_retransmissions, 0u);
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
}

TEST_F(SackByTime, BeyondTheWindowItIsLost) {  // RFC8985-6.2-1, 6.2-2
  round_trip();
  ack(2, {{3, 4}});
  EXPECT_THAT(rig_.sent(), ElementsAre(data(12)));
  EXPECT_EQ(rig_.status().reordering_timer, kRtt / 4);
  EXPECT_THAT(rig_.advance(kRtt / 4), ElementsAre("+0.025 " + data(2)));
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
}

TEST_F(SackByTime, ALostRetransmissionIsSentAgain) {  // RFC 8985 §9.1
  round_trip();
  ack(2, {{3, 6}});
  EXPECT_THAT(rig_.sent(), Contains(data(2)));
  ack(2, {{3, 10}});
  EXPECT_THAT(rig_.sent(), Not(IsEmpty()));  // new data, sent after the retransmission
  round_trip();
  const uint32_t ssthresh = rig_.status().ssthresh;
  ack(2, {{3, 13}});
  std::vector<std::string> sent = rig_.sent();
  ack(2, {{3, 14}});
  for (const std::string& line : rig_.sent()) sent.push_back(line);
  EXPECT_THAT(sent, Contains(data(2)));
  EXPECT_EQ(rig_.status().retransmissions, 0u);  // no timeout
  EXPECT_EQ(rig_.status().ssthresh, ssthresh);   // PRR has paced it: RFC8985-9.3-2
}

TEST_F(SackByTime, TimeoutMarksAllThatIsOld) {  // RFC8985-6.3-1
  while (phase() != RecoveryPhase::kLoss) ASSERT_TRUE(rig_.next_timer());
  EXPECT_GE(rig_.status().lost_bytes, 10 * kMss);
}

class TailLoss : public SackByTime {
 protected:
  TailLoss() : SackByTime(3) {}  // 2, 3 and 4 are on their way, and nothing is queued
};

TEST_F(TailLoss, ProbeRepairsTheTailBeforeTheTimeout) {  // RFC8985-7.2-1, 7.2-3, 7.3-2, 7.3-3
  round_trip();
  ack(4);
  // 2 * SRTT, and time for a delayed ACK.
  EXPECT_THAT(rig_.advance(450ms), ElementsAre("+0.4 " + pushed(4)));
  EXPECT_EQ(rig_.status().tail_loss_probes, 1u);
  EXPECT_THAT(rig_.trace(), ElementsAre("probe tail 1"));
  EXPECT_EQ(rig_.status().cwnd, 10 * kMss);
  EXPECT_GE(*rig_.status().retransmission_timer, 900ms);
  (void)rig_.advance(50ms);
  ack(5);
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
  // RFC8985-7.4.2-1: the next ACK tells that it was a loss.
  (void)rig_.send(2 * kMss);
  EXPECT_EQ(rig_.sent().size(), 2u);
  ack(7);
  EXPECT_LT(rig_.status().cwnd, 10 * kMss);
}

TEST_F(TailLoss, ANeedlessProbeIsNoCongestion) {  // RFC 8985 §7.4.2, case 1
  round_trip();
  ack(4);
  EXPECT_EQ(rig_.advance(450ms).size(), 1u);
  ack(5);
  ack(5, {{4, 5}});
  (void)rig_.send(2 * kMss);
  EXPECT_EQ(rig_.sent().size(), 2u);
  ack(7);
  EXPECT_EQ(rig_.status().cwnd, 10 * kMss);
}

TEST_F(TailLoss, ANeedlessProbeWithoutDsack) {  // RFC 8985 §7.4.2, case 2
  round_trip();
  ack(4);
  EXPECT_EQ(rig_.advance(450ms).size(), 1u);
  ack(5);
  ack(5);
  (void)rig_.send(2 * kMss);
  EXPECT_EQ(rig_.sent().size(), 2u);
  ack(7);
  EXPECT_EQ(rig_.status().cwnd, 10 * kMss);
}

TEST_F(TailLoss, OneProbeThenTheTimeout) {  // RFC8985-7.3-1
  const std::vector<std::string> sent = rig_.advance(1400ms);
  ASSERT_EQ(sent.size(), 2u);  // the probe of 4 after 200 ms, and 2 by the timeout
  EXPECT_EQ(sent[0], "+0.2 " + pushed(4));
  EXPECT_EQ(sent[1], "+1.2 " + data(2));
  EXPECT_EQ(rig_.status().tail_loss_probes, 1u);
}

TEST_F(TailLoss, TheProbesSackTellsWhatElseIsLost) {  // RFC 8985 §7.4.1
  EXPECT_EQ(rig_.advance(250ms).size(), 1u);
  (void)rig_.advance(50ms);
  ack(2, {{4, 5}});
  std::vector<std::string> sent = rig_.sent();
  for (const std::string& line : rig_.advance(100ms))
    sent.push_back(line.substr(line.find(' ') + 1));
  EXPECT_THAT(sent, Contains(data(2)));
  EXPECT_EQ(phase(), RecoveryPhase::kRecovery);
  EXPECT_EQ(rig_.status().retransmissions, 0u);
}

TEST_F(SackByTime, ProbeIsNewDataWhereThereIsSome) {  // RFC8985-7.3-2
  EXPECT_THAT(rig_.advance(250ms), ElementsAre("+0.2 " + data(12)));
}

// ------------------------------------------------------------------------------------ F-RTO

class SackFRto : public SackFixture, public ::testing::Test {
 protected:
  SackFRto() : SackFixture(config(false)) {}
  void time_out() {
    EXPECT_EQ(rig_.advance(1100ms).size(), 1u);
    EXPECT_EQ(phase(), RecoveryPhase::kLoss);
    EXPECT_EQ(rig_.status().cwnd, kMss);
  }
};

TEST_F(SackFRto, SpuriousTimeoutIsUndone) {  // RFC5682-3.1-1, 3.1-2
  time_out();
  ack(3);  // the originals come late
  EXPECT_THAT(rig_.sent(), ElementsAre(data(12), data(13)));
  ack(4);
  EXPECT_EQ(rig_.status().spurious_timeouts, 1u);
  EXPECT_EQ(rig_.status().timeouts, 1u);
  EXPECT_EQ(rig_.status().retransmitted_bytes, kMss);
  EXPECT_THAT(rig_.trace(), ElementsAre("timeout 1", "recovery OPEN -> LOSS", "undone: F-RTO",
                                        "recovery LOSS -> OPEN"));
  EXPECT_EQ(phase(), RecoveryPhase::kOpen);
  EXPECT_GE(rig_.status().cwnd, 10 * kMss);
  EXPECT_THAT(rig_.sent(), Each(::testing::AnyOf(data(14), data(15), data(16))));
  ack(14);
  EXPECT_EQ(rig_.status().total_retransmissions, 1u);
}

TEST_F(SackFRto, SpuriousBySackOfAnOriginal) {
  time_out();
  ack(3);
  EXPECT_EQ(rig_.sent().size(), 2u);
  ack(3, {{4, 5}});
  EXPECT_EQ(rig_.status().spurious_timeouts, 1u);
}

TEST_F(SackFRto, RealTimeoutGoesOn) {
  time_out();
  ack(3);
  EXPECT_THAT(rig_.sent(), ElementsAre(data(12), data(13)));
  ack(3, {{12, 13}});  // new data arrives, the old has not
  EXPECT_THAT(rig_.sent(), ElementsAre(data(3)));
  EXPECT_EQ(rig_.status().spurious_timeouts, 0u);
  EXPECT_LE(rig_.status().cwnd, 3 * kMss);
  ack(3, {{12, 14}});
  EXPECT_THAT(rig_.sent(), Contains(data(4)));
}

TEST_F(SackFRto, ASecondTimeoutBeginsAnew) {  // RFC5682-2.1-6
  time_out();
  EXPECT_EQ(rig_.advance(3s).size(), 1u);
  ack(3);
  EXPECT_EQ(rig_.sent().size(), 2u);
  ack(4);
  EXPECT_EQ(rig_.status().spurious_timeouts, 1u);
}

// ---------------------------------------------------------------------- D-SACK of our receiver

class Dsack : public ::testing::Test {
 protected:
  static RigConfig config() {
    RigConfig config;
    config.peer_sack = config.options.sack_permitted = true;
    return config;
  }
  Dsack() : rig_(config()) {
    rig_.reach(State::kEstablished);
    rig_.recv("P. 1(300) ack 1");
    EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 301"));
  }
  Rig rig_;
};

TEST_F(Dsack, ADuplicateIsReportedOnce) {  // RFC2883-4-1..4-3
  rig_.recv("P. 101(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 301 sack 101:201"));
  rig_.recv("P. 301(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 401"));
}

TEST_F(Dsack, PartOfASegment) {  // RFC2883-4.2-1
  rig_.recv("P. 201(200) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 401 sack 201:301"));
}

TEST_F(Dsack, AboveTheAckWithTheBlockThatEnclosesIt) {  // RFC2883-4-4, 4-5
  rig_.recv("P. 501(300) ack 1");
  rig_.recv("P. 1001(100) ack 1");
  EXPECT_EQ(rig_.sent().size(), 2u);
  rig_.recv("P. 601(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 301 sack 601:701 sack 501:801 sack 1001:1101"));
  rig_.recv("P. 701(200) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 301 sack 701:801 sack 501:901 sack 1001:1101"));
}

TEST_F(Dsack, NeverWithoutSack) {  // RFC2018-4-1
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv("P. 1(100) ack 1");
  (void)rig.sent();
  rig.recv("P. 1(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 101"));
}

}  // namespace
}  // namespace tcproctor::tcp::testing
