// SPDX-License-Identifier: Apache-2.0
// Congestion control on a whole connection: the first window, windows that are not used, and what
// STATUS says of it. The algorithms by themselves are in congestion/.
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using absl::StrCat;
using namespace std::chrono_literals;

constexpr uint32_t kMss = 1000;

RigConfig defaults_of_the_stack() {
  RigConfig config;
  config.peer_mss = kMss;
  config.options.no_delay = true;
  config.options.congestion_control = ConnectionOptions().congestion_control;
  config.options.initial_window = ConnectionOptions().initial_window;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  return config;
}

uint32_t smss(const Rig& rig) {
  return rig.status().send_mss;  // the timestamps' share taken off
}

TEST(Congestion, DefaultsAreCubicAndTenSegments) {  // RFC6928-2-1
  Rig rig(defaults_of_the_stack());
  rig.reach(State::kEstablished);
  EXPECT_EQ(rig.status().congestion_control, "cubic");
  EXPECT_EQ(smss(rig), kMss - 12);
  (void)rig.send(60 * kMss);
  EXPECT_EQ(rig.sent().size(), 10u);
  EXPECT_TRUE(rig.status().slow_start);
  EXPECT_FALSE(rig.status().css);
  EXPECT_EQ(rig.status().w_max, 0u);
}

TEST(Congestion, FirstWindowAfterALostSyn) {  // RFC6928-2-2, RFC5681-3.1-3
  for (const InitialWindow choice : {InitialWindow::kRfc6928, InitialWindow::kRfc5681}) {
    for (const size_t losses : {0, 1, 2}) {
      for (const bool passive : {false, true}) {
        RigConfig config = defaults_of_the_stack();
        config.options.initial_window = choice;
        config.passive = passive;
        Rig rig(config);
        if (passive) {
          rig.listen();
          rig.recv("S 0(0)");
        } else {
          rig.open_active();
        }
        (void)rig.sent();
        for (size_t i = 0; i < losses; ++i) {
          ASSERT_TRUE(rig.next_timer());
          EXPECT_EQ(rig.sent().size(), 1u);
        }
        rig.recv(passive ? ". 1(0) ack 1" : "S. 0(0) ack 1");
        (void)rig.sent();
        (void)rig.send(60 * kMss);
        const bool large = choice == InitialWindow::kRfc6928;
        const size_t expected = losses > (large ? 1 : 0) ? 1 : large ? 10 : 4;
        EXPECT_EQ(rig.sent().size(), expected) << losses << (passive ? " passive" : " active");
      }
    }
  }
}

// RFC9438-5.8-1, and the same for Reno: a sender that has less to send than it may learns nothing.
TEST(Congestion, UnusedWindowDoesNotGrow) {
  for (const auto algorithm : {CongestionAlgorithm::kReno, CongestionAlgorithm::kCubic}) {
    RigConfig config = defaults_of_the_stack();
    config.options.congestion_control = algorithm;
    Rig rig(config);
    rig.reach(State::kEstablished);
    const uint32_t cwnd = rig.status().cwnd;
    for (uint32_t i = 1; i <= 100; ++i) {  // three segments at a time
      (void)rig.send(3 * smss(rig));
      EXPECT_EQ(rig.sent().size(), 3u);
      (void)rig.advance(10ms);
      rig.recv(StrCat(". 1(0) ack ", 1 + i * 3 * smss(rig)));
    }
    EXPECT_EQ(rig.status().cwnd, cwnd);
    EXPECT_EQ(rig.status().delivered_bytes, 300 * smss(rig));
    EXPECT_EQ(rig.status().min_rtt, Duration(10ms));
  }
}

TEST(Congestion, RestartAfterIdle) {  // RFC5681-4.1-1
  Rig rig(defaults_of_the_stack());
  rig.reach(State::kEstablished);
  (void)rig.send(60 * kMss);
  uint32_t acked = 0;
  while (acked < 60 * kMss) {
    (void)rig.sent();
    (void)rig.advance(1ms);
    acked = std::min(acked + smss(rig), 60 * kMss);
    rig.recv(StrCat(". 1(0) ack ", 1 + acked));
  }
  EXPECT_GT(rig.status().cwnd, 20 * smss(rig));
  (void)rig.advance(2s);
  (void)rig.send(60 * kMss);
  EXPECT_EQ(rig.sent().size(), 10u);
}

TEST(Congestion, TheAlgorithmMayBeChanged) {
  Rig rig(defaults_of_the_stack());
  rig.reach(State::kEstablished);
  (void)rig.send(60 * kMss);
  (void)rig.sent();
  rig.recv(StrCat(". 1(0) ack ", 1 + smss(rig)));
  const uint32_t cwnd = rig.status().cwnd;
  EXPECT_EQ(cwnd, 11 * smss(rig));
  ConnectionOptions options = rig.connection()->options();
  options.congestion_control = CongestionAlgorithm::kReno;
  ASSERT_TRUE(rig.connection()->set_options(rig.now(), options).ok());
  EXPECT_EQ(rig.status().congestion_control, "reno");
  EXPECT_EQ(rig.status().cwnd, cwnd);
  options.initial_window = InitialWindow::kRfc5681;
  EXPECT_EQ(rig.connection()->set_options(rig.now(), options).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Congestion, StateIsSmall) {
  RecordProperty("octets_of_connection", sizeof(Connection));
  RecordProperty("octets_of_cubic", sizeof(Cubic));
  EXPECT_LE(sizeof(Connection) + sizeof(Cubic), 1024u)
      << sizeof(Connection) << " and " << sizeof(Cubic);
}

}  // namespace
}  // namespace tcproctor::tcp::testing
