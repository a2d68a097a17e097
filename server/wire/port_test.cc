// SPDX-License-Identifier: Apache-2.0
#include "server/wire/port.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/wire/decode.h"
#include "server/wire/test_util.h"
#include "stack/link/memory_link.h"
#include "stack/packet/arp.h"
#include "stack/packet/nd.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::server {
namespace {

using host::LinkLayer;

const packet::MacAddress kEnd{{2, 0, 0, 0, 0, 1}};
const packet::MacAddress kPeer{{2, 0, 0, 0, 0, 2}};

class PortTest : public testing::Test {
 protected:
  void make(LinkLayer layer, size_t capacity = 1024) {
    auto [near, far] = link::MemoryLink::pair(layer, capacity);
    far_ = std::move(far);
    std::optional<EthernetAddresses> addresses;
    if (layer == LinkLayer::kEthernet) addresses = EthernetAddresses{kEnd, kPeer};
    port_ = std::make_unique<Port>(std::move(near), addresses, scheduler_, nullptr);
    const absl::Status status = port_->start(
        [this](std::span<const uint8_t> packet, const PacketMeta& meta) {
          packets_.emplace_back(packet.begin(), packet.end());
          metas_.push_back(meta);
        },
        [](const absl::Status&) { ADD_FAILURE() << "memory is never lost"; });
    ASSERT_TRUE(status.ok()) << status;
  }

  void turn() { scheduler_.run_until(scheduler_.now()); }

  // The far end sends a frame.
  void from_end(const std::string& frame, const host::FrameMeta& meta = {}) {
    ASSERT_TRUE(far_->send(octets(frame), meta).ok());
    turn();
  }

  static std::string framed(const std::string& packet, uint16_t type = packet::kEtherTypeIpv4) {
    std::string frame(packet::kEthernetHeaderBytes, '\0');
    const packet::EthernetHeader header{kPeer, kEnd, type};
    EXPECT_EQ(
        packet::write_ethernet(header, {reinterpret_cast<uint8_t*>(frame.data()), frame.size()}),
        frame.size());
    return frame + packet;
  }

  run::VirtualScheduler scheduler_;
  std::unique_ptr<link::MemoryLink> far_;
  std::unique_ptr<Port> port_;
  std::vector<std::string> packets_;
  std::vector<PacketMeta> metas_;
};

TEST_F(PortTest, StripsAndAddsEthernet) {
  make(LinkLayer::kEthernet);
  const std::string packet = packet_of("tcp {} payload: 'some octets that need no padding'");
  from_end(framed(packet));
  EXPECT_THAT(packets_, testing::ElementsAre(packet));
  EXPECT_EQ(metas_[0].family, packet::IpFamily::kV4);

  PacketMeta meta;
  meta.family = packet::IpFamily::kV6;
  port_->send(octets(packet), meta);
  turn();
  std::vector<link::ReceivedFrame> frames;
  ASSERT_TRUE(far_->receive(frames).ok());
  ASSERT_EQ(frames.size(), 1u);
  packet::EthernetHeader header;
  std::span<const uint8_t> payload;
  ASSERT_EQ(packet::parse_ethernet(frames[0].bytes, header, payload), packet::ParseResult::kOk);
  EXPECT_EQ(header.destination, kEnd);
  EXPECT_EQ(header.source, kPeer);
  EXPECT_EQ(header.ether_type, packet::kEtherTypeIpv6) << "as what it is sent, not by its octets";
  EXPECT_TRUE(std::ranges::equal(payload, octets(packet)));
}

TEST_F(PortTest, TrimsThePaddingOfShortFrames) {
  make(LinkLayer::kEthernet);
  const std::string packet = packet_of("tcp {}");
  from_end(framed(packet + std::string(6, '\0')));
  ASSERT_EQ(packets_.size(), 1u);
  EXPECT_EQ(packets_[0], packet);
  // A frame that needs no padding is shown as it is, wrong length and all.
  const std::string longer = packet_of("ipv4 { total_length: 40 } tcp {} payload: '12345678'");
  from_end(framed(longer));
  EXPECT_EQ(packets_[1], longer);
}

TEST_F(PortTest, CountsNoiseAndShowsNoneOfIt) {
  make(LinkLayer::kEthernet);
  from_end(framed(std::string(28, '\0'), packet::kEtherTypeArp));
  from_end(framed("x", 0x88CC));
  from_end("short");
  for (const int type : {133, 134, 135, 136, 137, 130, 131, 132, 143}) {
    from_end(framed(packet_of("ipv6 {} icmp { type: " + std::to_string(type) + " }"),
                    packet::kEtherTypeIpv6));
  }
  from_end(framed(packet_of("ipv4 { protocol: 2 } payload: 'igmp'")));
  // An MLD report stands behind hop-by-hop options with a router alert.
  const std::string report =
      "\\x3a\\x00\\x05\\x02\\x00\\x00\\x01\\x00\\x8f\\x00\\x00\\x00\\x00\\x00\\x00\\x00";
  from_end(framed(packet_of("ipv6 { next_header: 0 } payload: '" + report + "'"),
                  packet::kEtherTypeIpv6));
  EXPECT_TRUE(packets_.empty());
  const PortCounters counters = port_->counters();
  EXPECT_EQ(counters.noise.arp, 1u);
  EXPECT_EQ(counters.noise.other, 2u);
  EXPECT_EQ(counters.noise.nd, 5u);
  EXPECT_EQ(counters.noise.mld, 6u);
  EXPECT_EQ(counters.capture_drops, 0u);
  from_end(framed(packet_of("ipv6 {} icmp { type: 128 }"), packet::kEtherTypeIpv6));
  from_end(framed(packet_of("icmp { type: 8 }")));
  EXPECT_EQ(packets_.size(), 2u) << "echo is no noise";
}

TEST_F(PortTest, RawIpPassesAsItIs) {
  make(LinkLayer::kRawIp);
  const std::string packet = packet_of("ipv6 {} tcp {}");
  from_end(packet);
  EXPECT_THAT(packets_, testing::ElementsAre(packet));
  EXPECT_EQ(metas_[0].family, packet::IpFamily::kV6);
  from_end(packet_of("ipv6 {} icmp { type: 133 }"));
  EXPECT_EQ(packets_.size(), 1u);
  EXPECT_EQ(port_->counters().noise.nd, 1u);
}

TEST_F(PortTest, FinishesAnOpenChecksum) {
  for (const LinkLayer layer : {LinkLayer::kEthernet, LinkLayer::kRawIp}) {
    packets_.clear();
    make(layer);
    packet::TcpPacketParts parts;
    parts.ip.source = addresses_of_a()[0];
    parts.ip.destination = addresses_of_b()[0];
    parts.checksum = packet::ChecksumFill::kPseudoHeader;
    const std::string data = "unfinished";
    parts.payload = octets(data);
    std::string packet(packet::tcp_packet_size(parts), '\0');
    ASSERT_EQ(
        packet::build_tcp_packet(parts, {reinterpret_cast<uint8_t*>(packet.data()), packet.size()}),
        packet.size());
    host::FrameMeta meta;
    meta.checksum_partial = true;
    meta.checksum_start = layer == LinkLayer::kEthernet ? 34 : 20;
    from_end(layer == LinkLayer::kEthernet ? framed(packet) : packet, meta);
    ASSERT_EQ(packets_.size(), 1u);
    Decoded decoded;
    decode(octets(packets_[0]), decoded);
    EXPECT_TRUE(decoded.transport_checksum_valid);
  }
}

TEST_F(PortTest, SuperSegmentsKeepTheirSizeAndOpenTheirChecksum) {
  make(LinkLayer::kEthernet);
  const std::string packet = packet_of("tcp {} payload: 'twelve octet'");
  PacketMeta meta;
  meta.gso_size = 4;
  port_->send(octets(packet), meta);
  turn();
  std::vector<link::ReceivedFrame> frames;
  ASSERT_TRUE(far_->receive(frames).ok());
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].meta.gso_size, 4);
  EXPECT_TRUE(frames[0].meta.checksum_partial);
  EXPECT_EQ(frames[0].meta.checksum_start, 34);
  // Back through a port it is whole again.
  const std::string frame(frames[0].bytes.begin(), frames[0].bytes.end());
  from_end(frame, frames[0].meta);
  ASSERT_EQ(packets_.size(), 1u);
  EXPECT_EQ(packets_[0], packet);
  EXPECT_EQ(metas_[0].gso_size, 4);
}

TEST_F(PortTest, KeepsWhatFindsTheLinkFullAndItsOrder) {
  make(LinkLayer::kRawIp, 4);
  for (int i = 0; i < 20; ++i) {
    port_->send(octets(packet_of("tcp { sequence_number: " + std::to_string(i) + " }")),
                PacketMeta{});
  }
  std::vector<uint32_t> numbers;
  for (int round = 0; round < 20; ++round) {
    turn();
    std::vector<link::ReceivedFrame> frames;
    ASSERT_TRUE(far_->receive(frames).ok());
    for (const link::ReceivedFrame& frame : frames) {
      Decoded decoded;
      decode(frame.bytes, decoded);
      numbers.push_back(decoded.segment.tcp().sequence_number());
    }
  }
  ASSERT_EQ(numbers.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
  EXPECT_EQ(port_->counters().send_drops, 0u);
}

TEST_F(PortTest, CountsWhatNoDeviceTakes) {
  make(LinkLayer::kEthernet);
  port_->send(octets(std::string(70'000, 'E')), PacketMeta{});
  EXPECT_EQ(port_->counters().send_drops, 1u);
}

TEST_F(PortTest, StoppedPortsAreDeaf) {
  make(LinkLayer::kRawIp);
  port_->stop();
  from_end(packet_of("tcp {}"));
  EXPECT_TRUE(packets_.empty());
  port_->send(octets(packet_of("tcp {}")), PacketMeta{});
  turn();
  std::vector<link::ReceivedFrame> frames;
  ASSERT_TRUE(far_->receive(frames).ok());
  EXPECT_TRUE(frames.empty());
}

TEST_F(PortTest, EthernetNeedsAddresses) {
  auto [near, far] = link::MemoryLink::pair(LinkLayer::kEthernet);
  Port port(std::move(near), std::nullopt, scheduler_, nullptr);
  expect_error(port.start(nullptr, nullptr), absl::StatusCode::kInvalidArgument, "MAC addresses");
}

}  // namespace
}  // namespace tcproctor::server
