// SPDX-License-Identifier: Apache-2.0
#include "stack/link/raw_socket.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/link/vnet_header.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::link {
namespace {

using packet::IpFamily;
using packet::IpPacket;

constexpr size_t kControlBytes = 256;
constexpr size_t kChecksumOffset = 16;
constexpr int kReceiveBufferBytes = 8 << 20;

absl::Status raw_error(const char* what) {
  const int code = errno;
  const std::string text = absl::StrCat("raw IP socket: ", what, ": ", std::strerror(code));
  if (code == EPERM || code == EACCES) {
    return absl::PermissionDeniedError(
        absl::StrCat(text, " (CAP_NET_RAW and CAP_NET_ADMIN are needed)"));
  }
  return absl::InternalError(text);
}

bool set_raw_option(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// What the kernel tells beside a packet of IPv6, whose header it keeps for itself.
struct Told {
  std::optional<packet::IpAddress> destination;
  int hop_limit = 64;
  int traffic_class = 0;
  int64_t wall_time_ns = 0;
};

template <typename Value>
Value read_as(const cmsghdr* item) {
  Value value{};
  std::memcpy(&value, CMSG_DATA(item), sizeof value);
  return value;
}

Told read_control(msghdr& message) {
  Told told;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_TIMESTAMPNS) {
      const auto time = read_as<timespec>(item);
      told.wall_time_ns = time.tv_sec * 1'000'000'000 + time.tv_nsec;
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      const auto info = read_as<in6_pktinfo>(item);
      told.destination =
          packet::IpAddress::v6_bytes(std::span<const uint8_t, 16>(info.ipi6_addr.s6_addr, 16));
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT) {
      told.hop_limit = read_as<int>(item);
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_TCLASS) {
      told.traffic_class = read_as<int>(item);
    }
  }
  return told;
}

// Puts the header back before `payload`, which stands where it would follow it.
size_t restore_header(const sockaddr_storage& from, const Told& told, uint8_t protocol,
                      size_t payload, std::span<uint8_t> room) {
  if (!told.destination) return 0;
  sockaddr_in6 source;
  std::memcpy(&source, &from, sizeof source);
  const packet::IpFields fields = {.source = packet::IpAddress::v6_bytes(
                                       std::span<const uint8_t, 16>(source.sin6_addr.s6_addr, 16)),
                                   .destination = *told.destination,
                                   .dscp = static_cast<uint8_t>(told.traffic_class >> 2 & 0x3F),
                                   .ecn = static_cast<uint8_t>(told.traffic_class & 3),
                                   .ttl = static_cast<uint8_t>(told.hop_limit)};
  return packet::write_ip(fields, protocol, payload, room) + payload;
}

// A sender on this machine, or on a veth pair, leaves the checksum to a device that there is not:
// the field has the sum of the pseudo-header then. Nothing else tells a raw socket so.
bool is_unfinished(const IpPacket& ip) {
  packet::Checksum sum;
  sum.add_pseudo_header(ip.source, ip.destination, packet::kProtocolTcp,
                        static_cast<uint32_t>(ip.payload.size()));
  return packet::load_be16(ip.payload.data() + kChecksumOffset) == sum.fold();
}

bool is_icmp_error(const IpPacket& ip) {
  packet::IcmpMessage message;
  return packet::parse_icmp(ip, message) == packet::ParseResult::kOk && message.is_error();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawSocket>> RawSocket::open(RawSocketOptions options) {
  std::unique_ptr<RawSocket> link(new RawSocket(std::move(options)));
  link->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (link->epoll_ < 0) return raw_error("epoll_create1");
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const bool used = std::ranges::any_of(link->options_.addresses, [family](const auto& address) {
      return address.family() == family;
    });
    const absl::Status status = used ? link->open_family(family) : absl::OkStatus();
    if (!status.ok()) return status;
  }
  return link;
}

RawSocket::RawSocket(RawSocketOptions options)
    : options_(std::move(options)),
      storage_(std::make_unique_for_overwrite<uint8_t[]>(kBatch * kMaxFrame)),
      send_buffer_(std::make_unique_for_overwrite<uint8_t[]>(kMaxFrame)) {}

RawSocket::~RawSocket() {
  for (const Source& source : sources_) close(source.fd);
  for (const int fd : send_fds_) {
    if (fd >= 0) close(fd);
  }
  if (epoll_ >= 0) close(epoll_);
}

absl::Status RawSocket::open_family(IpFamily family) {
  const bool v4 = family == IpFamily::kV4;
  // IPPROTO_RAW: IP_HDRINCL and IPV6_HDRINCL are set, and nothing is received.
  int& fd = send_fds_[v4 ? 0 : 1];
  fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (fd < 0) return raw_error("socket");
  if (!set_raw_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(options_.mark)))
    return raw_error("SO_MARK");
  absl::Status status = open_source(family, packet::kProtocolTcp);
  if (status.ok()) {
    status = open_source(family, v4 ? packet::kProtocolIcmp : packet::kProtocolIcmpV6);
  }
  return status;
}

absl::Status RawSocket::open_source(IpFamily family, uint8_t protocol) {
  const bool v4 = family == IpFamily::kV4;
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return raw_error("socket");
  sources_.push_back({fd, family, protocol});
  set_raw_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (!set_raw_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferBytes)) {
    set_raw_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes);
  }
  if (!v4 && (!set_raw_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) ||
              !set_raw_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) ||
              !set_raw_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1))) {
    return raw_error("IPV6_RECVPKTINFO");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return raw_error("epoll_ctl");
  return absl::OkStatus();
}

absl::Status RawSocket::receive(std::vector<ReceivedFrame>& frames) {
  frames.clear();
  // In turns, so that none of them waits for the others; what is left makes fd() readable again.
  bool more = true;
  for (size_t reads = 0; more && reads < kBatch;) {
    more = false;
    for (const Source& source : sources_) {
      if (reads == kBatch) break;
      ReceivedFrame frame;
      if (!receive_from(source, frames.size(), frame)) continue;
      more = true;
      ++reads;
      if (wants(frame.bytes, frame.meta)) frames.push_back(frame);
    }
  }
  counters_.received += frames.size();
  return absl::OkStatus();
}

// False: nothing is there now.
bool RawSocket::receive_from(const Source& source, size_t slot, ReceivedFrame& frame) {
  const std::span<uint8_t> room(storage_.get() + slot * kMaxFrame, kMaxFrame);
  const size_t before = source.family == IpFamily::kV4 ? 0 : packet::kIpv6HeaderBytes;
  alignas(8) std::array<uint8_t, kControlBytes> control;
  sockaddr_storage from{};
  iovec part = {room.data() + before, room.size() - before};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(source.fd, &message, MSG_DONTWAIT);
  if (got < 0) return false;
  const Told told = read_control(message);
  auto length = static_cast<size_t>(got);
  if (before != 0) length = restore_header(from, told, source.protocol, length, room);
  frame.bytes = room.first(length);
  frame.wall_time_ns = told.wall_time_ns;
  return true;
}

bool RawSocket::wants(std::span<const uint8_t> packet, host::FrameMeta& meta) const {
  IpPacket ip;
  if (packet::parse_ip(packet, ip) != packet::ParseResult::kOk) return false;
  if (std::ranges::count(options_.addresses, ip.destination) == 0) return false;
  // Pings and the like are the kernel's to answer.
  if (ip.protocol != packet::kProtocolTcp) return is_icmp_error(ip);
  if (ip.payload.size() < packet::kTcpMinHeaderBytes) return false;
  const uint16_t port = packet::load_be16(ip.payload.data() + 2);
  if (port < options_.first_port || port > options_.last_port) return false;
  meta.checksum_trusted = is_unfinished(ip);
  return true;
}

absl::Status RawSocket::send(std::span<const uint8_t> packet, const host::FrameMeta& meta) {
  IpPacket ip;
  if (packet::parse_ip(packet, ip) != packet::ParseResult::kOk || meta.gso_size != 0) {
    ++counters_.send_refused;
    return absl::InvalidArgumentError("raw IP socket: no whole IP packet, or a super-segment");
  }
  if (meta.checksum_partial) {
    if (packet.data() != send_buffer_.get()) {
      std::memcpy(send_buffer_.get(), packet.data(), packet.size());
    }
    const std::span<uint8_t> own(send_buffer_.get(), packet.size());
    finish_checksum(own, meta.checksum_start, kChecksumOffset);
    packet = own;
  }
  const std::span<const uint8_t> to = ip.destination.bytes();
  sockaddr_storage address{};
  socklen_t length = 0;
  if (ip.destination.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, to.data(), to.size());
    std::memcpy(&address, &v4, length = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, to.data(), to.size());
    std::memcpy(&address, &v6, length = sizeof v6);
  }
  const int fd = send_fds_[ip.destination.is_v4() ? 0 : 1];
  const ssize_t sent = sendto(fd, packet.data(), packet.size(), 0,
                              reinterpret_cast<const sockaddr*>(&address), length);
  ++(sent < 0 ? counters_.send_refused : counters_.sent);
  return absl::OkStatus();
}

}  // namespace tcproctor::link
