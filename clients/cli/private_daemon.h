// SPDX-License-Identifier: Apache-2.0
// A daemon of our own for as long as one command runs.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cli/context.h"
#include "clients/cpp/client.h"

namespace tcproctor::cli {

// tcproctord on a Unix socket in a folder that only we can enter. It ends with this object, and
// with this process however that dies (--exit_with_parent); a folder left by a killed process is
// removed by the next one. Must be started from the main thread, before anything else makes
// threads: the kernel ties the daemon's life to the thread that forked it.
class PrivateDaemon {
 public:
  // `program`: path of tcproctord; empty = beside this program. Returns when it listens.
  // NOT_FOUND: no such program; FAILED_PRECONDITION: it ended instead of listening, and what it
  // said; DEADLINE_EXCEEDED: it did not listen within `timeout`.
  static absl::StatusOr<std::unique_ptr<PrivateDaemon>> start(
      const std::string& program, absl::Duration timeout = absl::Seconds(20));
  ~PrivateDaemon();
  PrivateDaemon(const PrivateDaemon&) = delete;
  PrivateDaemon& operator=(const PrivateDaemon&) = delete;

  // "unix:…/socket".
  std::string address() const;
  pid_t pid() const { return pid_; }
  // How it ended by itself or was killed, and the last it said, as lines to print; empty while it
  // runs.
  std::string death();

 private:
  explicit PrivateDaemon(std::string folder) : folder_(std::move(folder)) {}
  absl::Status spawn(const std::string& program);
  absl::Status wait_until_listening(absl::Duration timeout);
  std::string socket_path() const;
  std::string log_path() const;
  std::string said() const;

  const std::string folder_;
  pid_t pid_ = -1;
};

// A client for --address, else for a private daemon, which is then put into `daemon`.
absl::StatusOr<client::Client> connect_or_start(const Context& context, const std::string& program,
                                                std::unique_ptr<PrivateDaemon>& daemon);

}  // namespace tcproctor::cli
