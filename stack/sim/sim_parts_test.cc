// SPDX-License-Identifier: Apache-2.0
// The tools of the simulation themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stack/packet/icmp.h"
#include "stack/packet/tcp_header.h"
#include "stack/sim/checker.h"
#include "stack/sim/choices.h"
#include "stack/sim/network.h"
#include "stack/sim/offload.h"

namespace tcproctor::sim {
namespace {

using namespace std::chrono_literals;
using packet::IpAddress;
using tcp::Instant;
using tcp::State;

std::vector<uint8_t> tcp_packet(size_t payload, bool v6, packet::ChecksumFill fill) {
  std::vector<uint8_t> text(payload);
  write_content(7, 0, text);
  const packet::TcpPacketParts parts = {
      .ip = {.source = v6 ? *IpAddress::parse("2001:db8::1") : IpAddress::v4(192, 0, 2, 1),
             .destination = v6 ? *IpAddress::parse("2001:db8::2") : IpAddress::v4(192, 0, 2, 2)},
      .header = {.source_port = 1,
                 .destination_port = 2,
                 .sequence_number = 0xFFFFFF00,
                 .flags = packet::kAck | packet::kPsh | packet::kFin | packet::kCwr},
      .payload = text,
      .checksum = fill};
  std::vector<uint8_t> packet(packet::tcp_packet_size(parts));
  EXPECT_EQ(packet::build_tcp_packet(parts, packet), packet.size());
  return packet;
}

std::vector<Network::Attached> two_hosts() {
  return {{IpAddress::v4(192, 0, 2, 1), *IpAddress::parse("2001:db8::1")},
          {IpAddress::v4(192, 0, 2, 2), *IpAddress::parse("2001:db8::2")}};
}

TEST(Choices, BytesThatRanOutGiveZeros) {
  const std::array<uint8_t, 3> bytes = {1, 200, 3};
  Choices choices{std::span<const uint8_t>(bytes)};
  EXPECT_EQ(choices.below(1000), 1 * 256 + 200u);
  EXPECT_EQ(choices.below(200), 3u);
  EXPECT_TRUE(choices.exhausted());
  EXPECT_EQ(choices.below(1000), 0u);
  EXPECT_FALSE(choices.permille(999));
  EXPECT_FALSE(choices.one_in(2));
}

TEST(Offload, SuperSegmentsAreCutAndChecksumsFinished) {
  for (const bool v6 : {false, true}) {
    const auto super = tcp_packet(2500, v6, packet::ChecksumFill::kPseudoHeader);
    const auto pieces =
        cut(super, {.checksum_partial = true, .gso_size = 1000}, host::LinkLayer::kRawIp);
    ASSERT_EQ(pieces.size(), 3u);
    std::vector<uint8_t> payload;
    for (size_t i = 0; i < pieces.size(); ++i) {
      packet::TcpSegment segment;
      ASSERT_EQ(packet::parse_tcp_packet(pieces[i], packet::ChecksumPolicy::kVerify, segment),
                packet::ParseResult::kOk);
      EXPECT_EQ(segment.header.sequence_number, 0xFFFFFF00 + static_cast<uint32_t>(i) * 1000);
      EXPECT_EQ(segment.has(packet::kFin), i == 2);
      EXPECT_EQ(segment.has(packet::kPsh), i == 2);
      EXPECT_EQ(segment.has(packet::kCwr), i == 0);
      payload.insert(payload.end(), segment.payload.begin(), segment.payload.end());
    }
    std::vector<uint8_t> expected(2500);
    write_content(7, 0, expected);
    EXPECT_EQ(payload, expected);
  }
}

TEST(Network, KeepsOrderUnlessToldOtherwise) {
  Choices choices(1);
  Network network(choices, two_hosts(), host::LinkLayer::kRawIp);
  network.conditions(0, 1).jitter = 50ms;
  const auto frame = tcp_packet(10, false, packet::ChecksumFill::kFull);
  for (int i = 0; i < 100; ++i) network.send(Instant{} + i * 1ms, 0, frame, {});
  EXPECT_EQ(network.in_flight(), 100u);
  Instant last{};
  while (network.next()) {
    const auto arrival = network.take();
    EXPECT_GE(arrival.at, last);
    EXPECT_EQ(arrival.to, 1u);
    last = arrival.at;
  }
  EXPECT_EQ(network.faults().total(), 0u);
}

TEST(Network, LosesDuplicatesDamagesAndVanishes) {
  Choices choices(2);
  Network network(choices, two_hosts(), host::LinkLayer::kRawIp);
  Conditions& path = network.conditions(0, 1);
  const auto frame = tcp_packet(10, false, packet::ChecksumFill::kFull);
  path.loss = 1000;
  network.send(Instant{}, 0, frame, {});
  EXPECT_EQ(network.in_flight(), 0u);
  path = {.duplicate = 1000};
  network.send(Instant{}, 0, frame, {});
  EXPECT_EQ(network.in_flight(), 2u);
  network.vanish(0, std::nullopt);
  EXPECT_EQ(network.in_flight(), 0u);
  path = {.corrupt = 1000};
  for (int i = 0; i < 500; ++i) {
    network.send(Instant{}, 0, frame, {});
    packet::TcpSegment segment;
    const auto damaged = network.take().bytes;
    EXPECT_NE(packet::parse_tcp_packet(damaged, packet::ChecksumPolicy::kVerify, segment),
              packet::ParseResult::kOk)
        << "damage that no checksum finds";
  }
  EXPECT_EQ(network.faults().lost, 1u);
  EXPECT_EQ(network.faults().duplicated, 1u);
  EXPECT_EQ(network.faults().vanished, 2u);
  EXPECT_EQ(network.faults().corrupted, 500u);
}

TEST(Network, TooBigIsToldOrNot) {
  for (const bool v6 : {false, true}) {
    Choices choices(3);
    Network network(choices, two_hosts(), host::LinkLayer::kRawIp);
    const auto frame = tcp_packet(1400, v6, packet::ChecksumFill::kFull);
    network.conditions(0, 1).mtu = 1300;
    network.send(Instant{}, 0, frame, {});
    ASSERT_EQ(network.in_flight(), 1u);
    const auto arrival = network.take();
    EXPECT_EQ(arrival.to, 0u);
    packet::IpPacket ip;
    packet::IcmpMessage message;
    ASSERT_EQ(packet::parse_ip(arrival.bytes, ip), packet::ParseResult::kOk);
    ASSERT_EQ(packet::parse_icmp(ip, message), packet::ParseResult::kOk);
    EXPECT_EQ(message.classify(), packet::IcmpClass::kPacketTooBig);
    EXPECT_EQ(message.mtu(), 1300u);
    network.conditions(0, 1).tell_too_big = false;
    network.send(Instant{}, 0, frame, {});
    EXPECT_EQ(network.in_flight(), 0u);
  }
}

TEST(Checker, KnowsTheStateDiagram) {
  EXPECT_TRUE(Checker::is_edge(State::kListen, State::kSynReceived));
  EXPECT_TRUE(Checker::is_edge(State::kFinWait2, State::kTimeWait));
  EXPECT_FALSE(Checker::is_edge(State::kEstablished, State::kLastAck));
  EXPECT_FALSE(Checker::is_edge(State::kTimeWait, State::kEstablished));
}

TEST(Checker, KeepsTheFirstViolation) {
  Checker checker(1);
  EXPECT_FALSE(checker.violated());
  host::HostEvent event = {.id = 5};
  event.event.from = State::kClosed;
  event.event.to = State::kEstablished;
  checker.on_event(0, event);
  EXPECT_THAT(checker.violation(), testing::HasSubstr("no edge"));
  checker.violate("another");
  EXPECT_THAT(checker.violation(), testing::Not(testing::HasSubstr("another")));
}

}  // namespace
}  // namespace tcproctor::sim
