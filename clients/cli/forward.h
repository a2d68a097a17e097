// SPDX-License-Identifier: Apache-2.0
// Joins a local stream socket to a connection of a session.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "clients/cli/local_socket.h"
#include "clients/cpp/session.h"

namespace tcproctor::cli {

struct Forwarded {
  uint64_t to_connection = 0;  // octets
  uint64_t to_socket = 0;
  // How the connection ended: OK when both sides closed in order.
  v1::Outcome outcome = v1::OUTCOME_OK;
  // Not OK: the local socket broke (UNAVAILABLE), the session is gone, or the daemon.
  absl::Status status;
};

// What is read on either is sent on the other; the end of one stream is the end of that direction
// only (CLOSE there, shutdown here), a reset is passed on as a reset. Returns when both directions
// have ended; the connection is then released. When `stop` turns true it is aborted instead, soon.
Forwarded forward(const client::Connection& connection, const LocalSocket& socket,
                  const std::atomic<bool>& stop);

}  // namespace tcproctor::cli
