// SPDX-License-Identifier: Apache-2.0
// Sending and receiving: segmentation, Nagle, silly windows, zero windows, delayed ACKs, window
// updates, SACK blocks, urgent data (RFC 9293 §3.7, §3.8).
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

RigConfig with_sack() {
  RigConfig config;
  config.options.sack_permitted = true;
  config.peer_sack = true;
  return config;
}

TEST(Transfer, SegmentsAreFullAndTheLastIsPushed) {  // RFC9293-SHLD-28, MUST-61
  RigConfig config;
  config.peer_mss = 1000;
  Rig rig(config);
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.send(2500).accepted, 2500u);
  // Nagle holds the tail while the others are outstanding.
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(1000) ack 1", ". 1001(1000) ack 1"));
  rig.recv(". 1(0) ack 2001");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 2001(500) ack 1"));
}

TEST(Transfer, DefaultMss) {  // RFC9293-MUST-15
  RigConfig config;
  config.peer_mss.reset();
  Rig rig(config);
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.status().send_mss, 536);
  (void)rig.send(600);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(536) ack 1"));
}

TEST(Transfer, OptionsCountInTheMss) {  // RFC9293-MUST-16, RFC6691-2-3; RFC 2525 2.18
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(3000);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(1448) ack 1", ". 1449(1448) ack 1"));
}

TEST(Transfer, SuperSegments) {
  RigConfig config;
  config.options.no_delay = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(4380);  // the initial window
  EXPECT_THAT(rig.sent(65000), ElementsAre("P. 1(4380) ack 1"));
  EXPECT_EQ(rig.last().gso_size, 1460);
  rig.recv(". 1(0) ack 4381");
  (void)rig.send(2000);
  EXPECT_THAT(rig.sent(65000), ElementsAre("P. 4381(2000) ack 1"));
  EXPECT_EQ(rig.last().gso_size, 1460);
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(65000), ElementsAre("P. 6381(10) ack 1"));
  EXPECT_EQ(rig.last().gso_size, 0);
}

TEST(Transfer, Nagle) {  // RFC9293-SHLD-7, MUST-17
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 1"));
  (void)rig.send(10);
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv(". 1(0) ack 11");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 11(20) ack 1"));  // RFC9293-SHLD-27
  (void)rig.send(1455);
  EXPECT_THAT(rig.sent(), IsEmpty());
  (void)rig.send(5);  // now it fills a segment
  EXPECT_THAT(rig.sent(), ElementsAre("P. 31(1460) ack 1"));
}

TEST(Transfer, NagleSwitchedOff) {
  Rig rig;
  rig.reach(State::kEstablished);
  ConnectionOptions options = rig.connection()->options();
  options.no_delay = true;
  EXPECT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 1"));
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 11(10) ack 1"));
}

TEST(Transfer, ClosePushesTheTailOut) {
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 1"));
  (void)rig.send(10);
  (void)rig.close();
  EXPECT_THAT(rig.sent(), ElementsAre("FP. 11(10) ack 1"));
}

TEST(Transfer, SenderAvoidsSillyWindows) {  // RFC9293-MUST-38, 3.8.6.2.1-L1
  RigConfig config;
  config.peer_window = 4000;
  config.peer_mss = 1000;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv(". 1(0) ack 1 win 100");
  (void)rig.send(3000);
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv(". 1(0) ack 1 win 900");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(199ms), IsEmpty());
  EXPECT_THAT(rig.advance(1ms), ElementsAre("+0.001 . 1(900) ack 1"));  // the override
  rig.recv(". 1(0) ack 901 win 1000");
  EXPECT_THAT(rig.sent(), ElementsAre(". 901(1000) ack 1"));
}

TEST(Transfer, HalfTheLargestWindowIsWorthSending) {
  RigConfig config;
  config.peer_window = 800;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(3000);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(800) ack 1"));
  rig.recv(". 1(0) ack 801 win 400");
  EXPECT_THAT(rig.sent(), ElementsAre(". 801(400) ack 1"));
  rig.recv(". 1(0) ack 1201 win 399");
  EXPECT_THAT(rig.sent(), IsEmpty());
}

TEST(Transfer, ZeroWindowIsProbedForEver) {  // RFC9293-MUST-36, MUST-37, SHLD-29, SHLD-30
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  EXPECT_THAT(rig.sent(), IsEmpty());
  (void)rig.send(100);
  EXPECT_THAT(rig.sent(), IsEmpty());
  const std::string probe = ". 1(1) ack 1";
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 " + probe));
  rig.recv(". 1(0) ack 1");
  EXPECT_THAT(rig.advance(2s), ElementsAre("+2 " + probe));
  rig.recv(". 1(0) ack 1");
  EXPECT_THAT(rig.advance(4s), ElementsAre("+4 " + probe));
  EXPECT_THAT(rig.trace(), ElementsAre("probe window 1", "probe window 2", "probe window 3"));
  const Instant start = rig.now();
  while (rig.elapsed_since(start) < 24h) {  // RFC 2525 2.12
    rig.recv(". 1(0) ack 1");
    EXPECT_THAT(rig.sent(), IsEmpty());
    ASSERT_TRUE(rig.next_timer());
    EXPECT_THAT(rig.sent(), ElementsAre(probe));
  }
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_EQ(rig.status().cwnd, 4380u);  // no congestion is inferred
  EXPECT_EQ(rig.status().total_retransmissions, 0u);
  rig.recv(". 1(0) ack 1 win 1000");  // the probe's octet was not taken
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(100) ack 1"));
  rig.recv(". 1(0) ack 101 win 1000");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_FALSE(rig.next_timer());
}

TEST(Transfer, AnsweredProbesOutliveAShortUserTimeout) {  // RFC9293-MUST-37
  RigConfig config;
  config.peer_window = 0;
  config.options.user_timeout = 10s;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  EXPECT_THAT(rig.sent(), IsEmpty());
  for (Duration interval = 1s; interval < 100s; interval *= 2) {
    EXPECT_EQ(rig.advance(interval).size(), 1u);
    rig.recv(". 1(0) ack 1");
    EXPECT_EQ(rig.state(), State::kEstablished);
  }
  // Not answered, it ends the connection after that time.
  EXPECT_EQ(rig.advance(128s).size(), 1u);
  (void)rig.advance(10s - 1ms);
  EXPECT_EQ(rig.state(), State::kEstablished);
  (void)rig.advance(1ms);
  EXPECT_EQ(rig.state(), State::kClosed);
  EXPECT_EQ(rig.status().last_error, Outcome::kTimedOut);
}

TEST(Transfer, ZeroWindowProbeIsTaken) {
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.sent();
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 . 1(1) ack 1"));
  rig.recv(". 1(0) ack 2 win 1000");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 2(99) ack 1"));
}

// Found by a world that did not come to an end: half of the buffer is less than an octet.
TEST(Transfer, WindowOfOneOctetIsAnnouncedAgain) {
  RigConfig config;
  config.options.receive_buffer_bytes = 1;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv("P. 1(1) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 2"));
  EXPECT_EQ(rig.last().header.window, 0);
  EXPECT_EQ(rig.receive(10).received, 1u);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 2"));
  EXPECT_EQ(rig.last().header.window, 1);
}

// Found by the worlds' checker: the FIN takes an octet of the window, too.
TEST(Transfer, FinWaitsForAWindowThatOnlyTheDataFit) {
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.close();
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 . 1(1) ack 1"));
  rig.recv(". 1(0) ack 1 win 100");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(100) ack 1"));
  rig.recv(". 1(0) ack 101 win 100");
  EXPECT_THAT(rig.sent(), ElementsAre("F. 101(0) ack 1"));
}

TEST(Transfer, UnansweredProbesEndTheConnection) {
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  EXPECT_THAT(rig.sent(), IsEmpty());
  (void)rig.advance(1s);  // the first probe
  (void)rig.advance(5min - 1ms);
  EXPECT_EQ(rig.state(), State::kEstablished);
  (void)rig.advance(1ms);
  EXPECT_EQ(rig.status().last_error, Outcome::kTimedOut);
}

// All data went out as a window probe, so the FIN goes out for the first time with what is sent
// again: LAST-ACK begins there too.
TEST(Transfer, FinBehindAProbeBeginsLastAck) {
  Rig rig;
  rig.reach(State::kCloseWait);
  rig.recv(". 2(0) ack 1 win 0");
  EXPECT_EQ(rig.send(1).accepted, 1u);
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 P. 1(1) ack 2"));
  rig.recv(". 2(0) ack 1 win 1000");
  EXPECT_THAT(rig.sent(), ElementsAre("FP. 1(1) ack 2"));
  EXPECT_EQ(rig.state(), State::kLastAck);
  rig.recv(". 2(0) ack 3");
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(Transfer, BufferCannotShrinkBelowTheUnitOfTheScale) {  // the window would stay closed for ever
  RigConfig config;
  config.options.window_scale = true;
  config.options.receive_buffer_bytes = 262144;
  config.peer_window_scale = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  ASSERT_EQ(rig.status().rcv_wind_shift, 3);
  ConnectionOptions options = rig.connection()->options();
  options.receive_buffer_bytes = 1;
  ASSERT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  EXPECT_EQ(rig.connection()->options().receive_buffer_bytes, 8u);
}

TEST(Transfer, FinIntoAZeroWindow) {
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.close();
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 F. 1(0) ack 1"));
  rig.recv(". 1(0) ack 1 win 100");
  EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
  rig.recv(". 1(0) ack 2 win 100");
  EXPECT_EQ(rig.state(), State::kFinWait2);
  EXPECT_FALSE(rig.next_timer());
}

TEST(Transfer, ShrunkenWindow) {  // RFC9293-MUST-34, MUST-35, SHLD-15..17
  RigConfig config;
  config.peer_mss = 1000;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(5000);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(1000) ack 1", ". 1001(1000) ack 1", ". 2001(1000) ack 1",
                                      ". 3001(1000) ack 1"));
  rig.recv(". 1(0) ack 1001 win 500");  // the edge moves from 65536 back to 1501
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 . 1001(500) ack 1"));
  rig.recv(". 1(0) ack 1501 win 0");
  EXPECT_THAT(rig.sent(), IsEmpty());
  const auto probes = rig.advance(2s);
  EXPECT_THAT(probes, Contains(::testing::HasSubstr(" . 1501(1) ack 1")));
  rig.recv(". 1(0) ack 1501 win 9000");
  EXPECT_THAT(rig.sent(), Contains(". 1501(1000) ack 1"));
}

TEST(Transfer, DelayedAck) {  // RFC9293-SHLD-18, SHLD-19, MUST-40; RFC 2525 2.13
  RigConfig config;
  config.options.delayed_ack = 40ms;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv("P. 1(1460) ack 1");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.advance(40ms), ElementsAre("+0.04 . 1(0) ack 1461"));
  rig.recv("P. 1461(1460) ack 1");
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv("P. 2921(1460) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 4381"));
  EXPECT_THAT(rig.advance(1s), IsEmpty());
  // Data carries the ACK.
  rig.recv("P. 4381(10) ack 1");
  (void)rig.send(5);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(5) ack 4391"));
  EXPECT_FALSE(rig.status().delayed_ack_timer.has_value());
  // A FIN is not delayed.
  rig.recv("F. 4391(0) ack 6");
  EXPECT_THAT(rig.sent(), ElementsAre(". 6(0) ack 4392"));
}

TEST(Transfer, OneAckForABatch) {  // RFC9293-MUST-58, MUST-59
  Rig rig;
  rig.reach(State::kEstablished);
  for (int i = 0; i < 10; ++i) rig.recv(absl::StrCat("P. ", 1 + i * 100, "(100) ack 1"));
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1001"));
}

TEST(Transfer, EachSegmentBehindAGapIsAnswered) {  // RFC5681-3.2-1, 4.2-4; RFC2018-4-3..4-7
  RigConfig config = with_sack();
  config.options.delayed_ack = 40ms;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv("P. 101(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1 sack 101:201"));
  rig.recv("P. 301(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1 sack 301:401 sack 101:201"));
  rig.recv("P. 201(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1 sack 101:401"));
  rig.recv("P. 601(100) ack 1");
  rig.recv("P. 801(100) ack 1");  // a batch: one each all the same
  EXPECT_EQ(rig.sent().size(), 2u);
  // Filling a part of the gap is acknowledged at once (RFC5681-3.2-2).
  rig.recv("P. 1(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 401 sack 801:901 sack 601:701"));
  // Data carries the blocks as well.
  (void)rig.send(10);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 401 sack 801:901 sack 601:701"));
  rig.recv("P. 401(200) ack 11");
  rig.recv("P. 701(100) ack 11");
  EXPECT_THAT(rig.sent(), ElementsAre(". 11(0) ack 901"));
  EXPECT_EQ(rig.receive(2000).received, 900u);
  EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 900));
}

TEST(Transfer, WindowOfAnAckThatAdvancesIsTaken) {  // RFC9293-3.8.6-L1
  RigConfig config;
  config.peer_window = 100;
  config.options.no_delay = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(300);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(100) ack 1"));
  rig.recv(". 11(0) ack 51 win 50");    // the peer's highest SEQ so far
  rig.recv("P. 1(10) ack 101 win 0");   // sent again: an old SEQ, a new ACK
  EXPECT_EQ(rig.status().snd_wnd, 0u);  // else up to 150 would seem open
  EXPECT_THAT(rig.sent(), ElementsAre(". 101(0) ack 11"));
}

TEST(Transfer, NoSackBlocksUnlessPermitted) {  // RFC2018-4-1
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv("P. 101(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
}

TEST(Transfer, ThreeSackBlocksBesideTimestamps) {  // RFC2018-3-2
  for (const bool timestamps : {false, true}) {
    RigConfig config = with_sack();
    config.options.timestamps = timestamps;
    config.peer_timestamps = timestamps;
    Rig rig(config);
    rig.reach(State::kEstablished);
    for (int i = 1; i <= 6; ++i) rig.recv(absl::StrCat("P. ", i * 200, "(100) ack 1"));
    (void)rig.sent();
    packet::TcpOptions options;
    packet::parse_options(rig.last().options(), options);
    EXPECT_EQ(options.sack_count, timestamps ? 3 : 4);
    EXPECT_LE(rig.last().option_size, 40);
  }
}

TEST(Transfer, WindowClosesAndOpens) {  // RFC9293-MUST-39, SHLD-14
  RigConfig config;
  config.options.receive_buffer_bytes = 4000;
  Rig rig(config);
  rig.reach(State::kEstablished);
  uint32_t edge = rig.rcv_nxt() + rig.rcv_wnd();
  EXPECT_EQ(edge, 4001u);
  rig.recv("P. 1(3900) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 3901"));
  EXPECT_EQ(rig.last().header.window, 100);
  for (int i = 0; i < 14; ++i) {
    (void)rig.receive(100);  // dribbles do not move the edge
    EXPECT_THAT(rig.sent(), IsEmpty());
  }
  (void)rig.receive(100);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 3901"));  // a segment's worth does
  EXPECT_EQ(rig.last().header.window, 1600);
  EXPECT_EQ(rig.rcv_nxt() + rig.rcv_wnd(), 5501u);
}

// Without a scale the field cannot tell more than 65535: reading a little opens nothing.
TEST(Transfer, NoWindowUpdateBeyondTheField) {
  Rig rig;  // a buffer of 262144
  rig.reach(State::kEstablished);
  rig.recv("P. 1(13) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 14"));
  EXPECT_EQ(rig.receive(100).received, 13u);
  EXPECT_THAT(rig.sent(), IsEmpty());
}

TEST(Transfer, ScaledWindowNeverShrinks) {  // RFC7323-2.4-2, 2.4-3
  RigConfig config;
  config.options.window_scale = true;
  config.peer_window_scale = 7;
  config.options.receive_buffer_bytes = 1u << 20;  // shift 5: units of 32
  Rig rig(config);
  rig.reach(State::kEstablished);
  const uint8_t shift = rig.status().rcv_wind_shift;
  EXPECT_EQ(shift, 5);
  uint32_t edge = 0;
  uint32_t seq = 1;
  for (int i = 0; i < 200; ++i) {
    const uint32_t length = 1 + static_cast<uint32_t>(i * 37 % 1460);
    rig.recv(absl::StrCat("P. ", seq, "(", length, ") ack 1"));
    seq += length;
    EXPECT_EQ(rig.sent().size(), 1u);
    const uint32_t announced = seq + (static_cast<uint32_t>(rig.last().header.window) << shift);
    EXPECT_GE(announced, edge) << "step " << i;
    edge = announced;
    if (i % 7 == 0) (void)rig.receive(500);
    (void)rig.sent();
  }
}

TEST(Transfer, UrgentDataOfAnyLength) {  // RFC9293-MUST-30, MUST-31, MUST-62
  RigConfig config;
  config.options.window_scale = true;
  config.peer_window_scale = 7;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100000, true, true);
  const auto lines = rig.sent();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], ".U 1(1460) ack 1 urg 65535");  // as far as the field reaches
  rig.recv(". 1(0) ack 1461");
  EXPECT_EQ(rig.status().snd_up - rig.status().iss, 100001u);
}

TEST(Transfer, UrgentModeEndsWithItsData) {
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.send(3, true, true);
  EXPECT_THAT(rig.sent(), ElementsAre("P.U 1(3) ack 1 urg 3"));
  (void)rig.send(5);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 4(5) ack 1"));  // behind the urgent data; no Nagle
  rig.recv(". 1(0) ack 9");
  (void)rig.send(5);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 9(5) ack 1"));
}

TEST(Transfer, UrgentPointerTravelsThroughAZeroWindow) {
  RigConfig config;
  config.peer_window = 0;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(3, true, true);
  EXPECT_THAT(rig.sent(), ElementsAre(".U 1(0) ack 1 urg 3"));
}

TEST(Transfer, DiffservAndTtl) {  // RFC9293-MUST-48, MUST-49, SHLD-21
  RigConfig config;
  config.options.dscp = 48;
  config.options.ttl = 255;
  Rig rig(config);
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.last().dscp, 48);
  EXPECT_EQ(rig.last().ttl, 255);
  ConnectionOptions options = rig.connection()->options();
  options.dscp = 10;
  options.ttl = 3;
  EXPECT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  (void)rig.send(1);
  (void)rig.sent();
  EXPECT_EQ(rig.last().dscp, 10);
  EXPECT_EQ(rig.last().ttl, 3);
}

TEST(Transfer, OptionsAgreedInTheSynStay) {
  Rig rig;
  rig.reach(State::kEstablished);
  ConnectionOptions options = rig.connection()->options();
  options.timestamps = !options.timestamps;
  const absl::Status status = rig.connection()->set_options(rig.now(), options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message().substr(0, 10), "timestamps");
}

TEST(Transfer, WritableAfterItWasFull) {
  RigConfig config;
  config.options.send_buffer_bytes = 1000;
  Rig rig(config);
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.send(1500).accepted, 1000u);
  EXPECT_EQ(rig.send(1).outcome, Outcome::kWouldBlock);
  (void)rig.sent();
  (void)rig.events();
  rig.recv(". 1(0) ack 501");
  EXPECT_THAT(rig.events(), ElementsAre("writable"));
  rig.recv(". 1(0) ack 1001");
  EXPECT_THAT(rig.events(), IsEmpty());
}

TEST(Transfer, TimestampsAreEchoed) {  // RFC7323-4.3-1..4.3-4
  RigConfig config;
  config.options.timestamps = true;
  config.options.delayed_ack = 40ms;
  config.peer_timestamps = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  const auto echoed = [&rig] {
    packet::TcpOptions options;
    packet::parse_options(rig.last().options(), options);
    return options.timestamps->echo_reply;
  };
  rig.recv("P. 1(100) ack 1 ts 2001 0");
  rig.recv("P. 101(100) ack 1 ts 2002 0");
  EXPECT_EQ(rig.sent().size(), 1u);
  EXPECT_EQ(echoed(), 2001u);  // the earliest of those the ACK answers
  rig.recv("P. 301(100) ack 1 ts 2003 0");
  EXPECT_EQ(rig.sent().size(), 1u);
  EXPECT_EQ(echoed(), 2001u);  // a hole: the last that advanced
  rig.recv("P. 201(100) ack 1 ts 2004 0");
  EXPECT_EQ(rig.sent().size(), 1u);
  EXPECT_EQ(echoed(), 2004u);  // the one that filled it
}

// A segment that is refused for its ACK or its SYN leaves nothing behind: else whoever guesses SEQ
// alone could make PAWS refuse all that the peer sends from then on.
TEST(Transfer, TimestampsOfRefusedSegmentsAreForgotten) {  // RFC5961-5.2-2
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  for (const char* forged :
       {"F. 1(0) ack 9999 ts 200000 0", "P. 1(9) ack 9999 ts 200000 0",
        "P. 1(9) ack 4000000000 ts 200000 0", "S. 1(0) ack 1 ts 200000 0", "P 1(9) ts 200000 0"}) {
    Rig rig(config);
    rig.reach(State::kEstablished);
    rig.recv(forged);
    (void)rig.sent();
    rig.recv("P. 1(10) ack 1 ts 2001 0");
    EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 11")) << forged;
    ASSERT_TRUE(rig.last_options().timestamps.has_value());
    EXPECT_EQ(rig.last_options().timestamps->echo_reply, 2001u) << forged;
  }
}

TEST(Transfer, MissingTimestampIsDropped) {  // RFC7323-3.2-7, 3.2-8
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv("P. 1(100) ack 1 nots");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_EQ(rig.rcv_nxt(), 1u);
  rig.recv("R 1(0) nots");  // RFC7323-5.2-1
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(Transfer, TimestampsNobodyAskedForAreIgnored) {  // RFC7323-3.2-9
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv("P. 1(100) ack 1 ts 5 5");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 101"));
  EXPECT_EQ(rig.last().option_size, 0);
}

TEST(Transfer, PawsExpiresAfter24Days) {  // RFC7323-5.5-1
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.advance(24h * 24);
  rig.recv("P. 1(10) ack 1 ts 5 0");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
  (void)rig.advance(1s);
  rig.recv("P. 1(10) ack 1 ts 5 0");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 11"));
}

TEST(Transfer, ChallengeAcksAreThrottled) {  // RFC5961-7-1
  Rig rig;
  rig.reach(State::kEstablished);
  for (int i = 0; i < 1000; ++i) rig.recv("S 500(0)");
  EXPECT_EQ(rig.sent().size(), 10u);
  (void)rig.advance(1s);
  for (int i = 0; i < 1000; ++i) rig.recv("R 500(0)");
  EXPECT_EQ(rig.sent().size(), 10u);
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_EQ(rig.status().challenge_acks_sent, 20u);
  EXPECT_EQ(rig.status().challenge_acks_throttled, 1980u);
}

TEST(Transfer, ResetAfterChallenge) {  // RFC5961-3.2-6
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv("R 100(0)");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
  rig.recv("R 1(0)");  // <SEQ=SEG.ACK> of the challenge
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(Transfer, DroppedSegmentsNameTheirStep) {
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv("P 1(5)");
  rig.recv(". 0(0) ack 1");
  EXPECT_THAT(rig.drops(), ElementsAre("RFC 9293 §3.10.7.4 fifth: no ACK",
                                       "RFC 9293 §3.10.7.4 first: outside the window"));
}

}  // namespace
}  // namespace tcproctor::tcp::testing
