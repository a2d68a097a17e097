// SPDX-License-Identifier: Apache-2.0
// Opening: options of SYNs, retransmission, simultaneous open, recovery from old duplicates and
// from half-open connections (RFC 9293 §3.5).
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/mss.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

packet::TcpOptions options_of(const SegmentOut& segment) {
  packet::TcpOptions options;
  packet::parse_options(segment.options(), options);
  return options;
}

RigConfig everything() {
  RigConfig config;
  config.options = ConnectionOptions();
  config.options.delayed_ack = Duration{0};
  config.peer_timestamps = true;
  config.peer_sack = true;
  config.peer_window_scale = 7;
  return config;
}

TEST(Handshake, SynOffersEverything) {
  Rig rig(everything());
  rig.open_active();
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  const auto options = options_of(rig.last());
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.window_scale, window_shift_for(6 << 20));
  EXPECT_TRUE(options.sack_permitted);
  ASSERT_TRUE(options.timestamps.has_value());
  EXPECT_EQ(options.timestamps->echo_reply, 0u);  // RFC7323-3.2-2
  EXPECT_EQ(rig.last().header.window, 65535);
  rig.recv("S. 0(0) ack 1 win 1000");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
  EXPECT_TRUE(options_of(rig.last()).timestamps.has_value());
  const Status status = rig.status();
  EXPECT_TRUE(status.timestamps && status.sack_permitted);
  EXPECT_EQ(status.snd_wind_shift, 7);
  EXPECT_EQ(status.snd_wnd, 1000u);  // RFC7323-2.2-6: a SYN's window is not scaled
  rig.recv(". 1(0) ack 1 win 1000");
  EXPECT_EQ(rig.status().snd_wnd, 128000u);  // RFC7323-2.3-3
  EXPECT_EQ(rig.last().header.window, 262144 >> window_shift_for(6 << 20));
}

TEST(Handshake, SynAckHasOnlyWhatTheSynHad) {
  for (const bool full : {false, true}) {
    RigConfig config = everything();
    config.peer_timestamps = false;
    config.peer_sack = false;
    config.peer_window_scale.reset();
    Rig rig(config);
    rig.listen();
    rig.recv(full ? "S 0(3)" : "S 0(0)");
    EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
    const auto options = options_of(rig.last());
    EXPECT_EQ(options.mss, 1460);
    EXPECT_FALSE(options.window_scale.has_value());  // RFC7323-2.2-4
    EXPECT_FALSE(options.sack_permitted);
    EXPECT_FALSE(options.timestamps.has_value());  // RFC7323-3.2-1
    rig.recv(". 1(0) ack 1 win 1000");
    EXPECT_EQ(rig.status().snd_wnd, 1000u);
    EXPECT_EQ(rig.status().rcv_wind_shift, 0);
  }
}

TEST(Handshake, SynAckEchoesWhatTheSynHad) {
  for (const char* syn : {"S 0(0) ts 777 0", "S 0(3) ts 777 0"}) {
    Rig rig(everything());
    rig.listen();
    rig.recv(syn);
    EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
    const auto options = options_of(rig.last());
    EXPECT_EQ(options.window_scale, window_shift_for(6 << 20));
    EXPECT_TRUE(options.sack_permitted);
    ASSERT_TRUE(options.timestamps.has_value());
    EXPECT_EQ(options.timestamps->echo_reply, 777u);
  }
}

// RFC7323-2.3-4: found by a simulated world, in which the peer believed in 128 times the window.
TEST(Handshake, HalfOpenEntryScalesTheWindowOfItsAcks) {
  Rig rig(everything());
  rig.listen();
  rig.recv("S 0(0) ts 777 0");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  const uint16_t in_syn = rig.last().header.window;
  rig.recv(". 900000(10) ack 1 ts 778 0");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
  EXPECT_EQ(rig.last().header.window, in_syn >> window_shift_for(6 << 20));
}

TEST(Handshake, WindowScaleAbove14IsTakenAs14) {  // RFC7323-2.3-5
  for (const bool passive : {false, true}) {
    for (const uint8_t shift : {uint8_t{15}, uint8_t{255}}) {
      RigConfig config = everything();
      config.peer_window_scale = shift;
      config.passive = passive;
      Rig rig(config);
      rig.reach(State::kEstablished);
      EXPECT_EQ(rig.status().snd_wind_shift, 14);
    }
  }
}

TEST(Handshake, OptionsOnLaterSegmentsMeanNothing) {  // RFC7323-2.2-5
  Rig rig(everything());
  rig.reach(State::kEstablished);
  rig.recv(". 1(0) ack 1 win 100 ws 2 mss 100 sackok");
  EXPECT_EQ(rig.status().snd_wind_shift, 7);
  EXPECT_EQ(rig.status().send_mss, 1448);
}

TEST(Handshake, SynBacksOffForThreeMinutes) {  // RFC9293-MUST-22, MUST-23; RFC 2525 2.7, 2.10
  Rig rig;
  rig.open_active();
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  (void)rig.events();
  EXPECT_THAT(rig.advance(3min - 1ms),
              ElementsAre("+1 S 0(0)", "+3 S 0(0)", "+7 S 0(0)", "+15 S 0(0)", "+31 S 0(0)",
                          "+63 S 0(0)", "+127 S 0(0)"));
  EXPECT_THAT(rig.events(), ElementsAre("trouble"));
  EXPECT_EQ(rig.status().total_retransmissions, 7u);
  EXPECT_THAT(rig.advance(1ms), IsEmpty());
  EXPECT_THAT(rig.events(), ElementsAre("SYN-SENT -> CLOSED", "error TIMED-OUT"));
}

TEST(Handshake, SynAckBacksOffThenItsEntryIsReleased) {  // S001-syn-1, S001-q3
  for (const bool full : {false, true}) {
    RigConfig config;
    config.passive = true;
    config.full = full;
    Rig rig(config);
    rig.reach(State::kSynReceived);
    (void)rig.events();
    const std::string again = "S. 0(0) ack 1";
    EXPECT_THAT(rig.advance(3min - 1ms),
                ElementsAre("+1 " + again, "+3 " + again, "+7 " + again, "+15 " + again,
                            "+31 " + again, "+63 " + again, "+127 " + again));
    EXPECT_THAT(rig.advance(1ms), IsEmpty());
    EXPECT_THAT(rig.events(), Contains("SYN-RECEIVED -> CLOSED"));
    EXPECT_FALSE(rig.next_timer());
  }
}

TEST(Handshake, LostSynAckIsNoDeadlock) {  // S001-q3
  RigConfig config;
  config.passive = true;
  Rig rig(config);
  rig.reach(State::kSynReceived);
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 S. 0(0) ack 1"));
  rig.recv(". 1(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_EQ(rig.status().rto, Duration(3s));  // RFC6298-5.7-1
  EXPECT_EQ(rig.status().cwnd, 1460u);        // RFC5681-3.1-3
  EXPECT_EQ(rig.status().total_retransmissions, 1u);
}

TEST(Handshake, RttOfTheHandshake) {
  Rig rig;
  rig.open_active();
  (void)rig.sent();
  (void)rig.advance(700ms);
  rig.recv("S. 0(0) ack 1");
  EXPECT_EQ(rig.status().srtt, Duration(700ms));
  EXPECT_EQ(rig.status().rto, Duration(2100ms));

  RigConfig config;
  config.passive = true;
  Rig passive(config);
  passive.reach(State::kSynReceived);
  (void)passive.advance(700ms);
  passive.recv(". 1(0) ack 1");
  EXPECT_EQ(passive.status().srtt, Duration(700ms));
}

TEST(Handshake, SimultaneousOpen) {  // S000-2.2, RFC9293-MUST-10: four segments in all
  Rig rig;
  rig.reach(State::kSynSent);
  rig.recv("S 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  rig.recv("S. 0(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_THAT(rig.advance(10s), IsEmpty());
  rig.recv("P. 1(13) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 14"));
}

TEST(Handshake, SimultaneousOpenSynAckLost) {
  Rig rig;
  rig.reach(State::kSynReceived);
  EXPECT_THAT(rig.advance(3s), ElementsAre("+1 S. 0(0) ack 1", "+3 S. 0(0) ack 1"));
  rig.recv("S 0(0)");  // nor did ours arrive
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  rig.recv(". 1(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
}

// Both SYN and SYN,ACK of the peer arrive before anything of ours is pulled.
TEST(Handshake, SimultaneousOpenInOneBatch) {
  Rig rig;
  rig.reach(State::kSynSent);
  rig.recv("S 0(0)");
  rig.recv("S. 0(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
}

TEST(Handshake, OldDuplicateSyn) {  // S000-2.3
  Rig rig;
  rig.listen();
  rig.recv("S -10(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack -9"));
  rig.recv("R -9(0)");
  EXPECT_EQ(rig.state(), State::kListen);
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv("S 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  rig.recv(". 1(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
}

TEST(Handshake, OldDuplicateSynResetByOnePassiveSocketOfAnother) {  // S000-2.5
  Rig rig;
  rig.listen();
  rig.recv("S 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  rig.recv("R 1(0)");
  EXPECT_EQ(rig.state(), State::kListen);
  EXPECT_THAT(rig.events(), ElementsAre("LISTEN -> SYN-RECEIVED", "SYN-RECEIVED -> LISTEN"));
}

TEST(Handshake, HalfOpenDiscovery) {  // S000-2.4
  Rig b;
  b.reach(State::kEstablished);
  b.recv("S 400(0)");  // the crashed peer begins anew
  EXPECT_THAT(b.sent(), ElementsAre(". 1(0) ack 1"));
  b.recv("R 1(0)");
  EXPECT_EQ(b.state(), State::kClosed);
  EXPECT_EQ(b.status().last_error, Outcome::kConnectionReset);

  Rig a;  // and the crashed side: an ACK of nothing it knows
  a.reach(State::kSynSent);
  a.recv(". 500(0) ack 300");
  EXPECT_THAT(a.sent(), ElementsAre("R 300(0)"));
  EXPECT_EQ(a.state(), State::kSynSent);
  EXPECT_THAT(a.advance(1s), ElementsAre("+1 S 0(0)"));
  a.recv("S. 0(0) ack 1");
  EXPECT_EQ(a.state(), State::kEstablished);
}

TEST(Handshake, PassivePeerMayCloseBeforeAnythingElse) {
  RigConfig config;
  config.passive = true;
  Rig rig(config);
  rig.reach(State::kSynReceived);
  rig.recv("FP. 1(10) ack 1");  // the last ACK of the handshake was lost
  EXPECT_EQ(rig.state(), State::kCloseWait);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 12"));
  EXPECT_THAT(rig.events(),
              ElementsAre("LISTEN -> SYN-RECEIVED", "acceptable", "SYN-RECEIVED -> ESTABLISHED",
                          "readable", "ESTABLISHED -> CLOSE-WAIT"));
}

TEST(Handshake, CloseBeforeEstablishedRetransmitsSynFirst) {  // S001-fsm
  RigConfig config;
  config.passive = true;
  config.full = true;
  Rig rig(config);
  rig.reach(State::kSynReceived);
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 S. 0(0) ack 1"));
  rig.recv(". 1(0) ack 1");
  EXPECT_EQ(rig.state(), State::kFinWait1);
  EXPECT_THAT(rig.advance(4s), ElementsAre("+2 F. 1(0) ack 1"));
  rig.recv("F. 1(0) ack 2");
  EXPECT_EQ(rig.state(), State::kTimeWait);
}

}  // namespace
}  // namespace tcproctor::tcp::testing
