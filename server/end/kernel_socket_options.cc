// SPDX-License-Identifier: Apache-2.0
// Options of a kernel socket: what each is called in the kernel, its unit and its range.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/end/kernel_socket.h"

namespace tcproctor::server {
namespace {

struct Name {
  int level;
  int option;
  const char* text;   // for errors
  const char* range;  // what would be right
};

constexpr Name kNoDelay{IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", "0 or 1"};
constexpr Name kKeepalive{SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", "0 or 1"};
constexpr Name kKeepIdle{IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE", "1..32767 s, whole seconds"};
constexpr Name kKeepInterval{IPPROTO_TCP, TCP_KEEPINTVL, "TCP_KEEPINTVL",
                             "1..32767 s, whole seconds"};
constexpr Name kKeepCount{IPPROTO_TCP, TCP_KEEPCNT, "TCP_KEEPCNT", "1..127"};
constexpr Name kUserTimeout{IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT",
                            "0..2147483647 ms, whole milliseconds"};
constexpr Name kSynCount{IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", "1..127"};
constexpr Name kMaxSegment{IPPROTO_TCP, TCP_MAXSEG, "TCP_MAXSEG", "88..32767"};
constexpr Name kWindowClamp{IPPROTO_TCP, TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", "1..2147483647"};
constexpr Name kSendBuffer{SOL_SOCKET, SO_SNDBUFFORCE, "SO_SNDBUFFORCE", "1..1073741823"};
constexpr Name kReceiveBuffer{SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE", "1..1073741823"};
constexpr Name kSendBufferNow{SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF", "1..1073741823"};
constexpr Name kReceiveBufferNow{SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF", "1..1073741823"};
constexpr Name kTos{IPPROTO_IP, IP_TOS, "IP_TOS", "0..255"};
constexpr Name kTrafficClass{IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS", "0..255"};
constexpr Name kTtl{IPPROTO_IP, IP_TTL, "IP_TTL", "1..255"};
constexpr Name kHopLimit{IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", "1..255"};
constexpr Name kLinger2{IPPROTO_TCP, TCP_LINGER2, "TCP_LINGER2", "whole seconds, < 0 for none"};
constexpr Name kReuse{SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR", "0 or 1"};
constexpr Name kInLine{SOL_SOCKET, SO_OOBINLINE, "SO_OOBINLINE", "0 or 1"};
constexpr Name kQuickAck{IPPROTO_TCP, TCP_QUICKACK, "TCP_QUICKACK", "0 or 1"};
constexpr Name kErrors{IPPROTO_IP, IP_RECVERR, "IP_RECVERR", "0 or 1"};
constexpr Name kErrors6{IPPROTO_IPV6, IPV6_RECVERR, "IPV6_RECVERR", "0 or 1"};
constexpr Name kFastOpen{IPPROTO_TCP, TCP_FASTOPEN, "TCP_FASTOPEN", "0..2147483647, of a listener"};
constexpr Name kMtuDiscover{IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", "IP_PMTUDISC_*"};
constexpr Name kMtuDiscover6{IPPROTO_IPV6, IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER",
                             "IPV6_PMTUDISC_*"};
constexpr Name kCongestion{IPPROTO_TCP, TCP_CONGESTION, "TCP_CONGESTION",
                           "one of net.ipv4.tcp_available_congestion_control"};

// Sets one option after the other and keeps the first error.
class Setter {
 public:
  Setter(int fd, SocketFamily family) : fd_(fd), family_(family) {}

  void set(const Name& name, int value) {
    if (!status_.ok()) return;
    if (::setsockopt(fd_, name.level, name.option, &value, sizeof value) != 0) {
      refuse(name, absl::StrCat(value), errno);
    }
  }
  template <typename T>
  void set(const Name& name, const std::optional<T>& value) {
    if (!value) return;
    if (static_cast<uint64_t>(*value) > std::numeric_limits<int>::max()) {
      return refuse(name, absl::StrCat(*value), EINVAL);
    }
    set(name, static_cast<int>(*value));
  }
  // In whole `unit`s; a fraction is refused rather than rounded behind the user's back.
  void set(const Name& name, const std::optional<absl::Duration>& value, absl::Duration unit) {
    if (!value) return;
    absl::Duration rest;
    const int64_t count = absl::IDivDuration(*value, unit, &rest);
    if (rest != absl::ZeroDuration() || count > std::numeric_limits<int>::max() ||
        count < std::numeric_limits<int>::min()) {
      return refuse(name, absl::FormatDuration(*value), EINVAL);
    }
    set(name, static_cast<int>(count));
  }
  // Beyond the machine's net.core.wmem_max and rmem_max where that is allowed: it is not inside a
  // user namespace, where the kernel silently clips to them.
  void set_buffer(const Name& forced, const Name& plain, const std::optional<uint32_t>& octets) {
    if (!status_.ok()) return;
    set(forced, octets);
    if (!absl::IsPermissionDenied(status_)) return;
    status_ = absl::OkStatus();
    set(plain, octets);
  }
  // An option that both IP versions have under their own names.
  template <typename T>
  void set_ip(const Name& v4, const Name& v6, const std::optional<T>& value) {
    if (family_ != SocketFamily::kIpv6) set(v4, value);
    if (family_ != SocketFamily::kIpv4) set(v6, value);
  }
  void set(const Name& name, const std::optional<std::string>& value) {
    if (!value || !status_.ok()) return;
    if (::setsockopt(fd_, name.level, name.option, value->c_str(),
                     static_cast<socklen_t>(value->size())) != 0) {
      refuse(name, *value, errno);
    }
  }

  absl::Status status() const { return status_; }

 private:
  void refuse(const Name& name, const std::string& value, int error) {
    if (!status_.ok()) return;
    const std::string message =
        absl::StrCat("socket option ", name.text, " = ", value, " (right: ", name.range, ")");
    // EINVAL: out of range; ENOENT: no such congestion control.
    status_ = error == EINVAL || error == ENOENT ? absl::InvalidArgumentError(message)
              : error == EPERM
                  ? absl::PermissionDeniedError(message + ": not permitted")
                  : absl::FailedPreconditionError(absl::StrCat(message, ": errno ", error));
  }

  const int fd_;
  const SocketFamily family_;
  absl::Status status_;
};

std::optional<int> get(int fd, const Name& name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(fd, name.level, name.option, &value, &length) != 0) return std::nullopt;
  return value;
}

template <typename T>
std::optional<T> get_as(int fd, const Name& name) {
  const std::optional<int> value = get(fd, name);
  if (!value) return std::nullopt;
  return static_cast<T>(*value);
}

std::optional<absl::Duration> get_duration(int fd, const Name& name, absl::Duration unit) {
  const std::optional<int> value = get(fd, name);
  if (!value) return std::nullopt;
  return *value * unit;
}

}  // namespace

absl::Status KernelSocket::set_options(const SocketOptions& options) {
  Setter setter(fd_.get(), family_);
  setter.set(kNoDelay, options.no_delay);
  // Times and counts before the switch, so that the first probe already obeys them.
  setter.set(kKeepIdle, options.keepalive_idle, absl::Seconds(1));
  setter.set(kKeepInterval, options.keepalive_interval, absl::Seconds(1));
  setter.set(kKeepCount, options.keepalive_probes);
  setter.set(kKeepalive, options.keepalive);
  setter.set(kUserTimeout, options.user_timeout, absl::Milliseconds(1));
  setter.set(kSynCount, options.syn_retries);
  setter.set(kMaxSegment, options.mss);
  setter.set(kWindowClamp, options.window_clamp);
  setter.set_buffer(kSendBuffer, kSendBufferNow, options.send_buffer_bytes);
  setter.set_buffer(kReceiveBuffer, kReceiveBufferNow, options.receive_buffer_bytes);
  setter.set_ip(kTos, kTrafficClass, options.tos);
  setter.set_ip(kTtl, kHopLimit, options.ttl);
  setter.set(kLinger2, options.fin_wait_2, absl::Seconds(1));
  setter.set(kReuse, options.reuse_address);
  setter.set(kInLine, options.urgent_in_line);
  setter.set(kQuickAck, options.quick_ack);
  setter.set_ip(kErrors, kErrors6, options.receive_soft_errors);
  setter.set(kCongestion, options.congestion_control);
  setter.set(kFastOpen, options.fast_open_queue);
  if (options.path_mtu_discovery) {
    const int how = *options.path_mtu_discovery ? IP_PMTUDISC_WANT : IP_PMTUDISC_DONT;
    setter.set_ip(kMtuDiscover, kMtuDiscover6, std::optional(how));
  }
  if (!setter.status().ok() || !options.md5_keys) return setter.status();
  return set_md5_keys(*options.md5_keys);
}

absl::Status KernelSocket::set_md5_keys(const std::vector<tcp::PeerKeys>& keys) {
  for (const tcp::PeerKeys& peer : std::exchange(signed_peers_, {})) {
    if (absl::Status status = set_md5_key(peer, ""); !status.ok()) return status;
  }
  for (const tcp::PeerKeys& peer : keys) {
    const bool other_version = (family_ == SocketFamily::kIpv4 && peer.peer.is_v6()) ||
                               (family_ == SocketFamily::kIpv6 && peer.peer.is_v4());
    if (other_version) continue;
    if (absl::Status status = set_md5_key(peer, peer.md5); !status.ok()) return status;
    signed_peers_.push_back({.peer = peer.peer, .prefix_length = peer.prefix_length});
  }
  return absl::OkStatus();
}

// An empty key takes the peer's away.
absl::Status KernelSocket::set_md5_key(const tcp::PeerKeys& peer, const std::string& key) {
  tcp_md5sig request{};
  sockaddr_storage address{};
  to_sockaddr({peer.peer, 0}, address_family(), address);
  if (address_family() == AF_INET6 && peer.peer.is_v4()) {
    // Every IPv4 address is ::ffff:0.0.0.0/0 here, not ::, as it is to bind().
    auto* const in = reinterpret_cast<sockaddr_in6*>(&address);
    in->sin6_addr.s6_addr[10] = in->sin6_addr.s6_addr[11] = 0xFF;
  }
  std::memcpy(&request.tcpm_addr, &address, sizeof request.tcpm_addr);
  request.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  request.tcpm_prefixlen = peer.prefix_length;
  request.tcpm_keylen = static_cast<uint16_t>(std::min(key.size(), sizeof request.tcpm_key));
  std::memcpy(request.tcpm_key, key.data(), request.tcpm_keylen);
  if (::setsockopt(fd_.get(), IPPROTO_TCP, TCP_MD5SIG_EXT, &request, sizeof request) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("socket option TCP_MD5SIG_EXT for ",
                                                    peer.peer.to_string(), "/", peer.prefix_length,
                                                    ": errno ", errno));
}

SocketOptions KernelSocket::options() const {
  const int fd = fd_.get();
  const bool v6 = family_ != SocketFamily::kIpv4;
  SocketOptions options;
  options.no_delay = get_as<bool>(fd, kNoDelay);
  options.keepalive = get_as<bool>(fd, kKeepalive);
  options.keepalive_idle = get_duration(fd, kKeepIdle, absl::Seconds(1));
  options.keepalive_interval = get_duration(fd, kKeepInterval, absl::Seconds(1));
  options.keepalive_probes = get_as<uint32_t>(fd, kKeepCount);
  options.user_timeout = get_duration(fd, kUserTimeout, absl::Milliseconds(1));
  options.syn_retries = get_as<uint32_t>(fd, kSynCount);
  options.mss = get_as<uint32_t>(fd, kMaxSegment);
  options.window_clamp = get_as<uint32_t>(fd, kWindowClamp);
  options.send_buffer_bytes = get_as<uint32_t>(fd, kSendBufferNow);
  options.receive_buffer_bytes = get_as<uint32_t>(fd, kReceiveBufferNow);
  options.tos = get_as<uint8_t>(fd, v6 ? kTrafficClass : kTos);
  options.ttl = get_as<uint8_t>(fd, v6 ? kHopLimit : kTtl);
  options.fin_wait_2 = get_duration(fd, kLinger2, absl::Seconds(1));
  options.reuse_address = get_as<bool>(fd, kReuse);
  options.urgent_in_line = get_as<bool>(fd, kInLine);
  options.quick_ack = get_as<bool>(fd, kQuickAck);
  options.receive_soft_errors = get_as<bool>(fd, v6 ? kErrors6 : kErrors);
  options.fast_open_queue = get_as<uint32_t>(fd, kFastOpen);
  if (const std::optional<int> how = get(fd, v6 ? kMtuDiscover6 : kMtuDiscover)) {
    options.path_mtu_discovery = *how != IP_PMTUDISC_DONT;
  }
  char name[16] = {};  // TCP_CA_NAME_MAX
  socklen_t length = sizeof name;
  if (::getsockopt(fd, kCongestion.level, kCongestion.option, name, &length) == 0) {
    options.congestion_control = std::string(name, ::strnlen(name, length));
  }
  return options;
}

}  // namespace tcproctor::server
