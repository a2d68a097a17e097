// SPDX-License-Identifier: Apache-2.0
// Deadlines of many connections, each of whose segments restarts its timer: our heap beside a
// hashed timing wheel (scheme 6 of Varghese and Lauck) that answers the same questions as exactly.
#include <benchmark/benchmark.h>

#include <array>
#include <bit>
#include <chrono>
#include <random>
#include <vector>

#include "stack/host/deadline_heap.h"
#include "stack/tcp/time.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using tcp::Duration;
using tcp::Instant;

// 4,096 buckets of 1 ms, each a list; later rounds wait in their bucket. The earliest is searched
// for when it is asked for and not known.
class Wheel {
 public:
  using Slot = uint32_t;
  explicit Wheel(size_t slots) : nodes_(slots), buckets_(kBuckets, kNone) {}

  bool empty() const { return size_ == 0; }

  void set(Slot slot, Instant time) {
    Node& node = nodes_[slot];
    if (node.linked) {
      if (node.time == time) return;
      unlink(slot);
    }
    node.time = time;
    node.order = next_order_++;
    const size_t bucket = bucket_of(time);
    node.next = buckets_[bucket];
    node.previous = kNone;
    if (node.next != kNone) nodes_[node.next].previous = slot;
    buckets_[bucket] = slot;
    occupied_[bucket / 64] |= uint64_t{1} << bucket % 64;
    node.linked = true;
    ++size_;
    if (top_ == kNone || earlier(slot, top_)) {
      if (top_ != kNone || size_ == 1) top_ = slot;
    }
  }

  void clear(Slot slot) {
    if (nodes_[slot].linked) unlink(slot);
  }

  Slot top_slot() {
    if (top_ == kNone) find_top();
    return top_;
  }
  Instant top_time() { return nodes_[top_slot()].time; }
  void advance(Instant now) { now_ = now; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kBuckets = 4096;
  struct Node {
    Instant time{};
    uint64_t order = 0;
    uint32_t next = kNone, previous = kNone;
    bool linked = false;
  };

  static int64_t tick(Instant time) { return time.time_since_epoch() / Duration(1ms); }
  static size_t bucket_of(Instant time) { return static_cast<size_t>(tick(time)) % kBuckets; }
  bool earlier(Slot a, Slot b) const {
    return nodes_[a].time != nodes_[b].time ? nodes_[a].time < nodes_[b].time
                                            : nodes_[a].order < nodes_[b].order;
  }

  void unlink(Slot slot) {
    Node& node = nodes_[slot];
    const size_t bucket = bucket_of(node.time);
    if (node.next != kNone) nodes_[node.next].previous = node.previous;
    if (node.previous != kNone) {
      nodes_[node.previous].next = node.next;
    } else {
      buckets_[bucket] = node.next;
      if (node.next == kNone) occupied_[bucket / 64] &= ~(uint64_t{1} << bucket % 64);
    }
    node.linked = false;
    --size_;
    if (top_ == slot) top_ = kNone;
  }

  void find_top() {
    const auto first = static_cast<size_t>(tick(now_));
    for (size_t i = 0; i <= kBuckets; ++i) {
      const size_t bucket = (first + i) % kBuckets;
      if ((occupied_[bucket / 64] >> bucket % 64 & 1) == 0) {
        if (bucket % 64 == 0 && occupied_[bucket / 64] == 0) i += 63;
        continue;
      }
      for (uint32_t slot = buckets_[bucket]; slot != kNone; slot = nodes_[slot].next) {
        if (tick(nodes_[slot].time) > tick(now_) + static_cast<int64_t>(kBuckets)) continue;
        if (top_ == kNone || earlier(slot, top_)) top_ = slot;
      }
      if (top_ != kNone) return;
    }
    for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
      if (nodes_[slot].linked && (top_ == kNone || earlier(slot, top_))) top_ = slot;
    }
  }

  std::vector<Node> nodes_;
  std::vector<uint32_t> buckets_;
  std::array<uint64_t, kBuckets / 64> occupied_{};
  size_t size_ = 0;
  uint64_t next_order_ = 0;
  uint32_t top_ = kNone;
  Instant now_{};
};

struct Heap : DeadlineHeap<Instant> {
  explicit Heap(size_t) {}
  void advance(Instant) {}
};

// Every microsecond a segment of a random connection restarts its timer of about a second, and the
// owner asks for the earliest, as the loop does. Few timers ever run out.
template <class Deadlines>
void restart(benchmark::State& state) {
  const auto connections = static_cast<uint32_t>(state.range(0));
  Deadlines deadlines(connections);
  std::mt19937 random(1);
  Instant now{};
  for (uint32_t i = 0; i < connections; ++i) {
    deadlines.set(i, now + 1s + Duration(random() % 1'000'000'000));
  }
  std::vector<uint32_t> slots(1 << 16);
  for (uint32_t& slot : slots) slot = static_cast<uint32_t>(random() % connections);
  size_t next = 0;
  for (auto _ : state) {
    now += 1us;
    deadlines.advance(now);
    const uint32_t slot = slots[next++ % slots.size()];
    deadlines.set(slot, now + 1s + Duration(slot % 1024 * 1000));
    while (deadlines.top_time() <= now) deadlines.set(deadlines.top_slot(), now + 1s);
    benchmark::DoNotOptimize(deadlines.top_time());
  }
}
BENCHMARK_TEMPLATE(restart, Heap)->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);
BENCHMARK_TEMPLATE(restart, Wheel)->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);

// A request and its answer: the timer is started and stopped.
template <class Deadlines>
void start_and_stop(benchmark::State& state) {
  const auto connections = static_cast<uint32_t>(state.range(0));
  Deadlines deadlines(connections);
  std::mt19937 random(1);
  Instant now{};
  for (uint32_t i = 0; i < connections; i += 2) {
    deadlines.set(i, now + 1s + Duration(random() % 1'000'000'000));
  }
  std::vector<uint32_t> slots(1 << 16);
  for (uint32_t& slot : slots) slot = static_cast<uint32_t>(random() % connections) | 1;
  size_t next = 0;
  for (auto _ : state) {
    now += 1us;
    deadlines.advance(now);
    const uint32_t slot = slots[next++ % slots.size()];
    deadlines.set(slot, now + 1s);
    benchmark::DoNotOptimize(deadlines.top_time());
    deadlines.clear(slot);
    while (deadlines.top_time() <= now) deadlines.set(deadlines.top_slot(), now + 1s);
    benchmark::DoNotOptimize(deadlines.top_time());
  }
}
BENCHMARK_TEMPLATE(start_and_stop, Heap)->Arg(100)->Arg(10'000)->Arg(100'000);
BENCHMARK_TEMPLATE(start_and_stop, Wheel)->Arg(100)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace tcproctor::host
