// SPDX-License-Identifier: Apache-2.0
// HyStart++ (RFC 9406): its rules one by one, and CUBIC with it on a path with a queue.
#include "stack/tcp/congestion/hystart.h"

#include <algorithm>
#include <deque>

#include "gtest/gtest.h"
#include "stack/tcp/congestion/cubic.h"

namespace tcproctor::tcp {
namespace hystart_test {

using namespace std::chrono_literals;

constexpr uint32_t kSmss = 1000;

// Rounds of `acks` ACKs of one segment each.
class Rounds {
 public:
  explicit Rounds(HyStart& hystart) : hystart_(hystart) {}
  // True: congestion avoidance begins.
  bool round(Duration rtt, uint32_t acks = 10) {
    const SeqNum end = una_ + acks * kSmss;
    bool done = false;
    while (una_ != end) {
      una_ += kSmss;
      done |= hystart_.on_ack({.acked = kSmss, .rtt = rtt, .una = una_, .snd_nxt = end});
    }
    return done;
  }

 private:
  HyStart& hystart_;
  SeqNum una_{0xFFFFF000};
};

// The first ACK begins the first round with what is in flight then.
HyStart after_first_round(Duration rtt) {
  HyStart hystart;
  Rounds(hystart).round(rtt);
  return hystart;
}

bool suspects(Duration before, Duration now, uint32_t acks = 10) {
  HyStart hystart;
  Rounds rounds(hystart);
  rounds.round(before);
  rounds.round(now, acks);
  return hystart.in_css();
}

TEST(HyStart, Thresholds) {  // RFC9406-4.3-1: an eighth of the RTT, 4 to 16 ms
  EXPECT_FALSE(suspects(10ms, 13999us));
  EXPECT_TRUE(suspects(10ms, 14ms));
  EXPECT_FALSE(suspects(80ms, 89999us));
  EXPECT_TRUE(suspects(80ms, 90ms));
  EXPECT_FALSE(suspects(400ms, 415ms));
  EXPECT_TRUE(suspects(400ms, 416ms));
  EXPECT_FALSE(suspects(100ms, 50ms));
}

TEST(HyStart, EightSamplesAreNeeded) {
  EXPECT_FALSE(suspects(100ms, 200ms, 7));
  EXPECT_TRUE(suspects(100ms, 200ms, 8));
  EXPECT_FALSE(suspects(0ms, 200ms));  // no sample in the round before
}

TEST(HyStart, GrowsAQuarterAsFastInCss) {  // RFC9406-4.3-2; L: RFC9406-4.3-1
  HyStart hystart = after_first_round(100ms);
  EXPECT_EQ(hystart.growth(kSmss, kSmss), kSmss);
  EXPECT_EQ(hystart.growth(100 * kSmss, kSmss), 8 * kSmss);
  Rounds(hystart).round(200ms);
  ASSERT_TRUE(hystart.in_css());
  EXPECT_EQ(hystart.growth(kSmss, kSmss), kSmss / 4);
  EXPECT_EQ(hystart.growth(100 * kSmss, kSmss), 2 * kSmss);
  uint32_t sum = 0;
  for (int i = 0; i < 1000; ++i) sum += hystart.growth(1, kSmss);  // ACK division loses nothing
  EXPECT_EQ(sum, 250u);
}

TEST(HyStart, FiveRoundsOfCss) {  // RFC9406-4.2-3
  HyStart hystart;
  Rounds rounds(hystart);
  rounds.round(100ms);
  EXPECT_FALSE(rounds.round(200ms));  // CSS begins in it: the first
  for (int i = 2; i <= 4; ++i) EXPECT_FALSE(rounds.round(200ms)) << i;
  EXPECT_TRUE(rounds.round(200ms));
}

TEST(HyStart, ShorterRoundTripEndsCss) {  // RFC9406-4.2-1
  HyStart hystart;
  Rounds rounds(hystart);
  rounds.round(100ms);
  rounds.round(200ms);
  rounds.round(200ms);
  ASSERT_TRUE(hystart.in_css());
  EXPECT_FALSE(rounds.round(199ms));
  EXPECT_FALSE(hystart.in_css());
  // The count begins anew.
  rounds.round(300ms);
  ASSERT_TRUE(hystart.in_css());
  for (int i = 2; i <= 4; ++i) EXPECT_FALSE(rounds.round(300ms)) << i;
  EXPECT_TRUE(rounds.round(300ms));
}

// A bottleneck of one segment each millisecond behind 50 ms of wire: 50 segments fill the path.
struct Result {
  bool lost = false;
  uint32_t segments = 0;  // cwnd when slow start ended
};
Result slow_start_into(uint32_t queue_segments, bool hystart) {
  constexpr Duration kWire = 50ms;
  constexpr Duration kService = 1ms;
  Cubic cubic(hystart);
  cubic.start({.smss = kSmss, .initial_window = InitialWindow::kRfc6928});
  struct Segment {
    Instant sent;
    Instant acknowledged;
  };
  std::deque<Segment> flight;
  Instant now(1h);
  Instant idle_from = now;  // the bottleneck has nothing to do from here on
  SeqNum una(1);
  for (;;) {
    while ((flight.size() + 1) * kSmss <= cubic.cwnd()) {
      idle_from = std::max(idle_from, now) + kService;
      if (idle_from - now > queue_segments * kService) return {true, cubic.cwnd() / kSmss};
      flight.push_back({now, idle_from + kWire});
    }
    const auto outstanding = static_cast<uint32_t>(flight.size()) * kSmss;
    const SeqNum snd_nxt = una + outstanding;
    now = flight.front().acknowledged;
    const Duration rtt = now - flight.front().sent;
    flight.pop_front();
    una += kSmss;
    cubic.on_ack({.now = now,
                  .acked = kSmss,
                  .flight_before = outstanding,
                  .rtt = rtt,
                  .srtt = rtt,
                  .cwnd_limited = true,
                  .una = una,
                  .snd_nxt = snd_nxt});
    if (!cubic.in_slow_start()) return {false, cubic.cwnd() / kSmss};
  }
}

// The round trip is seen to grow one round after the path is full; the five rounds of CSS then grow
// the window threefold at most. Doubling goes on until something is lost.
TEST(HyStart, LeavesSlowStartBeforeTheQueueOverflows) {
  const Result without = slow_start_into(600, false);
  EXPECT_TRUE(without.lost);
  EXPECT_GT(without.segments, 640u);
  const Result with = slow_start_into(600, true);
  EXPECT_FALSE(with.lost);
  EXPECT_GE(with.segments, 100u);
  EXPECT_LT(with.segments, 560u);
}

TEST(HyStart, OnlyTheFirstSlowStart) {  // RFC9406-4.3-4
  Cubic cubic(true);
  cubic.start({.smss = kSmss});
  const auto stretch = [&cubic] {
    cubic.on_ack({.now = Instant(1h), .acked = 20 * kSmss, .cwnd_limited = true});
  };
  const uint32_t first = cubic.cwnd();
  stretch();
  EXPECT_EQ(cubic.cwnd(), first + 8 * kSmss);
  cubic.on_timeout(Instant(1h), 100 * kSmss, true);
  stretch();
  EXPECT_EQ(cubic.cwnd(), 2 * kSmss);
}

}  // namespace hystart_test
}  // namespace tcproctor::tcp
