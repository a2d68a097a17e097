// SPDX-License-Identifier: Apache-2.0
// Path-MTU discovery of one connection: RFC 1191, RFC 8201, RFC 5927 §7.
#include "stack/tcp/path_mtu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Rig;
using testing::RigConfig;

TEST(Plateaus, GoDownToTheLeast) {
  EXPECT_EQ(plateau_below(1500), 1492u);
  EXPECT_EQ(plateau_below(1492), 1006u);
  EXPECT_EQ(plateau_below(65535), 32000u);
  EXPECT_EQ(plateau_below(297), 296u);
  EXPECT_EQ(plateau_below(68), 68u);
}

// Three segments in flight, nothing of that size acknowledged yet; a window of 3 segments.
Rig three_in_flight() {
  Rig rig;
  rig.reach(State::kEstablished);
  rig.send(5840);
  EXPECT_THAT(rig.sent(),
              ElementsAre(". 1(1460) ack 1", ". 1461(1460) ack 1", ". 2921(1460) ack 1"));
  return rig;
}

// RFC1191-3-1, RFC8201-4-2, 5.4-4; RFC1191-6.4-2, RFC8201-5.4-2: at once, the window unchanged, and
// clocked by what is acknowledged.
TEST(PathMtu, TooBigGoesAgainInSmallerSegments) {
  Rig rig = three_in_flight();
  const uint32_t ssthresh = rig.status().ssthresh;
  rig.too_big(1, 1000);
  EXPECT_EQ(rig.status().cwnd, 3u * 960) << "RFC5681-3.1-11: as many segments as before";
  EXPECT_EQ(rig.status().path_mtu, 1000u);
  EXPECT_THAT(rig.trace(), ElementsAre("path MTU 1500 -> 1000"));
  EXPECT_EQ(rig.status().send_mss, 960u);
  EXPECT_EQ(rig.connection()->take_path_mtu_news()->mtu, 1000u);
  EXPECT_EQ(rig.connection()->take_path_mtu_news(), std::nullopt);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(960) ack 1"));
  rig.recv(". 1(0) ack 961");
  EXPECT_THAT(rig.sent(), ElementsAre(". 961(960) ack 1", ". 1921(960) ack 1"));
  rig.recv(". 1(0) ack 2881");
  EXPECT_EQ(rig.sent().front(), ". 2881(960) ack 1");
  EXPECT_GE(rig.status().cwnd, 3u * 960);
  EXPECT_EQ(rig.status().ssthresh, ssthresh);
  EXPECT_EQ(rig.status().retransmissions, 0u);
}

// RFC1191-6.4-1, RFC1191-3-2: the rest of the burst of messages does nothing.
TEST(PathMtu, TheSameMessageAgainIsIgnored) {
  Rig rig = three_in_flight();
  rig.too_big(1, 1000);
  rig.sent();
  rig.too_big(1461, 1000);
  rig.too_big(2921, 1000);
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_EQ(rig.connection()->take_path_mtu_news()->mtu, 1000u);
}

// RFC1191-3-4, RFC8201-4-4.
TEST(PathMtu, NoMessageRaisesIt) {
  Rig rig = three_in_flight();
  rig.too_big(1, 1000);
  rig.sent();
  for (const uint32_t mtu : {1001u, 1400u, 65535u}) rig.too_big(1, mtu);
  EXPECT_EQ(rig.status().path_mtu, 1000u);
}

// RFC5927-4.1-1, RFC8201-4-3.
TEST(PathMtu, OnlyWhatIsInFlightMayBeQuoted) {
  Rig rig = three_in_flight();
  rig.too_big(0, 1000);
  rig.too_big(4381, 1000);
  rig.too_big(100000, 1000);
  EXPECT_EQ(rig.status().path_mtu, 1500u);
  rig.too_big(4380, 1000);
  EXPECT_EQ(rig.status().path_mtu, 1000u);
}

// RFC5927-7.2-1: nobody can have found too big what was never so big.
TEST(PathMtu, NothingSoLargeWasSent) {
  Rig rig;
  rig.reach(State::kEstablished);
  rig.send(960);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(960) ack 1"));
  rig.too_big(1, 1000);
  EXPECT_EQ(rig.status().path_mtu, 1500u);
  rig.too_big(1, 999);
  EXPECT_EQ(rig.status().path_mtu, 999u);
}

// RFC1191-3-3: no router may have an MTU below 68.
TEST(PathMtu, NeverBelowWhatEveryLinkCarries) {
  Rig rig = three_in_flight();
  for (const uint32_t mtu : {1u, 60u, 67u}) rig.too_big(1, mtu);
  EXPECT_EQ(rig.status().path_mtu, 1500u);
  rig.too_big(1, 68);
  EXPECT_EQ(rig.status().path_mtu, 68u);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(28) ack 1"));
}

// RFC1191-3-6.
TEST(PathMtu, OldRouterNamesNone) {
  Rig rig = three_in_flight();
  rig.too_big(1, 0);
  EXPECT_EQ(rig.status().path_mtu, 1492u);
  rig.too_big(1461, 0);
  EXPECT_EQ(rig.status().path_mtu, 1492u) << "the same flight";
  rig.too_big(1, 0, 1492);
  EXPECT_EQ(rig.status().path_mtu, 1006u);
  // As long as the whole connection stays quiet about larger ones: the quoted packet decides.
  rig.too_big(1, 0, 600);
  EXPECT_EQ(rig.status().path_mtu, 508u);
}

// RFC 5927 §7.2: what came through before is believed too big only when it does not any more.
TEST(PathMtu, ProgressRefutesTheMessage) {
  Rig rig = three_in_flight();
  rig.recv(". 1(0) ack 4381");
  rig.sent();
  rig.too_big(4381, 1000);
  EXPECT_EQ(rig.status().path_mtu, 1500u);
  EXPECT_THAT(rig.sent(), IsEmpty());
  rig.recv(". 1(0) ack 5841");  // beyond the quoted segment
  rig.send(1460);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 5841(1460) ack 1"));
  rig.advance(1500ms);
  EXPECT_EQ(rig.status().path_mtu, 1500u);
}

TEST(PathMtu, TimeoutConfirmsTheMessage) {
  Rig rig = three_in_flight();
  rig.recv(". 1(0) ack 4381");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 4381(1460) ack 1"));
  const uint32_t cwnd = rig.status().cwnd;
  rig.too_big(4381, 1000);
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 . 4381(960) ack 1"));
  EXPECT_EQ(rig.status().path_mtu, 1000u);
  EXPECT_GE(rig.status().cwnd, cwnd / 1460 * 960) << "RFC8201-5.4-2: no sign of congestion";
  EXPECT_EQ(rig.connection()->take_path_mtu_news()->mtu, 1000u);
}

// The segments of a super-segment keep to the path's MTU too.
TEST(PathMtu, SuperSegmentsAreCutSmaller) {
  Rig rig;
  rig.reach(State::kEstablished);
  rig.send(4380);
  EXPECT_THAT(rig.sent(65000), ElementsAre("P. 1(4380) ack 1"));
  EXPECT_EQ(rig.last().gso_size, 1460);
  rig.too_big(2921, 1000);
  EXPECT_EQ(rig.sent(65000), std::vector<std::string>{". 1(960) ack 1"});
  rig.recv(". 1(0) ack 4381");
  rig.send(2000);
  EXPECT_THAT(rig.sent(65000), ElementsAre("P. 4381(2000) ack 1"));
  EXPECT_EQ(rig.last().gso_size, 960);
}

// RFC1191-3-7.
TEST(PathMtu, DontFragmentUnlessSwitchedOff) {
  for (const bool discovery : {true, false}) {
    RigConfig config;
    config.options.path_mtu_discovery = discovery;
    Rig rig(config);
    rig.reach(State::kEstablished);
    EXPECT_EQ(rig.last().dont_fragment, discovery);
    rig.send(6000);
    rig.sent();
    EXPECT_EQ(rig.last().dont_fragment, discovery);
    rig.too_big(1, 1000);
    EXPECT_EQ(rig.status().path_mtu, discovery ? 1000u : 1500u);
  }
}

// RFC8201-5.4-1: the peer's MSS is a bound of its own.
TEST(PathMtu, PeersMssStaysTheBound) {
  RigConfig config;
  config.peer_mss = 536;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.connection()->set_path_mtu(rig.now(), {.mtu = 1000});
  EXPECT_EQ(rig.status().send_mss, 536u);
  rig.connection()->set_path_mtu(rig.now(), {.mtu = 1500});
  EXPECT_EQ(rig.status().send_mss, 536u);
  EXPECT_EQ(rig.status().receive_mss, 1460u) << "RFC1191-3.1-1";
}

// Others' news: larger segments again, the window in octets unchanged (RFC4821-4-4).
TEST(PathMtu, SetByTheHost) {
  Rig rig = three_in_flight();
  rig.recv(". 1(0) ack 4381");
  rig.sent();
  rig.recv(". 1(0) ack 5841");
  rig.connection()->set_path_mtu(rig.now(), {.mtu = 1000});
  const uint32_t cwnd = rig.status().cwnd;
  rig.send(960);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 5841(960) ack 1"));
  rig.recv(". 1(0) ack 6801");
  rig.connection()->set_path_mtu(rig.now(), {.mtu = 9000});
  EXPECT_EQ(rig.status().path_mtu, 1500u) << "no more than the link's";
  rig.send(1460);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 6801(1460) ack 1"));
  EXPECT_GE(rig.status().cwnd, cwnd);
}

}  // namespace
}  // namespace tcproctor::tcp
