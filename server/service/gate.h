// SPDX-License-Identifier: Apache-2.0
// What stands between a call and the books: who calls, and which sessions he may name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "server/access/caller.h"
#include "server/access/rules_file.h"
#include "server/session/registry.h"

namespace tcproctor::server {

// Metadata of a call that may be repeated: see sessions.proto.
inline constexpr char kRequestIdKey[] = "tcproctor-request-id";

// Thread-safe.
class Gate {
 public:
  // `rules`: of clients that come over TLS; null where there is no such listener.
  Gate(Registry& registry, std::shared_ptr<RulesFile> rules)
      : registry_(registry), rules_(std::move(rules)) {}

  // PERMISSION_DENIED: there is no rule for his certificate.
  absl::StatusOr<Caller> caller(const grpc::ServerContextBase& context) const;
  // NOT_FOUND: no such session, or none of his. PERMISSION_DENIED: his rule has changed and allows
  // him none like it any more (he may still delete it).
  absl::StatusOr<std::shared_ptr<Session>> session(const grpc::ServerContextBase& context,
                                                   const std::string& id) const;
  // Empty where the call has none.
  static std::string request_id(const grpc::ServerContextBase& context);

  Registry& registry() const { return registry_; }

  // The daemon's own channel, on which calls are those of `caller`.
  static std::shared_ptr<grpc::Channel> channel_for(grpc::Server& server, const Caller& caller);

  // For the credentials of a TLS listener: refuses whoever has no rule, whatever he calls.
  std::shared_ptr<grpc::AuthMetadataProcessor> doorkeeper() const;

 private:
  Registry& registry_;
  const std::shared_ptr<RulesFile> rules_;
};

}  // namespace tcproctor::server
