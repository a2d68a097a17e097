// SPDX-License-Identifier: Apache-2.0
#include "server/service/gate.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>

#include "absl/strings/match.h"
#include "server/service/grpc_status.h"

namespace tcproctor::server {
namespace {

// Who a call is made for, on the channel within the daemon. Nobody else's is looked at.
constexpr char kOnBehalfKey[] = "tcproctor-on-behalf-of";

std::string metadata(const grpc::ServerContextBase& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

// What a certificate says of whose it is: its alternative names, else the common name (RFC 6125
// §6.4.4).
std::vector<std::string> names_of(const grpc::AuthContext& authentication) {
  std::vector<std::string> names;
  for (const char* property : {GRPC_X509_SAN_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    for (const grpc::string_ref& value : authentication.FindPropertyValues(property)) {
      names.emplace_back(value.data(), value.size());
    }
    if (!names.empty()) break;
  }
  return names;
}

class OnBehalf final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit OnBehalf(std::string name) : name_(std::move(name)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new Adder(name_);
  }

 private:
  class Adder final : public grpc::experimental::Interceptor {
   public:
    explicit Adder(std::string name) : name_(std::move(name)) {}
    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
      if (methods->QueryInterceptionHookPoint(
              grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
        methods->GetSendInitialMetadata()->emplace(kOnBehalfKey, name_);
      }
      methods->Proceed();
    }

   private:
    const std::string name_;
  };
  const std::string name_;
};

class Doorkeeper final : public grpc::AuthMetadataProcessor {
 public:
  explicit Doorkeeper(std::shared_ptr<RulesFile> rules) : rules_(std::move(rules)) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata&, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    return to_grpc(rules_->find(names_of(*context)).status());
  }

 private:
  const std::shared_ptr<RulesFile> rules_;
};

}  // namespace

absl::StatusOr<Caller> Gate::caller(const grpc::ServerContextBase& context) const {
  Caller caller;
  const auto security =
      context.auth_context()->FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  // Every listener has credentials of some kind; the daemon's own channel has none.
  const bool within = security.empty();
  if (!within) caller.from = context.peer();
  if (rules_ == nullptr || absl::StartsWith(caller.from, "unix:")) return caller;
  std::vector<std::string> names;
  if (within) {
    const std::string name = metadata(context, kOnBehalfKey);
    if (name.empty()) return caller;
    names.push_back(name);
  } else {
    names = names_of(*context.auth_context());
  }
  absl::StatusOr<std::shared_ptr<const Rights>> rights = rules_->find(names);
  if (!rights.ok()) return rights.status();
  caller.rights = *std::move(rights);
  return caller;
}

absl::StatusOr<std::shared_ptr<Session>> Gate::session(const grpc::ServerContextBase& context,
                                                       const std::string& id) const {
  const absl::StatusOr<Caller> caller = this->caller(context);
  if (!caller.ok()) return caller.status();
  return registry_.find_for_use(id, *caller);
}

std::string Gate::request_id(const grpc::ServerContextBase& context) {
  return metadata(context, kRequestIdKey);
}

std::shared_ptr<grpc::Channel> Gate::channel_for(grpc::Server& server, const Caller& caller) {
  if (caller.rights == nullptr) return server.InProcessChannel(grpc::ChannelArguments());
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<OnBehalf>(caller.name()));
  return server.experimental().InProcessChannelWithInterceptors(grpc::ChannelArguments(),
                                                                std::move(interceptors));
}

std::shared_ptr<grpc::AuthMetadataProcessor> Gate::doorkeeper() const {
  return std::make_shared<Doorkeeper>(rules_);
}

}  // namespace tcproctor::server
