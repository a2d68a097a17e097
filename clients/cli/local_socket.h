// SPDX-License-Identifier: Apache-2.0
// Stream sockets of this machine, named as the daemon's addresses are: unix:PATH or HOST:PORT.
// Nothing here blocks for longer than it was told to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

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

  // What came, at most so many octets; empty at the end of the stream; nothing within `timeout`.
  // UNAVAILABLE: the connection is broken.
  absl::StatusOr<std::optional<std::string>> receive(size_t octets, absl::Duration timeout) const;
  // How many octets were taken within `timeout`. UNAVAILABLE: nobody reads them any more.
  absl::StatusOr<size_t> send(std::string_view data, absl::Duration timeout) const;
  void end_stream() const;

 private:
  int fd_;
};

// Where local programs connect. A path goes away with it.
class LocalListener {
 public:
  // Listens; port 0 is chosen. The socket of a path that nobody listens on any more is replaced.
  static absl::StatusOr<LocalListener> listen(const std::string& address);
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&&) = delete;
  ~LocalListener();

  // As it was asked for, with the port that was chosen.
  const std::string& address() const { return address_; }
  // The next connection; DEADLINE_EXCEEDED: none within `timeout`.
  absl::StatusOr<LocalSocket> accept(absl::Duration timeout) const;

 private:
  LocalListener(LocalSocket socket, std::string address, std::string path);

  LocalSocket socket_;
  std::string address_;
  std::string path_;  // to be removed; empty: none
};

// DEADLINE_EXCEEDED: no answer within `timeout`; UNAVAILABLE: nobody listens there.
absl::StatusOr<LocalSocket> connect_local(const std::string& address, absl::Duration timeout);

}  // namespace tcproctor::cli
