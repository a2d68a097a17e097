// SPDX-License-Identifier: Apache-2.0
// A listener under many peers: SYN cache, cookies, backlog, alarm (RFC 4987; S001-syn-attack).
#include "stack/tcp/listener.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/initial_sequence.h"

namespace tcproctor::tcp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr uint32_t kIrs = 5000;

class ListenerTest : public ::testing::Test {
 protected:
  void make(uint32_t backlog = 128) {
    ListenerConfig config;
    config.id = 1;
    config.next_id = &next_id_;
    config.local = {packet::IpAddress::v4(192, 0, 2, 1), 80};
    config.backlog = backlog;
    config.settings = &settings_;
    config.options = options_;
    config.secret = {11, 12};
    listener_.emplace(config);
  }

  static packet::TcpSegment segment(uint32_t peer, uint16_t flags, uint32_t seq, uint32_t ack) {
    packet::TcpSegment result;
    result.source = packet::IpAddress::v4(0x0A000000u + peer);
    result.destination = packet::IpAddress::v4(192, 0, 2, 1);
    result.header.source_port = 1025;
    result.header.destination_port = 80;
    result.header.flags = flags;
    result.header.sequence_number = seq;
    result.header.acknowledgment_number = ack;
    result.header.window = 5000;
    return result;
  }
  std::optional<Promoted> arrive(const packet::TcpSegment& segment) {
    return listener_->on_segment(now_, segment);
  }
  // Sends a SYN and gives back the SYN,ACK, if there was one.
  std::optional<SegmentOut> syn(uint32_t peer) {
    packet::TcpSegment syn = segment(peer, packet::kSyn, kIrs, 0);
    syn.options = offered_;
    EXPECT_FALSE(arrive(syn).has_value());
    SegmentOut out;
    if (!listener_->next_segment(now_, out)) return std::nullopt;
    EXPECT_EQ(out.header.flags, packet::kSyn | packet::kAck);
    EXPECT_EQ(out.header.acknowledgment_number, kIrs + 1);
    EXPECT_FALSE(listener_->next_segment(now_, out));
    return out;
  }
  std::optional<Promoted> ack(uint32_t peer, const SegmentOut& syn_ack) {
    packet::TcpSegment ack =
        segment(peer, packet::kAck, kIrs + 1, syn_ack.header.sequence_number + 1);
    packet::TcpOptions options;
    packet::parse_options(syn_ack.options(), options);
    if (options.timestamps.has_value()) {
      ack.options.timestamps = {.value = 4001, .echo_reply = options.timestamps->value};
    }
    return arrive(ack);
  }
  std::vector<Event::Kind> events() {
    std::vector<Event::Kind> kinds;
    ListenerEvent event;
    while (listener_->next_event(event)) kinds.push_back(event.event.kind);
    return kinds;
  }
  bool quiet() {
    SegmentOut out;
    return !listener_->next_segment(now_, out);
  }

  Settings settings_;
  ConnectionOptions options_;
  packet::TcpOptions offered_;
  uint64_t next_id_ = 100;
  Instant now_{std::chrono::hours(5)};
  std::optional<Listener> listener_;
};

TEST_F(ListenerTest, ManyPeersAtOnce) {
  make();
  std::map<uint32_t, SegmentOut> answers;
  for (uint32_t peer = 1; peer <= 100; ++peer) answers[peer] = syn(peer).value();
  EXPECT_EQ(listener_->embryonic().size(), 100u);
  EXPECT_EQ(listener_->half_open(now_).count, 100u);
  EXPECT_EQ(listener_->half_open(now_).distinct_sources, 100u);
  for (uint32_t peer = 100; peer >= 1; --peer) {
    const auto promoted = ack(peer, answers[peer]);
    ASSERT_TRUE(promoted.has_value());
    EXPECT_EQ(promoted->id, 99 + peer);  // as given out at its SYN
    EXPECT_EQ(promoted->connection->state(), State::kEstablished);
  }
  EXPECT_EQ(listener_->accept(), 199u);  // in the order in which they were established
  EXPECT_EQ(listener_->accept(), 198u);
  EXPECT_EQ(listener_->waiting_for_accept(), 98u);
  EXPECT_THAT(listener_->embryonic(), IsEmpty());
  EXPECT_FALSE(listener_->next_deadline().has_value());
}

TEST_F(ListenerTest, IdsStatusAndAbort) {
  make();
  const SegmentOut answer = syn(7).value();
  EXPECT_THAT(listener_->embryonic(), ElementsAre(100u));
  const Status status = listener_->status(now_, 100).value();
  EXPECT_EQ(status.state, State::kSynReceived);
  EXPECT_EQ(status.remote.address, packet::IpAddress::v4(10, 0, 0, 7));
  EXPECT_EQ(status.iss, answer.header.sequence_number);
  EXPECT_EQ(status.rcv_nxt, kIrs + 1);
  EXPECT_FALSE(listener_->status(now_, 101).has_value());
  EXPECT_FALSE(listener_->abort(now_, 101));
  EXPECT_TRUE(listener_->abort(now_, 100));
  SegmentOut out;
  ASSERT_TRUE(listener_->next_segment(now_, out));
  EXPECT_EQ(out.header.flags, packet::kRst);
  EXPECT_EQ(out.header.sequence_number, answer.header.sequence_number + 1);
  EXPECT_THAT(listener_->embryonic(), IsEmpty());
}

// RFC5961-7-1, 7-3: challenge ACKs of half-open connections are counted for each: what one draws
// tells nobody of another.
TEST_F(ListenerTest, ChallengesAreCountedForEachEntry) {
  make();
  (void)syn(7);
  (void)syn(8);
  const auto challenges = [this](uint32_t peer) {
    uint32_t count = 0;
    for (int i = 0; i < 30; ++i) {
      (void)arrive(segment(peer, packet::kRst, kIrs + 100, 0));  // in the window, not at RCV.NXT
      SegmentOut out;
      while (listener_->next_segment(now_, out)) ++count;
    }
    return count;
  };
  EXPECT_EQ(challenges(7), settings_.challenge_ack_limit);
  EXPECT_EQ(challenges(8), settings_.challenge_ack_limit);
  now_ += settings_.challenge_ack_interval;
  EXPECT_EQ(challenges(7), 0u) << "for as long as the entry lives";
  EXPECT_EQ(listener_->embryonic().size(), 2u);
}

// The same socket pair again, and a port scan: nothing is mixed up.
TEST_F(ListenerTest, RepeatedSynIsAnsweredAgain) {
  make();
  const SegmentOut first = syn(7).value();
  const SegmentOut second = syn(7).value();
  EXPECT_EQ(first.header, second.header);
  EXPECT_EQ(listener_->half_open(now_).count, 1u);
}

TEST_F(ListenerTest, CookiesWhenTheCacheIsFull) {  // S001-syn-2, RFC4987-3.6-1
  settings_.syn_cache_size = 10;
  make();
  for (uint32_t peer = 1; peer <= 5000; ++peer) ASSERT_TRUE(syn(peer).has_value());
  EXPECT_EQ(listener_->half_open(now_).count, 10u);  // no more memory than that
  EXPECT_EQ(listener_->half_open(now_).cookies_sent, 4990u);

  offered_.mss = 1400;
  const SegmentOut answer = syn(9999).value();
  now_ += 30s;
  const auto promoted = ack(9999, answer);
  ASSERT_TRUE(promoted.has_value());
  EXPECT_EQ(promoted->connection->state(), State::kEstablished);
  const Status status = promoted->connection->status(now_);
  EXPECT_EQ(status.send_mss, 1300);  // rounded down
  EXPECT_EQ(status.iss, answer.header.sequence_number);
  EXPECT_EQ(status.irs, kIrs);
  EXPECT_EQ(status.snd_wnd, 5000u);
  EXPECT_FALSE(status.timestamps || status.sack_permitted);
  EXPECT_EQ(listener_->half_open(now_).cookies_accepted, 1u);
}

TEST_F(ListenerTest, CookiesKeepOptionsThroughTimestamps) {
  settings_.syn_cache_size = 1;
  make();
  ASSERT_TRUE(syn(1).has_value());
  offered_.mss = 1460;
  offered_.window_scale = 9;
  offered_.sack_permitted = true;
  offered_.timestamps = {.value = 4000, .echo_reply = 0};
  const SegmentOut answer = syn(2).value();
  packet::TcpOptions options;
  packet::parse_options(answer.options(), options);
  EXPECT_TRUE(options.window_scale.has_value() && options.sack_permitted);
  EXPECT_EQ(options.timestamps->echo_reply, 4000u);
  auto promoted = ack(2, answer);
  ASSERT_TRUE(promoted.has_value());
  const Status status = promoted->connection->status(now_);
  EXPECT_TRUE(status.timestamps && status.sack_permitted);
  EXPECT_EQ(status.snd_wind_shift, 9);
  EXPECT_EQ(status.snd_wnd, 5000u << 9);
  // TSval does not go back behind that of the cookie.
  now_ += 1ms;
  std::array<uint8_t, 1> octet{};
  (void)promoted->connection->send(now_, octet, true, false);
  SegmentOut out;
  ASSERT_TRUE(promoted->connection->next_segment(now_, out));
  packet::TcpOptions later;
  packet::parse_options(out.options(), later);
  EXPECT_GE(static_cast<int32_t>(later.timestamps->value - options.timestamps->value), 0);
}

TEST_F(ListenerTest, ForgedCookiesAreReset) {
  settings_.syn_cache_size = 1;
  make();
  ASSERT_TRUE(syn(1).has_value());
  const SegmentOut answer = syn(2).value();
  const auto expect_reset = [&](const packet::TcpSegment& forged) {
    EXPECT_FALSE(arrive(forged).has_value());
    SegmentOut out;
    ASSERT_TRUE(listener_->next_segment(now_, out));
    EXPECT_EQ(out.header.flags, packet::kRst);
    EXPECT_EQ(out.header.sequence_number, forged.header.acknowledgment_number);
  };
  const uint32_t good = answer.header.sequence_number + 1;
  expect_reset(segment(2, packet::kAck, kIrs + 1, good + 1));
  expect_reset(segment(2, packet::kAck, kIrs + 2, good));
  expect_reset(segment(3, packet::kAck, kIrs + 1, good));
  now_ += 3min;
  expect_reset(segment(2, packet::kAck, kIrs + 1, good));
}

TEST_F(ListenerTest, NoCookieIsBelievedInPeace) {
  make();
  EXPECT_FALSE(arrive(segment(2, packet::kAck, kIrs + 1, 77)).has_value());
  SegmentOut out;
  ASSERT_TRUE(listener_->next_segment(now_, out));
  EXPECT_EQ(out.header.flags, packet::kRst);
}

TEST_F(ListenerTest, WithoutCookiesSynsAreDroppedWhenFull) {
  settings_.syn_cache_size = 2;
  settings_.syn_cookies = false;
  make();
  EXPECT_TRUE(syn(1).has_value());
  EXPECT_TRUE(syn(2).has_value());
  EXPECT_FALSE(syn(3).has_value());
  EXPECT_EQ(listener_->half_open(now_).dropped, 1u);
  EXPECT_FALSE(listener_->takes({packet::IpAddress::v4(10, 0, 0, 3), 1025}));
  now_ += 3min;  // the dead are released
  listener_->on_deadline(now_);
  while (!quiet()) {
  }
  EXPECT_TRUE(syn(3).has_value());
}

TEST_F(ListenerTest, FullBacklogIgnoresTheLastAck) {
  make(2);
  std::vector<SegmentOut> answers;
  for (uint32_t peer = 0; peer < 3; ++peer) answers.push_back(syn(peer).value());
  EXPECT_TRUE(ack(0, answers[0]).has_value());
  EXPECT_TRUE(ack(1, answers[1]).has_value());
  EXPECT_FALSE(ack(2, answers[2]).has_value());
  EXPECT_TRUE(quiet());
  EXPECT_FALSE(syn(4).has_value());
  EXPECT_EQ(listener_->half_open(now_).count, 1u);
  EXPECT_TRUE(listener_->accept().has_value());
  EXPECT_TRUE(ack(2, answers[2]).has_value());  // after its SYN,ACK came again
}

TEST_F(ListenerTest, AlarmOnScatteredHalfOpens) {  // S001-syn-1
  settings_.half_open_alarm = 64;
  make();
  for (uint32_t peer = 1; peer <= 63; ++peer) (void)syn(peer);
  const auto alarms = [this] {
    const auto kinds = events();
    return std::ranges::count(kinds, Event::Kind::kHalfOpenAlarm);
  };
  EXPECT_EQ(alarms(), 0);
  for (uint32_t peer = 64; peer <= 500; ++peer) (void)syn(peer);
  EXPECT_EQ(alarms(), 1);  // once
  now_ += 10s;
  EXPECT_EQ(listener_->half_open(now_).oldest_age, Duration(10s));
  EXPECT_LE(listener_->half_open(now_).bytes_per_entry, 80u);
}

TEST_F(ListenerTest, NoAlarmForOneBusySource) {
  settings_.half_open_alarm = 64;
  make();
  for (uint16_t port = 1; port <= 200; ++port) {
    packet::TcpSegment one = segment(1, packet::kSyn, kIrs, 0);
    one.header.source_port = port;
    (void)arrive(one);
  }
  const auto kinds = events();
  EXPECT_EQ(std::ranges::count(kinds, Event::Kind::kHalfOpenAlarm), 0);
  EXPECT_EQ(listener_->half_open(now_).distinct_sources, 1u);
}

TEST_F(ListenerTest, DataOnSynIsBounded) {  // EM-LISTEN-SEG-10
  make();
  const std::vector<uint8_t> text(100, 'x');
  size_t full = 0;
  for (uint32_t peer = 1; peer <= 500; ++peer) {
    packet::TcpSegment with_text = segment(peer, packet::kSyn, kIrs, 0);
    with_text.payload = text;
    if (arrive(with_text).has_value()) ++full;
  }
  EXPECT_EQ(full, Listener::kMaxFullHalfOpen);
  EXPECT_EQ(listener_->half_open(now_).count, 500u);
}

TEST_F(ListenerTest, OnlyTheNamedPeerMayConnect) {
  ListenerConfig config;
  config.next_id = &next_id_;
  config.local = {packet::IpAddress::v4(192, 0, 2, 1), 80};
  config.remote = packet::SocketAddress{packet::IpAddress::v4(10, 0, 0, 1), 1025};
  config.settings = &settings_;
  listener_.emplace(config);
  EXPECT_FALSE(arrive(segment(2, packet::kSyn, kIrs, 0)).has_value());
  SegmentOut out;
  ASSERT_TRUE(listener_->next_segment(now_, out));
  EXPECT_EQ(out.header.flags, packet::kRst | packet::kAck);
  EXPECT_TRUE(syn(1).has_value());
}

TEST_F(ListenerTest, LateTimerDoesNotBurst) {
  make();
  (void)syn(1);
  now_ += 100s;
  listener_->on_deadline(now_);
  size_t sent = 0;
  while (!quiet()) ++sent;
  EXPECT_EQ(sent, 1u);
}

}  // namespace
}  // namespace tcproctor::tcp
