// SPDX-License-Identifier: Apache-2.0
// Endpoint and Wire on different machines: the session of a case becomes two, and some cases need
// what only one machine has.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <grpcpp/channel.h>

#include "absl/status/statusor.h"
#include "conformance/runner/drive.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::conformance {

// The daemons and where their interfaces are. Empty: one daemon does both.
struct Apart {
  std::shared_ptr<grpc::Channel> endpoint_channel;
  v1::InterfaceInfo endpoint;
  v1::InterfaceInfo wire;

  explicit operator bool() const { return endpoint_channel != nullptr; }
};

// FAILED_PRECONDITION: a daemon was not given an interface, or the wire's no address on it.
absl::StatusOr<Apart> meet(const std::shared_ptr<grpc::Channel>& endpoint_channel,
                           const v1::ServerInfo& endpoint, const v1::ServerInfo& wire);

// Why the case cannot be examined from another machine; empty: it can.
std::string local_only(const Head& head, std::string_view target, const Apart& apart);
// The same of one of its clauses.
std::string local_only(const Clause& clause);

// The session of a case on a target, made. `mutant`: planted in the examined end; empty: none.
absl::StatusOr<std::unique_ptr<Drive>> begin_session(const Head& head, std::string_view target,
                                                     uint64_t seed, const std::string& mutant,
                                                     const std::shared_ptr<grpc::Channel>& wire,
                                                     const Apart& apart, absl::Duration watchdog);

}  // namespace tcproctor::conformance
