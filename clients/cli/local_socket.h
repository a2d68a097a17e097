// SPDX-License-Identifier: Apache-2.0
// Stream sockets of this machine, named as the daemon's addresses are: unix:PATH or HOST:PORT.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tcproctor::cli {

// Owns a descriptor.
class LocalSocket {
 public:
  explicit LocalSocket(int fd = -1) : fd_(fd) {}
  LocalSocket(LocalSocket&& other) noexcept;
  LocalSocket& operator=(LocalSocket&& other) noexcept;
  ~LocalSocket();

  int fd() const { return fd_; }
  // Makes the coming close a reset (TCP): what was sent may be lost, and the other side is told so.
  void reset_on_close() const;

 private:
  int fd_;
};

// Listens; port 0 is chosen. The socket of a path that nobody listens on any more is replaced.
absl::StatusOr<LocalSocket> listen_local(const std::string& address);
// Where a listening socket is, with the port that was chosen.
std::string local_address(const LocalSocket& listener, const std::string& asked);
// The next connection; DEADLINE_EXCEEDED: none within `timeout`.
absl::StatusOr<LocalSocket> accept_local(const LocalSocket& listener, absl::Duration timeout);
absl::StatusOr<LocalSocket> connect_local(const std::string& address);

}  // namespace tcproctor::cli
