// SPDX-License-Identifier: Apache-2.0
// Where the daemon listens.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/host/unique_fd.h"
#include "stack/packet/address.h"

namespace tcproctor::server {

struct ListenAddress {
  std::string unix_path;      // a Unix socket, or
  packet::SocketAddress tcp;  // a TCP socket; port 0 = the system's choice

  bool is_unix() const { return !unix_path.empty(); }
  // As --listen and --address take it: "unix:PATH", "HOST:PORT".
  std::string to_string() const;
};

// "unix:PATH" (at most 107 octets), "HOST:PORT" with an IP address or "localhost", "[V6]:PORT".
// INVALID_ARGUMENT says what is wrong.
absl::StatusOr<ListenAddress> parse_listen_address(absl::string_view text);

// For root unix:/run/tcproctor.sock; else unix:$XDG_RUNTIME_DIR/tcproctor.sock, and where that is
// not set unix:/tmp/tcproctor-UID.sock. `uid`: the effective one before a user namespace was
// entered. Clients look in the same places.
ListenAddress default_listen_address(uid_t uid);

// The right to a socket path, held as long as this lives (a lock on PATH.lock, which stays behind
// as an empty file when the daemon is killed and is deleted otherwise).
class SocketPathClaim {
 public:
  // Takes over the stale socket of a daemon that was killed. ALREADY_EXISTS: another daemon lives
  // on it; FAILED_PRECONDITION: something that is no socket is in the way; PERMISSION_DENIED: the
  // folder.
  static absl::StatusOr<SocketPathClaim> take(const std::string& path);
  SocketPathClaim(SocketPathClaim&& other) noexcept = default;
  SocketPathClaim& operator=(SocketPathClaim&& other) noexcept = delete;
  // Deletes the socket and the lock.
  ~SocketPathClaim();

 private:
  SocketPathClaim(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

}  // namespace tcproctor::server
