// SPDX-License-Identifier: Apache-2.0
// TCP-MD5 (RFC 2385) against the kernel's, over TUN, in one thread: the test carries the packets.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stack/host/host.h"
#include "stack/link/root_test_util.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/authentication/keys.h"

namespace tcproctor::link {
namespace {

using namespace std::chrono_literals;
using tcp::Outcome;
using tcp::State;

constexpr size_t kBytes = 300'000;
constexpr uint16_t kPort = 179;

// RFC2385-4.5-1: the longest there is.
std::string long_key() {
  return std::string(79, 'k') + "!";
}

struct Variant {
  const char* name;
  bool v6;
  bool host_connects;
};

class Md5AgainstTheKernel : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(enter_fresh_namespace());
    tun_ = make_tun(false);
    ASSERT_EQ(fcntl(tun_, F_SETFL, O_NONBLOCK), 0);
    host::HostConfig config;
    config.addresses = {{*packet::IpAddress::parse(kHostAddress), 24},
                        {*packet::IpAddress::parse(kHostAddressV6), 64}};
    config.link_layer = host::LinkLayer::kRawIp;
    config.seed = 11;
    auto host = host::Host::create(config);
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
  }
  void TearDown() override {
    for (const int fd : {tun_, listener_, socket_}) {
      if (fd >= 0) close(fd);
    }
  }

  static std::string host_address() { return GetParam().v6 ? kHostAddressV6 : kHostAddress; }
  static std::string kernel_own() { return GetParam().v6 ? kKernelAddressV6 : kKernelAddress; }
  static tcp::Instant now() {
    return tcp::Instant(std::chrono::duration_cast<tcp::Duration>(
        std::chrono::steady_clock::now().time_since_epoch()));
  }

  // Packets both ways and timers, until `done` or the time is over.
  bool run(std::chrono::milliseconds limit, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + limit;
    std::vector<uint8_t> buffer(65600);
    while (std::chrono::steady_clock::now() < end) {
      if (done()) return true;
      host_->on_deadline(now());
      host::FrameMeta meta;
      while (const size_t size = host_->next_frame(now(), buffer, meta)) {
        note(std::span(buffer).first(size), true);
        EXPECT_EQ(write(tun_, buffer.data(), size), static_cast<ssize_t>(size));
      }
      pollfd waiting = {.fd = tun_, .events = POLLIN, .revents = 0};
      poll(&waiting, 1, 2);
      for (ssize_t size; (size = read(tun_, buffer.data(), buffer.size())) > 0;) {
        const std::span<const uint8_t> packet(buffer.data(), static_cast<size_t>(size));
        note(packet, false);
        host_->on_frame(now(), packet, {});
      }
    }
    return done();
  }

  void note(std::span<const uint8_t> packet, bool from_host) {
    packet::TcpSegment segment;
    if (parse_tcp_packet(packet, packet::ChecksumPolicy::kTrusted, segment) !=
        packet::ParseResult::kOk) {
      return;
    }
    ++(from_host ? from_host_ : from_kernel_);
    if (segment.options.md5.empty()) ++unsigned_;
  }

  void give_key(int fd, const std::string& key) {
    tcp_md5sig signature{};
    const KernelAddress peer = kernel_address(host_address(), 0);
    std::memcpy(&signature.tcpm_addr, &peer.storage, sizeof peer.storage);
    signature.tcpm_keylen = static_cast<uint16_t>(key.size());
    std::ranges::copy(key, signature.tcpm_key);
    ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature), 0)
        << std::strerror(errno);
  }

  // Starts the connection from whichever side; empty: without a key.
  void start(const std::string& host_key, const std::string& kernel_key) {
    tcp::ConnectionOptions options;
    const packet::IpAddress kernel = *packet::IpAddress::parse(kernel_own());
    if (!host_key.empty()) {
      options.keys = std::make_shared<tcp::KeyRing>(std::vector<tcp::PeerKeys>{
          {.peer = kernel,
           .prefix_length = static_cast<uint8_t>(GetParam().v6 ? 64 : 24),
           .md5 = host_key}});
    }
    const int fd = kernel_socket(GetParam().v6 ? AF_INET6 : AF_INET);
    ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    if (!kernel_key.empty()) {
      ASSERT_NO_FATAL_FAILURE(give_key(fd, kernel_key));
    }
    if (GetParam().host_connects) {
      listener_ = fd;
      const KernelAddress own = kernel_address(kernel_own(), kPort);
      ASSERT_EQ(bind(listener_, own.get(), own.size), 0) << std::strerror(errno);
      ASSERT_EQ(listen(listener_, 1), 0);
      const auto opened = host_->open(now(), {.active = true,
                                              .local = {packet::IpAddress::any(kernel.family()), 0},
                                              .remote = packet::SocketAddress{kernel, kPort},
                                              .options = options});
      ASSERT_EQ(opened.outcome, Outcome::kOk);
      connection_ = opened.id;
    } else {
      const auto opened = host_->open(
          now(), {.local = {packet::IpAddress::any(kernel.family()), kPort}, .options = options});
      ASSERT_EQ(opened.outcome, Outcome::kOk);
      host_listener_ = opened.id;
      socket_ = fd;
      const KernelAddress peer = kernel_address(host_address(), kPort);
      ASSERT_EQ(connect(socket_, peer.get(), peer.size), -1);
      ASSERT_EQ(errno, EINPROGRESS);
    }
  }

  // Both sides have the connection.
  bool established() {
    if (GetParam().host_connects) {
      if (socket_ < 0) socket_ = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    } else if (connection_ == 0) {
      connection_ = host_->accept(now(), host_listener_).id;
    }
    return socket_ >= 0 && connection_ != 0 &&
           host_->status(now(), connection_)->state == State::kEstablished;
  }

  int tun_ = -1;
  int listener_ = -1;
  int socket_ = -1;
  std::unique_ptr<host::Host> host_;
  host::ConnectionId host_listener_ = 0;
  host::ConnectionId connection_ = 0;
  int from_host_ = 0;
  int from_kernel_ = 0;
  int unsigned_ = 0;
};

INSTANTIATE_TEST_SUITE_P(All, Md5AgainstTheKernel,
                         testing::Values(Variant{"v4_host_connects", false, true},
                                         Variant{"v4_kernel_connects", false, false},
                                         Variant{"v6_host_connects", true, true},
                                         Variant{"v6_kernel_connects", true, false}),
                         [](const auto& variant) { return variant.param.name; });

TEST_P(Md5AgainstTheKernel, DataBothWaysAndClose) {
  ASSERT_NO_FATAL_FAILURE(start(long_key(), long_key()));
  ASSERT_TRUE(run(20s, [this] { return established(); }));
  std::vector<uint8_t> data(kBytes);
  for (size_t i = 0; i < kBytes; ++i) data[i] = static_cast<uint8_t>(i % 251 + i / 4096);
  std::vector<uint8_t> at_host;
  std::vector<uint8_t> at_kernel;
  size_t from_host = 0;
  size_t from_kernel = 0;
  std::array<uint8_t, 65536> buffer{};
  EXPECT_TRUE(run(60s, [&] {
    from_host +=
        host_->send(now(), connection_, std::span(data).subspan(from_host), true, false).accepted;
    const ssize_t sent = send(socket_, data.data() + from_kernel, kBytes - from_kernel, 0);
    if (sent > 0) from_kernel += static_cast<size_t>(sent);
    const auto got = host_->receive(now(), connection_, buffer);
    at_host.insert(at_host.end(), buffer.begin(), buffer.begin() + got.received);
    const ssize_t received = recv(socket_, buffer.data(), buffer.size(), 0);
    if (received > 0) at_kernel.insert(at_kernel.end(), buffer.begin(), buffer.begin() + received);
    return at_host.size() >= kBytes && at_kernel.size() >= kBytes;
  }));
  EXPECT_TRUE(at_host == data);
  EXPECT_TRUE(at_kernel == data);
  EXPECT_EQ(host_->close(now(), connection_), Outcome::kOk);
  EXPECT_TRUE(run(10s, [&] { return recv(socket_, buffer.data(), buffer.size(), 0) == 0; }));
  shutdown(socket_, SHUT_WR);
  EXPECT_TRUE(
      run(10s, [&] { return host_->status(now(), connection_)->state == State::kTimeWait; }));
  EXPECT_EQ(unsigned_, 0);
  EXPECT_EQ(host_->status(now(), connection_)->signature_failures, 0u);
}

TEST_P(Md5AgainstTheKernel, SignedResetIsBelieved) {
  ASSERT_NO_FATAL_FAILURE(start(long_key(), long_key()));
  ASSERT_TRUE(run(20s, [this] { return established(); }));
  EXPECT_EQ(host_->abort(now(), connection_), Outcome::kOk);
  std::array<uint8_t, 1> byte{};
  EXPECT_TRUE(run(10s, [&] {
    return recv(socket_, byte.data(), byte.size(), 0) == -1 && errno == ECONNRESET;
  }));
  EXPECT_EQ(unsigned_, 0);
}

// A second of SYNs: whoever has the other key, or none, gets no answer.
TEST_P(Md5AgainstTheKernel, WrongOrMissingKeyIsMetWithSilence) {
  const auto check = [this](const std::string& host_key, const std::string& kernel_key) {
    SCOPED_TRACE("host '" + host_key + "' kernel '" + kernel_key + "'");
    from_host_ = from_kernel_ = 0;
    connection_ = 0;
    ASSERT_NO_FATAL_FAILURE(start(host_key, kernel_key));
    EXPECT_FALSE(run(1500ms, [this] { return established(); }));
    EXPECT_GE(GetParam().host_connects ? from_host_ : from_kernel_, 1);
    EXPECT_EQ(GetParam().host_connects ? from_kernel_ : from_host_, 0);
    if (!GetParam().host_connects) {
      EXPECT_GE(host_->status(now(), host_listener_)->signature_failures, 1u);
    }
    for (const host::ConnectionId id : host_->list()) (void)host_->abort(now(), id);
    for (int* const fd : {&listener_, &socket_}) {
      if (*fd >= 0) close(*fd);
      *fd = -1;
    }
    run(50ms, [] { return false; });
  };
  check("right", "wrong");
  if (GetParam().host_connects) {
    check("", "right");
  } else {
    check("right", "");
  }
}

}  // namespace
}  // namespace tcproctor::link
