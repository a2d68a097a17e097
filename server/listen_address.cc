// SPDX-License-Identifier: Apache-2.0
#include "server/listen_address.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tcproctor::server {
namespace {

constexpr char kUnixPrefix[] = "unix:";

absl::Status with_errno(absl::StatusCode code, absl::string_view what) {
  return absl::Status(code, absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

std::string ListenAddress::to_string() const {
  return is_unix() ? absl::StrCat(kUnixPrefix, unix_path) : tcp.to_string();
}

absl::StatusOr<ListenAddress> parse_listen_address(absl::string_view text) {
  ListenAddress address;
  if (absl::ConsumePrefix(&text, kUnixPrefix)) {
    if (text.empty() || text.size() >= sizeof(sockaddr_un::sun_path)) {
      return absl::InvalidArgumentError(absl::StrCat("listen: the path of a Unix socket has 1 to ",
                                                     sizeof(sockaddr_un::sun_path) - 1, " octets"));
    }
    address.unix_path = std::string(text);
    return address;
  }
  std::string numeric(text);
  if (absl::StartsWith(text, "localhost:")) {
    numeric = absl::StrCat("127.0.0.1", text.substr(text.find(':')));
  }
  const absl::StatusOr<packet::SocketAddress> tcp = packet::SocketAddress::parse(numeric);
  if (!tcp.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("listen: \"", text,
                                                   "\" is neither unix:PATH nor ADDRESS:PORT (",
                                                   tcp.status().message(), ")"));
  }
  address.tcp = *tcp;
  return address;
}

ListenAddress default_listen_address(uid_t uid) {
  ListenAddress address;
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (uid == 0) {
    address.unix_path = "/run/tcproctor.sock";
  } else if (runtime != nullptr && *runtime != '\0') {
    address.unix_path = absl::StrCat(runtime, "/tcproctor.sock");
  } else {
    address.unix_path = absl::StrCat("/tmp/tcproctor-", uid, ".sock");
  }
  return address;
}

absl::StatusOr<SocketPathClaim> SocketPathClaim::take(const std::string& path) {
  const std::string lock_path = path + ".lock";
  for (;;) {
    UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) {
      return with_errno(absl::StatusCode::kPermissionDenied,
                        absl::StrCat("listen: cannot make ", lock_path));
    }
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      return absl::AlreadyExistsError(
          absl::StrCat("listen: another tcproctord is running on unix:", path,
                       "; stop it or choose another path with --listen"));
    }
    // Its last holder may have deleted the file between open and flock.
    struct stat opened {};
    struct stat there {};
    const bool same = fstat(lock.get(), &opened) == 0 && stat(lock_path.c_str(), &there) == 0 &&
                      opened.st_ino == there.st_ino && opened.st_dev == there.st_dev;
    if (!same) continue;
    struct stat socket {};
    if (lstat(path.c_str(), &socket) == 0) {
      if (!S_ISSOCK(socket.st_mode)) {
        unlink(lock_path.c_str());
        return absl::FailedPreconditionError(
            absl::StrCat("listen: ", path, " exists and is no socket"));
      }
      unlink(path.c_str());  // left by a daemon that was killed: it does not hold the lock
    }
    return SocketPathClaim(path, std::move(lock));
  }
}

SocketPathClaim::~SocketPathClaim() {
  if (!lock_.valid()) return;
  unlink(path_.c_str());
  unlink((path_ + ".lock").c_str());
}

}  // namespace tcproctor::server
