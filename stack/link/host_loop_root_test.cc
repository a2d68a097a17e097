// SPDX-License-Identifier: Apache-2.0
// The stack on the wire: the kernel's TCP against a Host on AF_PACKET and TUN, with and without
// vnet header, 20 MB each way at the same time, every byte compared.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stack/link/host_loop.h"
#include "stack/link/packet_socket.h"
#include "stack/link/root_test_util.h"
#include "stack/link/tun_link.h"

namespace tcproctor::link {
namespace {

constexpr size_t kBytes = 20'000'000;

// What is sent each way; 251 is prime, so a shift by any power of two shows.
const std::vector<uint8_t>& stream() {
  static const std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> made(kBytes);
    for (size_t i = 0; i < kBytes; ++i) made[i] = static_cast<uint8_t>(i % 251 + i / 65536);
    return made;
  }();
  return bytes;
}

struct Sink {
  uint64_t received = 0;
  bool equal = true;
  void take(std::span<const uint8_t> data) {
    if (received + data.size() > kBytes) {
      equal = false;
    } else {
      equal &= std::ranges::equal(data, std::span(stream()).subspan(received, data.size()));
    }
    received += data.size();
  }
};

struct Variant {
  const char* name;
  bool tun;
  bool vnet_header;
  bool host_connects;
  bool v6 = false;
};

class HostLoopTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(enter_fresh_namespace());
    host::HostConfig config;
    config.addresses = {{*packet::IpAddress::parse(kHostAddress), 24},
                        {*packet::IpAddress::parse(kHostAddressV6), 64}};
    config.checksum_offload = config.segmentation_offload = GetParam().vnet_header;
    config.seed = 7;
    if (GetParam().tun) {
      auto tun = TunLink::adopt(make_tun(GetParam().vnet_header));
      ASSERT_TRUE(tun.ok()) << tun.status();
      link_ = *std::move(tun);
      config.link_layer = host::LinkLayer::kRawIp;
    } else {
      ASSERT_NO_FATAL_FAILURE(make_veth());
      auto socket = PacketSocket::open("host0", {.vnet_header = GetParam().vnet_header});
      ASSERT_TRUE(socket.ok()) << socket.status();
      config.mac = (*socket)->mac();
      link_ = *std::move(socket);
    }
    auto host = host::Host::create(config);
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
    auto loop = run::EventLoop::create();
    ASSERT_TRUE(loop.ok());
    loop_ = *std::move(loop);
    scheduler_ = std::make_unique<run::RealScheduler>(*loop_);
    host_loop_ = std::make_unique<HostLoop>(*host_, *link_, *scheduler_, loop_.get());
    host_loop_->set_on_event([this](const host::HostEvent& event) { on_event(event); });
    ASSERT_TRUE(host_loop_->start().ok());
    thread_ = std::thread([this] { loop_->run(); });
  }

  void TearDown() override {
    if (thread_.joinable()) {
      loop_->stop();
      thread_.join();
    }
  }

  // Everything below runs on the loop.
  void on_event(const host::HostEvent& event) {
    using Kind = tcp::Event::Kind;
    if (event.event.kind == Kind::kAcceptable) {
      connection_ = host_->accept(host_loop_->now(), event.id).id;
    }
    if (connection_ == 0) return;
    read_all();
    write_some();
    if (event.event.kind == Kind::kStateChange && event.id == connection_ &&
        event.event.to == tcp::State::kClosed) {
      closed_ = true;
    }
  }

  void read_all() {
    for (;;) {
      const auto got = host_->receive(host_loop_->now(), connection_, buffer_);
      if (got.outcome == tcp::Outcome::kEndOfStream) end_of_stream_ = true;
      if (got.received == 0) return;
      sink_.take(std::span(buffer_).first(got.received));
    }
  }

  void write_some() {
    const auto rest = std::span(stream()).subspan(sent_);
    sent_ += host_->send(host_loop_->now(), connection_, rest, false, false).accepted;
    if (sent_ < kBytes) return;
    if (!closing_) {
      closing_ = true;
      EXPECT_EQ(host_->close(host_loop_->now(), connection_), tcp::Outcome::kOk);
    }
  }

  template <class F>
  void on_loop(F work) {
    std::atomic<bool> done{false};
    ASSERT_TRUE(loop_->post([&] {
      work();
      host_loop_->kick();
      done = true;
      done.notify_one();
    }));
    done.wait(false);
  }

  // The kernel's end: a connected blocking socket.
  int connect_kernel() {
    const std::string address = GetParam().v6 ? kHostAddressV6 : kHostAddress;
    const KernelAddress to = kernel_address(address, 80);
    const int fd = kernel_socket(to.family);
    on_loop([&] {
      const auto open =
          host_->open(host_loop_->now(), {.local = {*packet::IpAddress::parse(address), 80}});
      EXPECT_EQ(open.outcome, tcp::Outcome::kOk);
    });
    EXPECT_EQ(connect(fd, to.get(), to.size), 0) << std::strerror(errno);
    return fd;
  }

  int accept_kernel() {
    const std::string address = GetParam().v6 ? kKernelAddressV6 : kKernelAddress;
    const KernelAddress at = kernel_address(address, 80);
    const int listener = kernel_socket(at.family);
    EXPECT_EQ(bind(listener, at.get(), at.size), 0);
    EXPECT_EQ(listen(listener, 8), 0);
    on_loop([&] {
      const packet::SocketAddress remote = {*packet::IpAddress::parse(address), 80};
      const auto open = host_->open(host_loop_->now(),
                                    {.active = true,
                                     .local = {packet::IpAddress::any(remote.address.family()), 0},
                                     .remote = remote});
      EXPECT_EQ(open.outcome, tcp::Outcome::kOk);
      connection_ = open.id;
    });
    const int fd = accept(listener, nullptr, nullptr);
    EXPECT_GE(fd, 0) << std::strerror(errno);
    close(listener);
    return fd;
  }

  std::unique_ptr<Link> link_;
  std::unique_ptr<host::Host> host_;
  std::unique_ptr<run::EventLoop> loop_;
  std::unique_ptr<run::RealScheduler> scheduler_;
  std::unique_ptr<HostLoop> host_loop_;
  std::thread thread_;
  host::ConnectionId connection_ = 0;
  size_t sent_ = 0;
  Sink sink_;
  bool closing_ = false;
  bool end_of_stream_ = false;
  std::atomic<bool> closed_ = false;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(256 * 1024);
};

INSTANTIATE_TEST_SUITE_P(Links, HostLoopTest,
                         testing::Values(Variant{"Veth", false, false, false},
                                         Variant{"VethVnetHeader", false, true, false},
                                         Variant{"VethVnetHeaderActive", false, true, true},
                                         Variant{"Tun", true, false, true},
                                         Variant{"TunVnetHeader", true, true, false},
                                         Variant{"VethV6", false, false, true, true},
                                         Variant{"VethVnetHeaderV6", false, true, false, true},
                                         Variant{"TunVnetHeaderV6", true, true, true, true}),
                         [](const auto& variant) { return variant.param.name; });

TEST_P(HostLoopTest, TwentyMegabytesBothWays) {
  const int fd = GetParam().host_connects ? accept_kernel() : connect_kernel();
  const auto start = std::chrono::steady_clock::now();
  std::thread writer([fd] {
    for (size_t done = 0; done < kBytes;) {
      const ssize_t sent = send(fd, stream().data() + done, kBytes - done, MSG_NOSIGNAL);
      ASSERT_GT(sent, 0) << std::strerror(errno);
      done += static_cast<size_t>(sent);
    }
    shutdown(fd, SHUT_WR);
  });
  Sink sink;
  std::vector<uint8_t> buffer(256 * 1024);
  ssize_t got;
  while ((got = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
    sink.take(std::span(buffer).first(static_cast<size_t>(got)));
  }
  EXPECT_EQ(got, 0) << "an orderly end: " << std::strerror(errno);
  writer.join();
  tcp_info info{};
  socklen_t info_length = sizeof info;
  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_length);
  close(fd);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  uint64_t retransmissions = 0;
  on_loop([&] {
    const auto status = host_->status(host_loop_->now(), connection_);
    if (status.ok()) retransmissions = status->total_retransmissions;
  });
  std::printf("%s: 2 x %zu octets in %.3f s; retransmissions: %llu by us, %u by the kernel\n",
              GetParam().name, kBytes, seconds.count(),
              static_cast<unsigned long long>(retransmissions), info.tcpi_total_retrans);

  EXPECT_EQ(sink.received, kBytes);
  EXPECT_TRUE(sink.equal);
  // The last ACK of the host's FIN may still be on its way.
  bool ended = false;
  for (int i = 0; i < 200 && !ended; ++i) {
    on_loop([&] {
      read_all();
      const auto status = host_->status(host_loop_->now(), connection_);
      ended = end_of_stream_ && status.ok() &&
              (status->state == tcp::State::kTimeWait || status->state == tcp::State::kClosed);
    });
    if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(sink_.received, kBytes);
  EXPECT_TRUE(sink_.equal);
  on_loop([&] {
    EXPECT_EQ(link_->counters().receive_drops, 0u);
    EXPECT_EQ(link_->counters().truncated, 0u);
    EXPECT_EQ(host_->counters().dropped(host::Drop::kBadTcpChecksum), 0u);
  });
}

}  // namespace
}  // namespace tcproctor::link
