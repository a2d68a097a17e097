// SPDX-License-Identifier: Apache-2.0
#include "stack/run/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace tcproctor::run {
namespace {

using namespace std::chrono_literals;

tcp::Instant at(tcp::Duration since) {
  return tcp::Instant(since);
}

TEST(TimerQueue, RunsInOrderOfTimeAndThenOfScheduling) {
  TimerQueue<tcp::Instant> queue;
  std::vector<int> order;
  queue.schedule(at(20ms), [&] { order.push_back(3); });
  queue.schedule(at(10ms), [&] { order.push_back(1); });
  queue.schedule(at(10ms), [&] { order.push_back(2); });
  EXPECT_EQ(queue.next(), at(10ms));
  EXPECT_FALSE(queue.run_one(at(9ms)));
  while (queue.run_one(at(20ms))) {
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(queue.next().has_value());
}

TEST(TimerQueue, CancelledTaskIsDestroyedAndDoesNotRun) {
  TimerQueue<tcp::Instant> queue;
  auto token = std::make_shared<int>(0);
  const TimerId id = queue.schedule(at(1ms), [token] { ++*token; });
  EXPECT_EQ(token.use_count(), 2);
  EXPECT_TRUE(queue.cancel(id));
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(queue.cancel(id));
  EXPECT_FALSE(queue.run_one(at(1h)));
}

TEST(TimerQueue, StaleIdDoesNotCancelTheSlotsNextTask) {
  TimerQueue<tcp::Instant> queue;
  const TimerId first = queue.schedule(at(1ms), [] {});
  EXPECT_TRUE(queue.run_one(at(1ms)));
  bool ran = false;
  queue.schedule(at(2ms), [&] { ran = true; });
  EXPECT_FALSE(queue.cancel(first));
  EXPECT_TRUE(queue.run_one(at(2ms)));
  EXPECT_TRUE(ran);
}

TEST(TimerQueue, TaskMayScheduleAndCancelWhileItRuns) {
  TimerQueue<tcp::Instant> queue;
  int runs = 0;
  TimerId other = 0;
  queue.schedule(at(1ms), [&] {
    EXPECT_TRUE(queue.cancel(other));
    for (int i = 0; i < 100; ++i) queue.schedule(at(2ms), [&] { ++runs; });
  });
  other = queue.schedule(at(1ms), [&] { FAIL() << "was cancelled"; });
  while (queue.run_one(at(2ms))) {
  }
  EXPECT_EQ(runs, 100);
}

// Against a sorted map, which is slow and obviously right.
TEST(TimerQueue, AgreesWithAModelOverRandomOperations) {
  constexpr uint32_t kSeed = 20251120;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  TimerQueue<tcp::Instant> queue;
  std::map<std::pair<tcp::Instant, int>, TimerId> model;
  std::vector<int> ran;
  int next_label = 0;
  tcp::Instant now{};
  for (int step = 0; step < 20000; ++step) {
    const auto choice = random() % 10;
    if (choice < 5) {
      const tcp::Instant when = now + tcp::Duration(random() % 50);
      const int label = next_label++;
      model[{when, label}] = queue.schedule(when, [&ran, label] { ran.push_back(label); });
    } else if (choice < 7 && !model.empty()) {
      auto it = std::next(model.begin(), static_cast<long>(random() % model.size()));
      EXPECT_TRUE(queue.cancel(it->second));
      model.erase(it);
    } else {
      now += tcp::Duration(random() % 20);
      std::vector<int> expected;
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->first.second);
        model.erase(model.begin());
      }
      ran.clear();
      while (queue.run_one(now)) {
      }
      ASSERT_EQ(ran, expected) << "step " << step;
    }
    ASSERT_EQ(queue.size(), model.size());
  }
}

}  // namespace
}  // namespace tcproctor::run
