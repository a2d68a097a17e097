// SPDX-License-Identifier: Apache-2.0
// CUBIC against the formulas of RFC 9438.
#include "stack/tcp/congestion/cubic.h"

#include <cmath>

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kSmss = 1000;

double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// A sender that always fills its window and whose every segment has its ACK.
class Path {
 public:
  Path(Cubic& cubic, Duration rtt) : cubic_(cubic), rtt_(rtt) {}

  void ack(bool limited = true) {
    cubic_.on_ack({.now = now_,
                   .acked = kSmss,
                   .flight_before = cubic_.cwnd(),
                   .srtt = rtt_,
                   .cwnd_limited = limited});
  }
  // One window of ACKs, evenly spread over a round trip.
  void round(bool limited = true) {
    const uint32_t segments = cubic_.cwnd() / kSmss;
    const Instant start = now_;
    for (uint32_t i = 0; i < segments; ++i) {
      now_ = start + rtt_ * i / segments;
      ack(limited);
    }
    now_ = start + rtt_;
  }
  void run(Duration duration) {
    for (const Instant end = now_ + duration; now_ < end;) round();
  }
  // A loss at a window of `segments`, repaired within a round trip.
  void lose_at(uint32_t segments) {
    cubic_.enter_recovery(now_, segments * kSmss);
    now_ += rtt_;
    cubic_.leave_recovery(now_, 1u << 30);
  }
  void pass(Duration duration) { now_ += duration; }
  Instant now() const { return now_; }

 private:
  Cubic& cubic_;
  Duration rtt_;
  Instant now_{1h};
};

// Slow start to `segments`, without HyStart++.
void grow_to(Cubic& cubic, Path& path, uint32_t segments) {
  cubic.start({.smss = kSmss, .initial_window = InitialWindow::kRfc6928});
  while (cubic.cwnd() < segments * kSmss) path.ack();
}

TEST(Cubic, Formulas) {  // RFC 9438 Figures 1 and 2, §4.3
  EXPECT_DOUBLE_EQ(Cubic::kAlpha, 9.0 / 17.0);
  // W_max 10 segments, cwnd_epoch 7: K = cbrt(3 / 0.4).
  const double k = Cubic::time_to(10 * kSmss, 7 * kSmss, kSmss);
  EXPECT_NEAR(k, std::cbrt(7.5), 1e-12);
  EXPECT_NEAR(Cubic::window_at(0, k, 10 * kSmss, kSmss), 7 * kSmss, 1e-6);
  EXPECT_DOUBLE_EQ(Cubic::window_at(k, k, 10 * kSmss, kSmss), 10 * kSmss);
  EXPECT_NEAR(Cubic::window_at(k + 1, k, 10 * kSmss, kSmss), 10.4 * kSmss, 1e-6);
  EXPECT_NEAR(Cubic::window_at(2 * k, k, 10 * kSmss, kSmss), 13 * kSmss, 1e-6);
  // Above W_max already: K is negative, and the function still begins at cwnd_epoch.
  const double negative = Cubic::time_to(7 * kSmss, 10 * kSmss, kSmss);
  EXPECT_NEAR(negative, -std::cbrt(7.5), 1e-12);
  EXPECT_EQ(Cubic::time_to(7 * kSmss, 7 * kSmss, kSmss), 0.0);
  for (double value = 1e-6; value < 1e9; value *= 3.7) {  // the cube root, at many scales
    const auto octets = static_cast<uint32_t>(value);
    EXPECT_NEAR(Cubic::time_to(octets, 0, 1), std::cbrt(octets / 0.4), 1e-9 * (1 + octets));
  }
}

TEST(Cubic, ReducesByBeta) {  // RFC9438-4.6-1
  Cubic cubic(false);
  Path path(cubic, 100ms);
  grow_to(cubic, path, 20);
  cubic.enter_recovery(path.now(), 20 * kSmss);
  EXPECT_EQ(cubic.ssthresh(), 14 * kSmss);
  EXPECT_EQ(cubic.w_max(), 20 * kSmss);
  cubic.leave_recovery(path.now(), 1u << 30);
  EXPECT_EQ(cubic.cwnd(), 14 * kSmss);
  cubic.enter_recovery(path.now(), kSmss);
  EXPECT_EQ(cubic.ssthresh(), 2 * kSmss);  // after a loss not less than two segments
  cubic.leave_recovery(path.now(), 1u << 30);
  cubic.on_ecn_echo(path.now(), kSmss);  // after a mark it may be one: RFC 9438 §4.6
  EXPECT_EQ(cubic.cwnd(), kSmss);
  EXPECT_EQ(cubic.ssthresh(), 2 * kSmss);
}

// RFC9438-4.2-2, 4.4-1, 4.5-1: in a network of a large bandwidth-delay product the window follows
// the function, concave below W_max and convex above.
TEST(Cubic, FollowsTheCubicFunction) {
  constexpr uint32_t kSegments = 1000;
  constexpr Duration kRtt = 100ms;
  Cubic cubic(false);
  Path path(cubic, kRtt);
  grow_to(cubic, path, kSegments);
  path.lose_at(kSegments);
  ASSERT_EQ(cubic.cwnd(), 700 * kSmss);
  const double k = std::cbrt(300 / 0.4);  // 9.09 s
  const Instant epoch = path.now();
  while (path.now() < epoch + 14s) {
    path.round();
    const double t = to_seconds(path.now() - epoch);
    const double expected = (0.4 * std::pow(t - k, 3) + kSegments) * kSmss;
    EXPECT_NEAR(cubic.cwnd(), expected, 0.015 * expected) << "at " << t << " s";
  }
  EXPECT_GT(cubic.cwnd(), 1040 * kSmss);  // beyond the plateau
}

TEST(Cubic, GrowsByHalfAtMostInARoundTrip) {  // RFC9438-4.2-2
  Cubic cubic(false);
  Path path(cubic, 4s);
  grow_to(cubic, path, 100);
  path.lose_at(100);
  for (int i = 0; i < 12; ++i) {
    const uint32_t before = cubic.cwnd();
    path.round();
    EXPECT_LE(cubic.cwnd(), before + before / 2 + kSmss);
  }
  EXPECT_GT(cubic.cwnd(), 1000 * kSmss);
}

// RFC9438-4.3-1, 4.3-2: with a small product it grows like Reno's AIMD(9/17, 0.7), and when it is
// back where it was, by a segment for each round trip.
TEST(Cubic, RenoFriendlyRegion) {
  Cubic cubic(false);
  Path path(cubic, 10ms);
  grow_to(cubic, path, 40);
  path.lose_at(40);
  ASSERT_EQ(cubic.cwnd(), 28 * kSmss);
  uint32_t rounds = 0;
  for (; cubic.cwnd() < 40 * kSmss; ++rounds) path.round();
  EXPECT_NEAR(rounds, 12 * 17.0 / 9.0, 1.5);  // 22.7
  const uint32_t before = cubic.cwnd();
  for (int i = 0; i < 10; ++i) path.round();
  EXPECT_NEAR(cubic.cwnd() - before, 10.0 * kSmss, 0.6 * kSmss);
}

TEST(Cubic, AckDivisionAndStretchAcksGrowAlike) {
  Cubic small(false);
  Cubic large(false);
  for (Cubic* cubic : {&small, &large}) {
    cubic->start({.smss = kSmss});
    cubic->enter_recovery(Instant(1h), 100 * kSmss);
    cubic->leave_recovery(Instant(1h), 1u << 30);
  }
  for (int second = 1; second < 8; ++second) {
    const auto ack = [second](Cubic& cubic, uint32_t octets) {
      cubic.on_ack({.now = Instant(1h) + std::chrono::seconds(second),
                    .acked = octets,
                    .flight_before = cubic.cwnd(),
                    .srtt = 1s,
                    .cwnd_limited = true});
    };
    for (int i = 0; i < 350; ++i) ack(small, 200);
    for (int i = 0; i < 7; ++i) ack(large, 10000);
  }
  EXPECT_GT(small.cwnd(), 80 * kSmss);
  EXPECT_NEAR(small.cwnd(), large.cwnd(), 0.05 * large.cwnd());
}

TEST(Cubic, FastConvergence) {  // RFC9438-4.7-1
  Cubic cubic(false);
  Path path(cubic, 100ms);
  grow_to(cubic, path, 100);
  path.lose_at(100);
  EXPECT_EQ(cubic.w_max(), 100 * kSmss);
  EXPECT_EQ(cubic.cwnd(), 70 * kSmss);
  path.lose_at(70);                  // below the last W_max: somebody else needs room
  EXPECT_EQ(cubic.w_max(), 59500u);  // 70000 * (1 + 0.7) / 2
  EXPECT_EQ(cubic.cwnd(), 49 * kSmss);
  for (int i = 0; i < 3000 && cubic.cwnd() < 60 * kSmss; ++i) path.round();
  const uint32_t window = cubic.cwnd();
  path.lose_at(window / kSmss);
  EXPECT_EQ(cubic.w_max(), window);  // above it: as it is
}

TEST(Cubic, Timeout) {  // RFC9438-4.8-1
  Cubic cubic(false);
  Path path(cubic, 100ms);
  grow_to(cubic, path, 100);
  cubic.on_timeout(path.now(), 100 * kSmss, true);
  EXPECT_EQ(cubic.cwnd(), kSmss);
  EXPECT_EQ(cubic.ssthresh(), 70 * kSmss);
  while (cubic.in_slow_start()) path.round();
  const Instant epoch = path.now();
  path.round();
  // K is 0: the function is at its plateau and W_max is the window at which it began.
  EXPECT_NEAR(cubic.w_max(), 70 * kSmss, kSmss);
  path.run(5s);
  const double t = to_seconds(path.now() - epoch);
  EXPECT_NEAR(cubic.cwnd(), (70 + 0.4 * t * t * t) * kSmss, 4 * kSmss);
}

// RFC9438-4.9-1: after a loss that was none everything is as if it had not been.
TEST(Cubic, Undo) {
  for (const bool timeout : {false, true}) {
    Cubic cubic(false);
    Cubic undisturbed(false);
    Path path(cubic, 100ms);
    Path other(undisturbed, 100ms);
    grow_to(cubic, path, 100);
    grow_to(undisturbed, other, 100);
    path.lose_at(100);
    other.lose_at(100);
    path.run(2s);
    other.run(2s);
    ASSERT_EQ(cubic.cwnd(), undisturbed.cwnd());
    const uint32_t ssthresh = cubic.ssthresh();
    if (timeout) {
      cubic.on_timeout(path.now(), cubic.cwnd(), true);
    } else {
      cubic.enter_recovery(path.now(), cubic.cwnd());
      cubic.set_cwnd(3 * kSmss);
    }
    path.pass(30s);
    cubic.undo(path.now());
    EXPECT_EQ(cubic.cwnd(), undisturbed.cwnd());
    EXPECT_EQ(cubic.ssthresh(), ssthresh);
    EXPECT_EQ(cubic.w_max(), undisturbed.w_max());
    path.run(3s);
    other.run(3s);
    EXPECT_NEAR(cubic.cwnd(), undisturbed.cwnd(), kSmss);
    // Once: a second time there is nothing to put back.
    cubic.on_timeout(path.now(), cubic.cwnd(), false);
    cubic.undo(path.now());
    EXPECT_EQ(cubic.cwnd(), kSmss);
  }
}

TEST(Cubic, UndoKeepsALargerWindow) {  // RFC 9438 §4.9.2
  Cubic cubic(false);
  Path path(cubic, 100ms);
  grow_to(cubic, path, 10);
  path.lose_at(10);
  path.run(20s);
  const uint32_t grown = cubic.cwnd();
  ASSERT_GT(grown, 10 * kSmss);
  cubic.undo(path.now());
  EXPECT_EQ(cubic.cwnd(), grown);
}

// RFC9438-4.2-1, 5.8-1: time in which the window was not used does not count.
TEST(Cubic, UnusedTimeDoesNotCount) {
  for (const bool idle : {false, true}) {
    Cubic cubic(false);
    Cubic busy(false);
    Path path(cubic, 100ms);
    Path other(busy, 100ms);
    grow_to(cubic, path, 200);
    grow_to(busy, other, 200);
    path.lose_at(200);
    other.lose_at(200);
    path.run(3s);
    other.run(3s);
    const uint32_t before = cubic.cwnd();
    if (idle) {
      path.pass(60s);
      cubic.after_idle(path.now(), 60s, 120s);
    } else {
      for (int i = 0; i < 600; ++i) path.round(false);
    }
    EXPECT_EQ(cubic.cwnd(), before);
    path.run(2s);
    other.run(2s);
    EXPECT_NEAR(cubic.cwnd(), busy.cwnd(), 0.02 * busy.cwnd()) << (idle ? "idle" : "limited");
  }
}

// A restart after idle time (RFC 5681 §4.1) leads through slow start into a new epoch: no jump.
TEST(Cubic, RestartAfterIdleDoesNotJump) {
  Cubic cubic(false);
  Path path(cubic, 10ms);
  grow_to(cubic, path, 100);
  path.lose_at(100);
  path.run(2s);
  ASSERT_GT(cubic.cwnd(), 130 * kSmss);
  path.pass(60s);
  cubic.after_idle(path.now(), 60s, 1s);
  EXPECT_EQ(cubic.cwnd(), 10 * kSmss);
  while (cubic.in_slow_start()) path.ack();
  for (int i = 0; i < 100; ++i) {
    const uint32_t before = cubic.cwnd();
    path.ack();
    EXPECT_LE(cubic.cwnd(), before + kSmss);
  }
}

TEST(Cubic, SmallerSegments) {  // RFC5681-3.1-11
  Cubic cubic(false);
  Path path(cubic, 100ms);
  grow_to(cubic, path, 40);
  path.lose_at(40);
  cubic.set_smss(500);
  EXPECT_EQ(cubic.cwnd(), 14000u);
  EXPECT_EQ(cubic.w_max(), 20000u);
}

}  // namespace
}  // namespace tcproctor::tcp
