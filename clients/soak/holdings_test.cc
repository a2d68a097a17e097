// SPDX-License-Identifier: Apache-2.0
#include "clients/soak/holdings.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "clients/soak/gate.h"

namespace tcproctor::soak {
namespace {

TEST(Holdings, DescriptorsAreCountedAndNamespacesOnce) {
  const Holdings before = *holdings_of(getpid());
  EXPECT_EQ(before.namespaces, 0u);
  EXPECT_GT(before.resident_kib, 1000u);
  const int first = open("/proc/self/ns/net", O_RDONLY);
  const int again = open("/proc/self/ns/net", O_RDONLY);
  const int other = open("/dev/null", O_RDONLY);
  const Holdings after = *holdings_of(getpid());
  EXPECT_EQ(after.descriptors, before.descriptors + 3);
  EXPECT_EQ(after.namespaces, 1u);
  for (const int fd : {first, again, other}) close(fd);
  EXPECT_EQ(holdings_of(getpid())->descriptors, before.descriptors);
}

TEST(Holdings, AProcessThatIsNotThereIsSaid) {
  EXPECT_EQ(holdings_of(0x7FFFFFFF).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Gate, NobodyIsBetweenTwoStepsWhileItIsShut) {
  constexpr int kThreads = 4;
  Gate gate(kThreads);
  std::atomic<int> between = 0;
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      // One of them ends early.
      for (int step = 0; !over && (i > 0 || step < 10); ++step) {
        ++between;
        std::this_thread::yield();
        --between;
        gate.pass();
      }
      gate.leave();
    });
  }
  for (int round = 0; round < 100; ++round) {
    gate.shut();
    EXPECT_EQ(between, 0);
    gate.open();
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tcproctor::soak
