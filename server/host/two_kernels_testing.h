// SPDX-License-Identifier: Apache-2.0
// For tests: two namespaces joined by a veth pair, each with the kernel's TCP, as the ends of a
// session are.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_join.h"
#include "server/end/kernel_socket.h"
#include "server/host/inet_diag.h"
#include "server/host/interface.h"
#include "server/host/namespace.h"
#include "server/host/namespace_testing.h"
#include "server/host/sysctl.h"
#include "server/host/user_namespace.h"

namespace tcproctor::server::testing {

inline packet::IpAddress ip(std::string_view text) {
  return *packet::IpAddress::parse(text);
}
inline packet::SocketAddress at(std::string_view address, uint16_t port) {
  return {ip(address), port};
}

// Polls `condition` until it holds; false after `patience`.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds patience = std::chrono::seconds(3)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Waits up to 3 s until `socket` is ready for `events` (POLLIN, …).
inline bool ready(const KernelSocket& socket, short events) {
  pollfd request{socket.fd(), events, 0};
  return ::poll(&request, 1, 3000) == 1;
}

// Fails, and does not skip, without root: a guard that does not run is no guard.
class RootTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(missing_capabilities().empty())
        << "this test needs root: missing " << absl::StrJoin(missing_capabilities(), ", ");
  }
};

// 192.0.2.1 and 2001:db8::1 in `a`; .2 and ::2 in `b`; every neighbour known.
class TwoKernels : public RootTest {
 protected:
  void SetUp() override {
    RootTest::SetUp();
    if (HasFatalFailure()) return;
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> made_a = NetworkNamespace::create();
    ASSERT_TRUE(made_a.ok()) << made_a.status();
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> made_b = NetworkNamespace::create();
    ASSERT_TRUE(made_b.ok()) << made_b.status();
    a_ = *std::move(made_a);
    b_ = *std::move(made_b);
    ASSERT_TRUE(apply_sysctls(*a_, kernel_target_defaults()).ok());
    ASSERT_TRUE(apply_sysctls(*b_, kernel_target_defaults()).ok());
    absl::StatusOr<VethPair> pair = create_veth(*a_, spec(1), *b_, spec(2));
    ASSERT_TRUE(pair.ok()) << pair.status();
    a_diag_ = *InetDiag::open(*a_);
    b_diag_ = *InetDiag::open(*b_);
  }

  static packet::MacAddress mac(uint8_t last) { return {{2, 0, 0, 0, 0, last}}; }

  static InterfaceSpec spec(uint8_t own) {
    const uint8_t other = static_cast<uint8_t>(3 - own);
    InterfaceSpec result;
    result.name = "wire0";
    result.mac = mac(own);
    for (const char* prefix : {"192.0.2.", "2001:db8::"}) {
      const bool v4 = prefix[0] == '1';
      result.addresses.push_back({ip(prefix + std::to_string(own)), uint8_t(v4 ? 24 : 64)});
      result.neighbours.push_back({ip(prefix + std::to_string(other)), mac(other)});
    }
    return result;
  }

  KernelSocket make(const NetworkNamespace& ns, SocketFamily family = SocketFamily::kIpv4) {
    absl::StatusOr<KernelSocket> socket = KernelSocket::create(ns, family);
    EXPECT_TRUE(socket.ok()) << socket.status();
    return *std::move(socket);
  }

  // A listener in b on 192.0.2.2:80.
  KernelSocket listener(uint32_t backlog = 16) {
    KernelSocket socket = make(*b_);
    EXPECT_TRUE(socket.bind(at("192.0.2.2", 80)).ok());
    EXPECT_TRUE(socket.listen(backlog).ok());
    return socket;
  }

  struct Pair {
    KernelSocket a, b;
  };
  // An established connection from a to `listening`.
  Pair connect_to(KernelSocket& listening) {
    KernelSocket a = make(*a_);
    EXPECT_EQ(a.connect(at("192.0.2.2", 80)).outcome, tcp::Outcome::kWouldBlock);
    EXPECT_TRUE(ready(a, POLLOUT));
    EXPECT_TRUE(a.connect_result().ok());
    EXPECT_TRUE(ready(listening, POLLIN));
    KernelSocket::Accepted accepted = listening.accept();
    EXPECT_TRUE(accepted.socket.has_value());
    return {std::move(a), *std::move(accepted.socket)};
  }

  // The state of the connection as the kernel's diagnosis in one of the namespaces has it.
  static tcp::State observed(InetDiag& diag, const packet::SocketAddress& local,
                             const packet::SocketAddress& remote) {
    absl::StatusOr<std::optional<DiagnosedSocket>> found = diag.find(local, remote);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && *found ? (*found)->state : tcp::State::kClosed;
  }
  tcp::State state_a(const Pair& pair) {
    return observed(*a_diag_, pair.a.local(), pair.a.remote());
  }
  tcp::State state_b(const Pair& pair) {
    return observed(*b_diag_, pair.a.remote(), pair.a.local());
  }

  std::unique_ptr<NetworkNamespace> a_, b_;
  std::unique_ptr<InetDiag> a_diag_, b_diag_;
};

}  // namespace tcproctor::server::testing
