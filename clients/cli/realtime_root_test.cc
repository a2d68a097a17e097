// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/realtime.h"

#include <sched.h>

#include <thread>

#include <gtest/gtest.h>

namespace tcproctor::cli {
namespace {

int policy_of_a_new_thread() {
  int policy = -1;
  std::thread([&policy] { policy = sched_getscheduler(0); }).join();
  return policy;
}

TEST(RealTimeTest, HoldsForThreadsMadeMeanwhileAndEnds) {
  ASSERT_EQ(sched_getscheduler(0), SCHED_OTHER);
  {
    const RealTime realtime(true);
    ASSERT_TRUE(realtime.status().ok()) << realtime.status();
    EXPECT_EQ(sched_getscheduler(0), SCHED_RR);
    EXPECT_EQ(policy_of_a_new_thread(), SCHED_RR);
  }
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

TEST(RealTimeTest, CanBeDeclined) {
  const RealTime realtime(false);
  EXPECT_TRUE(realtime.status().ok());
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace tcproctor::cli
