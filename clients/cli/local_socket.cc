// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/local_socket.h"

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

absl::Status failed(const std::string& address, const char* what) {
  return absl::FailedPreconditionError(
      absl::StrCat(address, ": ", what, ": ", std::strerror(errno)));
}

absl::StatusOr<Name> resolve_path(const std::string& path) {
  Name name;
  sockaddr_un unix_name = {.sun_family = AF_UNIX};
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
  if (absl::StartsWith(address, kUnix)) return resolve_path(address.substr(std::strlen(kUnix)));
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

// A path that a listener left behind, which nobody answers at.
void remove_stale(const std::string& address, const Name& name) {
  if (!absl::StartsWith(address, kUnix)) return;
  const LocalSocket probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.fd(), name.get(), name.size) != 0 && errno == ECONNREFUSED)
    unlink(address.c_str() + std::strlen(kUnix));
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

absl::StatusOr<LocalSocket> listen_local(const std::string& address) {
  const absl::StatusOr<Name> name = resolve(address);
  if (!name.ok()) return name.status();
  remove_stale(address, *name);
  LocalSocket listener(socket(name->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listener.fd(), name->get(), name->size) != 0) return failed(address, "cannot bind");
  if (listen(listener.fd(), SOMAXCONN) != 0) return failed(address, "cannot listen");
  return listener;
}

std::string local_address(const LocalSocket& listener, const std::string& asked) {
  Name name;
  name.size = sizeof(name.storage);
  if (absl::StartsWith(asked, kUnix) ||
      getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&name.storage), &name.size) != 0)
    return asked;
  const uint16_t port = name.storage.ss_family == AF_INET6
                            ? reinterpret_cast<const sockaddr_in6*>(&name.storage)->sin6_port
                            : reinterpret_cast<const sockaddr_in*>(&name.storage)->sin_port;
  return absl::StrCat(asked.substr(0, asked.rfind(':') + 1), ntohs(port));
}

absl::StatusOr<LocalSocket> accept_local(const LocalSocket& listener, absl::Duration timeout) {
  pollfd wait = {.fd = listener.fd(), .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0)
    return absl::DeadlineExceededError("no connection came");
  LocalSocket accepted(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (accepted.fd() < 0) return failed("accept", "failed");
  return accepted;
}

absl::StatusOr<LocalSocket> connect_local(const std::string& address) {
  const absl::StatusOr<Name> name = resolve(address);
  if (!name.ok()) return name.status();
  LocalSocket made(socket(name->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(made.fd(), name->get(), name->size) != 0) return failed(address, "cannot connect");
  return made;
}

}  // namespace tcproctor::cli
