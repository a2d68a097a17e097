// SPDX-License-Identifier: Apache-2.0
// The daemon: loops, sessions and the gRPC server with all services.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "server/host/place.h"
#include "server/listen_address.h"
#include "server/session/registry.h"
#include "server/tls.h"

namespace tcproctor::server {

struct DaemonOptions {
  std::vector<ListenAddress> listen;  // none: only the in-process channel
  // Of TCP listeners; they need this or `insecure_listen`.
  std::optional<TlsOptions> tls;
  // TCP listeners may do without TLS: everybody who reaches them may do everything.
  bool insecure_listen = false;
  size_t max_sessions = Registry::kDefaultMaxSessions;  // 1..10000
  size_t loops = 0;                                     // 0 = one per core
  Place place;                                          // where sessions may meet other machines
  // OK, or why only sessions in memory are possible: acquire_privilege().
  absl::Status machine;
  // Switch the offloads of the place's interface off at the start; they stay off.
  bool disable_offloads = false;
};

class Daemon {
 public:
  // What still runs when the daemon ends has so long to come to its end.
  static constexpr std::chrono::milliseconds kShutdownGrace{2000};

  // Serves on return. ALREADY_EXISTS: another daemon has the socket; PERMISSION_DENIED,
  // INVALID_ARGUMENT: an address that cannot be listened on, and why.
  static absl::StatusOr<std::unique_ptr<Daemon>> start(const DaemonOptions& options);
  // shut_down().
  ~Daemon();

  // Ends all sessions, answers what waits and stops serving. Idempotent; not from a gRPC thread.
  void shut_down();

  // As they can be given to a client, with the port the system chose.
  const std::vector<std::string>& addresses() const;
  std::shared_ptr<grpc::Channel> in_process_channel();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// What a daemon with these options is and what sessions are possible on this machine.
v1::ServerInfo server_info(const DaemonOptions& options);

}  // namespace tcproctor::server
