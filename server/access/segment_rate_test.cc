// SPDX-License-Identifier: Apache-2.0
#include "server/access/segment_rate.h"

#include <gtest/gtest.h>

namespace tcproctor::server {
namespace {

using std::chrono::milliseconds;

TEST(SegmentRate, ASecondsWorthMayComeAtOnce) {
  SegmentRate rate(1000);
  const run::SteadyTime now(std::chrono::hours(1));
  EXPECT_TRUE(rate.take(now, 400, 400));
  EXPECT_TRUE(rate.take(now, 600, 600));
  EXPECT_FALSE(rate.take(now, 1, 1));
  EXPECT_FALSE(rate.take(now + milliseconds(100), 101, 101));
  EXPECT_TRUE(rate.take(now + milliseconds(100), 100, 100));
}

TEST(SegmentRate, SilenceIsNotSavedForLater) {
  SegmentRate rate(1000);
  const run::SteadyTime now(std::chrono::hours(1));
  EXPECT_TRUE(rate.take(now, 1, 1));
  EXPECT_FALSE(rate.take(now + std::chrono::hours(1), 1001, 1001));
  EXPECT_TRUE(rate.take(now + std::chrono::hours(1), 1000, 1000));
}

TEST(SegmentRate, WhatIsTakenInAdvanceIsMissedByTheNext) {
  SegmentRate rate(1000);
  const run::SteadyTime now(std::chrono::hours(1));
  EXPECT_TRUE(rate.take(now, 3000, 1));  // spread over three seconds
  EXPECT_FALSE(rate.take(now + milliseconds(1999), 1, 1));
  EXPECT_FALSE(rate.take(now + milliseconds(2000), 1, 1));
  EXPECT_TRUE(rate.take(now + milliseconds(2002), 1, 1));
}

TEST(SegmentRate, WhatIsRefusedTakesNothing) {
  SegmentRate rate(10);
  const run::SteadyTime now(std::chrono::hours(1));
  EXPECT_FALSE(rate.take(now, 11, 11));
  EXPECT_TRUE(rate.take(now, 10, 10));
}

}  // namespace
}  // namespace tcproctor::server
