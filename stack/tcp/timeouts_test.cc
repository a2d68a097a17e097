// SPDX-License-Identifier: Apache-2.0
// Keep-alive, orphans, TIME-WAIT and what ends a connection by time (RFC 9293 §3.8.3, §3.8.4,
// §3.6.1).
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
using ::testing::Not;
using namespace std::chrono_literals;

RigConfig alive() {
  RigConfig config;
  config.options.keepalive = true;
  return config;
}

TEST(KeepAlive, OffByDefault) {  // RFC9293-MUST-25
  Rig rig;
  rig.reach(State::kEstablished);
  EXPECT_FALSE(rig.next_timer());
}

// The seeds' defaults, in full length (S001-keepalive); RFC 2525 2.9, 2.11.
TEST(KeepAlive, TwoHoursThenTenProbes) {
  Rig rig(alive());
  rig.reach(State::kEstablished);
  const std::string probe = ". 0(0) ack 1";  // RFC9293-SHLD-12
  EXPECT_THAT(rig.advance(2h - 1ms), IsEmpty());
  EXPECT_THAT(rig.advance(1ms), ElementsAre("+0.001 " + probe));
  for (int i = 1; i < 10; ++i) EXPECT_THAT(rig.advance(75s), ElementsAre("+75 " + probe));
  EXPECT_EQ(rig.status().keepalive_probes_sent, 10u);
  const std::vector<std::string> told = rig.trace();
  ASSERT_EQ(told.size(), 10u);
  EXPECT_EQ(told.back(), "probe keep-alive 10");
  EXPECT_THAT(rig.advance(75s - 1ms), IsEmpty());
  EXPECT_EQ(rig.state(), State::kEstablished);  // RFC9293-MUST-29
  EXPECT_THAT(rig.advance(1ms), IsEmpty());
  EXPECT_EQ(rig.state(), State::kClosed);
  EXPECT_EQ(rig.status().last_error, Outcome::kTimedOut);
}

TEST(KeepAlive, AnyAnswerStartsAnew) {
  Rig rig(alive());
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.advance(2h + 75s * 8).size(), 9u);
  rig.recv(". 1(0) ack 1");
  EXPECT_EQ(rig.status().keepalive_probes_sent, 0u);
  EXPECT_THAT(rig.advance(2h - 1ms), IsEmpty());
  EXPECT_EQ(rig.advance(1ms).size(), 1u);
}

TEST(KeepAlive, NotWhileDataIsOutstanding) {  // RFC9293-MUST-26
  RigConfig config = alive();
  config.options.keepalive_idle = 3s;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.sent();
  for (const std::string& line : rig.advance(60s)) {
    EXPECT_THAT(line, ::testing::HasSubstr("P. 1(100)"));
  }
}

TEST(KeepAlive, OursAreAnsweredAsOthersAre) {
  Rig rig;
  rig.reach(State::kEstablished);
  rig.recv(". 0(0) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
  rig.recv(". 0(1) ack 1");  // RFC9293-MAY-6: with a garbage octet
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
}

TEST(KeepAlive, SwitchedOnLater) {  // RFC9293-MUST-24, MUST-27
  Rig rig;
  rig.reach(State::kEstablished);
  ConnectionOptions options = rig.connection()->options();
  options.keepalive = true;
  options.keepalive_idle = 10s;
  EXPECT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  EXPECT_EQ(rig.advance(10s).size(), 1u);
  options.keepalive = false;
  EXPECT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  EXPECT_THAT(rig.advance(1h), IsEmpty());
}

TEST(FinWait2, LastsWhileTheUserOwnsIt) {  // S001-fw2
  Rig rig;
  rig.reach(State::kFinWait2);
  EXPECT_THAT(rig.advance(24h * 30), IsEmpty());
  EXPECT_EQ(rig.state(), State::kFinWait2);
}

TEST(FinWait2, AnOrphanEnds) {
  Rig rig;
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.release(), Outcome::kOk);
  (void)rig.sent();
  rig.recv(". 1(0) ack 2");
  EXPECT_EQ(rig.state(), State::kFinWait2);
  (void)rig.advance(60s - 1ms);
  EXPECT_EQ(rig.state(), State::kFinWait2);
  (void)rig.advance(1ms);
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(FinWait2, ReleasedThereIsAnOrphanToo) {
  Rig rig;
  rig.reach(State::kFinWait2);
  EXPECT_EQ(rig.release(), Outcome::kOk);
  EXPECT_EQ(rig.release(), Outcome::kConnectionDoesNotExist);
  (void)rig.advance(60s);
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(Release, InEveryState) {
  for (const auto& [state, line] :
       {std::pair(State::kSynSent, ""), std::pair(State::kSynReceived, "F. 1(0) ack 1"),
        std::pair(State::kEstablished, "F. 1(0) ack 1"), std::pair(State::kFinWait1, ""),
        std::pair(State::kCloseWait, "F. 1(0) ack 2"), std::pair(State::kClosing, ""),
        std::pair(State::kLastAck, ""), std::pair(State::kTimeWait, "")}) {
    SCOPED_TRACE(to_string(state));
    Rig rig;
    rig.reach(state);
    EXPECT_EQ(rig.release(), Outcome::kOk);
    if (*line == 0) {
      EXPECT_THAT(rig.sent(), IsEmpty());
    } else {
      EXPECT_THAT(rig.sent(), ElementsAre(line));
    }
    EXPECT_TRUE(rig.status().released);
    EXPECT_EQ(rig.send(1).outcome, state == State::kSynSent ? Outcome::kConnectionDoesNotExist
                                                            : Outcome::kConnectionClosing);
    (void)rig.advance(1h);
    EXPECT_EQ(rig.state(), State::kClosed);
  }
}

TEST(TimeWait, KeepsAnsweringItsPeer) {  // S001-2msl
  Rig rig;
  rig.reach(State::kTimeWait);
  for (int i = 0; i < 5; ++i) {
    (void)rig.advance(3min);
    rig.recv("F. 1(0) ack 2");
    EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
    EXPECT_EQ(rig.state(), State::kTimeWait);
  }
  (void)rig.advance(4min);
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(TimeWait, LengthIsSettable) {
  RigConfig config;
  config.settings.msl = 500ms;
  Rig rig(config);
  rig.reach(State::kTimeWait);
  (void)rig.advance(999ms);
  EXPECT_EQ(rig.state(), State::kTimeWait);
  (void)rig.advance(1ms);
  EXPECT_EQ(rig.state(), State::kClosed);
}

TEST(TimeWait, ResetIsIgnoredIfAskedFor) {  // RFC1337-3-1, ruling 16
  RigConfig config;
  config.settings.rfc1337 = true;
  Rig rig(config);
  rig.reach(State::kTimeWait);
  rig.recv("R 2(0)");
  EXPECT_EQ(rig.state(), State::kTimeWait);
  rig.recv("F. 1(0) ack 2");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
}

TEST(TimeWait, NothingReopensItIfSwitchedOff) {
  RigConfig config;
  config.settings.rfc6191 = false;
  Rig rig(config);
  rig.reach(State::kTimeWait);
  rig.listen();
  rig.recv("S 100(0)");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
  EXPECT_EQ(rig.state(), State::kTimeWait);
}

TEST(TimeWait, ReopenWithoutAListenerIsRefused) {
  Rig rig;
  rig.reach(State::kTimeWait);
  rig.recv("S 100(0)");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
  EXPECT_EQ(rig.state(), State::kTimeWait);
}

TEST(TimeWait, TheStandInAnswersAsTheConnectionDoes) {
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  Rig rig(config);
  rig.reach(State::kTimeWait);
  TimeWait alone = rig.connection()->time_wait();
  rig.recv("F. 1(0) ack 2");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
  packet::TcpSegment fin;
  fin.header.sequence_number = rig.status().irs + 1;
  fin.header.acknowledgment_number = rig.status().snd_nxt;
  fin.header.flags = packet::kFin | packet::kAck;
  fin.options.timestamps = {.value = 1000, .echo_reply = 0};
  const Settings settings;
  EXPECT_EQ(alone.on_segment(rig.now(), fin, settings), TimeWait::Action::kStay);
  SegmentOut out;
  ASSERT_TRUE(alone.next_segment(rig.now(), rig.connection()->tuple(), out));
  EXPECT_EQ(out.header, rig.last().header);
  EXPECT_TRUE(std::ranges::equal(out.options(), rig.last().options()));
  EXPECT_FALSE(alone.next_segment(rig.now(), rig.connection()->tuple(), out));
}

TEST(Close, SimultaneousClose) {  // S000-3.2
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.events();
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
  rig.recv("F. 1(0) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
  rig.recv(". 2(0) ack 2");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_THAT(rig.events(), ElementsAre("ESTABLISHED -> FIN-WAIT-1", "readable",
                                        "FIN-WAIT-1 -> CLOSING", "CLOSING -> TIME-WAIT"));
}

TEST(Close, HalfClosed) {  // S001-term, RFC9293-3.6-L2
  Rig rig;
  rig.reach(State::kFinWait2);
  rig.recv("P. 1(100) ack 2");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 101"));
  EXPECT_EQ(rig.receive(1000).received, 100u);
  rig.recv("FP. 101(10) ack 2");
  EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 112"));
  EXPECT_EQ(rig.receive(1000).received, 10u);
  EXPECT_EQ(rig.receive(1000).outcome, Outcome::kEndOfStream);
  EXPECT_EQ(rig.state(), State::kTimeWait);
}

TEST(Close, LostFinIsSentAgainWithItsData) {
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.close();
  EXPECT_THAT(rig.sent(), ElementsAre("FP. 1(100) ack 1"));
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 FP. 1(100) ack 1"));
  rig.recv(". 1(0) ack 101");
  EXPECT_EQ(rig.state(), State::kFinWait1);
  EXPECT_THAT(rig.advance(2s), ElementsAre("+2 F. 101(0) ack 1"));
  rig.recv(". 1(0) ack 102");
  EXPECT_EQ(rig.state(), State::kFinWait2);
}

TEST(UserTimeout, IsSettableAndProgressRestartsIt) {  // RFC9293-MUST-21
  RigConfig config;
  config.options.user_timeout = 100s;
  Rig rig(config);
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.sent();
  (void)rig.advance(90s);
  rig.recv(". 1(0) ack 51");
  (void)rig.advance(90s);
  EXPECT_EQ(rig.state(), State::kEstablished);
  (void)rig.advance(10s);
  EXPECT_EQ(rig.state(), State::kClosed);
  EXPECT_EQ(rig.status().last_error, Outcome::kTimedOut);
}

TEST(UserTimeout, R1ComesOnceAfterThreeRetransmissions) {  // RFC9293-SHLD-9, SHLD-10
  Rig rig;
  rig.reach(State::kEstablished);
  (void)rig.send(100);
  (void)rig.sent();
  (void)rig.events();
  (void)rig.advance(3s);
  EXPECT_THAT(rig.events(), Not(Contains("trouble")));
  (void)rig.advance(60s);
  EXPECT_THAT(rig.events(), ElementsAre("trouble"));
}

}  // namespace
}  // namespace tcproctor::tcp::testing
