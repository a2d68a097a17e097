// SPDX-License-Identifier: Apache-2.0
// The daemon: loops, registry and gRPC server, put together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/listen.h"

namespace tcproctor::server {

struct DaemonConfig {
  std::vector<ListenAddress> addresses;  // at least one
  size_t max_sessions = 256;
};

class Daemon {
 public:
  // Listens when it returns. FAILED_PRECONDITION: an address is taken, and by whom as far as known.
  static absl::StatusOr<std::unique_ptr<Daemon>> start(const DaemonConfig& config);
  // Orderly end: waiting calls get UNAVAILABLE, every session goes.
  ~Daemon();

 private:
  struct Impl;
  explicit Daemon(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tcproctor::server
