// SPDX-License-Identifier: Apache-2.0
#include "server/host/tcp_metrics.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "server/host/two_kernels_testing.h"
#include "server/host/unique_fd.h"
#include "stack/packet/checksum.h"

namespace tcproctor::server {
namespace {

constexpr uint16_t kPort = 9;

struct Family {
  const char* name;
  int domain;
  const char* a;
  const char* b;
  uint32_t mtu;  // one that b learns
};

class PathMtuTest : public testing::TwoKernels, public ::testing::WithParamInterface<Family> {
 protected:
  bool v4() const { return GetParam().domain == AF_INET; }

  sockaddr_storage address(const char* text, socklen_t& length) const {
    sockaddr_storage result{};
    if (v4()) {
      auto& to = reinterpret_cast<sockaddr_in&>(result);
      to = {.sin_family = AF_INET, .sin_port = htons(kPort), .sin_addr = {}, .sin_zero = {}};
      inet_pton(AF_INET, text, &to.sin_addr);
      length = sizeof to;
    } else {
      auto& to = reinterpret_cast<sockaddr_in6&>(result);
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(kPort);
      inet_pton(AF_INET6, text, &to.sin6_addr);
      length = sizeof to;
    }
    return result;
  }

  // A UDP socket of b, bound and connected to kPort of a.
  UniqueFd connected() {
    UniqueFd socket;
    EXPECT_TRUE(testing::run_in(*b_, [&] {
                  socket = UniqueFd(::socket(GetParam().domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                  return absl::OkStatus();
                }).ok());
    socklen_t length = 0;
    const int one = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_storage own = address(GetParam().b, length);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), length), 0);
    sockaddr_storage to = address(GetParam().a, length);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), length), 0);
    return socket;
  }

  // What b takes for the MTU of the path to a.
  int known() {
    const UniqueFd socket = connected();
    int mtu = 0;
    socklen_t length = sizeof mtu;
    EXPECT_EQ(getsockopt(socket.get(), v4() ? int{IPPROTO_IP} : int{IPPROTO_IPV6},
                         v4() ? IP_MTU : IPV6_MTU, &mtu, &length),
              0);
    return mtu;
  }

  // An ICMP error of a about a datagram of b's.
  std::string too_big() const {
    udphdr udp{};
    udp.source = udp.dest = htons(kPort);
    udp.len = htons(sizeof udp);
    std::string message;
    const auto add = [&message](const auto& part) {
      message.append(reinterpret_cast<const char*>(&part), sizeof part);
    };
    if (v4()) {
      icmphdr icmp{};
      icmp.type = ICMP_DEST_UNREACH;
      icmp.code = ICMP_FRAG_NEEDED;
      icmp.un.frag.mtu = htons(static_cast<uint16_t>(GetParam().mtu));
      iphdr ip{};
      ip.version = 4;
      ip.ihl = 5;
      ip.tot_len = htons(sizeof ip + sizeof udp);
      ip.ttl = 64;
      ip.protocol = IPPROTO_UDP;
      inet_pton(AF_INET, GetParam().b, &ip.saddr);
      inet_pton(AF_INET, GetParam().a, &ip.daddr);
      add(icmp);
      add(ip);
      add(udp);
      const uint16_t checksum = htons(packet::internet_checksum(
          {reinterpret_cast<const uint8_t*>(message.data()), message.size()}));
      std::memcpy(message.data() + offsetof(icmphdr, checksum), &checksum, sizeof checksum);
      return message;
    }
    icmp6_hdr icmp{};
    icmp.icmp6_type = ICMP6_PACKET_TOO_BIG;  // the kernel adds the checksum
    icmp.icmp6_mtu = htonl(GetParam().mtu);
    ip6_hdr ip{};
    ip.ip6_flow = htonl(6u << 28);
    ip.ip6_plen = htons(sizeof udp);
    ip.ip6_nxt = IPPROTO_UDP;
    ip.ip6_hlim = 64;
    inet_pton(AF_INET6, GetParam().b, &ip.ip6_src);
    inet_pton(AF_INET6, GetParam().a, &ip.ip6_dst);
    add(icmp);
    add(ip);
    add(udp);
    return message;
  }

  void learn() {
    const UniqueFd listening = connected();
    ASSERT_TRUE(testing::run_in(*a_, [this] {
                  const UniqueFd raw(::socket(GetParam().domain, SOCK_RAW | SOCK_CLOEXEC,
                                              v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
                  const std::string message = too_big();
                  socklen_t length = 0;
                  sockaddr_storage to = address(GetParam().b, length);
                  if (!v4()) reinterpret_cast<sockaddr_in6&>(to).sin6_port = 0;
                  const ssize_t sent = ::sendto(raw.get(), message.data(), message.size(), 0,
                                                reinterpret_cast<sockaddr*>(&to), length);
                  EXPECT_EQ(sent, static_cast<ssize_t>(message.size())) << strerror(errno);
                  return absl::OkStatus();
                }).ok());
    ASSERT_TRUE(testing::eventually([this] { return known() == int(GetParam().mtu); })) << known();
  }
};

TEST_P(PathMtuTest, IsForgottenWithThePeer) {
  ASSERT_EQ(known(), 1500);
  // Nothing is known yet, and that is no error.
  EXPECT_TRUE(forget_peer(*b_, testing::ip(GetParam().a)).ok());
  learn();
  EXPECT_TRUE(forget_peer(*b_, testing::ip(v4() ? "192.0.2.77" : "2001:db8::77")).ok());
  EXPECT_EQ(known(), int(GetParam().mtu));
  const absl::Status status = forget_peer(*b_, testing::ip(GetParam().a));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(known(), 1500);
}

INSTANTIATE_TEST_SUITE_P(Families, PathMtuTest,
                         ::testing::Values(Family{"IPv4", AF_INET, "192.0.2.1", "192.0.2.2", 600},
                                           Family{"IPv6", AF_INET6, "2001:db8::1", "2001:db8::2",
                                                  1280}),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace tcproctor::server
