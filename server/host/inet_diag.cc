// SPDX-License-Identifier: Apache-2.0
// Raw NETLINK_SOCK_DIAG and not libnl-idiag: that one cuts TCP_INFO to the fields of its day, knows
// no cookie of a request, no SOCK_DESTROY and no look-up of one socket.
#include "server/host/inet_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/host/kernel_tcp.h"

namespace tcproctor::server {
namespace {

constexpr size_t kBufferBytes = 65536;        // the kernel fills at most 32 KiB at a time
constexpr uint32_t kAllStates = 0xFFF & ~1U;  // 1..11 and NEW_SYN_RECV is asked for as SYN_RECV
constexpr uint8_t kExtensions = (1 << (INET_DIAG_INFO - 1)) | (1 << (INET_DIAG_CONG - 1)) |
                                (1 << (INET_DIAG_TOS - 1)) | (1 << (INET_DIAG_SKMEMINFO - 1)) |
                                (1 << (INET_DIAG_SHUTDOWN - 1));

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

Request make_request(uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family) {
  Request request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  request.header.nlmsg_seq = sequence;
  request.body.sdiag_family = family;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_ext = kExtensions;
  request.body.idiag_states = kAllStates;
  return request;
}

void set_pair(Request& request, const packet::SocketAddress& local,
              const packet::SocketAddress& remote) {
  inet_diag_sockid& id = request.body.id;
  id.idiag_sport = htons(local.port);
  id.idiag_dport = htons(remote.port);
  std::memcpy(id.idiag_src, local.address.bytes().data(), local.address.bytes().size());
  // An unspecified remote is zeroes in either family.
  std::memcpy(id.idiag_dst, remote.address.bytes().data(), remote.address.bytes().size());
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

packet::SocketAddress address_of(uint8_t family, const __be32 (&words)[4], uint16_t port) {
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, sizeof words);
  return {family == AF_INET6 ? unmapped(bytes)
                             : packet::IpAddress::v4_bytes(std::span(bytes).first<4>()),
          ntohs(port)};
}

template <typename T>
T value_of(const nlattr* attribute) {
  T value{};
  std::memcpy(&value, nla_data(attribute),
              std::min(sizeof value, static_cast<size_t>(std::max(nla_len(attribute), 0))));
  return value;
}

SocketMemory memory_of(const nlattr* attribute) {
  const auto words = value_of<std::array<uint32_t, SK_MEMINFO_VARS>>(attribute);
  return {.receive_allocated = words[SK_MEMINFO_RMEM_ALLOC],
          .receive_buffer = words[SK_MEMINFO_RCVBUF],
          .send_allocated = words[SK_MEMINFO_WMEM_ALLOC],
          .send_buffer = words[SK_MEMINFO_SNDBUF],
          .send_queued = words[SK_MEMINFO_WMEM_QUEUED],
          .backlog = words[SK_MEMINFO_BACKLOG],
          .drops = words[SK_MEMINFO_DROPS]};
}

// As linux/tcp.h has it, which cannot be had beside netinet/tcp.h.
struct DiagnosedMd5Key {
  uint8_t family, prefix_length;
  uint16_t key_length;
  std::array<uint8_t, 16> address;
  std::array<uint8_t, 80> key;
};

bool has_md5_key(const nlattr* attribute, const DiagnosedSocket& socket) {
  const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
  const size_t count = static_cast<size_t>(nla_len(attribute)) / sizeof(DiagnosedMd5Key);
  for (size_t i = 0; i < count; ++i) {
    if (socket.state == tcp::State::kListen) return true;
    DiagnosedMd5Key key;
    std::memcpy(&key, bytes + i * sizeof key, sizeof key);
    const packet::IpAddress address =
        key.family == AF_INET6 ? unmapped(key.address)
                               : packet::IpAddress::v4_bytes(std::span(key.address).first<4>());
    if (socket.remote.address.in_prefix(address, key.prefix_length)) return true;
  }
  return false;
}

void read_attributes(nlmsghdr* header, DiagnosedSocket& socket) {
  const nlattr* attribute = nlmsg_attrdata(header, sizeof(inet_diag_msg));
  int remaining = nlmsg_attrlen(header, sizeof(inet_diag_msg));
  for (; nla_ok(attribute, remaining); attribute = nla_next(attribute, &remaining)) {
    const size_t length = static_cast<size_t>(nla_len(attribute));
    const char* text = static_cast<const char*>(nla_data(attribute));
    switch (nla_type(attribute)) {
      case INET_DIAG_INFO:
        socket.info = tcp_info_from({static_cast<const uint8_t*>(nla_data(attribute)), length});
        break;
      case INET_DIAG_CONG:
        socket.congestion_control.assign(text, ::strnlen(text, length));
        break;
      case INET_DIAG_TOS:
      case INET_DIAG_TCLASS:
        socket.tos = value_of<uint8_t>(attribute);
        break;
      case INET_DIAG_SHUTDOWN:
        socket.receive_shut = (value_of<uint8_t>(attribute) & 1) != 0;
        socket.send_shut = (value_of<uint8_t>(attribute) & 2) != 0;
        break;
      case INET_DIAG_MD5SIG:
        socket.has_md5_key = has_md5_key(attribute, socket);
        break;
      case INET_DIAG_SKMEMINFO:
        socket.memory = memory_of(attribute);
        break;
      default:
        break;
    }
  }
}

DiagnosedSocket read_socket(nlmsghdr* header) {
  const auto& message = *static_cast<const inet_diag_msg*>(nlmsg_data(header));
  DiagnosedSocket socket;
  socket.family = message.idiag_family;
  socket.interface = message.id.idiag_if;
  socket.state = state_from_linux(message.idiag_state);
  socket.local = address_of(message.idiag_family, message.id.idiag_src, message.id.idiag_sport);
  socket.remote = address_of(message.idiag_family, message.id.idiag_dst, message.id.idiag_dport);
  socket.inode = message.idiag_inode;
  socket.cookie = uint64_t{message.id.idiag_cookie[1]} << 32 | message.id.idiag_cookie[0];
  socket.timer = static_cast<KernelTimer>(std::min<uint8_t>(message.idiag_timer, 4));
  socket.expires_ms = socket.timer == KernelTimer::kNone ? 0 : message.idiag_expires;
  socket.retransmits = message.idiag_retrans;
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  read_attributes(header, socket);
  return socket;
}

absl::Status send_request(int fd, const Request& request) {
  if (::send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request)) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "asking inet_diag");
}

// Reads answers to `sequence` until `on_message` (given each of them) returns false.
template <typename OnMessage>
absl::Status read_answers(int fd, uint32_t sequence, std::vector<uint8_t>& buffer,
                          OnMessage on_message) {
  while (true) {
    const ssize_t length = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return absl::ErrnoToStatus(errno, "reading from inet_diag");
    int remaining = static_cast<int>(length);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, remaining);
         header = nlmsg_next(header, &remaining)) {
      if (header->nlmsg_seq != sequence) continue;  // left over from a call that failed
      if (!on_message(header)) return absl::OkStatus();
    }
  }
}

int error_in(nlmsghdr* header) {
  return -static_cast<const nlmsgerr*>(nlmsg_data(header))->error;
}

bool is_socket(nlmsghdr* header) {
  return header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
         header->nlmsg_len >= NLMSG_HDRLEN + sizeof(inet_diag_msg);
}

}  // namespace

absl::StatusOr<std::unique_ptr<InetDiag>> InetDiag::open(const NetworkNamespace& ns) {
  absl::StatusOr<UniqueFd> fd = ns.open_socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG);
  if (!fd.ok()) return fd.status();
  // Answers are ready when they are asked for; this only keeps a surprise from hanging the loop.
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::unique_ptr<InetDiag> diag(new InetDiag(*std::move(fd)));
  diag->buffer_.resize(kBufferBytes);
  return diag;
}

absl::Status InetDiag::dump_family(uint8_t family, std::vector<DiagnosedSocket>& sockets) {
  const Request request = make_request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, ++sequence_, family);
  if (absl::Status status = send_request(fd_.get(), request); !status.ok()) return status;
  absl::Status result;
  absl::Status status = read_answers(fd_.get(), sequence_, buffer_, [&](nlmsghdr* header) {
    if (header->nlmsg_type == NLMSG_DONE) return false;
    if (header->nlmsg_type == NLMSG_ERROR) {
      // ENOENT: a kernel without IPv6 has no IPv6 sockets.
      if (error_in(header) != ENOENT) {
        result = absl::ErrnoToStatus(error_in(header), "listing TCP sockets through inet_diag");
      }
      return false;
    }
    if (is_socket(header)) sockets.push_back(read_socket(header));
    return true;
  });
  return status.ok() ? result : status;
}

absl::StatusOr<std::vector<DiagnosedSocket>> InetDiag::dump() {
  std::vector<DiagnosedSocket> sockets;
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    if (absl::Status status = dump_family(family, sockets); !status.ok()) return status;
  }
  return sockets;
}

absl::StatusOr<std::optional<DiagnosedSocket>> InetDiag::find(const packet::SocketAddress& local,
                                                              const packet::SocketAddress& remote) {
  const uint8_t family = local.address.is_v4() ? AF_INET : AF_INET6;
  // Without the dump flag the kernel looks one up as it does for an arriving segment.
  Request request = make_request(SOCK_DIAG_BY_FAMILY, 0, ++sequence_, family);
  set_pair(request, local, remote);
  if (absl::Status status = send_request(fd_.get(), request); !status.ok()) return status;
  std::optional<DiagnosedSocket> found;
  absl::Status result;
  absl::Status status = read_answers(fd_.get(), sequence_, buffer_, [&](nlmsghdr* header) {
    if (header->nlmsg_type == NLMSG_ERROR && error_in(header) != ENOENT) {
      result = absl::ErrnoToStatus(error_in(header), "looking for a TCP socket through inet_diag");
    }
    if (is_socket(header)) found = read_socket(header);
    return false;
  });
  if (!status.ok()) return status;
  if (!result.ok()) return result;
  // As for a segment, a listener stands in for a connection that does not exist, and one on any
  // address for one on this address.
  const bool same_remote = found && found->remote.port == remote.port &&
                           (remote.port == 0 || found->remote.address == remote.address);
  if (!same_remote || found->local != local) return std::nullopt;
  return found;
}

absl::Status InetDiag::destroy(const DiagnosedSocket& socket) {
  // An IPv4 connection of a dual-stack socket is found by its IPv4 addresses.
  const uint8_t family = socket.local.address.is_v4() ? AF_INET : AF_INET6;
  Request request = make_request(SOCK_DESTROY, NLM_F_ACK, ++sequence_, family);
  set_pair(request, socket.local, socket.remote);
  request.body.id.idiag_if = socket.interface;
  request.body.id.idiag_cookie[0] = static_cast<uint32_t>(socket.cookie);
  request.body.id.idiag_cookie[1] = static_cast<uint32_t>(socket.cookie >> 32);
  if (absl::Status status = send_request(fd_.get(), request); !status.ok()) return status;
  absl::Status result;
  absl::Status status = read_answers(fd_.get(), sequence_, buffer_, [&](nlmsghdr* header) {
    if (header->nlmsg_type == NLMSG_ERROR && error_in(header) != 0) {
      result = absl::ErrnoToStatus(
          error_in(header), absl::StrCat("destroying TCP socket ", socket.local.to_string(), " > ",
                                         socket.remote.to_string()));
    }
    return false;
  });
  return status.ok() ? result : status;
}

absl::StatusOr<size_t> InetDiag::destroy_all() {
  absl::StatusOr<std::vector<DiagnosedSocket>> sockets = dump();
  if (!sockets.ok()) return sockets.status();
  size_t destroyed = 0;
  for (const DiagnosedSocket& socket : *sockets) {
    absl::Status status = destroy(socket);
    if (status.ok()) ++destroyed;
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return destroyed;
}

}  // namespace tcproctor::server
