// SPDX-License-Identifier: Apache-2.0
#include "server/host/inet_diag.h"

#include <chrono>

#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using tcp::State;
using testing::at;
using testing::eventually;
using testing::ip;

class InetDiagTest : public testing::TwoKernels {
 protected:
  std::vector<DiagnosedSocket> dump(InetDiag& diag) {
    absl::StatusOr<std::vector<DiagnosedSocket>> sockets = diag.dump();
    EXPECT_TRUE(sockets.ok()) << sockets.status();
    return *std::move(sockets);
  }
  std::optional<DiagnosedSocket> find(InetDiag& diag, const packet::SocketAddress& local,
                                      const packet::SocketAddress& remote) {
    absl::StatusOr<std::optional<DiagnosedSocket>> found = diag.find(local, remote);
    EXPECT_TRUE(found.ok()) << found.status();
    return *found;
  }
  std::optional<DiagnosedSocket> find_a(const Pair& pair) {
    return find(*a_diag_, pair.a.local(), pair.a.remote());
  }
};

TEST_F(InetDiagTest, AnEmptyNamespaceHasNone) {
  EXPECT_TRUE(dump(*a_diag_).empty());
}

TEST_F(InetDiagTest, ListenWithItsQueue) {
  KernelSocket listening = listener(7);
  std::vector<DiagnosedSocket> all = dump(*b_diag_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].state, State::kListen);
  EXPECT_EQ(all[0].local, at("192.0.2.2", 80));
  EXPECT_EQ(all[0].cookie, listening.cookie());
  EXPECT_NE(all[0].inode, 0U);
  EXPECT_EQ(all[0].receive_queue, 0U);
  EXPECT_EQ(all[0].send_queue, 7U);
  EXPECT_EQ(all[0].congestion_control, "cubic");

  KernelSocket active = make(*a_);
  active.connect(at("192.0.2.2", 80));
  ASSERT_TRUE(testing::ready(listening, POLLIN));
  const auto found = find(*b_diag_, at("192.0.2.2", 80), at("0.0.0.0", 0));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->receive_queue, 1U) << "waits for ACCEPT";
  // What is not accepted yet is there already, without a descriptor.
  const auto waiting = find(*b_diag_, at("192.0.2.2", 80), active.local());
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->state, State::kEstablished);
  EXPECT_EQ(waiting->inode, 0U);
  const auto cookie = waiting->cookie;
  EXPECT_EQ(listening.accept().socket->cookie(), cookie);
}

TEST_F(InetDiagTest, SynSentAndSynReceivedWithTimers) {
  // b believes in another MAC address of a, which therefore never sees the SYN,ACK.
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
  InterfaceSpec blind = spec(2);
  blind.neighbours[0].mac = mac(99);
  ASSERT_TRUE(create_veth(**a, spec(1), **b, blind).ok());
  std::unique_ptr<InetDiag> a_diag = *InetDiag::open(**a), b_diag = *InetDiag::open(**b);
  KernelSocket listening = make(**b);
  ASSERT_TRUE(listening.bind(at("192.0.2.2", 80)).ok());
  ASSERT_TRUE(listening.listen(5).ok());
  KernelSocket active = make(**a);
  ASSERT_EQ(active.connect(at("192.0.2.2", 80)).outcome, tcp::Outcome::kWouldBlock);

  const auto sent = find(*a_diag, active.local(), active.remote());
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->state, State::kSynSent);
  EXPECT_EQ(sent->timer, KernelTimer::kRetransmission);
  EXPECT_GT(sent->expires_ms, 500U);
  EXPECT_LE(sent->expires_ms, 1100U);
  EXPECT_EQ(active.state(), State::kSynSent);

  ASSERT_TRUE(eventually([&] { return dump(*b_diag).size() == 2; }));
  const std::vector<DiagnosedSocket> all = dump(*b_diag);
  const auto& received = all[0].state == State::kListen ? all[1] : all[0];
  EXPECT_EQ(received.state, State::kSynReceived);
  EXPECT_TRUE(received.embryonic());
  EXPECT_EQ(received.remote, active.local());
  EXPECT_EQ(received.timer, KernelTimer::kRetransmission);
  EXPECT_GT(received.expires_ms, 500U);
  EXPECT_LE(received.expires_ms, 1100U);
  EXPECT_EQ(received.info.length, 0U);

  const auto alone = find(*b_diag, at("192.0.2.2", 80), active.local());
  ASSERT_TRUE(alone.has_value());
  EXPECT_EQ(alone->state, State::kSynReceived);
  EXPECT_EQ(alone->cookie, received.cookie);
  ASSERT_TRUE(b_diag->destroy(*alone).ok());
  EXPECT_EQ(dump(*b_diag).size(), 1U) << "only the listener";
}

TEST_F(InetDiagTest, EveryStateOfAnOrderlyClose) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  EXPECT_EQ(state_a(pair), State::kEstablished);
  EXPECT_EQ(state_b(pair), State::kEstablished);
  const auto established = find_a(pair);
  EXPECT_GT(established->info.length, 200U);
  EXPECT_EQ(established->info.tcpi_advmss, 1460U - 12U);
  EXPECT_NE(established->info.tcpi_rcv_wnd, 0U);
  EXPECT_EQ(established->cookie, pair.a.cookie());
  EXPECT_EQ(established->congestion_control, "cubic");

  ASSERT_TRUE(pair.a.close().ok());
  ASSERT_TRUE(eventually([&] { return state_a(pair) == State::kFinWait2; }));
  EXPECT_TRUE(find_a(pair)->send_shut);
  EXPECT_EQ(state_b(pair), State::kCloseWait);
  ASSERT_TRUE(pair.b.close().ok());
  ASSERT_TRUE(eventually([&] { return state_b(pair) == State::kClosed; }));

  EXPECT_EQ(state_a(pair), State::kTimeWait);
  EXPECT_EQ(pair.a.state(), State::kClosed) << "the socket itself knows no TIME-WAIT";
  const auto waiting = find_a(pair);
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->timer, KernelTimer::kTimeWait);
  EXPECT_GT(waiting->expires_ms, 55'000U);
  EXPECT_LE(waiting->expires_ms, 60'500U);
  EXPECT_EQ(waiting->inode, 0U);
  EXPECT_EQ(dump(*a_diag_).size(), 1U);

  ASSERT_TRUE(a_diag_->destroy(*waiting).ok());
  EXPECT_TRUE(dump(*a_diag_).empty());
  EXPECT_EQ(a_diag_->destroy(*waiting).code(), absl::StatusCode::kNotFound);
}

TEST_F(InetDiagTest, QueuesAndKeepaliveTimer) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  SocketOptions options;
  options.keepalive = true;
  options.keepalive_idle = absl::Seconds(20);
  ASSERT_TRUE(pair.b.set_options(options).ok());
  const std::vector<uint8_t> data(1000, 'x');
  ASSERT_EQ(pair.a.send(data, false).bytes, data.size());
  ASSERT_TRUE(testing::ready(pair.b, POLLIN));
  const auto b = find(*b_diag_, pair.a.remote(), pair.a.local());
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(b->receive_queue, 1000U);
  EXPECT_GT(b->memory.receive_allocated, 1000U);
  EXPECT_EQ(b->timer, KernelTimer::kKeepalive);
  EXPECT_GT(b->expires_ms, 15'000U);
  EXPECT_LE(b->expires_ms, 20'100U);
}

TEST_F(InetDiagTest, DestroyResetsASynchronizedConnection) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  ASSERT_TRUE(a_diag_->destroy(*find_a(pair)).ok());
  EXPECT_EQ(pair.a.error().outcome, tcp::Outcome::kConnectionAborted);
  ASSERT_TRUE(testing::ready(pair.b, POLLIN));
  EXPECT_EQ(pair.b.error().outcome, tcp::Outcome::kConnectionReset);
}

TEST_F(InetDiagTest, Ipv6AndDualStack) {
  KernelSocket listening = make(*b_, SocketFamily::kDual);
  ASSERT_TRUE(listening.bind(at("::", 80)).ok());
  ASSERT_TRUE(listening.listen(5).ok());
  for (const char* address : {"192.0.2.2", "2001:db8::2"}) {
    const bool v4 = ip(address).is_v4();
    KernelSocket active = make(*a_, v4 ? SocketFamily::kIpv4 : SocketFamily::kIpv6);
    active.connect(at(address, 80));
    ASSERT_TRUE(testing::ready(active, POLLOUT));
    ASSERT_TRUE(testing::ready(listening, POLLIN));
    KernelSocket::Accepted accepted = listening.accept();
    ASSERT_TRUE(accepted.socket.has_value());
    EXPECT_EQ(accepted.socket->local(), at(address, 80));
    EXPECT_EQ(accepted.socket->remote(), active.local());
    const auto found = find(*b_diag_, at(address, 80), active.local());
    ASSERT_TRUE(found.has_value()) << address;
    EXPECT_EQ(found->cookie, accepted.socket->cookie());
    EXPECT_EQ(found->local.address, ip(address));
    ASSERT_TRUE(b_diag_->destroy(*found).ok());
    EXPECT_FALSE(find(*b_diag_, at(address, 80), active.local()).has_value())
        << "the listener must not stand in for it";
  }
}

TEST_F(InetDiagTest, DestroyAllLeavesNothing) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  pair.b.release();
  EXPECT_EQ(*b_diag_->destroy_all(), 2U);
  EXPECT_TRUE(dump(*b_diag_).empty());
}

TEST_F(InetDiagTest, ADumpIsQuick) {
  KernelSocket listening = listener();
  std::vector<Pair> pairs;
  for (int i = 0; i < 10; ++i) pairs.push_back(connect_to(listening));
  constexpr int kCount = 100;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(dump(*b_diag_).size(), 11U);
  const auto between = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) ASSERT_TRUE(find_a(pairs[0]).has_value());
  const std::chrono::duration<double, std::micro> dump_time = (between - begin) / kCount;
  const std::chrono::duration<double, std::micro> find_time =
      (std::chrono::steady_clock::now() - between) / kCount;
  std::printf("a dump of 11 sockets: %.0f us, one socket: %.0f us\n", dump_time.count(),
              find_time.count());
  EXPECT_LT(dump_time.count(), 5000);
}

}  // namespace
}  // namespace tcproctor::server
