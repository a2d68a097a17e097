// SPDX-License-Identifier: Apache-2.0
// Byte services hosted on an end's connections, so that real programs have something to talk to:
// SINK, SOURCE and ECHO (Endpoint.Serve), with SHA-256 of both directions (Endpoint.Traffic).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/end/end.h"
#include "server/serve/byte_stream.h"
#include "server/serve/sha256.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

// What one connection's service has moved.
class ByteService {
 public:
  ByteService(End& end, uint64_t connection, v1::ServiceKind kind, uint64_t bytes, uint64_t seed);

  // Does a bounded piece of work. True: there is more to do at once.
  bool turn();
  bool ended() const { return ended_; }
  v1::TrafficResponse::Flow flow() const;

 private:
  bool receive_some();
  bool send_some();
  bool refill();
  void finish(v1::Outcome outcome);
  void end_after_close();

  End& end_;
  const uint64_t connection_;
  const v1::ServiceKind kind_;
  uint64_t left_to_send_;  // SOURCE
  ByteStream stream_;
  std::string pending_;  // taken from stream or peer, not yet accepted by the connection
  size_t pending_offset_ = 0;
  bool peer_closed_ = false;
  bool closed_ = false;
  bool ended_ = false;
  v1::Outcome outcome_ = v1::OUTCOME_OK;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
  Sha256 received_hash_;
  Sha256 sent_hash_;
};

// All services of one end. Lives on the session's loop.
class ByteServices {
 public:
  explicit ByteServices(End& end) : end_(end) {}

  // Starts a service on a connection, or on every connection the listener accepts from now on.
  // INVALID_ARGUMENT names the field; ALREADY_EXISTS: it has one; NOT_FOUND: no such connection.
  absl::Status serve(const v1::ServeRequest& request, uint64_t connection);
  // Lets all services work. True: call again at once (after others had their turn).
  bool turn();
  // Flows of a connection, or of all connections of a listener. FAILED_PRECONDITION: no service.
  absl::StatusOr<v1::TrafficResponse> traffic(uint64_t connection) const;
  // Whether the service there, or at least one and all of the listener's so far, has ended.
  bool ended(uint64_t connection) const;

 private:
  struct Listener {
    v1::ServiceKind kind;
    uint64_t bytes;
    uint64_t seed;
    std::vector<uint64_t> connections;
  };
  void accept_all(uint64_t id, Listener& listener);

  End& end_;
  std::map<uint64_t, Listener> listeners_;
  std::map<uint64_t, std::unique_ptr<ByteService>> services_;
};

}  // namespace tcproctor::server
