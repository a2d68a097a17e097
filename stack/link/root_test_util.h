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

// The calling thread, and threads it makes from now on, live in a fresh namespace.
inline void enter_fresh_namespace() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0)
      << "unshare(CLONE_NEWNET): " << std::strerror(errno) << "; this test must run as root";
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

// "kernel0" with kKernelAddress, "host0" without an address; both up.
inline void make_veth() {
  nl_sock* const netlink = nl_socket_alloc();
  ASSERT_EQ(nl_connect(netlink, NETLINK_ROUTE), 0);
  const int result = rtnl_link_veth_add(netlink, "kernel0", "host0", getpid());
  nl_socket_free(netlink);
  ASSERT_EQ(result, 0) << nl_geterror(result);
  bring_up("host0", nullptr);
  bring_up("kernel0", kKernelAddress);
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
  bring_up("tun0", kKernelAddress);
  return fd;
}

inline sockaddr_in socket_address(const char* address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

// A blocking kernel socket under CUBIC (the machine's default may be anything), with time limits so
// that a broken test ends.
inline int kernel_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  const timeval limit = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

}  // namespace tcproctor::link
