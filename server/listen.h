// SPDX-License-Identifier: Apache-2.0
// Where the daemon listens: Unix sockets with mode 0600, TCP only on loopback unless asked for
// more.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

struct ListenAddress {
  std::string text;         // as given
  std::string grpc_target;  // for ServerBuilder::AddListeningPort
  std::string unix_path;    // empty for TCP
  bool loopback = true;
};

// "unix:PATH" or "HOST:PORT". INVALID_ARGUMENT says what is wrong with the text.
absl::StatusOr<ListenAddress> parse_listen_address(const std::string& text);

// unix:$XDG_RUNTIME_DIR/tcproctor.sock, or unix:/run/tcproctor.sock where that is not set and we
// are root, or unix:/tmp/tcproctor-UID.sock.
std::string default_listen_address();

// Holds a Unix socket path for one daemon: a lock file beside it, so that a second daemon fails and
// the stale socket of a killed one is taken over. The files are removed at an orderly end.
class SocketPathLock {
 public:
  // FAILED_PRECONDITION: another daemon listens there; or the path is something else than a socket.
  static absl::StatusOr<SocketPathLock> take(const std::string& path);
  SocketPathLock(SocketPathLock&&) = default;
  SocketPathLock& operator=(SocketPathLock&&) = default;
  ~SocketPathLock();

 private:
  SocketPathLock(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

}  // namespace tcproctor::server
