// SPDX-License-Identifier: Apache-2.0
// The wire between two kernels: a veth pair to each end's namespace, or a TUN device, with the
// kernels' TCPs talking through it. Needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN.
#include "server/wire/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/host/interface.h"
#include "server/host/namespace.h"
#include "server/host/namespace_testing.h"
#include "server/wire/decode.h"
#include "server/wire/test_util.h"
#include "server/wire/wire.h"
#include "stack/link/packet_socket.h"
#include "stack/link/tun_link.h"

namespace tcproctor::server {
namespace {

constexpr size_t kBytes = size_t{20} << 20;
constexpr uint16_t kPort = 8080;

enum class Setup { kVeth, kVethOffloads, kTun };

packet::IpAddress address_of(size_t end) {
  return packet::IpAddress::v4(192, 0, 2, static_cast<uint8_t>(end + 1));
}
packet::MacAddress mac_of(size_t end) {
  return {{2, 0, 0, 0, 0, static_cast<uint8_t>(end + 1)}};
}

sockaddr_in socket_address(size_t end) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  address.sin_addr.s_addr = htonl(address_of(end).v4_value());
  return address;
}

class PortRootTest : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    auto loop = run::EventLoop::create();
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
    scheduler_ = std::make_unique<run::RealScheduler>(*loop_);
    WireConfig config;
    config.a = {false, {address_of(0)}};
    config.b = {false, {address_of(1)}};
    WireHooks hooks;
    hooks.deliver = [this](v1::End to, std::span<const uint8_t> packet, const PacketMeta& meta) {
      ports_[to == v1::END_A ? 0 : 1]->send(packet, meta);
    };
    wire_ = std::make_unique<Wire>(config, *scheduler_, hooks);
    wire_ns_ = fresh_namespace();
    for (size_t end = 0; end < 2; ++end) {
      ns_[end] = fresh_namespace();
      ASSERT_NE(ns_[end], nullptr);
      ports_[end] = GetParam() == Setup::kTun ? tun_port(end) : veth_port(end);
      ASSERT_NE(ports_[end], nullptr);
      const v1::End from = end == 0 ? v1::END_A : v1::END_B;
      const absl::Status status = ports_[end]->start(
          [this, from](std::span<const uint8_t> packet, const PacketMeta& meta) {
            wire_->on_packet(from, packet, meta);
          },
          [](const absl::Status& lost) { ADD_FAILURE() << lost; });
      ASSERT_TRUE(status.ok()) << status;
    }
    thread_ = std::thread([this] { loop_->run(); });
  }

  void TearDown() override {
    if (thread_.joinable()) {
      loop_->stop();
      thread_.join();
    }
    ports_ = {};
  }

  static std::unique_ptr<NetworkNamespace> fresh_namespace() {
    auto ns = NetworkNamespace::create();
    if (ns.ok()) return *std::move(ns);
    ADD_FAILURE() << "this test needs root: " << ns.status();
    return nullptr;
  }

  InterfaceSpec end_spec(size_t end) const {
    InterfaceSpec spec;
    spec.name = "tcp0";
    spec.addresses = {{address_of(end), 24}};
    spec.offloads = GetParam() == Setup::kVethOffloads;
    if (GetParam() != Setup::kTun) {
      spec.mac = mac_of(end);
      spec.neighbours = {{address_of(1 - end), mac_of(1 - end)}};
    }
    return spec;
  }

  std::unique_ptr<Port> veth_port(size_t end) {
    InterfaceSpec leg;
    leg.name = "wire" + std::to_string(end);
    leg.offloads = GetParam() == Setup::kVethOffloads;
    const auto pair = create_veth(*ns_[end], end_spec(end), *wire_ns_, leg);
    EXPECT_TRUE(pair.ok()) << pair.status();
    std::unique_ptr<link::PacketSocket> socket;
    link::PacketSocketOptions options;
    options.vnet_header = leg.offloads;
    const absl::Status status = testing::run_in(*wire_ns_, [&] {
      auto opened = link::PacketSocket::open(leg.name, options);
      if (opened.ok()) socket = *std::move(opened);
      return opened.status();
    });
    EXPECT_TRUE(status.ok()) << status;
    if (socket == nullptr) return nullptr;
    return std::make_unique<Port>(std::move(socket),
                                  EthernetAddresses{mac_of(end), mac_of(1 - end)}, *scheduler_,
                                  loop_.get());
  }

  std::unique_ptr<Port> tun_port(size_t end) {
    auto device = create_tun(*ns_[end], end_spec(end), false);
    EXPECT_TRUE(device.ok()) << device.status();
    if (!device.ok()) return nullptr;
    auto tun = link::TunLink::adopt(device->fd.release());
    EXPECT_TRUE(tun.ok()) << tun.status();
    return std::make_unique<Port>(*std::move(tun), std::nullopt, *scheduler_, loop_.get());
  }

  UniqueFd socket_of(size_t end) {
    auto fd = ns_[end]->open_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_TRUE(fd.ok()) << fd.status();
    const timeval patience{20, 0};
    setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return *std::move(fd);
  }

  // Runs on the loop and waits for it.
  void on_loop(const std::function<void()>& work) {
    std::promise<void> done;
    ASSERT_TRUE(loop_->post([&] {
      work();
      done.set_value();
    }));
    done.get_future().wait();
  }

  std::unique_ptr<run::EventLoop> loop_;
  std::unique_ptr<run::RealScheduler> scheduler_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<NetworkNamespace> wire_ns_;
  std::array<std::unique_ptr<NetworkNamespace>, 2> ns_;
  std::array<std::unique_ptr<Port>, 2> ports_;
  std::thread thread_;
};

std::string test_data() {
  std::string data(kBytes, '\0');
  Random random(77);
  for (size_t at = 0; at < data.size(); at += 8) {
    const uint64_t word = random.next();
    std::memcpy(data.data() + at, &word, 8);
  }
  return data;
}

void send_all(int fd, const std::string& data) {
  for (size_t sent = 0; sent < data.size();) {
    const ssize_t count = send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    ASSERT_GT(count, 0) << std::strerror(errno);
    sent += static_cast<size_t>(count);
  }
  shutdown(fd, SHUT_WR);
}

std::string receive_all(int fd) {
  std::string data;
  std::vector<char> buffer(1 << 16);
  while (true) {
    const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
    EXPECT_GE(count, 0) << std::strerror(errno);
    if (count <= 0) return data;
    data.append(buffer.data(), static_cast<size_t>(count));
  }
}

TEST_P(PortRootTest, TwoKernelsTalkThroughTheWire) {
  const UniqueFd listener = socket_of(1);
  const sockaddr_in address = socket_address(1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const UniqueFd client = socket_of(0);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
      << std::strerror(errno);
  const UniqueFd server(accept(listener.get(), nullptr, nullptr));
  ASSERT_GE(server.get(), 0);

  const std::string data = test_data();
  std::thread sender([&] { send_all(client.get(), data); });
  const bool equal = receive_all(server.get()) == data;
  sender.join();
  EXPECT_TRUE(equal);
  send_all(server.get(), "and back");
  EXPECT_EQ(receive_all(client.get()), "and back");

  on_loop([this] {
    uint64_t super_segments = 0;
    Decoded decoded;
    for (uint64_t number = wire_->log().first(); number <= wire_->log().last(); ++number) {
      const LogRecord& record = *wire_->log().find(number);
      decode(record.packet, decoded);
      EXPECT_TRUE(decoded.segment.has_tcp()) << number;
      EXPECT_TRUE(decoded.ip_checksum_valid && decoded.transport_checksum_valid) << number;
      EXPECT_EQ(decoded.malformed, "") << number;
      EXPECT_TRUE(record.wall_time_ns != 0 || GetParam() == Setup::kTun);
      if (record.packet.size() > 1500) ++super_segments;
    }
    EXPECT_EQ(super_segments > 0, GetParam() == Setup::kVethOffloads);
    for (const std::unique_ptr<Port>& port : ports_) {
      EXPECT_EQ(port->counters().capture_drops, 0u);
      EXPECT_EQ(port->counters().send_drops, 0u);
    }
  });
}

TEST_P(PortRootTest, ADeviceThatGoesIsReported) {
  std::promise<absl::Status> lost;
  on_loop([&] {
    ports_[0]->stop();
    EXPECT_TRUE(ports_[0]
                    ->start([](std::span<const uint8_t>, const PacketMeta&) {},
                            [&](const absl::Status& status) { lost.set_value(status); })
                    .ok());
  });
  ASSERT_TRUE(delete_interface(*ns_[0], "tcp0").ok());
  auto reported = lost.get_future();
  ASSERT_EQ(reported.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_EQ(reported.get().code(), absl::StatusCode::kUnavailable);
}

std::string name_of(const ::testing::TestParamInfo<Setup>& setup) {
  switch (setup.param) {
    case Setup::kVeth:
      return "Veth";
    case Setup::kVethOffloads:
      return "VethOffloads";
    case Setup::kTun:
      break;
  }
  return "Tun";
}

INSTANTIATE_TEST_SUITE_P(, PortRootTest,
                         ::testing::Values(Setup::kVeth, Setup::kVethOffloads, Setup::kTun),
                         name_of);

}  // namespace
}  // namespace tcproctor::server
