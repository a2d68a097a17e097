// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_socket.h"

#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

using tcp::Outcome;

// The table in the header, for errors whose meaning does not depend on the call.
Outcome outcome_of(int error) {
  switch (error) {
    case 0:
      return Outcome::kOk;
    case EAGAIN:
    case EINPROGRESS:
    case EALREADY:
      return Outcome::kWouldBlock;
    case EPIPE:
    case ECONNRESET:
      return Outcome::kConnectionReset;
    case ECONNREFUSED:
      return Outcome::kConnectionRefused;
    case ETIMEDOUT:
      return Outcome::kTimedOut;
    case ECONNABORTED:
      return Outcome::kConnectionAborted;
    case EISCONN:
      return Outcome::kConnectionExists;
    case EADDRINUSE:
    case EADDRNOTAVAIL:
      return Outcome::kAddressInUse;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case ENONET:
    case EACCES:
      return Outcome::kUnreachable;
    case ENOBUFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Outcome::kInsufficientResources;
    default:
      return Outcome::kConnectionDoesNotExist;  // ENOTCONN, EBADF, EINVAL, EDESTADDRREQ
  }
}

// Armed, close(2) sends RST and leaves nothing behind; see the header.
int set_linger(int fd, bool armed) {
  const linger value{.l_onoff = armed ? 1 : 0, .l_linger = 0};
  return ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value);
}

uint32_t queue_length(int fd, unsigned long request) {
  int length = 0;
  return ::ioctl(fd, request, &length) == 0 ? static_cast<uint32_t>(length) : 0;
}

}  // namespace

KernelSocket::KernelSocket(UniqueFd fd, SocketFamily family) : fd_(std::move(fd)), family_(family) {
  socklen_t length = sizeof cookie_;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_COOKIE, &cookie_, &length);
  set_linger(fd_.get(), true);
}

int KernelSocket::address_family() const {
  return family_ == SocketFamily::kIpv4 ? AF_INET : AF_INET6;
}

absl::StatusOr<KernelSocket> KernelSocket::create(const NetworkNamespace& ns, SocketFamily family) {
  const int domain = family == SocketFamily::kIpv4 ? AF_INET : AF_INET6;
  absl::StatusOr<UniqueFd> fd = ns.open_socket(domain, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
  if (!fd.ok()) return fd.status();
  if (domain == AF_INET6) {
    const int only_v6 = family == SocketFamily::kIpv6 ? 1 : 0;
    if (::setsockopt(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0) {
      return absl::ErrnoToStatus(errno, "IPV6_V6ONLY on a new socket");
    }
  }
  KernelSocket socket(*std::move(fd), family);
  SocketOptions born;
  born.urgent_in_line = true;
  if (absl::Status status = socket.set_options(born); !status.ok()) return status;
  // The machine's default may be BBR, which behaves unlike any RFC; options() tells if this failed.
  SocketOptions congestion;
  congestion.congestion_control = "cubic";
  socket.set_options(congestion).IgnoreError();
  return socket;
}

uint32_t KernelSocket::epoll_events() {
  return EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
}

void KernelSocket::note_addresses() {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
    local_ = from_sockaddr(address);
  }
  length = sizeof address;
  if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
    remote_ = from_sockaddr(address);
  }
}

// True when `error` came from ICMP and the connection lives on (IP_RECVERR makes the next call fail
// once): it is put aside for soft_error(), and the call can be made again.
bool KernelSocket::take_soft_error(int error) {
  if (outcome_of(error) != Outcome::kUnreachable && error != ECONNREFUSED && error != EMSGSIZE) {
    return false;
  }
  if (!tcp::is_synchronized(state())) return false;
  soft_error_ = IcmpError{.error = error};
  return true;
}

// What a call that came back with `error` means; an error that ended the connection is kept.
SocketResult KernelSocket::failure(int error) {
  const bool about_connection = error != EAGAIN && error != EINPROGRESS && error != EALREADY &&
                                error != EPIPE && error != ENOTCONN && error != ENOBUFS &&
                                error != ENOMEM;
  if (about_connection && error_ == 0 && state() == tcp::State::kClosed) error_ = error;
  // The kernel's second answer is EPIPE or "not connected"; ours is the reason.
  if ((error == EPIPE || error == ENOTCONN) && error_ != 0) error = error_;
  if (error == EPIPE && remote_.port == 0) error = ENOTCONN;  // never was connected
  if (error == EPIPE && closed_) return {Outcome::kConnectionClosing, error};
  return {outcome_of(error), error};
}

SocketResult KernelSocket::bind(const packet::SocketAddress& local) {
  sockaddr_storage address;
  const socklen_t length = to_sockaddr(local, address_family(), address);
  if (length == 0) return {Outcome::kInvalidLocal, EAFNOSUPPORT};
  if (local.port == 0) {
    // Otherwise bind itself takes a port that no other connection may share.
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  }
  const int error = bind_socket(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length);
  if (error != 0) {
    if (error == EADDRNOTAVAIL || error == EINVAL) return {Outcome::kInvalidLocal, error};
    return {outcome_of(error), error};
  }
  note_addresses();
  return {};
}

SocketResult KernelSocket::listen(uint32_t backlog) {
  if (::listen(fd_.get(), static_cast<int>(backlog)) != 0) return {outcome_of(errno), errno};
  note_addresses();
  return {};
}

SocketResult KernelSocket::connect(const packet::SocketAddress& remote) {
  sockaddr_storage address;
  const socklen_t length = to_sockaddr(remote, address_family(), address);
  if (length == 0) return {Outcome::kInvalidRemote, EAFNOSUPPORT};
  const bool done = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
  return connecting(remote, done ? 0 : errno);
}

TransferResult KernelSocket::connect(const packet::SocketAddress& remote,
                                     std::span<const uint8_t> data) {
  sockaddr_storage address;
  const socklen_t length = to_sockaddr(remote, address_family(), address);
  if (length == 0) return {.outcome = Outcome::kInvalidRemote, .error = EAFNOSUPPORT};
  const ssize_t sent =
      ::sendto(fd_.get(), data.data(), data.size(), MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), length);
  const SocketResult result = connecting(remote, sent < 0 ? errno : EINPROGRESS);
  return {.outcome = result.outcome,
          .error = result.error,
          .bytes = sent < 0 ? 0 : static_cast<size_t>(sent)};
}

// What connect came back with.
SocketResult KernelSocket::connecting(const packet::SocketAddress& remote, int error) {
  if (error == 0 || error == EINPROGRESS) {
    note_addresses();
    remote_ = remote;
  } else if (remote.address.is_multicast() || remote.address.is_broadcast()) {
    return {Outcome::kInvalidRemote, error};  // MUST-46
  }
  return {outcome_of(error), error};
}

SocketResult KernelSocket::connect_result() {
  if (SocketResult ended = error(); !ended.ok()) return ended;
  switch (state()) {
    case tcp::State::kSynSent:
    case tcp::State::kSynReceived:
      return {Outcome::kWouldBlock, 0};
    case tcp::State::kClosed:
      // Without an error: our own CLOSE, early (SYN-SENT) or after a whole life (TIME-WAIT).
      return {closed_ ? Outcome::kConnectionClosing : Outcome::kConnectionDoesNotExist, 0};
    default:
      return {};
  }
}

KernelSocket::Accepted KernelSocket::accept() {
  UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return {{outcome_of(errno), errno}, std::nullopt};
  KernelSocket socket(std::move(fd), family_);
  socket.note_addresses();
  return {{}, std::move(socket)};
}

TransferResult KernelSocket::send(std::span<const uint8_t> data, bool urgent) {
  ssize_t sent;
  do {
    sent = ::send(fd_.get(), data.data(), data.size(),
                  MSG_DONTWAIT | MSG_NOSIGNAL | (urgent ? MSG_OOB : 0));
  } while (sent < 0 && (errno == EINTR || take_soft_error(errno)));
  if (sent >= 0) return {.bytes = static_cast<size_t>(sent)};
  const SocketResult result = failure(errno);
  return {.outcome = result.outcome, .error = result.error};
}

TransferResult KernelSocket::receive(std::span<uint8_t> buffer) {
  ssize_t length;
  do {
    length = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  } while (length < 0 && (errno == EINTR || take_soft_error(errno)));
  const int error = length < 0 ? errno : 0;
  TransferResult result;
  if (length > 0 || (length == 0 && buffer.empty())) {
    result.bytes = static_cast<size_t>(length);
  } else if (length == 0 && error_ == 0) {
    result.outcome = Outcome::kEndOfStream;
  } else {
    // Zero after a remembered error: the kernel has told it once and now pretends an end of stream.
    const SocketResult failed = failure(length == 0 ? ENOTCONN : error);
    result.outcome = failed.outcome;
    result.error = failed.error;
  }
  if (result.outcome == Outcome::kOk || result.outcome == Outcome::kWouldBlock) {
    result.at_urgent_mark = at_urgent_mark();
  }
  return result;
}

bool KernelSocket::at_urgent_mark() const {
  return ::sockatmark(fd_.get()) == 1;
}

uint32_t KernelSocket::receive_queue() const {
  return queue_length(fd_.get(), SIOCINQ);
}
uint32_t KernelSocket::send_queue() const {
  return queue_length(fd_.get(), SIOCOUTQ);
}

SocketResult KernelSocket::close() {
  if (closed_) return {Outcome::kConnectionClosing, 0};
  const bool unanswered = state() == tcp::State::kSynSent;
  if (::shutdown(fd_.get(), SHUT_WR) != 0) return failure(errno);
  closed_ = true;
  if (unanswered) {
    // The kernel leaves ECONNRESET behind, though nobody reset anything.
    int ignored = 0;
    socklen_t length = sizeof ignored;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &ignored, &length);
  }
  return {};
}

void KernelSocket::release() {
  if (fd_.valid()) set_linger(fd_.get(), false);
  fd_.reset();
}

void KernelSocket::abort() {
  fd_.reset();
}

absl::StatusOr<TcpInfo> KernelSocket::info() const {
  std::array<uint8_t, 512> bytes;  // 6.18 has 280; the kernel cuts to what we take
  socklen_t length = bytes.size();
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, bytes.data(), &length) != 0) {
    return absl::ErrnoToStatus(errno, "reading TCP_INFO");
  }
  return tcp_info_from(std::span(bytes).first(length));
}

tcp::State KernelSocket::state() const {
  uint8_t number = 0;  // tcpi_state comes first
  socklen_t length = sizeof number;
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &number, &length) != 0) {
    return tcp::State::kClosed;
  }
  return state_from_linux(number);
}

SocketResult KernelSocket::error() {
  int pending = 0;
  socklen_t length = sizeof pending;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &pending, &length);
  if (pending != 0 && !take_soft_error(pending)) failure(pending);
  return {outcome_of(error_), error_};
}

std::optional<IcmpError> KernelSocket::soft_error() {
  alignas(cmsghdr) std::array<uint8_t, 512> control;
  std::array<uint8_t, 256> quoted;  // the packet the error quotes; not asked for
  iovec part{quoted.data(), quoted.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(fd_.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
    error();
    return std::exchange(soft_error_, std::nullopt);
  }
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    const bool is_error = (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR) ||
                          (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(item), sizeof error);
    return IcmpError{.type = error.ee_type,
                     .code = error.ee_code,
                     .error = static_cast<int>(error.ee_errno),
                     .info = error.ee_info};
  }
  return std::nullopt;
}

}  // namespace tcproctor::server
