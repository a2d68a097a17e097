// SPDX-License-Identifier: Apache-2.0
#include "server/host/broker_tasks.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

// --- namespaces ---

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

// The thread that asks first is in it afterwards.
absl::StatusOr<const Nursery*> nursery() {
  static std::mutex mutex;
  static std::optional<Nursery> instance;
  const std::lock_guard lock(mutex);
  if (!instance) {
    Nursery fresh;
    if (absl::Status status = fill_nursery(fresh); !status.ok()) return status;
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
  // Every port is an end's to take: the daemon has no CAP_NET_BIND_SERVICE.
  if (absl::Status status = write_sysctl_here("net.ipv4.ip_unprivileged_port_start", "0");
      !status.ok()) {
    return status;
  }
  for (const auto& [name, value] : kQuietIpv6) {
    absl::Status status = write_sysctl_here(name, value);
    // NOT_FOUND: a kernel without IPv6, which is quiet enough.
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return loopback_up();
}

absl::Status make_namespace(UniqueFd& made) {
  absl::StatusOr<const Nursery*> origin = nursery();
  if (!origin.ok()) return origin.status();
  if (absl::Status status = enter((*origin)->fd.get()); !status.ok()) return status;
  if (absl::Status status = make_and_enter(); !status.ok()) return status;
  absl::StatusOr<UniqueFd> held = descriptor_of_this_thread();
  if (!held.ok()) return held.status();
  made = *std::move(held);
  return settle(**origin);
}

// --- what may be asked for ---

bool is_of_a_session(const BrokerRequest& request) {
  constexpr std::array kNetlink = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC,
                                   NETLINK_NETFILTER};
  switch (request.domain) {
    case AF_INET:
    case AF_INET6:
    case AF_PACKET:
      return true;
    case AF_NETLINK:
      return absl::c_linear_search(kNetlink, request.protocol);
    default:
      return false;
  }
}

bool is_whole(const BrokerRequest& request) {
  if (request.count < 1 || request.count > BrokerRequest::kMaxNames) return false;
  return std::all_of(request.names.begin(), request.names.begin() + request.count,
                     [](const auto& name) { return name[0] != '\0' && name.back() == '\0'; });
}

bool is_internet_address(const BrokerRequest& request) {
  return (request.address.ss_family == AF_INET && request.address_length == sizeof(sockaddr_in)) ||
         (request.address.ss_family == AF_INET6 && request.address_length == sizeof(sockaddr_in6));
}

absl::Status check(const BrokerRequest& request, int descriptor) {
  const auto wrong = [](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("the namespace broker refuses ", what));
  };
  if ((descriptor >= 0) != (request.task != BrokerTask::kMakeNamespace)) {
    return wrong("a request with a descriptor too many or too few");
  }
  switch (request.task) {
    case BrokerTask::kMakeNamespace:
    case BrokerTask::kOpenTun:
      return absl::OkStatus();
    case BrokerTask::kOpenSocket:
      return is_of_a_session(request) ? absl::OkStatus() : wrong("a socket of this family");
    case BrokerTask::kOpenSettings:
    case BrokerTask::kOpenCounters:
      return is_whole(request) ? absl::OkStatus() : wrong("names that are none");
    case BrokerTask::kBind:
      return is_internet_address(request) ? absl::OkStatus() : wrong("an address of no internet");
  }
  return wrong("an unknown task");
}

// --- doing it ---

// errno in its place where it could not be opened.
void add(UniqueFd fd, BrokerReply& reply, std::vector<UniqueFd>& opened) {
  reply.errors[reply.count++] = fd.valid() ? 0 : errno;
  if (fd.valid()) opened.push_back(std::move(fd));
}

UniqueFd open_counters(absl::string_view name) {
  if (name != "netstat" && name != "snmp") {
    errno = ENOENT;
    return {};
  }
  return UniqueFd(
      ::open(absl::StrCat("/proc/thread-self/net/", name).c_str(), O_RDONLY | O_CLOEXEC));
}

void open_in_namespace(const BrokerRequest& request, BrokerReply& reply,
                       std::vector<UniqueFd>& opened) {
  switch (request.task) {
    case BrokerTask::kOpenSocket:
      return add(UniqueFd(::socket(request.domain, request.type | SOCK_CLOEXEC, request.protocol)),
                 reply, opened);
    case BrokerTask::kOpenSettings:
      for (uint32_t i = 0; i < request.count; ++i) {
        add(open_sysctl_here(request.names[i].data(), request.for_writing != 0), reply, opened);
      }
      return;
    case BrokerTask::kOpenCounters:
      for (uint32_t i = 0; i < request.count; ++i) {
        add(open_counters(request.names[i].data()), reply, opened);
      }
      return;
    default:
      return add(UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)), reply, opened);
  }
}

absl::Status try_to_perform(const BrokerRequest& request, int descriptor, BrokerReply& reply,
                            std::vector<UniqueFd>& opened) {
  if (absl::Status status = check(request, descriptor); !status.ok()) return status;
  if (request.task == BrokerTask::kMakeNamespace) {
    UniqueFd made;
    absl::Status status = make_namespace(made);
    if (status.ok()) add(std::move(made), reply, opened);
    return status;
  }
  if (request.task == BrokerTask::kBind) {
    const auto* address = reinterpret_cast<const sockaddr*>(&request.address);
    reply.errors[reply.count++] =
        ::bind(descriptor, address, request.address_length) == 0 ? 0 : errno;
    return absl::OkStatus();
  }
  if (absl::Status status = enter(descriptor); !status.ok()) return status;
  open_in_namespace(request, reply, opened);
  return absl::OkStatus();
}

}  // namespace

bool BrokerRequest::add_name(absl::string_view name) {
  if (count == kMaxNames || name.size() >= kMaxNameBytes) return false;
  names[count].fill('\0');
  name.copy(names[count].data(), name.size());
  ++count;
  return true;
}

absl::Status BrokerReply::status() const {
  const std::string text(message.data(), ::strnlen(message.data(), message.size()));
  return absl::Status(static_cast<absl::StatusCode>(code), text);
}

void BrokerReply::refuse(const absl::Status& status) {
  code = static_cast<int32_t>(status.code());
  status.message().substr(0, message.size() - 1).copy(message.data(), message.size() - 1);
}

BrokerReply perform(const BrokerRequest& request, int descriptor, std::vector<UniqueFd>& opened) {
  BrokerReply reply;
  const absl::Status status = try_to_perform(request, descriptor, reply, opened);
  if (!status.ok()) reply.refuse(status);
  return reply;
}

absl::Status leave_namespace() {
  absl::StatusOr<const Nursery*> home = nursery();
  return home.ok() ? enter((*home)->fd.get()) : home.status();
}

}  // namespace tcproctor::server
