// SPDX-License-Identifier: Apache-2.0
// Random segments, user calls and times in every state, by a printed seed: nothing may crash or
// hang, and what RFC 9293 says of the send and receive sequence space holds after each step.
#include <array>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using absl::StrCat;
using namespace std::chrono_literals;

class Chaos {
 public:
  Chaos(uint64_t seed, State state) : random_(seed), rig_(config(seed, state)) {
    rig_.reach(state);
  }

  void run(int steps) {
    for (int i = 0; i < steps && rig_.state() != State::kClosed && !::testing::Test::HasFailure();
         ++i) {
      step();
      check();
    }
  }

 private:
  uint64_t pick(uint64_t below) { return random_() % below; }
  bool one_in(uint64_t chances) { return pick(chances) == 0; }

  static RigConfig config(uint64_t seed, State state) {
    std::mt19937_64 random(seed * 77 + 1);
    RigConfig config;
    config.passive = state != State::kSynSent && random() % 2 == 0;
    config.full = random() % 2 == 0;
    config.options.timestamps = config.peer_timestamps = random() % 2 == 0;
    config.options.sack_permitted = config.peer_sack = random() % 2 == 0;
    config.options.window_scale = random() % 2 == 0;
    if (config.options.window_scale) config.peer_window_scale = static_cast<uint8_t>(random() % 20);
    config.options.no_delay = random() % 2 == 0;
    config.options.keepalive = random() % 2 == 0;
    config.options.receive_buffer_bytes = random() % 2 == 0 ? 100 : 100000;
    config.options.send_buffer_bytes = random() % 2 == 0 ? 50 : 20000;
    config.peer_mss = static_cast<uint16_t>(random() % 2 == 0 ? 1460 : random() % 200);
    config.settings.challenge_ack_limit = 0;
    return config;
  }

  // Near the numbers that matter, or anywhere.
  int64_t near(uint32_t value) {
    switch (pick(8)) {
      case 0:
        return int64_t{value} - 1;
      case 1:
        return int64_t{value} + 1;
      case 2:
        return int64_t{value} + static_cast<int64_t>(pick(200));
      case 3:
        return int64_t{value} - static_cast<int64_t>(pick(200));
      case 4:
        return static_cast<int32_t>(random_());
      default:
        return value;
    }
  }

  void step() {
    switch (pick(12)) {
      case 0:
        (void)rig_.send(pick(300), one_in(2), one_in(5));
        break;
      case 1:
        (void)rig_.receive(pick(300));
        break;
      case 2:
        if (one_in(20)) (void)rig_.close();
        break;
      case 3:
        if (one_in(60)) (void)rig_.release();
        if (one_in(100)) (void)rig_.abort();
        break;
      case 4:
        (void)rig_.advance(std::chrono::milliseconds(pick(3000)));
        break;
      case 5:
        if (one_in(10)) (void)rig_.advance(std::chrono::seconds(pick(400)));
        break;
      case 6:
        rig_.icmp(static_cast<packet::IcmpClass>(pick(5)), near(rig_.snd_una()));
        break;
      default:
        segment();
        break;
    }
    if (!one_in(4)) (void)rig_.sent(one_in(3) ? 60000 : 0);
    (void)rig_.events();
    (void)rig_.drops();
  }

  void segment() {
    std::string flags;
    // A peer's FIN or RST at the right place ends the fun early: rare.
    if (one_in(30)) flags += "F";
    if (one_in(30)) flags += "S";
    if (one_in(40)) flags += "R";
    if (one_in(3)) flags += "P";
    if (!one_in(12)) flags += ".";
    if (one_in(8)) flags += "U";
    if (flags.empty()) flags = "-";
    std::string text = StrCat(flags, " ", near(rig_.rcv_nxt()), "(",
                              one_in(3) ? 0 : pick(one_in(5) ? 3000 : 60), ")");
    absl::StrAppend(&text, " ack ", near(one_in(2) ? rig_.snd_nxt() : rig_.snd_una()));
    absl::StrAppend(&text, " win ", one_in(4) ? 0 : pick(65536), " urg ",
                    pick(one_in(2) ? 50 : 65536));
    rig_.recv(text);
    last_ = text;
  }

  void check() {
    if (rig_.connection() == nullptr || rig_.state() == State::kClosed ||
        rig_.state() == State::kListen) {
      return;
    }
    const Status status = rig_.status();
    SCOPED_TRACE(StrCat(std::string(to_string(status.state)), " after ", last_));
    EXPECT_FALSE(SeqNum(status.snd_una).after(SeqNum(status.snd_nxt)));
    EXPECT_LE(status.snd_nxt - status.snd_una, status.send_queue_bytes + 2u);
    EXPECT_LE(status.reassembly_bytes, 200000u);
    EXPECT_GE(status.send_mss, 1);
    EXPECT_GE(status.cwnd, 1u);
    const uint32_t edge = status.rcv_nxt + status.rcv_wnd;
    if (edge_known_ && status.irs == irs_ && is_synchronized(status.state) &&
        status.state != State::kTimeWait) {
      EXPECT_FALSE(SeqNum(edge).before(SeqNum(edge_)))  // RFC9293-SHLD-14
          << "by " << edge_ - edge << ", window " << status.rcv_wnd << ", scale "
          << static_cast<int>(status.rcv_wind_shift) << ", irs " << status.irs;
      EXPECT_FALSE(SeqNum(status.snd_una).before(SeqNum(una_)));
      EXPECT_FALSE(SeqNum(status.rcv_nxt).before(SeqNum(rcv_nxt_)));
    }
    irs_ = status.irs;
    edge_ = edge;
    una_ = status.snd_una;
    rcv_nxt_ = status.rcv_nxt;
    edge_known_ = is_synchronized(status.state);
    // Something outstanding always has a timer.
    (void)rig_.sent();
    const Status after = rig_.status();
    if (after.state != State::kClosed && after.state != State::kTimeWait &&
        after.snd_una != after.snd_nxt) {
      EXPECT_TRUE(rig_.connection()->next_deadline().has_value());
    }
    if (is_synchronized(after.state) && after.state != State::kTimeWait &&
        after.send_queue_bytes != 0) {
      EXPECT_TRUE(after.retransmission_timer.has_value() || after.persist_timer.has_value());
      EXPECT_TRUE(after.user_timer.has_value());
    }
  }

  std::mt19937_64 random_;
  Rig rig_;
  std::string last_;
  uint32_t irs_ = 0, edge_ = 0, una_ = 0, rcv_nxt_ = 0;
  bool edge_known_ = false;
};

TEST(Random, EveryState) {
  for (size_t state = 1; state < kStateNames.size(); ++state) {
    for (uint64_t seed = 1; seed <= 300; ++seed) {
      SCOPED_TRACE(StrCat("seed ", seed, " from ", std::string(kStateNames[state])));
      if (static_cast<State>(state) == State::kListen) continue;
      Chaos(seed, static_cast<State>(state)).run(300);
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
  }
}

}  // namespace
}  // namespace tcproctor::tcp::testing
