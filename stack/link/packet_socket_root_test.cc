// SPDX-License-Identifier: Apache-2.0
#include "stack/link/packet_socket.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <ctime>
#include <memory>
#include <vector>

#include "stack/link/root_test_util.h"
#include "stack/link/tun_link.h"

namespace tcproctor::link {
namespace {

std::unique_ptr<PacketSocket> open_socket(const char* name, bool vnet_header = false,
                                          uint32_t receive_buffer = 1 << 20) {
  auto link = PacketSocket::open(
      name, {.vnet_header = vnet_header, .receive_buffer_bytes = receive_buffer});
  EXPECT_TRUE(link.ok()) << link.status();
  return *std::move(link);
}

// An experimental EtherType, so that the kernel's own ARP and IPv6 chatter can be told apart.
std::vector<uint8_t> test_frame(size_t size, uint8_t fill) {
  std::vector<uint8_t> frame(size, fill);
  std::fill(frame.begin(), frame.begin() + 6, uint8_t{0xff});
  frame[12] = 0x88;
  frame[13] = 0xb5;
  return frame;
}

std::vector<ReceivedFrame> receive_test_frames(Link& link) {
  std::vector<ReceivedFrame> frames;
  EXPECT_TRUE(link.receive(frames).ok());
  std::erase_if(frames, [](const ReceivedFrame& frame) {
    return frame.bytes.size() < 14 || frame.bytes[12] != 0x88 || frame.bytes[13] != 0xb5;
  });
  return frames;
}

class PacketSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    enter_fresh_namespace();
    if (!HasFatalFailure()) make_veth();
  }
};

TEST_F(PacketSocketTest, BatchCrossesTheWireInOrderWithTimestamps) {
  for (const bool vnet_header : {false, true}) {
    SCOPED_TRACE(vnet_header);
    auto a = open_socket("kernel0", vnet_header);
    auto b = open_socket("host0", vnet_header);
    EXPECT_EQ(a->mtu(), 1500u);
    EXPECT_FALSE(b->mac().is_multicast());
    for (uint8_t i = 0; i < 100; ++i) ASSERT_TRUE(a->send(test_frame(60u + i, i), {}).ok());
    ASSERT_TRUE(a->flush().ok());
    std::vector<size_t> sizes;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    for (int round = 0; round < 5; ++round) {
      for (const ReceivedFrame& frame : receive_test_frames(*b)) {
        sizes.push_back(frame.bytes.size());
        EXPECT_EQ(frame.bytes.back(), sizes.size() - 1);
        EXPECT_NEAR(static_cast<double>(frame.wall_time_ns), static_cast<double>(now.tv_sec) * 1e9,
                    5e9);
        EXPECT_FALSE(frame.meta.checksum_trusted);
      }
    }
    ASSERT_EQ(sizes.size(), 100u);
    EXPECT_TRUE(receive_test_frames(*a).empty()) << "what leaves is not received";
    EXPECT_GE(b->counters().received, 100u);
    EXPECT_EQ(b->counters().receive_drops, 0u);
    EXPECT_EQ(a->counters().sent, 100u);
  }
}

TEST_F(PacketSocketTest, FrameBuiltInTheSendBufferNeedsNoCopy) {
  auto a = open_socket("kernel0");
  auto b = open_socket("host0");
  const std::span<uint8_t> room = a->send_buffer();
  ASSERT_EQ(room.size(), kMaxFrame);
  const std::vector<uint8_t> frame = test_frame(100, 7);
  std::ranges::copy(frame, room.begin());
  ASSERT_TRUE(a->send(room.first(100), {}).ok());
  EXPECT_NE(a->send_buffer().data(), room.data());
  ASSERT_TRUE(a->flush().ok());
  const auto received = receive_test_frames(*b);
  ASSERT_EQ(received.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(received[0].bytes, frame));
}

TEST_F(PacketSocketTest, LostFramesAreCounted) {
  auto a = open_socket("kernel0");
  auto b = open_socket("host0", false, 65536);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(a->send(test_frame(1000, 1), {}).ok());
  ASSERT_TRUE(a->flush().ok());
  const uint64_t lost = b->counters().receive_drops;
  EXPECT_GT(lost, 1000u);
  EXPECT_EQ(b->counters().receive_drops, lost) << "counted once";
}

TEST_F(PacketSocketTest, WhatTheDeviceRefusesIsCounted) {
  auto a = open_socket("kernel0");
  ASSERT_TRUE(a->send(test_frame(1600, 1), {}).ok());
  ASSERT_TRUE(a->send(test_frame(100, 1), {}).ok());
  ASSERT_TRUE(a->flush().ok());
  EXPECT_EQ(a->counters().send_refused, 1u);
  EXPECT_EQ(a->counters().sent, 1u);
  EXPECT_EQ(a->send(test_frame(3000, 1), {.checksum_partial = true, .gso_size = 1460}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(PacketSocketTest, ErrorsAreNamed) {
  EXPECT_EQ(PacketSocket::open("nosuch0", {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PacketSocket::open("", {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PacketSocket::open("a-name-that-is-too-long", {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PacketSocket::open("host0", {.receive_buffer_bytes = 1}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(PacketSocketTest, DeviceThatGoesDownIsReported) {
  auto a = open_socket("host0");
  nl_sock* const netlink = nl_socket_alloc();
  ASSERT_EQ(nl_connect(netlink, NETLINK_ROUTE), 0);
  rtnl_link* const device = rtnl_link_alloc();
  rtnl_link_set_name(device, "host0");
  EXPECT_EQ(rtnl_link_delete(netlink, device), 0);
  rtnl_link_put(device);
  nl_socket_free(netlink);
  std::vector<ReceivedFrame> frames;
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = a->receive(frames);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST(TunLinkTest, RefusesOtherDescriptors) {
  EXPECT_EQ(TunLink::adopt(open("/dev/null", O_RDWR | O_CLOEXEC)).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_NO_FATAL_FAILURE(enter_fresh_namespace());
  EXPECT_EQ(TunLink::adopt(open("/dev/net/tun", O_RDWR | O_CLOEXEC)).status().code(),
            absl::StatusCode::kInvalidArgument)
      << "not attached";
}

TEST(TunLinkTest, PacketsBothWays) {
  for (const bool vnet_header : {false, true}) {
    SCOPED_TRACE(vnet_header);
    ASSERT_NO_FATAL_FAILURE(enter_fresh_namespace());
    auto link = TunLink::adopt(make_tun(vnet_header));
    ASSERT_TRUE(link.ok()) << link.status();
    EXPECT_EQ((*link)->vnet_header(), vnet_header);
    const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const KernelAddress to = kernel_address(kHostAddress, 9);
    ASSERT_EQ(sendto(udp, "hello", 5, 0, to.get(), to.size), 5);
    std::vector<ReceivedFrame> frames;
    ASSERT_TRUE((*link)->receive(frames).ok());
    std::erase_if(frames, [](const ReceivedFrame& frame) { return frame.bytes[0] != 0x45; });
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].bytes.size(), 33u);

    // The packet back, addresses and ports swapped.
    std::vector<uint8_t> back(frames[0].bytes.begin(), frames[0].bytes.end());
    std::swap_ranges(back.begin() + 12, back.begin() + 16, back.begin() + 16);
    std::swap_ranges(back.begin() + 20, back.begin() + 22, back.begin() + 22);
    back[26] = back[27] = 0;  // UDP without checksum
    ASSERT_TRUE((*link)->send(back, {}).ok());
    std::array<char, 16> text{};
    EXPECT_EQ(recv(udp, text.data(), text.size(), MSG_DONTWAIT), 5);
    EXPECT_STREQ(text.data(), "hello");
    close(udp);
  }
}

}  // namespace
}  // namespace tcproctor::link
