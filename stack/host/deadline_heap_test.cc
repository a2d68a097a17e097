// SPDX-License-Identifier: Apache-2.0
#include "stack/host/deadline_heap.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <vector>

#include "stack/tcp/time.h"

namespace tcproctor::host {
namespace deadline_heap_test {

using namespace std::chrono_literals;
using Heap = DeadlineHeap<tcp::Instant>;

tcp::Instant at(tcp::Duration since) {
  return tcp::Instant(since);
}

TEST(DeadlineHeap, TopIsExactWhenItWasMovedLater) {
  Heap heap;
  heap.set(0, at(1s));
  heap.set(1, at(2s));
  heap.set(0, at(3s));
  EXPECT_EQ(heap.top_slot(), 1u);
  EXPECT_EQ(heap.top_time(), at(2s));
  EXPECT_EQ(heap.time_of(0), at(3s));
  heap.clear(1);
  EXPECT_EQ(heap.top_time(), at(3s));
}

TEST(DeadlineHeap, EqualTimesKeepTheOrderInWhichTheyWereSet) {
  Heap heap;
  heap.set(0, at(5ms));
  heap.set(1, at(9ms));
  heap.set(2, at(9ms));
  heap.set(0, at(9ms));  // after the others now
  heap.set(1, at(9ms));  // the same again: keeps its place
  std::vector<uint32_t> order;
  while (!heap.empty()) {
    order.push_back(heap.top_slot());
    heap.clear(heap.top_slot());
  }
  EXPECT_EQ(order, (std::vector<uint32_t>{1, 2, 0}));
}

// Against a sorted map, which is slow and obviously right: deadlines move both ways, mostly later.
TEST(DeadlineHeap, AgreesWithAModelOverRandomMoves) {
  constexpr uint32_t kSlots = 60;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Heap heap;
    std::map<std::pair<tcp::Instant, uint64_t>, uint32_t> model;
    std::map<uint32_t, std::pair<tcp::Instant, uint64_t>> keys;
    tcp::Instant now{};
    uint64_t order = 0;
    for (int step = 0; step < 5000; ++step) {
      const auto slot = static_cast<uint32_t>(random() % kSlots);
      const auto choice = random() % 10;
      if (choice < 7) {
        const tcp::Instant time = now + tcp::Duration(random() % (choice < 2 ? 20 : 200));
        heap.set(slot, time);
        if (const auto it = keys.find(slot); it == keys.end() || it->second.first != time) {
          if (it != keys.end()) model.erase(it->second);
          keys[slot] = {time, order++};
          model[keys[slot]] = slot;
        }
      } else if (choice < 8) {
        heap.clear(slot);
        if (const auto it = keys.find(slot); it != keys.end()) {
          model.erase(it->second);
          keys.erase(it);
        }
      } else {
        now += tcp::Duration(random() % 30);
        while (!heap.empty() && heap.top_time() <= now) {
          ASSERT_EQ(heap.top_slot(), model.begin()->second);
          keys.erase(heap.top_slot());
          model.erase(model.begin());
          heap.clear(heap.top_slot());
        }
      }
      ASSERT_EQ(heap.size(), model.size());
      ASSERT_EQ(heap.has(slot), keys.contains(slot));
      if (model.empty()) continue;
      ASSERT_EQ(heap.top_time(), model.begin()->first.first) << "step " << step;
      ASSERT_EQ(heap.top_slot(), model.begin()->second) << "step " << step;
    }
  }
}

}  // namespace deadline_heap_test
}  // namespace tcproctor::host
