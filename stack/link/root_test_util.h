// SPDX-License-Identifier: Apache-2.0
// For tests that need root: a fresh network namespace with a veth pair or a TUN device in it, and a
// kernel TCP on the one side. Both legs of the pair are in the same namespace: the kernel owns the
// address of the one, nobody that of the other.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace tcproctor::link {

inline constexpr char kKernelAddress[] = "192.0.2.1";  // /24
inline constexpr char kHostAddress[] = "192.0.2.2";
inline constexpr char kKernelAddressV6[] = "2001:db8::1";  // /64
inline constexpr char kHostAddressV6[] = "2001:db8::2";

// The calling thread, and threads it makes from now on, live in a fresh namespace.
inline void enter_fresh_namespace() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0)
      << "unshare(CLONE_NEWNET): " << std::strerror(errno) << "; this test must run as root";
}

// kKernelAddressV6 on `name`, usable at once.
inline void add_v6_address(const char* name) {
  const std::string path = std::string("/proc/sys/net/ipv6/conf/") + name + "/accept_dad";
  const int sysctl = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(sysctl, 0) << path;
  ASSERT_EQ(write(sysctl, "0", 1), 1);
  close(sysctl);
  // struct in6_ifreq, whose header does not go together with <netinet/in.h>.
  struct {
    in6_addr address;
    uint32_t prefix_length;
    int interface;
  } request{};
  inet_pton(AF_INET6, kKernelAddressV6, &request.address);
  request.prefix_length = 64;
  request.interface = static_cast<int>(if_nametoindex(name));
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(ioctl(fd, SIOCSIFADDR, &request), 0) << std::strerror(errno);
  close(fd);
}

inline void bring_up(const char* name, const char* address) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (address != nullptr) {
    sockaddr_in socket_address{};
    socket_address.sin_family = AF_INET;
    inet_pton(AF_INET, address, &socket_address.sin_addr);
    std::memcpy(&request.ifr_addr, &socket_address, sizeof socket_address);
    ASSERT_EQ(ioctl(fd, SIOCSIFADDR, &request), 0) << std::strerror(errno);
    // A point-to-point device would get a /32.
    inet_pton(AF_INET, "255.255.255.0", &socket_address.sin_addr);
    std::memcpy(&request.ifr_netmask, &socket_address, sizeof socket_address);
    ASSERT_EQ(ioctl(fd, SIOCSIFNETMASK, &request), 0) << std::strerror(errno);
  }
  ASSERT_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  ASSERT_EQ(ioctl(fd, SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
  close(fd);
}

// Until the kernel has noticed the carrier (it does so in the background, and drops what is sent
// before) and its IPv6 address can be used.
inline void wait_until_usable(const char* name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  sockaddr_in6 own{};
  own.sin6_family = AF_INET6;
  inet_pton(AF_INET6, kKernelAddressV6, &own.sin6_addr);
  bool usable = false;
  for (int i = 0; i < 5000 && !usable; ++i) {
    const int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    usable = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0 &&
             bind(probe, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0;
    close(probe);
    if (!usable) usleep(1000);
  }
  close(fd);
  ASSERT_TRUE(usable) << name << " has no carrier or no IPv6 address after 5 s";
}

// "kernel0" with kKernelAddress, "host0" without an address; both up.
inline void make_veth() {
  nl_sock* const netlink = nl_socket_alloc();
  ASSERT_EQ(nl_connect(netlink, NETLINK_ROUTE), 0);
  const int result = rtnl_link_veth_add(netlink, "kernel0", "host0", getpid());
  nl_socket_free(netlink);
  ASSERT_EQ(result, 0) << nl_geterror(result);
  bring_up("host0", nullptr);
  add_v6_address("kernel0");
  bring_up("kernel0", kKernelAddress);
  wait_until_usable("kernel0");
}

// A descriptor of "tun0" with kKernelAddress, up.
inline int make_tun(bool vnet_header) {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  EXPECT_GE(fd, 0) << "/dev/net/tun: " << std::strerror(errno);
  ifreq request{};
  std::strncpy(request.ifr_name, "tun0", IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (vnet_header ? IFF_VNET_HDR : 0));
  EXPECT_EQ(ioctl(fd, TUNSETIFF, &request), 0) << std::strerror(errno);
  if (vnet_header) {
    EXPECT_EQ(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), 0);
  }
  // With the default of 500 the device drops instead of pushing back.
  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  request.ifr_qlen = 10000;
  EXPECT_EQ(ioctl(control, SIOCSIFTXQLEN, &request), 0);
  close(control);
  add_v6_address("tun0");
  bring_up("tun0", kKernelAddress);
  wait_until_usable("tun0");
  return fd;
}

// An IPv4 or IPv6 socket address as the kernel wants it.
struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline KernelAddress kernel_address(const std::string& text, uint16_t port) {
  KernelAddress out;
  if (text.find(':') == std::string::npos) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &v4->sin_addr);
    out.size = sizeof *v4;
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    out.size = sizeof *v6;
  }
  out.family = out.storage.ss_family;
  return out;
}

// A blocking kernel socket under CUBIC (the machine's default may be anything), with time limits so
// that a broken test ends.
inline int kernel_socket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  const timeval limit = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

}  // namespace tcproctor::link
