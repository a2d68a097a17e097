// SPDX-License-Identifier: Apache-2.0
// The User Timeout Option (RFC 5482).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/tcp/testing/rig.h"
#include "stack/tcp/user_timeout_option.h"

namespace tcproctor::tcp {
namespace {

using packet::UserTimeoutOption;
using ::testing::ElementsAre;
using testing::Rig;
using testing::RigConfig;

// RFC5482-3.3-2, 3.4-1.
TEST(UserTimeoutOption, SaysSecondsOrMinutes) {
  EXPECT_EQ(user_timeout_option(1s), (UserTimeoutOption{.minutes = false, .value = 1}));
  EXPECT_EQ(user_timeout_option(1ms), (UserTimeoutOption{.minutes = false, .value = 1}));
  EXPECT_EQ(user_timeout_option(32767s), (UserTimeoutOption{.minutes = false, .value = 32767}));
  EXPECT_EQ(user_timeout_option(32768s), (UserTimeoutOption{.minutes = true, .value = 547}));
  EXPECT_EQ(user_timeout_option(kLongestUserTimeout),
            (UserTimeoutOption{.minutes = true, .value = 32767}));
  EXPECT_EQ(duration_of({.minutes = true, .value = 2}), 2min);
  EXPECT_EQ(duration_of({.minutes = false, .value = 2}), 2s);
}

// RFC5482-3.1-2, 3-5, 3.1-4.
TEST(UserTimeoutOption, AdoptedBetweenTheLimits) {
  EXPECT_EQ(adopted_user_timeout(200s, 300s, 100s, 1h, 1s), 300s);
  EXPECT_EQ(adopted_user_timeout(300s, 200s, 100s, 1h, 1s), 300s);
  EXPECT_EQ(adopted_user_timeout(10s, 1s, 100s, 1h, 1s), 100s);
  EXPECT_EQ(adopted_user_timeout(10s, 2h, 100s, 1h, 1s), 1h);
  EXPECT_GT(adopted_user_timeout(10s, 1s, 100s, 1h, 240s), 240s);
}

RigConfig enabled(Duration advertised) {
  RigConfig config;
  config.options.advertised_user_timeout = advertised;
  return config;
}

// RFC5482-3-2: with the first segment that is no SYN, once.
TEST(UserTimeoutOption, GoesWithTheFirstSegment) {
  for (const bool passive : {false, true}) {
    RigConfig config = enabled(200s);
    config.passive = passive;
    Rig rig(config);
    rig.reach(State::kEstablished);
    if (passive) {
      rig.send(10);
      EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 1"));
    }
    EXPECT_EQ(rig.last_options().user_timeout, (UserTimeoutOption{.minutes = false, .value = 200}));
    rig.recv(". 1(100) ack 1");
    rig.sent();
    EXPECT_EQ(rig.last_options().user_timeout, std::nullopt);
  }
}

// It takes its place from the data beside it (RFC9293-MUST-16).
TEST(UserTimeoutOption, FullSegmentsLeaveRoom) {
  RigConfig config = enabled(200s);
  config.passive = true;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.send(2916);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(1456) ack 1", "P. 1457(1460) ack 1"));
}

TEST(UserTimeoutOption, OffUnlessAskedFor) {
  Rig rig;
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.last_options().user_timeout, std::nullopt);
  rig.recv(". 1(10) ack 1 uto 1000");  // RFC5482-3-4
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 11"));
  EXPECT_EQ(rig.status().user_timeout, 5min);
}

// RFC5482-3-3: again when it changes.
TEST(UserTimeoutOption, ChangedValueIsToldAgain) {
  Rig rig(enabled(200s));
  rig.reach(State::kEstablished);
  ConnectionOptions options = rig.connection()->options();
  options.advertised_user_timeout = 300s;
  ASSERT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  rig.send(10);
  rig.sent();
  EXPECT_EQ(rig.last_options().user_timeout, (UserTimeoutOption{.minutes = false, .value = 300}));
}

TEST(UserTimeoutOption, PeersWishIsAdopted) {
  Rig rig(enabled(200s));
  rig.reach(State::kEstablished);
  rig.recv(". 1(0) ack 1 uto 0");  // RFC5482-3.4-2
  EXPECT_EQ(rig.status().user_timeout, 5min);
  rig.send(10);
  rig.sent();
  rig.recv(". 1(0) ack 1 uto 150");
  EXPECT_EQ(rig.status().user_timeout, 200s) << "ours is longer";
  rig.recv(". 1(0) ack 1 uto 600");
  EXPECT_EQ(rig.status().user_timeout, 600s);
  rig.advance(599s);
  EXPECT_EQ(rig.state(), State::kEstablished);
  rig.advance(1s);
  EXPECT_EQ(rig.state(), State::kClosed);
}

// An option that the first check does not let in says nothing.
TEST(UserTimeoutOption, OnlyAcceptableSegmentsAreHeard) {
  Rig rig(enabled(200s));
  rig.reach(State::kEstablished);
  rig.recv(". 100000(0) ack 1 uto 600");
  EXPECT_EQ(rig.status().user_timeout, 5min);
}

// RFC5482-3-1, 3.1-1.
TEST(UserTimeoutOption, UsersOwnValueStands) {
  RigConfig config = enabled(200s);
  config.options.user_timeout_changeable = false;
  Rig fixed(config);
  fixed.reach(State::kEstablished);
  fixed.recv(". 1(0) ack 1 uto 600");
  EXPECT_EQ(fixed.status().user_timeout, 5min);

  Rig later(enabled(200s));
  later.reach(State::kEstablished);
  ConnectionOptions options = later.connection()->options();
  options.user_timeout = 150s;
  options.user_timeout_changeable = false;
  ASSERT_TRUE(later.connection()->set_options(later.now(), options).ok());
  later.recv(". 1(0) ack 1 uto 600");
  EXPECT_EQ(later.status().user_timeout, 150s);
}

// RFC5482-4.2-1.
TEST(UserTimeoutOption, KeepAliveWaitsLongerThanTheAgreedTimeout) {
  RigConfig config = enabled(200s);
  config.options.keepalive = true;
  config.options.keepalive_idle = 100s;
  Rig rig(config);
  rig.reach(State::kEstablished);
  rig.recv(". 1(0) ack 1 uto 600");
  EXPECT_THAT(rig.advance(600s), ::testing::IsEmpty());
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 . 0(0) ack 1"));
}

}  // namespace
}  // namespace tcproctor::tcp
