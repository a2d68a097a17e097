// SPDX-License-Identifier: Apache-2.0
// ECN (RFC 3168 §6.1, RFC 8311): the agreement in every form, marks on their way back and what they
// do to the sender.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace ecn_test {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr uint32_t kMss = 1000;

RigConfig with(EcnUse use) {
  RigConfig config;
  config.options.ecn = use;
  config.options.no_delay = true;
  config.peer_mss = kMss;
  return config;
}

// An active end that asked for ECN, and whose peer agreed.
class EcnAgreed : public ::testing::Test {
 protected:
  explicit EcnAgreed(RigConfig config = with(EcnUse::kRequest)) : rig_(config) {
    rig_.open_active();
    EXPECT_THAT(rig_.sent(), ElementsAre("SEW 0(0)"));  // RFC3168-6.1.1-10: the SYN is Not-ECT
    rig_.recv("S.E 0(0) ack 1");
    EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 1"));  // RFC3168-6.1.4-1
  }
  static std::string data(uint32_t segment, const char* flags = ".") {
    return StrCat(flags, " ", 1 + segment * kMss, "(", kMss, ") ack 1 ect0");
  }
  void ack(uint32_t segments, const char* flags = ".") {
    rig_.recv(StrCat(flags, " 1(0) ack ", 1 + segments * kMss));
  }
  Rig rig_;
};

// What the end says to SYN,ACK, and whether its data is ECT then.
bool data_is_ect(Rig& rig) {
  EXPECT_EQ(rig.state(), State::kEstablished);
  (void)rig.sent();
  (void)rig.send(100);
  const auto lines = rig.sent();
  EXPECT_EQ(lines.size(), 1u);
  return rig.last().ecn == kEct0;
}

TEST(Ecn, ActiveAgreement) {  // RFC3168-6.1.1-3, 6.1.1-5, 6.1.1-9
  const std::vector<std::pair<std::string, bool>> answers = {
      {"S.E", true}, {"S.", false}, {"S.EW", false}, {"S.W", false}, {"S.EA", true}};
  for (const auto& [flags, agreed] : answers) {
    Rig rig(with(EcnUse::kRequest));
    rig.open_active();
    EXPECT_THAT(rig.sent(), ElementsAre("SEW 0(0)"));
    rig.recv(flags + " 0(0) ack 1");
    EXPECT_EQ(data_is_ect(rig), agreed) << flags;
  }
}

TEST(Ecn, NotAskedForByDefault) {  // RFC3168-6.1.1-8
  for (const EcnUse use : {EcnUse::kOff, EcnUse::kAccept}) {
    Rig rig(with(use));
    rig.open_active();
    EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
    rig.recv("S.E 0(0) ack 1");
    EXPECT_FALSE(data_is_ect(rig));
  }
}

TEST(Ecn, LostSynGivesItUp) {  // RFC3168-6.1.1.1-2, 6.1.1-4
  Rig rig(with(EcnUse::kRequest));
  rig.open_active();
  EXPECT_THAT(rig.sent(), ElementsAre("SEW 0(0)"));
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 S 0(0)"));
  rig.recv("S.E 0(0) ack 1");  // of the first, late
  EXPECT_FALSE(data_is_ect(rig));
}

TEST(Ecn, PassiveAgreement) {  // RFC3168-6.1.1-1, 6.1.1-2, RFC8311-3-1
  const std::vector<std::pair<std::string, bool>> asked = {
      {"SEW", true}, {"S", false}, {"SE", false}, {"SW", false}, {"SEWA", true}};
  for (const bool full : {false, true}) {
    for (const auto& [flags, agreed] : asked) {
      RigConfig config = with(EcnUse::kAccept);
      config.passive = true;
      Rig rig(config);
      rig.listen();
      rig.recv(flags + (full ? " 0(10)" : " 0(0)"));  // with text: a connection from the start
      EXPECT_THAT(rig.sent(), ElementsAre(agreed ? "S.E 0(0) ack 1" : "S. 0(0) ack 1"));
      rig.recv(full ? ". 11(0) ack 1" : ". 1(0) ack 1");
      EXPECT_EQ(data_is_ect(rig), agreed) << flags;
    }
  }
  RigConfig config = with(EcnUse::kOff);
  config.passive = true;
  Rig rig(config);
  rig.listen();
  rig.recv("SEW 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));  // RFC3168-6.1.1-8
}

TEST(Ecn, PlainSynAfterAllGivesItUp) {  // RFC3168-6.1.1-5
  for (const bool full : {false, true}) {
    RigConfig config = with(EcnUse::kAccept);
    config.passive = true;
    Rig rig(config);
    rig.listen();
    rig.recv(full ? "SEW 0(10)" : "SEW 0(0)");
    EXPECT_THAT(rig.sent(), ElementsAre("S.E 0(0) ack 1"));
    rig.recv("SEW 0(0)");  // the very same again
    EXPECT_THAT(rig.sent(), ElementsAre("S.E 0(0) ack 1"));
    rig.recv("S 0(0)");
    EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
    rig.recv(full ? ". 11(0) ack 1" : ". 1(0) ack 1");
    EXPECT_FALSE(data_is_ect(rig));
  }
}

TEST(Ecn, SimultaneousOpen) {
  for (const bool agreed : {true, false}) {
    Rig rig(with(EcnUse::kRequest));
    rig.open_active();
    (void)rig.sent();
    rig.recv(agreed ? "SEW 0(0)" : "S 0(0)");
    EXPECT_THAT(rig.sent(), ElementsAre(agreed ? "S.E 0(0) ack 1" : "S. 0(0) ack 1"));
    rig.recv(agreed ? "S.E 0(0) ack 1" : "S. 0(0) ack 1");
    EXPECT_EQ(data_is_ect(rig), agreed);
  }
  // RFC3168-6.1.1-4: our own SYN did not ask.
  Rig rig(with(EcnUse::kAccept));
  rig.open_active();
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  rig.recv("SEW 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
}

TEST(Ecn, KeptInACookie) {  // where timestamps carry it
  for (const bool timestamps : {true, false}) {
    for (const bool asked : {true, false}) {
      RigConfig config = with(EcnUse::kAccept);
      config.passive = true;
      config.settings.syn_cache_size = 0;
      config.options.timestamps = timestamps;
      config.peer_timestamps = timestamps;
      Rig rig(config);
      rig.listen();
      rig.recv(asked ? "SEW 0(0)" : "S 0(0)");
      const bool kept = asked && timestamps;
      const auto answer = rig.sent();
      ASSERT_EQ(answer.size(), 1u);
      EXPECT_THAT(answer[0], ::testing::StartsWith(kept ? "S.E " : "S. "));
      // The rig learns ISS from the cookie itself.
      packet::TcpSegment segment;
      segment.source = rig.last().tuple.remote.address;
      segment.destination = rig.last().tuple.local.address;
      segment.header.source_port = rig.last().tuple.remote.port;
      segment.header.destination_port = rig.last().tuple.local.port;
      segment.header.sequence_number = Rig::kIrs + 1;
      segment.header.acknowledgment_number = rig.last().header.sequence_number + 1;
      segment.header.flags = packet::kAck;
      segment.header.window = 65535;
      packet::TcpOptions sent;
      packet::parse_options(rig.last().options(), sent);
      if (timestamps) {
        segment.options.timestamps = {.value = 1001, .echo_reply = sent.timestamps->value};
      }
      const auto promoted = rig.listener()->on_segment(rig.now(), segment);
      ASSERT_TRUE(promoted.has_value());
      const std::vector<uint8_t> octets(100);
      (void)promoted->connection->send(rig.now(), octets, true, false);
      SegmentOut out;
      ASSERT_TRUE(promoted->connection->next_segment(rig.now(), out));
      EXPECT_EQ(out.ecn, kept ? kEct0 : kNotEct);
    }
  }
}

TEST_F(EcnAgreed, MarksAreEchoedUntilCwr) {  // RFC3168-6.1.3-1, 6.1.3-3
  rig_.recv(". 1(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 101"));
  rig_.recv(". 101(100) ack 1 ce");
  EXPECT_THAT(rig_.sent(), ElementsAre(".E 1(0) ack 201"));
  rig_.recv(". 201(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(".E 1(0) ack 301"));
  (void)rig_.send(10);
  EXPECT_THAT(rig_.sent(), ElementsAre("P.E 1(10) ack 301 ect0"));  // on data as well
  rig_.recv(".W 301(100) ack 11");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 11(0) ack 401"));
  rig_.recv(".W 401(100) ack 11 ce");  // a new mark, on the very segment that answers the old
  EXPECT_THAT(rig_.sent(), ElementsAre(".E 11(0) ack 501"));
  EXPECT_EQ(rig_.status().ecn.ce_received, 2u);
}

TEST_F(EcnAgreed, MarksThatDoNotCount) {
  rig_.recv(". 1(100) ack 1");
  (void)rig_.sent();
  rig_.recv(". 1(50) ack 1 ce");  // RFC3168-6.1.5-2: out of the window
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 101"));
  rig_.recv(". 101(0) ack 1 ce");  // no data: RFC3168-6.1.4-1, it cannot have been marked
  rig_.recv(". 101(100) ack 1");
  EXPECT_THAT(rig_.sent(), ElementsAre(". 1(0) ack 201"));
}

TEST(EcnDelayedAck, AMarkIsAnsweredAtOnceAndNotForgotten) {  // RFC3168-6.1.3-2
  RigConfig config = with(EcnUse::kRequest);
  config.options.delayed_ack = 40ms;
  Rig rig(config);
  rig.open_active();
  (void)rig.sent();
  rig.recv("S.E 0(0) ack 1");
  (void)rig.sent();
  rig.recv(". 1(100) ack 1");
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv(". 101(100) ack 1 ce");
  rig.recv(".W 201(100) ack 1");  // covered by the same ACK
  EXPECT_THAT(rig.sent(), ElementsAre(".E 1(0) ack 301"));
  rig.recv(". 301(100) ack 1");
  rig.recv(". 401(100) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 501"));
  rig.recv(". 501(100) ack 1 ce");
  EXPECT_THAT(rig.sent(), ElementsAre(".E 1(0) ack 601"));
}

TEST(Ecn, NotAgreedMarksMeanNothing) {
  Rig rig(with(EcnUse::kAccept));
  rig.reach(State::kEstablished);
  rig.recv(". 1(100) ack 1 ce");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 101"));
  (void)rig.send(4 * kMss);
  (void)rig.sent();
  const uint32_t cwnd = rig.status().cwnd;
  rig.recv(".E 101(0) ack 1001");
  EXPECT_EQ(rig.status().cwnd, cwnd + kMss);
}

TEST_F(EcnAgreed, OneReductionForAWindow) {  // RFC3168-6.1.2-1..3, 6.1.2-5
  (void)rig_.send(60 * kMss);
  EXPECT_EQ(rig_.sent().size(), 4u);
  for (uint32_t i = 1; i <= 6; ++i) {
    ack(i);
    (void)rig_.sent();
  }
  ASSERT_EQ(rig_.status().cwnd, 10 * kMss);  // segments 6 to 15 are in flight
  ack(7, ".E");
  EXPECT_EQ(rig_.status().cwnd, 5000u);  // half of the ten
  EXPECT_EQ(rig_.status().ssthresh, 5000u);
  for (uint32_t i = 8; i <= 16; ++i) {  // all that was sent before: the peer goes on echoing
    ack(i, ".E");
    EXPECT_EQ(rig_.status().cwnd, 5000u) << i;
    const auto lines = rig_.sent();
    for (const auto& line : lines) {
      // CWR on the first new segment alone.
      EXPECT_EQ(line.starts_with(".W"), line == data(16, ".W")) << line;
    }
    if (i == 12) {
      EXPECT_THAT(lines, ElementsAre(data(16, ".W")));
    }
  }
  ack(17, ".E");  // data sent after the reduction was marked
  EXPECT_LT(rig_.status().cwnd, 5000u);
  EXPECT_EQ(rig_.status().ecn.windows_reduced, 2u);
  EXPECT_EQ(rig_.status().ecn.echoes_received, 11u);
}

TEST_F(EcnAgreed, RetransmissionsAreNotEct) {  // RFC3168-6.1.5-1, 6.1.2-6
  (void)rig_.send(20 * kMss);
  EXPECT_EQ(rig_.sent().size(), 4u);
  EXPECT_THAT(rig_.advance(1s), ElementsAre(StrCat("+1 . 1(", kMss, ") ack 1")));
  ack(4);
  EXPECT_THAT(rig_.sent(), ElementsAre(data(4, ".W"), data(5)));  // RFC3168-6.1.2-5: it had shrunk
}

TEST_F(EcnAgreed, MarkAndLossInOneWindowCostOneReduction) {  // RFC3168-6.1.2-3
  (void)rig_.send(60 * kMss);
  for (uint32_t i = 1; i <= 6; ++i) {
    (void)rig_.sent();
    ack(i);
  }
  (void)rig_.sent();
  ack(7, ".E");
  const uint32_t ssthresh = rig_.status().ssthresh;
  ack(10);  // less is in flight than when the mark came
  for (int i = 0; i < 3; ++i) ack(10);
  EXPECT_THAT(rig_.sent(), Contains(StrCat(". 10001(", kMss, ") ack 1")));
  EXPECT_EQ(rig_.status().ssthresh, ssthresh);
}

// RFC3168-6.1.2-4: a window of one segment that is still too large.
TEST_F(EcnAgreed, AtOneSegmentTheTimerPaces) {
  (void)rig_.send(20 * kMss);
  EXPECT_EQ(rig_.sent().size(), 4u);
  ack(4, ".E");
  EXPECT_EQ(rig_.status().cwnd, 2 * kMss);  // half of what was in flight when the ACK came
  EXPECT_THAT(rig_.sent(), ElementsAre(data(4, ".W"), data(5)));
  ack(6, ".E");
  EXPECT_EQ(rig_.status().cwnd, kMss);
  EXPECT_THAT(rig_.sent(), ElementsAre(data(6, ".W")));
  ack(7, ".E");
  EXPECT_THAT(rig_.sent(), IsEmpty());
  const Duration rto = rig_.status().rto;
  EXPECT_THAT(rig_.advance(rto - 1ms), IsEmpty());
  EXPECT_THAT(rig_.advance(1ms), ElementsAre(StrCat("+0.001 ", data(7, ".W"))));
  ack(8);
  EXPECT_FALSE(rig_.sent().empty());  // no mark: it goes on by ACKs
}

TEST_F(EcnAgreed, ProbesAndPureAcksAreNotEct) {  // RFC3168-6.1.6-1, 6.1.4-1
  rig_.recv(". 1(0) ack 1 win 0");
  (void)rig_.send(kMss);
  EXPECT_THAT(rig_.sent(), IsEmpty());
  EXPECT_THAT(rig_.advance(1s), ElementsAre("+1 . 1(1) ack 1"));
}

TEST_F(EcnAgreed, CwrIsOnOneSegmentOfTheWire) {
  (void)rig_.send(60 * kMss);
  for (uint32_t i = 1; i <= 6; ++i) {
    (void)rig_.sent();
    ack(i);
  }
  (void)rig_.sent();
  ack(7, ".E");
  ack(16);
  EXPECT_THAT(rig_.sent(64 * kMss), ElementsAre(data(16, ".W"), ". 17001(5000) ack 1 ect0"));
}

}  // namespace ecn_test
}  // namespace tcproctor::tcp::testing
