// SPDX-License-Identifier: Apache-2.0
#include "stack/link/memory_link.h"

#include <gtest/gtest.h>

#include <array>

#include "stack/link/vnet_header.h"

namespace tcproctor::link {
namespace {

std::vector<uint8_t> bytes(size_t size, uint8_t fill) {
  return std::vector<uint8_t>(size, fill);
}

TEST(MemoryLink, FramesArriveInOrderWithTheirMeta) {
  auto [a, b] = MemoryLink::pair(host::LinkLayer::kRawIp);
  EXPECT_EQ(a->fd(), -1);
  ASSERT_TRUE(a->send(bytes(10, 1), {.checksum_partial = true, .gso_size = 7}).ok());
  const std::span<uint8_t> room = a->send_buffer();
  ASSERT_EQ(room.size(), kMaxFrame);
  room[0] = 2;
  ASSERT_TRUE(a->send(room.first(1), {}).ok());
  std::vector<ReceivedFrame> frames;
  ASSERT_TRUE(b->receive(frames).ok());
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].bytes.size(), 10u);
  EXPECT_EQ(frames[0].meta.gso_size, 7);
  EXPECT_TRUE(frames[0].meta.checksum_trusted);
  EXPECT_EQ(frames[1].bytes[0], 2);
  EXPECT_FALSE(frames[1].meta.checksum_trusted);
  ASSERT_TRUE(b->receive(frames).ok());
  EXPECT_TRUE(frames.empty());
  ASSERT_TRUE(a->receive(frames).ok());
  EXPECT_TRUE(frames.empty()) << "what A sent is not for A";
}

TEST(MemoryLink, QueueIsBoundedAndTellsOfRoom) {
  auto [a, b] = MemoryLink::pair(host::LinkLayer::kRawIp, 2);
  int a_ready = 0;
  int b_ready = 0;
  a->set_on_ready([&] { ++a_ready; });
  b->set_on_ready([&] { ++b_ready; });
  EXPECT_TRUE(a->send(bytes(1, 1), {}).ok());
  EXPECT_TRUE(a->send(bytes(1, 2), {}).ok());
  EXPECT_EQ(b_ready, 1) << "only when none was waiting";
  EXPECT_TRUE(a->send_buffer().empty());
  EXPECT_EQ(a->send(bytes(1, 3), {}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(a_ready, 0);
  std::vector<ReceivedFrame> frames;
  ASSERT_TRUE(b->receive(frames).ok());
  EXPECT_EQ(frames.size(), 2u);
  EXPECT_EQ(a_ready, 1);
  EXPECT_FALSE(a->send_buffer().empty());
  EXPECT_EQ(a->counters().sent, 2u);
  EXPECT_EQ(b->counters().received, 2u);
}

TEST(MemoryLink, EndMayOutliveTheOther) {
  auto [a, b] = MemoryLink::pair(host::LinkLayer::kRawIp);
  b->set_on_ready([] { FAIL() << "B is gone"; });
  b.reset();
  EXPECT_TRUE(a->send(bytes(1, 1), {}).ok());
}

TEST(MemoryLink, TooLongIsRefused) {
  auto [a, b] = MemoryLink::pair(host::LinkLayer::kRawIp);
  EXPECT_EQ(a->send(bytes(kMaxFrame + 1, 0), {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(a->counters().send_refused, 1u);
}

// --- vnet header ---

std::vector<uint8_t> ipv4_tcp(size_t payload) {
  std::vector<uint8_t> packet(40 + payload, 0);
  packet[0] = 0x45;
  packet[9] = 6;
  packet[32] = 0x50;  // data offset 5
  return packet;
}

TEST(VnetHeader, SuperSegmentRoundTrip) {
  std::vector<uint8_t> packet = ipv4_tcp(5000);
  const host::FrameMeta meta = {.checksum_partial = true, .checksum_start = 20, .gso_size = 1460};
  const VnetHeader header = make_vnet_header(packet, meta, host::LinkLayer::kRawIp);
  EXPECT_EQ(header.flags, VnetHeader::kNeedsChecksum);
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoTcp4);
  EXPECT_EQ(header.gso_size, 1460);
  EXPECT_EQ(header.header_length, 40);
  EXPECT_EQ(header.checksum_start, 20);
  EXPECT_EQ(header.checksum_offset, 16);
  host::FrameMeta read;
  ASSERT_TRUE(read_vnet_header(header, packet, read));
  EXPECT_TRUE(read.checksum_trusted);
  EXPECT_TRUE(read.checksum_partial);
  EXPECT_EQ(read.checksum_start, 20);
  EXPECT_EQ(read.gso_size, 1460);
}

TEST(VnetHeader, SuperSegmentWithItsWholeChecksum) {
  const host::FrameMeta meta = {.gso_size = 1000};
  const VnetHeader header = make_vnet_header(ipv4_tcp(5000), meta, host::LinkLayer::kRawIp);
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoTcp4);
  EXPECT_EQ(header.gso_size, 1000);
  EXPECT_EQ(header.header_length, 0);
}

TEST(VnetHeader, PlainFrameNeedsNothing) {
  const VnetHeader header = make_vnet_header(ipv4_tcp(1), {}, host::LinkLayer::kRawIp);
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoNone);
}

TEST(VnetHeader, ContradictionsAreRefused) {
  std::vector<uint8_t> packet = ipv4_tcp(0);
  host::FrameMeta meta;
  EXPECT_FALSE(
      read_vnet_header({.flags = 1, .checksum_start = 21, .checksum_offset = 16}, packet, meta));
  EXPECT_FALSE(
      read_vnet_header({.flags = 1, .checksum_start = 35, .checksum_offset = 6}, packet, meta));
  EXPECT_FALSE(read_vnet_header({.flags = 1, .checksum_start = 65535, .checksum_offset = 65535},
                                packet, meta));
}

TEST(VnetHeader, OtherProtocolsChecksumIsFinishedInPlace) {
  std::vector<uint8_t> packet(28, 0);
  packet[20] = 0x12;
  packet[21] = 0x34;
  host::FrameMeta meta;
  ASSERT_TRUE(
      read_vnet_header({.flags = 1, .checksum_start = 20, .checksum_offset = 6}, packet, meta));
  EXPECT_TRUE(meta.checksum_trusted);
  EXPECT_FALSE(meta.checksum_partial);
  EXPECT_EQ(packet[26] << 8 | packet[27], 0xffff - 0x1234);
}

TEST(VnetHeader, FindsTcpAndNothingElse) {
  std::vector<uint8_t> packet = ipv4_tcp(0);
  EXPECT_EQ(tcp_offset(packet, host::LinkLayer::kRawIp), 20u);
  EXPECT_EQ(tcp_offset(packet, host::LinkLayer::kEthernet), 0u);
  packet[6] = 0x20;  // a fragment
  EXPECT_EQ(tcp_offset(packet, host::LinkLayer::kRawIp), 0u);
  packet = ipv4_tcp(0);
  packet[9] = 17;
  EXPECT_EQ(tcp_offset(packet, host::LinkLayer::kRawIp), 0u);
  std::vector<uint8_t> v6(60, 0);
  v6[0] = 0x60;
  v6[6] = 6;
  EXPECT_EQ(tcp_offset(v6, host::LinkLayer::kRawIp), 40u);
  std::vector<uint8_t> frame(14, 0);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  frame.insert(frame.end(), v6.begin(), v6.end());
  EXPECT_EQ(tcp_offset(frame, host::LinkLayer::kEthernet), 54u);
  EXPECT_EQ(tcp_offset(std::span(frame).first(30), host::LinkLayer::kEthernet), 0u);
}

}  // namespace
}  // namespace tcproctor::link
