// SPDX-License-Identifier: Apache-2.0
// Unnamed network namespaces: held by a descriptor only, so that nothing is left when the process
// dies, however it dies.
//
// Nothing of this process ever runs inside of one: what is needed there is opened by the namespace
// broker (namespace_broker.h) and used from here.
//
// Measured (kernel 6.18, 2 cores): create() 0.4 ms idle, 1-2 ms while a compiler uses both cores;
// giving one up costs the caller 4 us (the kernel tears it down in the background).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/namespace_broker.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

// A network namespace. The kernel frees it when this object and everything made inside (sockets,
// processes, other descriptors of it) are gone; its devices go with it. Thread-safe.
class NetworkNamespace {
 public:
  // A fresh, empty namespace with its loopback up. Its IPv6 is quiet: no duplicate address
  // detection, no router solicitation, no link-local address made by itself. Its TCP has a hash
  // table of its own (where the kernel can: 6.1+), which makes a dump by InetDiag 20 times faster.
  // Every port can be bound, those below 1024 too.
  // PERMISSION_DENIED names the missing capability; RESOURCE_EXHAUSTED: the limit
  // user.max_net_namespaces, or descriptors.
  static absl::StatusOr<std::unique_ptr<NetworkNamespace>> create();
  // The namespace this process was started in (where real interfaces are).
  static absl::StatusOr<std::unique_ptr<NetworkNamespace>> current();

  // Of the namespace file; usable with setns(2) and IFLA_NET_NS_FD.
  int fd() const { return fd_.get(); }
  // As shown by lsns and in "net:[…]".
  uint64_t inode() const { return inode_; }
  // "/proc/PID/fd/N": a path through which another process of this machine can open the namespace
  // for setns(2), provided it is root or of the same user (and has entered the same user
  // namespace). Good as long as this object lives.
  std::string path() const;

  // Each is opened inside the namespace and stays there, wherever it is used. UNAVAILABLE: the
  // namespace broker has ended; PERMISSION_DENIED: the namespace may not be entered.

  // socket(2) of AF_INET, AF_INET6, AF_PACKET or AF_NETLINK; SOCK_CLOEXEC is added. `error`: the
  // errno of the call itself, 0 where it was not made.
  absl::StatusOr<UniqueFd> open_socket(int domain, int type, int protocol,
                                       int* error = nullptr) const;
  // The files of sysctls, one for each name. Names are as in sysctl.h.
  absl::StatusOr<std::vector<BrokerOpened>> open_settings(std::span<const std::string> names,
                                                          bool for_writing) const;
  // A file of counters below /proc/net: "netstat" or "snmp".
  absl::StatusOr<UniqueFd> open_counters(const std::string& name) const;
  // /dev/net/tun: a device made with it is one of the namespace.
  absl::StatusOr<UniqueFd> open_tun() const;

 private:
  NetworkNamespace(UniqueFd fd, uint64_t inode) : fd_(std::move(fd)), inode_(inode) {}
  static absl::StatusOr<std::unique_ptr<NetworkNamespace>> from_fd(UniqueFd fd);
  absl::StatusOr<UniqueFd> open_one(const BrokerRequest& request, const std::string& what,
                                    int* error) const;

  UniqueFd fd_;
  uint64_t inode_;
};

}  // namespace tcproctor::server
