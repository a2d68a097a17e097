// SPDX-License-Identifier: Apache-2.0
#include "stack/run/scheduler.h"

#include <gtest/gtest.h>

#include <vector>

namespace tcproctor::run {
namespace {

using namespace std::chrono_literals;

TEST(VirtualScheduler, EachTaskSeesItsOwnTime) {
  VirtualScheduler scheduler;
  std::vector<tcp::Duration> seen;
  const auto note = [&] { seen.push_back(scheduler.now().time_since_epoch()); };
  scheduler.schedule(tcp::Instant(2h), note);
  scheduler.schedule(tcp::Instant(1s), [&] {
    note();
    scheduler.schedule(scheduler.now() + 75s, note);
  });
  scheduler.run_until(tcp::Instant(3h));
  EXPECT_EQ(seen, (std::vector<tcp::Duration>{1s, 76s, 2h}));
  EXPECT_EQ(scheduler.now(), tcp::Instant(3h));
}

TEST(VirtualScheduler, ClockDoesNotMoveByItself) {
  VirtualScheduler scheduler;
  bool ran = false;
  scheduler.schedule(tcp::Instant(1ms), [&] { ran = true; });
  EXPECT_FALSE(scheduler.run_next(tcp::Instant(999us)));
  EXPECT_EQ(scheduler.now(), tcp::Instant{});
  EXPECT_FALSE(ran);
  EXPECT_EQ(scheduler.next(), tcp::Instant(1ms));
}

TEST(VirtualScheduler, PastTimesRunAtPresent) {
  VirtualScheduler scheduler;
  scheduler.run_until(tcp::Instant(1s));
  tcp::Instant seen{};
  scheduler.schedule(tcp::Instant(1ms), [&] { seen = scheduler.now(); });
  EXPECT_TRUE(scheduler.run_next(tcp::Instant(1s)));
  EXPECT_EQ(seen, tcp::Instant(1s));
}

TEST(RealScheduler, FarFutureDoesNotOverflow) {
  auto loop = EventLoop::create();
  ASSERT_TRUE(loop.ok());
  RealScheduler scheduler(**loop);
  const TimerId id = scheduler.schedule(tcp::Instant::max(), [] { FAIL() << "292 years early"; });
  scheduler.schedule(scheduler.now() + 2ms, [&] { (*loop)->stop(); });
  (*loop)->run();
  EXPECT_TRUE(scheduler.cancel(id));
}

}  // namespace
}  // namespace tcproctor::run
