// SPDX-License-Identifier: Apache-2.0
#include "server/host/namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

// Threads are the unit that lives in a network namespace: a thread of its own may change it and
// die, where a pooled one would have to find its way back and would keep the namespace alive
// meanwhile.
absl::Status run_on_own_thread(absl::FunctionRef<absl::Status()> work) {
  absl::Status status;
  try {
    std::thread([&] { status = work(); }).join();
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread for work in a network namespace: ", error.what()));
  }
  return status;
}

absl::Status enter(int ns_fd) {
  if (::setns(ns_fd, CLONE_NEWNET) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "entering a network namespace (setns)");
}

absl::Status make_and_enter() {
  if (::unshare(CLONE_NEWNET) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EPERM) {
    return absl::PermissionDeniedError(
        "making a network namespace needs CAP_SYS_ADMIN, which this process lacks");
  }
  if (error == ENOSPC) {
    return absl::ResourceExhaustedError(
        "no more network namespaces allowed: raise the sysctl user.max_net_namespaces");
  }
  return absl::ErrnoToStatus(error, "making a network namespace (unshare)");
}

absl::StatusOr<UniqueFd> descriptor_of_this_thread() {
  UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "opening /proc/thread-self/ns/net");
  return fd;
}

// The namespaces of sessions are born from inside this one, because a TCP hash table of one's own
// is granted by the parent's tcp_child_ehash_entries, and the machine's own settings stay
// untouched. A small table makes a dump of all sockets quick (the shared one of a big machine has
// 262,144 buckets, all of which a dump walks). It also sets two limits by the table's size, which
// are put back to what a namespace with the shared table has.
struct Nursery {
  UniqueFd fd;
  std::vector<Sysctl> limits;
};
constexpr const char* kHashBuckets = "8192";
constexpr const char* kLimits[] = {"net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_syn_backlog"};

absl::Status fill_nursery(Nursery& nursery) {
  if (absl::Status status = make_and_enter(); !status.ok()) return status;
  absl::StatusOr<UniqueFd> fd = descriptor_of_this_thread();
  if (!fd.ok()) return fd.status();
  nursery.fd = *std::move(fd);
  // Before 6.1, or where /proc/sys cannot be written, sessions share the machine's table.
  if (!write_sysctl_here("net.ipv4.tcp_child_ehash_entries", kHashBuckets).ok()) {
    return absl::OkStatus();
  }
  for (const char* name : kLimits) {
    absl::StatusOr<std::string> value = read_sysctl_here(name);
    if (!value.ok()) return value.status();
    nursery.limits.push_back({name, *value, "as with the machine's hash table"});
  }
  return absl::OkStatus();
}

absl::StatusOr<const Nursery*> nursery() {
  static std::mutex mutex;
  static std::optional<Nursery> instance;
  const std::lock_guard lock(mutex);
  if (!instance) {
    Nursery fresh;
    if (absl::Status status = run_on_own_thread([&] { return fill_nursery(fresh); });
        !status.ok()) {
      return status;
    }
    instance.emplace(std::move(fresh));
  }
  return &*instance;
}

// Nothing must be sent that nobody asked for, and an address must be usable at once. Set as
// defaults before the first device is made, which takes them over.
constexpr std::pair<const char*, const char*> kQuietIpv6[] = {
    {"net.ipv6.conf.default.accept_dad", "0"},     // addresses are ours to give: no detection
    {"net.ipv6.conf.default.dad_transmits", "0"},  // likewise
    {"net.ipv6.conf.default.accept_ra", "0"},      // no autoconfiguration, no solicitation
    {"net.ipv6.conf.default.autoconf", "0"},
    {"net.ipv6.conf.default.router_solicitations", "0"},
    {"net.ipv6.conf.default.addr_gen_mode", "1"},  // no fe80:: by itself
};

absl::Status loopback_up() {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return absl::ErrnoToStatus(errno, "a socket to bring the loopback up");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
    return absl::ErrnoToStatus(errno, "bringing the loopback up");
  }
  return absl::OkStatus();
}

absl::Status settle(const Nursery& origin) {
  for (const Sysctl& limit : origin.limits) {
    if (absl::Status status = write_sysctl_here(limit.name, limit.value); !status.ok()) {
      return status;
    }
  }
  for (const auto& [name, value] : kQuietIpv6) {
    absl::Status status = write_sysctl_here(name, value);
    // NOT_FOUND: a kernel without IPv6, which is quiet enough.
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return loopback_up();
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::from_fd(UniqueFd fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, "reading a network namespace's inode");
  }
  return std::unique_ptr<NetworkNamespace>(new NetworkNamespace(std::move(fd), info.st_ino));
}

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::create() {
  absl::StatusOr<const Nursery*> origin = nursery();
  if (!origin.ok()) return origin.status();
  UniqueFd fd;
  absl::Status status = run_on_own_thread([&] {
    if (absl::Status entered = enter((*origin)->fd.get()); !entered.ok()) return entered;
    if (absl::Status made = make_and_enter(); !made.ok()) return made;
    absl::StatusOr<UniqueFd> held = descriptor_of_this_thread();
    if (!held.ok()) return held.status();
    fd = *std::move(held);
    return settle(**origin);
  });
  if (!status.ok()) return status;
  return from_fd(std::move(fd));
}

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::current() {
  absl::StatusOr<UniqueFd> fd = descriptor_of_this_thread();
  if (!fd.ok()) return fd.status();
  return from_fd(*std::move(fd));
}

std::string NetworkNamespace::path() const {
  return absl::StrCat("/proc/", ::getpid(), "/fd/", fd());
}

absl::Status NetworkNamespace::run_in(absl::FunctionRef<absl::Status()> work) const {
  return run_on_own_thread([&] {
    if (absl::Status entered = enter(fd()); !entered.ok()) return entered;
    return work();
  });
}

absl::StatusOr<UniqueFd> NetworkNamespace::open_socket(int domain, int type, int protocol) const {
  UniqueFd socket;
  absl::Status status = run_in([&]() -> absl::Status {
    socket.reset(::socket(domain, type | SOCK_CLOEXEC, protocol));
    if (socket.valid()) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("socket(", domain, ", ", type, ", ", protocol,
                                                   ") in a network namespace"));
  });
  if (!status.ok()) return status;
  return socket;
}

}  // namespace tcproctor::server
