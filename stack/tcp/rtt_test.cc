// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/rtt.h"

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using namespace std::chrono_literals;

TEST(RttEstimator, FirstSample) {  // RFC6298-2.1-1, 2.2-1
  RttEstimator rtt(1s, 1s, 240s);
  EXPECT_EQ(rtt.rto(), Duration(1s));
  rtt.sample(2s);
  EXPECT_EQ(rtt.srtt(), Duration(2s));
  EXPECT_EQ(rtt.rttvar(), Duration(1s));
  EXPECT_EQ(rtt.rto(), Duration(6s));
}

TEST(RttEstimator, LaterSamplesUpdateTheVarianceFirst) {  // RFC6298-2.3-1
  RttEstimator rtt(1s, 1ms, 240s);
  rtt.sample(800ms);
  rtt.sample(1600ms);
  EXPECT_EQ(rtt.rttvar(), Duration(500ms));  // 3/4 * 400 + 1/4 * |800 - 1600|
  EXPECT_EQ(rtt.srtt(), Duration(900ms));
  EXPECT_EQ(rtt.rto(), Duration(2900ms));
}

TEST(RttEstimator, VarianceTermIsAtLeastTheGranularity) {  // RFC6298-4-1
  RttEstimator rtt(1s, 1ms, 240s);
  for (int i = 0; i < 200; ++i) rtt.sample(100ms);
  EXPECT_GE(rtt.rto(), Duration(101ms));
  EXPECT_LT(rtt.rto(), Duration(102ms));
}

TEST(RttEstimator, Bounds) {  // RFC6298-2.4-1, 2.5-1
  RttEstimator rtt(1s, 1s, 60s);
  rtt.sample(1ms);
  EXPECT_EQ(rtt.rto(), Duration(1s));
  rtt.sample(1h);
  EXPECT_EQ(rtt.rto(), Duration(60s));
}

TEST(RttEstimator, BacksOffUntilTheNextSample) {  // RFC6298-5.5-1
  RttEstimator rtt(1s, 1s, 60s);
  for (const Duration expected : {Duration(2s), Duration(4s), Duration(8s), Duration(16s),
                                  Duration(32s), Duration(60s), Duration(60s)}) {
    rtt.back_off();
    EXPECT_EQ(rtt.rto(), expected);
  }
  rtt.sample(500ms);
  EXPECT_EQ(rtt.rto(), Duration(1500ms));
}

TEST(RttEstimator, ThreeSecondsAfterALostSyn) {  // RFC6298-5.7-1
  RttEstimator rtt(1s, 1s, 60s);
  rtt.after_lost_syn();
  EXPECT_EQ(rtt.rto(), Duration(3s));
}

}  // namespace
}  // namespace tcproctor::tcp
