// SPDX-License-Identifier: Apache-2.0
#include "stack/run/event_loop.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "stack/run/loop_pool.h"

namespace tcproctor::run {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<EventLoop> make_loop() {
  auto loop = EventLoop::create();
  EXPECT_TRUE(loop.ok()) << loop.status();
  return *std::move(loop);
}

size_t open_descriptors() {
  size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

TEST(EventLoop, PostedTasksRunInOrderInTheLoopsThread) {
  auto loop = make_loop();
  std::thread thread([&] { loop->run(); });
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(loop->post([&, i] {
      EXPECT_TRUE(loop->in_loop_thread());
      order.push_back(i);
    }));
  }
  EXPECT_FALSE(loop->in_loop_thread());
  loop->stop();
  thread.join();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(EventLoop, BusyPollingServesTimersDescriptorsAndPosts) {
  auto loop = make_loop();
  loop->set_busy_poll(true);
  std::array<int, 2> pair;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  std::vector<char> order;
  ASSERT_TRUE(loop->watch(pair[0], {.readable = true},
                          [&](Readiness) {
                            order.push_back('r');
                            loop->unwatch(pair[0]);
                            loop->schedule(steady_now() + 20ms, [&] {
                              order.push_back('t');
                              loop->stop();
                            });
                          })
                  .ok());
  ASSERT_TRUE(loop->post([&] {
    order.push_back('p');
    EXPECT_EQ(write(pair[1], "x", 1), 1);
  }));
  const SteadyTime start = steady_now();
  loop->run();
  EXPECT_EQ(order, (std::vector<char>{'p', 'r', 't'}));
  EXPECT_GE(steady_now() - start, 20ms);
  close(pair[0]);
  close(pair[1]);
}

TEST(EventLoop, EveryAcceptedPostRunsAndNoneAfterStop) {
  auto loop = make_loop();
  std::atomic<int> accepted{0};
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (loop->post([&] { ++ran; })) ++accepted;
    });
  }
  loop->schedule(steady_now() + 20ms, [&] { loop->stop(); });
  loop->run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted.load(), ran.load());
  EXPECT_GT(accepted.load(), 0);
  EXPECT_FALSE(loop->post([] { FAIL() << "posted after stop"; }));
}

TEST(EventLoop, TimersAreNeverEarlyAndSoonAfter) {
  auto loop = make_loop();
  const SteadyTime start = steady_now();
  std::vector<std::chrono::nanoseconds> lateness;
  for (int i = 1; i <= 20; ++i) {
    const SteadyTime when = start + i * 2ms;
    loop->schedule(when, [&, when] {
      const auto late = steady_now() - when;
      EXPECT_GE(late.count(), 0);
      lateness.push_back(late);
    });
  }
  loop->schedule(start + 45ms, [&] { loop->stop(); });
  loop->run();
  ASSERT_EQ(lateness.size(), 20u);
  // The machine may be busy: the best half shows the precision of the mechanism.
  std::sort(lateness.begin(), lateness.end());
  EXPECT_LT(lateness[10], 1ms);
}

TEST(EventLoop, EarlierTimerScheduledLaterFiresFirst) {
  auto loop = make_loop();
  bool fired = false;
  const TimerId far = loop->schedule(steady_now() + 1h, [] { FAIL(); });
  loop->schedule(steady_now() + 1ms, [&] {
    loop->schedule(steady_now() + 1ms, [&] {
      fired = true;
      loop->stop();
    });
  });
  loop->run();
  EXPECT_TRUE(fired);
  EXPECT_TRUE(loop->cancel(far));
}

TEST(EventLoop, IdleLoopSleeps) {
  auto loop = make_loop();
  loop->schedule(steady_now() + 200ms, [&] { loop->stop(); });
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  loop->run();
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  const auto us = [](const timeval& tv) { return tv.tv_sec * 1'000'000 + tv.tv_usec; };
  EXPECT_LT(us(after.ru_utime) - us(before.ru_utime) + us(after.ru_stime) - us(before.ru_stime),
            50'000);
}

TEST(EventLoop, WatchesReadableWritableAndHangUp) {
  auto loop = make_loop();
  std::array<int, 2> pair{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()), 0);
  int writable = 0;
  std::string text;
  ASSERT_TRUE(loop->watch(pair[0], {.readable = true, .writable = true},
                          [&](Readiness ready) {
                            if (ready.writable) {
                              ++writable;
                              ASSERT_TRUE(loop->change_watch(pair[0], {.readable = true}).ok());
                              EXPECT_EQ(write(pair[1], "abc", 3), 3);
                              return;
                            }
                            EXPECT_TRUE(ready.readable);
                            std::array<char, 8> buffer{};
                            const ssize_t got = read(pair[0], buffer.data(), buffer.size());
                            if (got > 0) {
                              text.append(buffer.data(), static_cast<size_t>(got));
                              close(pair[1]);
                              return;
                            }
                            EXPECT_TRUE(ready.error);
                            loop->unwatch(pair[0]);  // from within its own callback
                            close(pair[0]);
                            loop->stop();
                          })
                  .ok());
  EXPECT_EQ(loop->watch(pair[0], {}, [](Readiness) {}).code(), absl::StatusCode::kAlreadyExists);
  loop->run();
  EXPECT_EQ(writable, 1);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(loop->change_watch(pair[0], {}).code(), absl::StatusCode::kNotFound);
}

TEST(EventLoop, BadDescriptorIsRefused) {
  auto loop = make_loop();
  EXPECT_EQ(loop->watch(-1, {.readable = true}, [](Readiness) {}).code(),
            absl::StatusCode::kInvalidArgument);
}

// Two descriptors are ready in one round; the first callback ends the second watch.
TEST(EventLoop, WatchEndedByAnotherCallbackOfTheSameRoundIsNotCalled) {
  auto loop = make_loop();
  std::array<int, 2> a{};
  std::array<int, 2> b{};
  ASSERT_EQ(pipe(a.data()), 0);
  ASSERT_EQ(pipe(b.data()), 0);
  ASSERT_EQ(write(a[1], "x", 1), 1);
  ASSERT_EQ(write(b[1], "x", 1), 1);
  int calls = 0;
  const auto callback = [&](int other) {
    return [&, other](Readiness) {
      ++calls;
      loop->unwatch(other);
      loop->stop();
    };
  };
  ASSERT_TRUE(loop->watch(a[0], {.readable = true}, callback(b[0])).ok());
  ASSERT_TRUE(loop->watch(b[0], {.readable = true}, callback(a[0])).ok());
  loop->run();
  EXPECT_EQ(calls, 1);
  for (const int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

TEST(EventLoop, DestructionDropsWhatNeverRanAndLeaksNoDescriptor) {
  const size_t before = open_descriptors();
  auto token = std::make_shared<int>(0);
  {
    auto loop = make_loop();
    loop->schedule(steady_now() + 1h, [token] {});
    loop->post([token] {});
    EXPECT_EQ(token.use_count(), 3);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(LoopPool, DealsOutLoopsInTurnAndStops) {
  auto pool = LoopPool::create(3);
  ASSERT_TRUE(pool.ok());
  EXPECT_EQ(&(*pool)->assign(), &(*pool)->loop(0));
  EXPECT_EQ(&(*pool)->assign(), &(*pool)->loop(1));
  EXPECT_EQ(&(*pool)->assign(), &(*pool)->loop(2));
  EXPECT_EQ(&(*pool)->assign(), &(*pool)->loop(0));
  std::atomic<int> ran{0};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*pool)->loop(i).post([&] { ++ran; }));
  }
  (*pool)->stop();
  EXPECT_EQ(ran.load(), 3);
  EXPECT_FALSE((*pool)->loop(0).post([] {}));
}

TEST(LoopPool, TooManyLoopsAreRefused) {
  const auto pool = LoopPool::create(257);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tcproctor::run
