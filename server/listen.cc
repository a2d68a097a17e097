// SPDX-License-Identifier: Apache-2.0
#include "server/listen.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "stack/packet/address.h"

namespace tcproctor::server {
namespace {

constexpr char kForm[] = "write unix:PATH or HOST:PORT";

absl::Status wrong(const std::string& text, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("--listen=", text, ": ", why));
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(host);
  return address.ok() && address->is_loopback();
}

}  // namespace

absl::StatusOr<ListenAddress> parse_listen_address(const std::string& text) {
  ListenAddress address;
  address.text = text;
  address.grpc_target = text;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    absl::ConsumePrefix(&rest, "//");
    address.unix_path = std::string(rest);
    if (rest.empty()) return wrong(text, "the path is empty");
    if (rest.size() >= sizeof(sockaddr_un::sun_path)) {
      return wrong(text, absl::StrCat("the path has ", rest.size(), " octets; at most ",
                                      sizeof(sockaddr_un::sun_path) - 1));
    }
    address.grpc_target = absl::StrCat("unix:", std::string(rest));
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong(text, kForm);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port == 0 || port > 65535) {
    return wrong(text, absl::StrCat("the port must be 1..65535; ", kForm));
  }
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  address.loopback = is_loopback(host);
  return address;
}

std::string default_listen_address() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime != '\0') {
    return absl::StrCat("unix:", runtime, "/tcproctor.sock");
  }
  if (geteuid() == 0) return "unix:/run/tcproctor.sock";
  return absl::StrCat("unix:/tmp/tcproctor-", getuid(), ".sock");
}

absl::StatusOr<SocketPathLock> SocketPathLock::take(const std::string& path) {
  const std::string lock_path = path + ".lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make ", lock_path, ": ", std::strerror(errno)));
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "another daemon listens on unix:", path, "; stop it or give this one another --listen"));
  }
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " exists and is no socket; it is left alone"));
    }
    ::unlink(path.c_str());
  }
  return SocketPathLock(path, std::move(lock));
}

SocketPathLock::~SocketPathLock() {
  if (!lock_.valid()) return;
  ::unlink(path_.c_str());
  ::unlink((path_ + ".lock").c_str());
}

}  // namespace tcproctor::server
