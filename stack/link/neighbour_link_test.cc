// SPDX-License-Identifier: Apache-2.0
// A scripted end's link against one of our hosts, over memory: each finds the other's MAC address.
#include "stack/link/neighbour_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/link/memory_link.h"
#include "stack/packet/arp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::link {
namespace {

using packet::IpAddress;
using packet::MacAddress;

constexpr MacAddress kOurs{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kTheirs{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress kRouter{{2, 0, 0, 0, 0, 3}};

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

class NeighbourLinkTest : public ::testing::Test {
 protected:
  void make(NeighbourLinkConfig config) {
    auto [mine, theirs] = MemoryLink::pair(host::LinkLayer::kEthernet, 64);
    far_ = std::move(theirs);
    config.mac = kOurs;
    link_ = *NeighbourLink::create(std::move(mine), std::move(config));
  }
  void make() {
    make({.addresses = {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}},
          .mac = {},
          .gateway_v4 = ip("192.0.2.254"),
          .gateway_v6 = {},
          .peers = {ip("198.51.100.7"), ip("2001:db8::7")}});
  }

  // What came out on the other side.
  std::vector<std::vector<uint8_t>> sent() {
    std::vector<ReceivedFrame> frames;
    EXPECT_TRUE(far_->receive(frames).ok());
    std::vector<std::vector<uint8_t>> all;
    for (const ReceivedFrame& frame : frames) {
      all.emplace_back(frame.bytes.begin(), frame.bytes.end());
    }
    return all;
  }
  void arrive(const std::vector<uint8_t>& frame) {
    EXPECT_TRUE(far_->send(frame, {}).ok());
    EXPECT_TRUE(far_->flush().ok());
  }
  // Frames that are handed to the user of the link.
  size_t received() {
    std::vector<ReceivedFrame> frames;
    EXPECT_TRUE(link_->receive(frames).ok());
    return frames.size();
  }
  static std::vector<uint8_t> frame(const MacAddress& to, const IpAddress& source,
                                    const IpAddress& destination) {
    std::vector<uint8_t> out(14 + packet::ip_header_bytes(source.family()) + 20);
    const std::span<uint8_t> room(out);
    EXPECT_EQ(packet::write_ethernet(
                  {.destination = to,
                   .source = kTheirs,
                   .ether_type = source.is_v4() ? packet::kEtherTypeIpv4 : packet::kEtherTypeIpv6},
                  room),
              14u);
    EXPECT_NE(packet::write_ip({.source = source, .destination = destination}, packet::kProtocolTcp,
                               20, room.subspan(14)),
              0u);
    return out;
  }
  // The router answers for its address, the peer for its.
  void answer_as(const MacAddress& mac, const std::vector<uint8_t>& question) {
    packet::EthernetHeader header;
    std::span<const uint8_t> payload;
    ASSERT_EQ(packet::parse_ethernet(question, header, payload), packet::ParseResult::kOk);
    packet::ArpPacket arp;
    ASSERT_EQ(packet::parse_arp(payload, arp), packet::ParseResult::kOk);
    const packet::ArpPacket reply = packet::arp_reply_to(arp, mac);
    std::vector<uint8_t> out(14 + packet::kArpBytes);
    (void)packet::write_ethernet({arp.sender_mac, mac, packet::kEtherTypeArp}, out);
    (void)packet::write_arp(reply, std::span(out).subspan(14));
    arrive(out);
  }

  std::unique_ptr<MemoryLink> far_;
  std::unique_ptr<NeighbourLink> link_;
};

TEST_F(NeighbourLinkTest, NobodyAnswersForTheGateway) {
  make();
  const absl::Status status = link_->resolve(std::chrono::milliseconds(30));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("nobody answers for 192.0.2.254 (ARP)"));
}

TEST_F(NeighbourLinkTest, OffThePrefixWithoutGateway) {
  make({.addresses = {{ip("192.0.2.1"), 24}},
        .mac = {},
        .gateway_v4 = {},
        .gateway_v6 = {},
        .peers = {ip("198.51.100.7")}});
  EXPECT_THAT(std::string(link_->resolve(std::chrono::milliseconds(30)).message()),
              ::testing::HasSubstr("there is no gateway"));
}

TEST_F(NeighbourLinkTest, SendsToTheNextHopOnceItIsKnown) {
  make();
  // It gives up, but has asked.
  (void)link_->resolve(std::chrono::milliseconds(10));
  const std::vector<std::vector<uint8_t>> questions = sent();
  ASSERT_GE(questions.size(), 2u);  // ARP for the gateway, ND for the peer on the link
  const std::vector<uint8_t> whole = frame(kOurs, ip("192.0.2.1"), ip("198.51.100.7"));
  const std::vector<uint8_t> packet(whole.begin() + 14, whole.end());
  EXPECT_TRUE(link_->send(packet, {}).ok());
  EXPECT_EQ(sent().size(), 0u);
  EXPECT_EQ(link_->counters().send_refused, 1u);
  answer_as(kRouter, questions[0]);
  EXPECT_EQ(received(), 0u);  // it is no packet
  EXPECT_TRUE(link_->send(packet, {}).ok());
  EXPECT_TRUE(link_->flush().ok());
  const std::vector<std::vector<uint8_t>> out = sent();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_TRUE(std::equal(kRouter.bytes.begin(), kRouter.bytes.end(), out[0].begin()));
  EXPECT_TRUE(std::equal(packet.begin(), packet.end(), out[0].begin() + 14));
}

TEST_F(NeighbourLinkTest, AnswersForItsOwnAddressesAlone) {
  make();
  for (const char* asked : {"192.0.2.1", "192.0.2.2"}) {
    std::vector<uint8_t> question(14 + packet::kArpBytes);
    (void)packet::write_ethernet({MacAddress::broadcast(), kTheirs, packet::kEtherTypeArp},
                                 question);
    (void)packet::write_arp({.operation = packet::kArpRequest,
                             .sender_mac = kTheirs,
                             .sender_ip = ip("192.0.2.9"),
                             .target_mac = {},
                             .target_ip = ip(asked)},
                            std::span(question).subspan(14));
    arrive(question);
    EXPECT_EQ(received(), 0u);
    EXPECT_EQ(sent().size(), std::string_view(asked) == "192.0.2.1" ? 1u : 0u) << asked;
  }
}

TEST_F(NeighbourLinkTest, HandsOnWhatThePeerSentHere) {
  make();
  arrive(frame(kOurs, ip("198.51.100.7"), ip("192.0.2.1")));
  arrive(frame(kOurs, ip("2001:db8::7"), ip("2001:db8::1")));
  EXPECT_EQ(received(), 2u);
  // Of somebody else, and to another machine.
  arrive(frame(kOurs, ip("198.51.100.8"), ip("192.0.2.1")));
  arrive(frame(kRouter, ip("198.51.100.7"), ip("192.0.2.1")));
  EXPECT_EQ(received(), 0u);
}

TEST_F(NeighbourLinkTest, PaddingOfAShortFrameIsNotThePeers) {
  make();
  std::vector<uint8_t> padded = frame(kOurs, ip("198.51.100.7"), ip("192.0.2.1"));
  ASSERT_EQ(padded.size(), 54u);
  padded.resize(60);
  arrive(padded);
  std::vector<ReceivedFrame> frames;
  ASSERT_TRUE(link_->receive(frames).ok());
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].bytes.size(), 40u);
}

}  // namespace
}  // namespace tcproctor::link
