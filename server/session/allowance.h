// SPDX-License-Identifier: Apache-2.0
// What the calls of one session may do, and what they have used of it: the rights of its maker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/access/rights.h"
#include "server/serve/octet_meter.h"
#include "server/session/plan.h"
#include "server/wire/inject.h"
#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/sockets.pb.h"

namespace tcproctor::server {

// What the packets of a session travel over: interfaces of the machine by name, or the kind of link
// that is made for it.
std::vector<std::string> interfaces_of(const SessionPlan& plan);

// PERMISSION_DENIED, RESOURCE_EXHAUSTED: why such a session may not be made.
absl::Status check_rights(const Rights& rights, const SessionPlan& plan);

// Without rights everything is allowed and nothing is counted. Lives on its session's loop.
class Allowance final : public OctetMeter {
 public:
  Allowance(std::shared_ptr<const Rights> rights, const SessionPlan& plan);

  // The rule has changed: what was used counts against the new one.
  void renew(std::shared_ptr<const Rights> rights) { rights_ = std::move(rights); }

  // Before a call is carried out: PERMISSION_DENIED, RESOURCE_EXHAUSTED. Injected segments are
  // counted with that.
  absl::Status check_open(const v1::OpenRequest& request) const;
  absl::Status check_socket_call(const v1::SocketCallRequest& request) const;
  absl::Status check_serve(const v1::ServeRequest& request) const;
  absl::Status check_octets(uint64_t octets, absl::string_view field) const;
  absl::Status take_injection(const PlannedInjection& injection);
  // `over`: whether a connection that was counted is no more.
  absl::Status check_room(absl::FunctionRef<bool(uint64_t connection)> over);

  // After it.
  void count_octets(uint64_t octets) override { octets_ += octets; }
  uint64_t octets_left() const override;
  void count_connection(uint64_t connection);
  void count_socket_call(const v1::SocketCallRequest& request,
                         const v1::SocketCallResponse& response);
  // The ends are made afresh: no connections. What went over the wire did so.
  void forget_connections();

 private:
  absl::Status check_socket(const v1::SocketAddress& socket, absl::string_view field) const;
  absl::Status check_local(const v1::SocketAddress& local) const;
  absl::Status check_everywhere(absl::string_view field) const;
  absl::Status check_addresses(const PlannedInjection& injection) const;

  std::shared_ptr<const Rights> rights_;
  const bool virtual_clock_;     // the session's time passes in no time of the machine's
  bool on_the_machine_ = false;  // an end's sockets are in the machine's own namespace
  uint64_t octets_ = 0;
  std::set<uint64_t> connections_;
  uint64_t descriptors_ = 0;  // of socket calls
};

}  // namespace tcproctor::server
