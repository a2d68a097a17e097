// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/local_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::cli {
namespace {

constexpr char kUnix[] = "unix:";

struct Name {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

absl::Status socket_error(const std::string& address, const char* what, int error = errno) {
  return absl::UnavailableError(absl::StrCat(address, ": ", what, ": ", std::strerror(error)));
}

// Whether the socket is ready for these events within `timeout`. A signal is no reason to be late.
bool ready(int fd, short events, absl::Duration timeout) {
  pollfd wait = {.fd = fd, .events = events, .revents = 0};
  return poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0;
}

std::string path_of(const std::string& address) {
  return absl::StartsWith(address, kUnix) ? address.substr(std::strlen(kUnix)) : "";
}

absl::StatusOr<Name> resolve_path(const std::string& path) {
  Name name;
  sockaddr_un unix_name = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof(unix_name.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unix:", path, ": a path has 1..", sizeof(unix_name.sun_path) - 1, " octets"));
  }
  std::memcpy(unix_name.sun_path, path.c_str(), path.size());
  std::memcpy(&name.storage, &unix_name, sizeof(unix_name));
  name.size = sizeof(unix_name);
  return name;
}

absl::StatusOr<Name> resolve(const std::string& address) {
  if (absl::StartsWith(address, kUnix)) return resolve_path(path_of(address));
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\": want HOST:PORT, [ADDRESS]:PORT or unix:PATH"));
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0)
    return absl::InvalidArgumentError(absl::StrCat(address, ": ", gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Name name;
  std::memcpy(&name.storage, found->ai_addr, found->ai_addrlen);
  name.size = found->ai_addrlen;
  return name;
}

LocalSocket make_socket(const Name& name) {
  return LocalSocket(socket(name.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// A path that a listener left behind, which nobody answers at.
void remove_stale(const std::string& path, const Name& name) {
  const LocalSocket probe = make_socket(name);
  if (connect(probe.fd(), name.get(), name.size) != 0 && errno == ECONNREFUSED)
    unlink(path.c_str());
}

// The address with the port that the socket really has.
std::string bound_address(const LocalSocket& socket, const std::string& asked) {
  Name name;
  name.size = sizeof(name.storage);
  if (!path_of(asked).empty() ||
      getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name.storage), &name.size) != 0)
    return asked;
  const uint16_t port = name.storage.ss_family == AF_INET6
                            ? reinterpret_cast<const sockaddr_in6*>(&name.storage)->sin6_port
                            : reinterpret_cast<const sockaddr_in*>(&name.storage)->sin_port;
  return absl::StrCat(asked.substr(0, asked.rfind(':') + 1), ntohs(port));
}

}  // namespace

LocalSocket::LocalSocket(LocalSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
LocalSocket& LocalSocket::operator=(LocalSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
LocalSocket::~LocalSocket() {
  if (fd_ >= 0) close(fd_);
}

void LocalSocket::reset_on_close() const {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

absl::StatusOr<std::optional<std::string>> LocalSocket::receive(size_t octets,
                                                                absl::Duration timeout) const {
  if (!ready(fd_, POLLIN, timeout)) return std::nullopt;
  std::string data(octets, '\0');
  const ssize_t count = recv(fd_, data.data(), data.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
  if (count < 0) return socket_error("socket", "reading");
  data.resize(static_cast<size_t>(count));
  return data;
}

absl::StatusOr<size_t> LocalSocket::send(std::string_view data, absl::Duration timeout) const {
  if (!ready(fd_, POLLOUT, timeout)) return 0;
  const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
  if (count < 0) return socket_error("socket", "writing");
  return static_cast<size_t>(count);
}

void LocalSocket::end_stream() const {
  shutdown(fd_, SHUT_WR);
}

LocalListener::LocalListener(LocalSocket socket, std::string address, std::string path)
    : socket_(std::move(socket)), address_(std::move(address)), path_(std::move(path)) {}
LocalListener::LocalListener(LocalListener&& other) noexcept
    : socket_(std::move(other.socket_)),
      address_(std::move(other.address_)),
      path_(std::exchange(other.path_, "")) {}
LocalListener::~LocalListener() {
  if (!path_.empty()) unlink(path_.c_str());
}

absl::StatusOr<LocalListener> LocalListener::listen(const std::string& address) {
  const absl::StatusOr<Name> name = resolve(address);
  if (!name.ok()) return name.status();
  const std::string path = path_of(address);
  if (!path.empty()) remove_stale(path, *name);
  LocalSocket socket = make_socket(*name);
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(socket.fd(), name->get(), name->size) != 0) return socket_error(address, "cannot bind");
  if (::listen(socket.fd(), SOMAXCONN) != 0) return socket_error(address, "cannot listen");
  std::string bound = bound_address(socket, address);
  return LocalListener(std::move(socket), std::move(bound), path);
}

absl::StatusOr<LocalSocket> LocalListener::accept(absl::Duration timeout) const {
  if (!ready(socket_.fd(), POLLIN, timeout)) return absl::DeadlineExceededError("nobody connected");
  LocalSocket accepted(accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (accepted.fd() >= 0) return accepted;
  // It was there and went away.
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
    return absl::DeadlineExceededError("nobody connected");
  return socket_error(address_, "cannot accept");
}

absl::StatusOr<LocalSocket> connect_local(const std::string& address, absl::Duration timeout) {
  const absl::StatusOr<Name> name = resolve(address);
  if (!name.ok()) return name.status();
  LocalSocket made = make_socket(*name);
  if (connect(made.fd(), name->get(), name->size) == 0) return made;
  if (errno != EINPROGRESS) return socket_error(address, "cannot connect");
  if (!ready(made.fd(), POLLOUT, timeout))
    return absl::DeadlineExceededError(absl::StrCat(address, ": no answer"));
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(made.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return socket_error(address, "cannot connect", error);
  return made;
}

}  // namespace tcproctor::cli
