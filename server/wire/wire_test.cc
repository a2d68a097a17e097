// SPDX-License-Identifier: Apache-2.0
#include "server/wire/wire.h"

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/wire/decode.h"
#include "server/wire/test_util.h"
#include "stack/packet/tcp_header.h"
#include "stack/run/scheduler.h"

namespace tcproctor::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

// What arrived at an end, and when.
struct Arrival {
  v1::End to;
  std::string packet;
  tcp::Instant time;
};

class WireTest : public testing::Test {
 protected:
  void make(bool script_a = false, uint64_t seed = 1, uint64_t log_bytes = 1 << 20) {
    WireConfig config;
    config.a = {script_a, addresses_of_a()};
    config.b = {false, addresses_of_b()};
    config.seed = seed;
    config.log_bytes = log_bytes;
    WireHooks hooks;
    hooks.deliver = [this](v1::End to, std::span<const uint8_t> packet, const PacketMeta&) {
      arrivals_.push_back({to, {packet.begin(), packet.end()}, scheduler_.now()});
      if (on_delivery_) on_delivery_();
    };
    hooks.observe = [this](v1::End end, const packet::FourTuple& pair) {
      observed_.push_back((end == v1::END_A ? "A " : "B ") + pair.to_string());
      return end == v1::END_A ? v1::TCP_STATE_SYN_SENT : v1::TCP_STATE_LISTEN;
    };
    hooks.activity = [this] { ++activity_; };
    if (wall_time_ns_ != 0) hooks.wall_time_ns = [this] { return wall_time_ns_; };
    hooks.capture_drops = [this] {
      ++drop_questions_;
      return drops_;
    };
    wire_ = std::make_unique<Wire>(config, scheduler_, hooks);
  }

  void SetUp() override { make(); }

  void send(v1::End from, const std::string& packet) {
    wire_->on_packet(from, octets(packet), PacketMeta{});
  }
  void send(v1::End from, int number) {
    send(from, packet_of("tcp { sequence_number: " + std::to_string(number) + " }"));
  }

  // Sequence numbers of what arrived so far, in order; forgotten then.
  std::vector<uint32_t> arrived() {
    std::vector<uint32_t> numbers;
    for (const Arrival& arrival : arrivals_) {
      Decoded decoded;
      decode(octets(arrival.packet), decoded);
      numbers.push_back(decoded.segment.tcp().sequence_number());
    }
    arrivals_.clear();
    return numbers;
  }

  v1::LogEntry entry(uint64_t number) {
    v1::LogEntry result;
    if (const LogRecord* record = wire_->log().find(number)) {
      fill_log_entry(*record, result);
    } else {
      ADD_FAILURE() << "no segment " << number;
    }
    return result;
  }

  absl::Status impair(const std::string& text) {
    return wire_->impair(from_text<v1::ImpairRequest>("from: END_A " + text));
  }
  absl::StatusOr<std::unique_ptr<Injection>> inject(const std::string& text) {
    return wire_->inject(from_text<v1::InjectRequest>(text));
  }

  void run_for(tcp::Duration duration) { scheduler_.run_until(scheduler_.now() + duration); }

  run::VirtualScheduler scheduler_;
  std::vector<Arrival> arrivals_;
  std::vector<std::string> observed_;
  std::function<void()> on_delivery_;
  int activity_ = 0;
  int64_t wall_time_ns_ = 0;
  int drop_questions_ = 0;
  uint64_t drops_ = 0;
  std::unique_ptr<Wire> wire_;
};

TEST_F(WireTest, DeliversAndLogs) {
  run_for(milliseconds(3));
  send(v1::END_A, 1);
  send(v1::END_B, 2);
  ASSERT_EQ(arrivals_.size(), 2u);
  EXPECT_EQ(arrivals_[0].to, v1::END_B);
  EXPECT_EQ(arrivals_[1].to, v1::END_A);
  EXPECT_EQ(entry(1).from(), v1::END_A);
  EXPECT_EQ(entry(1).origin(), v1::ORIGIN_END);
  EXPECT_EQ(entry(1).fate(), v1::FATE_DELIVERED);
  EXPECT_EQ(entry(1).time().nanos(), 3'000'000);
  EXPECT_FALSE(entry(1).has_wall_time());
  EXPECT_EQ(activity_, 2);
}

TEST_F(WireTest, TimeIsWhenTheKernelSawIt) {
  constexpr int64_t kMillisecond = 1'000'000;
  wall_time_ns_ = 1'000'000 * kMillisecond;
  make(true);
  run_for(seconds(100));
  const auto receive = [&](int64_t waited_ms) {
    PacketMeta meta;
    meta.wall_time_ns = wall_time_ns_ - waited_ms * kMillisecond;
    wire_->on_packet(v1::END_B, octets(packet_of("tcp {}")), meta);
    const v1::LogEntry logged = entry(wire_->log().last());
    return logged.time().seconds() * 1000 + logged.time().nanos() / kMillisecond;
  };
  EXPECT_EQ(receive(50), 99'950);
  EXPECT_EQ(receive(60), 99'950) << "times grow with the numbers";
  EXPECT_EQ(receive(20), 99'980);
  EXPECT_EQ(receive(-5), 100'000) << "the clock was set";
  EXPECT_EQ(receive(60'000), 100'000) << "the clock was set";
  run_for(seconds(1));
  EXPECT_TRUE(inject("from: END_A train { segment { tcp {} } }").ok());
  EXPECT_EQ(receive(30), 101'000) << "the injected one came first";
}

TEST_F(WireTest, ScriptedEndGetsNothing) {
  make(true);
  send(v1::END_B, 1);
  EXPECT_TRUE(arrivals_.empty());
  EXPECT_EQ(entry(1).fate(), v1::FATE_TO_SCRIPT);
}

TEST_F(WireTest, ObservesBothEndsByTheirOwnNames) {
  send(v1::END_A, packet_of("tcp { source_port: 5 destination_port: 80 }"));
  EXPECT_THAT(observed_,
              ElementsAre("A 192.0.2.1:5 > 192.0.2.2:80", "B 192.0.2.2:80 > 192.0.2.1:5"));
  EXPECT_EQ(entry(1).state_a(), v1::TCP_STATE_SYN_SENT);
  EXPECT_EQ(entry(1).state_b(), v1::TCP_STATE_LISTEN);
  observed_.clear();
  // An error about a segment of B's, from A: the connection is the quoted one.
  send(v1::END_A, packet_of("icmp { type: 3 code: 3 quoted_segment { tcp { source_port: 80"
                            " destination_port: 5 } } }"));
  EXPECT_THAT(observed_,
              ElementsAre("A 192.0.2.1:5 > 192.0.2.2:80", "B 192.0.2.2:80 > 192.0.2.1:5"));
  make(true);
  send(v1::END_B, 1);
  EXPECT_EQ(entry(1).state_a(), v1::TCP_STATE_UNSPECIFIED) << "a script has no state to observe";
}

TEST_F(WireTest, StopsObservingAfterAWhile) {
  for (int i = 0; i < 2100; ++i) send(v1::END_A, i);
  EXPECT_EQ(observed_.size(), 4000u);
  EXPECT_EQ(entry(2001).state_a(), v1::TCP_STATE_UNSPECIFIED);
}

TEST_F(WireTest, AnAnswerFromWithinTheDeliveryIsLoggedAfterIt) {
  on_delivery_ = [this] {
    if (arrivals_.size() == 1) send(v1::END_B, 2);
  };
  send(v1::END_A, 1);
  EXPECT_EQ(entry(1).from(), v1::END_A);
  EXPECT_EQ(entry(2).from(), v1::END_B);
}

// --- Hold ---

TEST_F(WireTest, HoldsAndReleasesInTheOrderAskedFor) {
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A")).ok());
  for (int i = 1; i <= 4; ++i) send(v1::END_A, i);
  send(v1::END_B, 99);
  EXPECT_THAT(arrived(), ElementsAre(99));
  EXPECT_EQ(entry(2).fate(), v1::FATE_HELD);
  EXPECT_EQ(wire_->held(), 4u);
  const auto some = wire_->release(from_text<v1::ReleaseHeldRequest>("numbers: 3 numbers: 1"));
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_THAT(some->numbers(), ElementsAre(3, 1));
  EXPECT_THAT(arrived(), ElementsAre(3, 1));
  EXPECT_EQ(entry(3).fate(), v1::FATE_DELIVERED);
  const auto rest = wire_->release(v1::ReleaseHeldRequest());
  EXPECT_THAT(rest->numbers(), ElementsAre(2, 4));
  EXPECT_THAT(arrived(), ElementsAre(2, 4));
}

TEST_F(WireTest, HoldByPatternAndItsEnd) {
  ASSERT_TRUE(wire_
                  ->hold(from_text<v1::HoldRequest>(
                      "from: END_A pattern { fields { tcp { sequence_number: 2 } } }"))
                  .ok());
  for (int i = 1; i <= 3; ++i) send(v1::END_A, i);
  EXPECT_THAT(arrived(), ElementsAre(1, 3));
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A on: false")).ok());
  send(v1::END_A, 2);
  EXPECT_THAT(arrived(), ElementsAre(2));
  EXPECT_EQ(wire_->held(), 1u) << "what is held stays held";
  const auto dropped = wire_->release(from_text<v1::ReleaseHeldRequest>("drop: true"));
  EXPECT_THAT(dropped->numbers(), ElementsAre(2));
  EXPECT_EQ(entry(2).fate(), v1::FATE_DROPPED);
  EXPECT_THAT(arrived(), ElementsAre());
}

TEST_F(WireTest, HoldErrors) {
  expect_error(wire_->hold(v1::HoldRequest()), absl::StatusCode::kInvalidArgument, "from: 0");
  expect_error(
      wire_->hold(from_text<v1::HoldRequest>("from: END_A pattern { payload_length: 65536 }")),
      absl::StatusCode::kInvalidArgument, "pattern.payload_length");
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A")).ok());
  send(v1::END_A, 1);
  expect_error(wire_->release(from_text<v1::ReleaseHeldRequest>("numbers: 1 numbers: 2")).status(),
               absl::StatusCode::kFailedPrecondition, "numbers[1]: segment 2 is not held");
  expect_error(wire_->release(from_text<v1::ReleaseHeldRequest>("numbers: 1 numbers: 1")).status(),
               absl::StatusCode::kInvalidArgument, "numbers[1]: segment 1 is named twice");
  EXPECT_EQ(wire_->held(), 1u);
}

TEST_F(WireTest, HoldHasALimit) {
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A")).ok());
  const std::string packet(65'000, 'E');
  const size_t fit = Holder::kMaxBytes / packet.size();
  for (size_t i = 0; i <= fit; ++i) send(v1::END_A, packet);
  EXPECT_EQ(wire_->held(), fit);
  EXPECT_EQ(entry(fit + 1).fate(), v1::FATE_DROPPED);
  EXPECT_EQ(wire_->release(v1::ReleaseHeldRequest())->numbers_size(), static_cast<int>(fit))
      << "although the log dropped most of them";
  EXPECT_EQ(arrivals_.back().packet, packet);
}

// --- Impair ---

TEST_F(WireTest, CertainLoss) {
  ASSERT_TRUE(impair("loss: 1").ok());
  send(v1::END_A, 1);
  send(v1::END_B, 2);
  EXPECT_THAT(arrived(), ElementsAre(2));
  EXPECT_EQ(entry(1).fate(), v1::FATE_DROPPED);
  ASSERT_TRUE(impair("").ok());
  send(v1::END_A, 3);
  EXPECT_THAT(arrived(), ElementsAre(3));
}

TEST_F(WireTest, LossIsThatLikelyAndRepeatsBySeed) {
  const auto survivors = [this](uint64_t seed) {
    make();
    EXPECT_TRUE(impair("loss: 0.25 seed: " + std::to_string(seed)).ok());
    for (int i = 0; i < 4000; ++i) send(v1::END_A, i);
    return arrived();
  };
  const std::vector<uint32_t> first = survivors(5);
  EXPECT_NEAR(static_cast<double>(first.size()), 3000, 120);
  EXPECT_EQ(survivors(5), first);
  EXPECT_NE(survivors(6), first);
}

TEST_F(WireTest, SeedZeroFollowsFromTheSession) {
  const auto survivors = [this](uint64_t seed) {
    make(false, seed);
    EXPECT_TRUE(impair("loss: 0.5").ok());
    for (int i = 0; i < 200; ++i) send(v1::END_A, i);
    return arrived();
  };
  const std::vector<uint32_t> first = survivors(1);
  EXPECT_EQ(survivors(1), first);
  EXPECT_NE(survivors(2), first);
}

TEST_F(WireTest, Duplicates) {
  ASSERT_TRUE(impair("duplicate: 1").ok());
  send(v1::END_A, 7);
  EXPECT_THAT(arrived(), ElementsAre(7, 7));
  EXPECT_EQ(entry(1).origin(), v1::ORIGIN_END);
  EXPECT_EQ(entry(2).origin(), v1::ORIGIN_DUPLICATE);
}

TEST_F(WireTest, CorruptionTurnsOneBitOfThePayload) {
  ASSERT_TRUE(impair("corrupt: 1").ok());
  const std::vector<std::string> packets = {packet_of("tcp {} payload: 'abc'"),
                                            packet_of("ipv6 {} tcp {}")};
  for (int round = 0; round < 200; ++round) {
    for (const std::string& packet : packets) {
      send(v1::END_A, packet);
      const std::string& got = arrivals_.back().packet;
      const size_t header = packet.size() == 43 ? 20 : 40;
      EXPECT_EQ(got.substr(0, header), packet.substr(0, header));
      int bits = 0;
      for (size_t i = 0; i < packet.size(); ++i) {
        bits += __builtin_popcount(static_cast<uint8_t>(got[i] ^ packet[i]));
      }
      EXPECT_EQ(bits, 1);
    }
  }
  EXPECT_TRUE(entry(1).corrupted());
  EXPECT_EQ(entry(1).raw(), arrivals_[0].packet) << "the log shows what was delivered";
  EXPECT_FALSE(entry(1).transport_checksum_valid());
}

TEST_F(WireTest, DelayAndJitterKeepTheOrder) {
  ASSERT_TRUE(impair("delay { nanos: 50000000 } jitter { nanos: 20000000 }").ok());
  for (int i = 0; i < 50; ++i) send(v1::END_A, i);
  EXPECT_EQ(entry(1).fate(), v1::FATE_DELAYED);
  EXPECT_EQ(wire_->in_flight(), 50u);
  run_for(milliseconds(49));
  EXPECT_TRUE(arrivals_.empty());
  run_for(milliseconds(21));
  ASSERT_EQ(arrivals_.size(), 50u);
  EXPECT_GT(arrivals_.back().time - arrivals_.front().time, milliseconds(1));
  const std::vector<uint32_t> numbers = arrived();
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(entry(1).fate(), v1::FATE_DELIVERED);
  EXPECT_EQ(wire_->in_flight(), 0u);
}

TEST_F(WireTest, WhatIsUnderWayIsBounded) {
  ASSERT_TRUE(impair("delay { seconds: 1 }").ok());
  const std::string packet(65000, 'x');
  const size_t fit = DelayLine::kMaxBytes / packet.size();
  for (size_t i = 0; i < fit + 10; ++i) send(v1::END_A, packet);
  EXPECT_EQ(wire_->in_flight(), fit);
  EXPECT_EQ(entry(fit).fate(), v1::FATE_DELAYED);
  EXPECT_EQ(entry(fit + 1).fate(), v1::FATE_DROPPED);
  run_for(seconds(1));
  EXPECT_EQ(arrivals_.size(), fit);
  send(v1::END_A, packet);
  EXPECT_EQ(wire_->in_flight(), 1u);
}

TEST_F(WireTest, ReorderedOnesComeLater) {
  ASSERT_TRUE(impair("reorder: 0.2 seed: 3").ok());
  for (int i = 0; i < 100; ++i) send(v1::END_A, i);
  const size_t at_once = arrivals_.size();
  EXPECT_NEAR(static_cast<double>(at_once), 80, 15);
  run_for(milliseconds(9));
  EXPECT_EQ(arrivals_.size(), at_once);
  run_for(milliseconds(1));
  EXPECT_EQ(arrivals_.size(), 100u) << "10 ms is the default";
}

TEST_F(WireTest, MarksCongestionOnEcnCapableTransportsOnly) {
  ASSERT_TRUE(impair("congestion_experienced: 1").ok());
  for (const std::string ip : {"ipv4", "ipv6"}) {
    for (uint32_t ecn = 0; ecn < 4; ++ecn) {
      send(v1::END_A, packet_of(ip + " { ecn: " + std::to_string(ecn) + " dscp: 9 } tcp {}"));
      Decoded decoded;
      decode(octets(arrivals_.back().packet), decoded);
      const uint32_t got =
          ip == "ipv4" ? decoded.segment.ipv4().ecn() : decoded.segment.ipv6().ecn();
      EXPECT_EQ(got, ecn == 0 ? 0 : 3) << ip << " " << ecn;
      EXPECT_EQ(ip == "ipv4" ? decoded.segment.ipv4().dscp() : decoded.segment.ipv6().dscp(), 9);
      const v1::LogEntry logged = entry(arrivals_.size());
      EXPECT_TRUE(logged.ip_checksum_valid() && logged.transport_checksum_valid());
      EXPECT_FALSE(logged.corrupted());
    }
  }
}

TEST_F(WireTest, BottleneckSpacesQueuesAndDrops) {
  // 1,000 octets take 1 ms; besides the one on its way, three fit.
  ASSERT_TRUE(impair("rate_bits_per_s: 8000000 queue_bytes: 4000").ok());
  const std::string packet(1000, 'E');
  for (int i = 0; i < 6; ++i) send(v1::END_A, packet);
  EXPECT_EQ(entry(4).fate(), v1::FATE_DELAYED);
  EXPECT_EQ(entry(5).fate(), v1::FATE_DROPPED);
  EXPECT_EQ(entry(6).fate(), v1::FATE_DROPPED);
  for (size_t i = 1; i <= 4; ++i) {
    run_for(microseconds(999));
    EXPECT_EQ(arrivals_.size(), i - 1);
    run_for(microseconds(1));
    EXPECT_EQ(arrivals_.size(), i);
  }
  send(v1::END_A, packet);
  EXPECT_EQ(entry(7).fate(), v1::FATE_DELAYED) << "there is room again";
}

TEST_F(WireTest, HoldTakesWhatImpairLeaves) {
  ASSERT_TRUE(impair("delay { seconds: 1 } duplicate: 1").ok());
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A")).ok());
  send(v1::END_A, 1);
  EXPECT_EQ(wire_->held(), 2u);
  ASSERT_TRUE(wire_->release(v1::ReleaseHeldRequest()).ok());
  EXPECT_THAT(arrived(), ElementsAre(1, 1)) << "at once";
}

TEST_F(WireTest, ImpairErrors) {
  expect_error(wire_->impair(v1::ImpairRequest()), absl::StatusCode::kInvalidArgument, "from: 0");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"loss: 1.5", "loss: 1.5 is no probability"},
      {"loss: nan", "loss: nan is no probability"},
      {"duplicate: -0.1", "duplicate: -0.1"},
      {"corrupt: 2", "corrupt: 2"},
      {"reorder: inf", "reorder: inf"},
      {"delay { seconds: 3601 }", "delay: 3601"},
      {"jitter { seconds: -1 }", "jitter: -1"},
      {"reorder_delay { nanos: -5 }", "reorder_delay: "},
      {"delay { nanos: 1000000000 }", "delay: malformed duration"},
      {"delay { seconds: 1 nanos: -1 }", "delay: malformed duration"},
      {"congestion_experienced: 7", "congestion_experienced: 7"},
      {"rate_bits_per_s: 7999", "rate_bits_per_s: 7999 is not 0 or 8000.."},
      {"rate_bits_per_s: 8000 queue_bytes: 67108865", "queue_bytes: 67108865 is more than"},
      {"queue_bytes: 1", "queue_bytes: is of a bottleneck"},
  };
  ASSERT_TRUE(impair("loss: 1").ok());
  for (const auto& [text, error] : cases) {
    SCOPED_TRACE(text);
    expect_error(impair(text), absl::StatusCode::kInvalidArgument, error);
  }
  send(v1::END_A, 1);
  EXPECT_TRUE(arrivals_.empty()) << "a refused request changes nothing";
}

// --- Inject ---

TEST_F(WireTest, InjectsAtOnce) {
  const auto injection = inject(
      "from: END_A train { segment { tcp { sequence_number: 5 } } }"
      " train { segment { tcp { sequence_number: 6 } } }");
  ASSERT_TRUE(injection.ok()) << injection.status();
  const auto response = (*injection)->poll();
  ASSERT_TRUE(response);
  EXPECT_THAT(response->numbers(), ElementsAre(1, 2));
  EXPECT_EQ(response->sent(), 2u);
  EXPECT_EQ(response->lateness().nanos(), 0);
  EXPECT_THAT(arrived(), ElementsAre(5, 6));
  EXPECT_EQ(entry(1).origin(), v1::ORIGIN_INJECTED);
  EXPECT_EQ(entry(1).from(), v1::END_A);
  EXPECT_EQ(entry(1).segment().ipv4().identification() + 1,
            entry(2).segment().ipv4().identification());
}

TEST_F(WireTest, InjectedSegmentsAreNeitherHeldNorImpaired) {
  ASSERT_TRUE(impair("loss: 1").ok());
  ASSERT_TRUE(wire_->hold(from_text<v1::HoldRequest>("from: END_A")).ok());
  ASSERT_TRUE(inject("from: END_A train { segment { tcp { sequence_number: 5 } } }").ok());
  EXPECT_THAT(arrived(), ElementsAre(5));
}

TEST_F(WireTest, PlaysATrainByTheClock) {
  const auto injection = inject(
      "from: END_A train { segment { tcp { sequence_number: 1 } } gap { nanos: 5000000 } }"
      " train { segment { tcp { sequence_number: 2 } } gap { nanos: 10000000 } }"
      " train { segment { tcp { sequence_number: 3 } } }");
  ASSERT_TRUE(injection.ok()) << injection.status();
  EXPECT_FALSE((*injection)->poll());
  EXPECT_TRUE(arrivals_.empty());
  EXPECT_EQ(wire_->playing(), 1u);
  run_for(milliseconds(5));
  EXPECT_THAT(arrived(), ElementsAre(1));
  run_for(milliseconds(10));
  EXPECT_EQ(arrivals_.back().time, tcp::Instant(milliseconds(15)));
  EXPECT_THAT(arrived(), ElementsAre(2, 3));
  ASSERT_TRUE((*injection)->poll());
  EXPECT_THAT((*injection)->poll()->numbers(), ElementsAre(1, 2, 3));
  EXPECT_EQ(wire_->playing(), 0u);
}

TEST_F(WireTest, ATrainWhoseCallerLeavesStopsUnlessInTheBackground) {
  const std::string train = " train { segment { tcp {} } gap { seconds: 1 } }";
  { const auto injection = inject("from: END_A" + train); }
  run_for(seconds(2));
  EXPECT_TRUE(arrivals_.empty());
  {
    const auto injection = inject("from: END_A background: true" + train);
    ASSERT_TRUE((*injection)->poll());
    EXPECT_EQ((*injection)->poll()->sent(), 0u);
  }
  run_for(seconds(2));
  EXPECT_EQ(arrivals_.size(), 1u);
}

TEST_F(WireTest, AWireThatGoesStopsItsTrains) {
  const auto injection = inject("from: END_A train { segment { tcp {} } gap { seconds: 1 } }");
  ASSERT_TRUE(injection.ok());
  ASSERT_TRUE(impair("delay { seconds: 1 }").ok());
  send(v1::END_A, 1);
  wire_.reset();
  run_for(seconds(2));
  EXPECT_TRUE(arrivals_.empty());
  EXPECT_TRUE((*injection)->poll());
}

TEST_F(WireTest, IcmpQuotesByNumber) {
  send(v1::END_B, packet_of("tcp { source_port: 80 }"));
  const auto injection =
      inject("from: END_A train { segment { icmp { type: 3 code: 1 quoted_number: 1 } } }");
  ASSERT_TRUE(injection.ok()) << injection.status();
  EXPECT_EQ(entry(2).segment().icmp().quoted_segment().tcp().source_port(), 80u);
}

TEST_F(WireTest, InjectErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"train { segment { tcp {} } }", "from: 0 names no end"},
      {"from: 9 train { segment { tcp {} } }", "from: 9 names no end"},
      {"from: END_A", "train: has 0 segments"},
      {"from: END_A flood {} train {}", "flood: stands instead of a train"},
      {"from: END_A train { segment { tcp {} } } train { segment { tcp { window: 70000 } } }",
       "train[1].segment.tcp.window: 70000 is above 65535"},
      {"from: END_A train { segment { tcp {} } gap { nanos: -1 } }", "train[0].gap: "},
      {"from: END_A train { segment { tcp {} } gap { seconds: 86401 } }", "train[0].gap: 86401"},
      {"from: END_A train { segment { icmp { type: 3 quoted_number: 1 } } }",
       "train[0].segment.icmp.quoted_number: no segment 1"},
      {"from: END_A flood { segment { tcp {} } }", "flood.count: 0 is outside 1..10000000"},
      {"from: END_A flood { segment { tcp {} } count: 10000001 }", "flood.count: 10000001"},
      {"from: END_A flood { segment { icmp { type: 8 } } count: 1 }",
       "flood.segment.tcp: is required"},
      {"from: END_A flood { segment { tcp { flags: 512 } } count: 1 }", "flood.segment.tcp.flags"},
      {"from: END_A flood { segment { tcp {} } count: 1 source_prefix: 'x' }",
       "flood.source_prefix: \"x\" is no prefix"},
      {"from: END_A flood { segment { tcp {} } count: 1 source_prefix: '1.2.3.4/33' }",
       "flood.source_prefix: \"1.2.3.4/33\" is no prefix"},
      {"from: END_A flood { segment { tcp {} } count: 1 source_prefix: '1.2.3.4' }",
       "flood.source_prefix"},
      {"from: END_A flood { segment { ipv6 {} tcp {} } count: 1 source_prefix: '1.2.3.4/8' }",
       "flood.source_prefix: \"1.2.3.4/8\" must be IPv6"},
  };
  for (const auto& [text, error] : cases) {
    SCOPED_TRACE(text);
    expect_error(inject(text).status(), absl::StatusCode::kInvalidArgument, error);
  }
  EXPECT_EQ(wire_->log().last(), 0u) << "nothing was sent";
  v1::InjectRequest request;
  request.set_from(v1::END_A);
  for (int i = 0; i <= kMaxTrain; ++i) request.add_train();
  expect_error(wire_->inject(request).status(), absl::StatusCode::kInvalidArgument,
               "train: has 100001 segments");
}

TEST_F(WireTest, AFloodIsManyValidSegmentsFromAPrefix) {
  const auto injection = inject(
      "from: END_A flood { segment { tcp { destination_port: 80 flags: 2 } }"
      " count: 3000 source_prefix: '198.18.0.0/15' seed: 4 }");
  ASSERT_TRUE(injection.ok()) << injection.status();
  run_for(tcp::Duration(0));
  ASSERT_TRUE((*injection)->poll());
  EXPECT_EQ((*injection)->poll()->sent(), 3000u);
  EXPECT_EQ((*injection)->poll()->numbers_size(), 3000);
  ASSERT_EQ(arrivals_.size(), 3000u);
  std::set<std::string> sources;
  const packet::IpAddress network = packet::IpAddress::v4(198, 18, 0, 0);
  for (const Arrival& arrival : arrivals_) {
    packet::TcpSegment segment;
    ASSERT_EQ(
        packet::parse_tcp_packet(octets(arrival.packet), packet::ChecksumPolicy::kVerify, segment),
        packet::ParseResult::kOk);
    EXPECT_TRUE(segment.source.in_prefix(network, 15)) << segment.source.to_string();
    EXPECT_GE(segment.header.source_port, 1024);
    EXPECT_EQ(segment.header.destination_port, 80);
    sources.insert(segment.source.to_string());
  }
  EXPECT_GT(sources.size(), 2900u);
}

TEST_F(WireTest, FloodsOfIpv6UnloggedAndRepeatable) {
  const auto flood = [this] {
    make();
    const auto injection = inject(
        "from: END_A flood { segment { ipv6 {} tcp { flags: 2 } }"
        " count: 50 seed: 9 unlogged: true }");
    EXPECT_TRUE(injection.ok()) << injection.status();
    EXPECT_EQ((*injection)->poll()->numbers_size(), 0);
    std::vector<std::string> packets;
    for (const Arrival& arrival : arrivals_) packets.push_back(arrival.packet);
    arrivals_.clear();
    return packets;
  };
  const std::vector<std::string> first = flood();
  ASSERT_EQ(first.size(), 50u);
  packet::TcpSegment segment;
  EXPECT_EQ(packet::parse_tcp_packet(octets(first[49]), packet::ChecksumPolicy::kVerify, segment),
            packet::ParseResult::kOk);
  EXPECT_TRUE(segment.source.in_prefix(*packet::IpAddress::parse("2001:db8:ffff::"), 48));
  EXPECT_EQ(flood(), first);
  EXPECT_EQ(wire_->log().last(), 0u);
  EXPECT_EQ(wire_->unlogged(), 50u);
}

TEST_F(WireTest, FloodsKeepTheirRate) {
  const auto injection = inject("from: END_A flood { segment { tcp {} } count: 2001 rate: 1000 }");
  ASSERT_TRUE(injection.ok());
  run_for(seconds(1));
  EXPECT_EQ(arrivals_.size(), 1001u);
  EXPECT_FALSE((*injection)->poll());
  run_for(seconds(1));
  EXPECT_EQ(arrivals_.size(), 2001u);
  EXPECT_TRUE((*injection)->poll());
}

TEST_F(WireTest, AFloodsWrongChecksumStays) {
  ASSERT_TRUE(inject("from: END_A flood { segment { tcp { checksum: 7 } } count: 2 }").ok());
  EXPECT_EQ(entry(2).segment().tcp().checksum(), 7u);
  EXPECT_TRUE(entry(2).ip_checksum_valid());
}

// --- Expect, Log and Pcap through the wire ---

TEST_F(WireTest, ExpectFromRequests) {
  const auto expectation = wire_->expect(from_text<v1::ExpectRequest>(
      "from: END_B pattern { fields { tcp { sequence_number: 9 } } } timeout { seconds: 1 }"));
  ASSERT_TRUE(expectation.ok()) << expectation.status();
  EXPECT_EQ((*expectation)->deadline(), tcp::Instant(seconds(1)));
  EXPECT_FALSE((*expectation)->poll(scheduler_.now()));
  send(v1::END_B, 9);
  EXPECT_EQ((**(*expectation)->poll(scheduler_.now())).result(),
            v1::ExpectResponse::RESULT_MATCHED);
  const auto now = wire_->expect(from_text<v1::ExpectRequest>("from: END_B timeout {}"));
  EXPECT_EQ((**(*now)->poll(scheduler_.now())).result(), v1::ExpectResponse::RESULT_TIMED_OUT);
}

TEST_F(WireTest, ALossyCaptureVoidsWhatIsExpected) {
  send(v1::END_B, 9);
  drops_ = 2;
  const auto expectation = wire_->expect(from_text<v1::ExpectRequest>("from: END_B timeout {}"));
  expect_error((*expectation)->poll(scheduler_.now())->status(), absl::StatusCode::kDataLoss,
               "2 frames were lost");
}

TEST_F(WireTest, ExpectErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "from: 0 names no end"},
      {"from: END_A mode: 9", "mode: 9 names no mode"},
      {"from: END_A mode: EXPECT_MODE_SILENCE", "timeout: is required for SILENCE"},
      {"from: END_A timeout { seconds: -1 }", "timeout: -1"},
      {"from: END_A timeout { seconds: 315576000001 }", "timeout: 315576000001"},
      {"from: END_A pattern { flags_mask: 1 }", "pattern.flags_mask"},
  };
  for (const auto& [text, error] : cases) {
    SCOPED_TRACE(text);
    expect_error(wire_->expect(from_text<v1::ExpectRequest>(text)).status(),
                 absl::StatusCode::kInvalidArgument, error);
  }
}

TEST_F(WireTest, LogAndPcapErrors) {
  make(false, 1, 100);
  for (int i = 0; i < 10; ++i) send(v1::END_A, i);
  expect_error(wire_->read_log(v1::LogRequest()).status(), absl::StatusCode::kDataLoss,
               "segments 1..8 were dropped");
  expect_error(wire_->pcap(v1::PcapRequest()).status(), absl::StatusCode::kDataLoss,
               "segments 1..8 were dropped");
  EXPECT_TRUE(wire_->read_log(from_text<v1::LogRequest>("after: 8")).ok());
  EXPECT_TRUE(wire_->pcap(from_text<v1::PcapRequest>("after: 8")).ok());
  expect_error(wire_->read_log(from_text<v1::LogRequest>("after: 8 from: 5")).status(),
               absl::StatusCode::kInvalidArgument, "from: 5");
  expect_error(
      wire_->read_log(from_text<v1::LogRequest>("after: 8 pattern { option_match: 9 }")).status(),
      absl::StatusCode::kInvalidArgument, "pattern.option_match");
}

TEST_F(WireTest, HandlesOutliveTheWire) {
  send(v1::END_A, 1);
  const auto expectation = wire_->expect(from_text<v1::ExpectRequest>("from: END_B timeout {}"));
  const auto reader = wire_->read_log(v1::LogRequest());
  const auto pcap = wire_->pcap(v1::PcapRequest());
  wire_.reset();
  EXPECT_TRUE((*(*expectation)->poll(scheduler_.now())).ok());
  EXPECT_EQ(drop_questions_, 0) << "the hooks are gone";
  v1::LogEntry first;
  EXPECT_TRUE(*(*reader)->next(first));
  std::string chunk;
  EXPECT_TRUE(*(*pcap)->next(chunk));
}

}  // namespace
}  // namespace tcproctor::server
