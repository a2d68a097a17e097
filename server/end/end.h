// SPDX-License-Identifier: Apache-2.0
// One end of a session: our stack, the host kernel or nothing but a script. An end speaks the
// Endpoint service's messages and never waits: a call that cannot complete now answers
// OUTCOME_WOULD_BLOCK, and the session asks again when the end reports activity.
// Not thread-safe: an end lives on its session's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/end/sockets.h"
#include "stack/packet/address.h"
#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::server {

class End {
 public:
  virtual ~End() = default;

  // Called by the end whenever something may have changed that a waiting operation is interested in
  // (readable, writable, state change, event queued). Set once, before the first call.
  void set_on_activity(std::function<void()> on_activity) { on_activity_ = std::move(on_activity); }

  // Kind, addresses, capabilities, namespace paths.
  virtual v1::EndInfo info() const = 0;
  virtual std::vector<packet::IpAddress> addresses() const = 0;

  // User calls. `timeout`, `wait` and the session's name in the requests are not looked at here.
  // Connection ids are unique in the session: `allocate_id` is given to the end when it is made.
  // NOT_FOUND: no such connection of this end.
  virtual absl::StatusOr<v1::OpenResponse> open(const v1::OpenRequest& request) = 0;
  virtual absl::StatusOr<v1::AcceptResponse> accept(uint64_t listener) = 0;
  virtual absl::StatusOr<v1::SendResponse> send(uint64_t connection, std::string_view data,
                                                bool push, bool urgent) = 0;
  virtual absl::StatusOr<v1::ReceiveResponse> receive(uint64_t connection, uint32_t max_bytes) = 0;
  virtual absl::StatusOr<v1::Outcome> close(uint64_t connection) = 0;
  virtual absl::StatusOr<v1::Outcome> release(uint64_t connection) = 0;
  virtual absl::StatusOr<v1::Outcome> abort(uint64_t connection) = 0;
  virtual absl::StatusOr<v1::ConnectionStatus> status(uint64_t connection) = 0;
  // Of those in CLOSED only the ones whose id is larger than `closed_after`.
  virtual std::vector<v1::ConnectionStatus> list(uint64_t closed_after) = 0;
  virtual absl::StatusOr<v1::ConnectionOptions> get_options(uint64_t connection) = 0;
  virtual absl::StatusOr<v1::ConnectionOptions> set_options(
      uint64_t connection, const v1::ConnectionOptions& options) = 0;

  // The id of a connection by its socket pair: embryonic, TIME-WAIT and just-CLOSED ones included;
  // gives an id to one that had none yet (an embryonic connection of the kernel). incarnation 0 =
  // newest.
  virtual std::optional<uint64_t> find(const v1::FourTuple& pair, uint32_t incarnation) = 0;
  virtual bool owns(uint64_t connection) const = 0;

  // Observed state for a ladder; UNSPECIFIED when there is no such connection or it would cost too
  // much to find out.
  virtual v1::TcpState observe(const v1::FourTuple& pair) = 0;

  // How often the session must ask again while an operation waits or somebody watches, because this
  // end learns of some changes only by asking (the kernel does not tell of FIN-WAIT-1 to
  // FIN-WAIT-2). Nothing: activity() tells of everything.
  virtual std::optional<absl::Duration> poll_interval() const { return std::nullopt; }

  // Socket calls; null where this end has none.
  virtual Sockets* sockets() { return nullptr; }

  // Pulls the next event, in order.
  virtual bool next_event(v1::ConnectionEvent& event) = 0;

 protected:
  void activity() {
    if (on_activity_) on_activity_();
  }

 private:
  std::function<void()> on_activity_;
};

}  // namespace tcproctor::server
