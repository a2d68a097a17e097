// SPDX-License-Identifier: Apache-2.0
// Raw IP sockets beside the kernel's TCP, over the loopback of a namespace.
#include "stack/link/raw_socket.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "stack/link/root_test_util.h"
#include "stack/packet/ip.h"
#include "stack/packet/tcp_flags.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::link {
namespace {

constexpr uint16_t kOurPort = 7000;
constexpr uint16_t kKernelPort = 6000;

// A packet that came, on its own.
struct Came {
  packet::IpAddress source;
  packet::TcpHeader tcp;
};

class RawSocketTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    enter_fresh_namespace();
    if (HasFatalFailure()) return;
    bring_up("lo", nullptr);
    own_ = *packet::IpAddress::parse(GetParam());
    auto made = RawSocket::open(
        {.addresses = {own_}, .first_port = kOurPort, .last_port = kOurPort + 1, .mark = 7});
    ASSERT_TRUE(made.ok()) << made.status();
    link_ = *std::move(made);
  }

  // The next packet that the link hands out; none comes within 300 ms.
  std::optional<Came> next() {
    for (;;) {
      pollfd request{.fd = link_->fd(), .events = POLLIN, .revents = 0};
      if (::poll(&request, 1, 300) != 1) return std::nullopt;
      std::vector<ReceivedFrame> frames;
      EXPECT_TRUE(link_->receive(frames).ok());
      if (frames.empty()) continue;
      EXPECT_EQ(frames.size(), 1u);
      EXPECT_GT(frames[0].wall_time_ns, 0);
      packet::TcpSegment segment;
      // The loopback finishes no checksums.
      EXPECT_TRUE(frames[0].meta.checksum_trusted);
      EXPECT_EQ(
          packet::parse_tcp_packet(frames[0].bytes, packet::ChecksumPolicy::kTrusted, segment),
          packet::ParseResult::kOk);
      EXPECT_EQ(segment.destination, own_);
      return Came{segment.source, segment.header};
    }
  }
  // The kernel's TCP opens a connection to a port of the same address.
  void connect_to(uint16_t port) {
    const KernelAddress to = kernel_address(GetParam(), port);
    const int fd = kernel_socket(to.family);
    (void)connect(fd, to.get(), to.size);
    close(fd);
  }

  packet::IpAddress own_;
  std::unique_ptr<RawSocket> link_;
};

TEST_P(RawSocketTest, HandsOnSegmentsToItsPortsAsWholePackets) {
  connect_to(kOurPort - 1);
  connect_to(kOurPort + 2);
  EXPECT_FALSE(next());
  connect_to(kOurPort);
  const std::optional<Came> came = next();
  ASSERT_TRUE(came);
  EXPECT_EQ(came->source, own_);
  EXPECT_EQ(came->tcp.destination_port, kOurPort);
  EXPECT_EQ(came->tcp.flags, packet::kSyn);
}

TEST_P(RawSocketTest, WhatItSendsReachesTheKernelAndIsAnswered) {
  const KernelAddress at = kernel_address(GetParam(), kKernelPort);
  const int listener = kernel_socket(at.family);
  ASSERT_EQ(bind(listener, at.get(), at.size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  packet::TcpPacketParts parts;
  parts.ip = {.source = own_, .destination = own_};
  parts.header = {.source_port = kOurPort,
                  .destination_port = kKernelPort,
                  .sequence_number = 1000,
                  .flags = packet::kSyn,
                  .window = 1000};
  const size_t length = packet::build_tcp_packet(parts, link_->send_buffer());
  ASSERT_GT(length, 0u);
  ASSERT_TRUE(link_->send(link_->send_buffer().first(length), {}).ok());
  EXPECT_EQ(link_->counters().sent, 1u);
  const std::optional<Came> came = next();
  ASSERT_TRUE(came);
  EXPECT_EQ(came->tcp.source_port, kKernelPort);
  EXPECT_EQ(came->tcp.flags, packet::kSyn | packet::kAck);
  EXPECT_EQ(came->tcp.acknowledgment_number, 1001u);
  close(listener);
}

TEST_P(RawSocketTest, ASuperSegmentIsRefused) {
  const std::vector<uint8_t> packet(100);
  EXPECT_EQ(link_->send(packet, {.gso_size = 1000}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(link_->counters().send_refused, 1u);
}

INSTANTIATE_TEST_SUITE_P(Families, RawSocketTest, ::testing::Values("127.0.0.1", "::1"));

}  // namespace
}  // namespace tcproctor::link
