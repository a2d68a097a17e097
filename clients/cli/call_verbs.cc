// SPDX-License-Identifier: Apache-2.0
// call
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/generic_call.h"
#include "clients/cli/parse.h"
#include "clients/cli/reflection.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DynamicMessageFactory;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::string signature(const MethodDescriptor& method) {
  return absl::StrCat(method.service()->full_name(), "/", method.name(), "(",
                      method.client_streaming() ? "stream " : "", method.input_type()->full_name(),
                      ") returns (", method.server_streaming() ? "stream " : "",
                      method.output_type()->full_name(), ")");
}

// The server's own description of its services, and what is done with it.
class Services {
 public:
  explicit Services(const std::shared_ptr<grpc::Channel>& channel)
      : channel_(channel), database_(channel), pool_(&database_), factory_(&pool_) {}

  absl::StatusOr<std::vector<std::string>> names() { return database_.services(); }

  // By full name, or by the last part of it where only one service has that.
  absl::StatusOr<const ServiceDescriptor*> service(const std::string& name) {
    const absl::StatusOr<std::vector<std::string>> all = names();
    if (!all.ok()) return all.status();
    std::vector<std::string> candidates;
    for (const std::string& full : *all) {
      const std::string last = full.substr(full.rfind('.') + 1);
      if (full == name || last == name) candidates.push_back(full);
      if (full == name) break;
    }
    if (candidates.empty()) {
      return absl::NotFoundError(
          absl::StrCat("no service ", name, "; the server has ", absl::StrJoin(*all, ", ")));
    }
    if (candidates.size() > 1 && candidates.back() != name) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " may be ", absl::StrJoin(candidates, " or ")));
    }
    const ServiceDescriptor* descriptor = pool_.FindServiceByName(candidates.back());
    if (descriptor) return descriptor;
    return absl::NotFoundError(
        absl::StrCat("the server lists ", candidates.back(),
                     " but does not describe it: ", database_.last_error().message()));
  }

  // "Service/Method".
  absl::StatusOr<const MethodDescriptor*> method(const std::string& name) {
    const size_t slash = name.rfind('/');
    const absl::StatusOr<const ServiceDescriptor*> owner = service(name.substr(0, slash));
    if (!owner.ok()) return owner.status();
    const MethodDescriptor* found = (*owner)->FindMethodByName(name.substr(slash + 1));
    if (found) return found;
    std::vector<std::string> there;
    there.reserve(static_cast<size_t>((*owner)->method_count()));
    for (int i = 0; i < (*owner)->method_count(); ++i) there.push_back((*owner)->method(i)->name());
    return absl::NotFoundError(absl::StrCat((*owner)->full_name(), " has no method ",
                                            name.substr(slash + 1), "; it has ",
                                            absl::StrJoin(there, ", ")));
  }

  std::unique_ptr<Message> make(const Descriptor* type) {
    return std::unique_ptr<Message>(factory_.GetPrototype(type)->New());
  }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  ReflectionDatabase database_;
  DescriptorPool pool_;
  DynamicMessageFactory factory_;
};

class CallVerb : public Verb {
 public:
  CallVerb()
      : Verb(
            {.name = "call",
             .operands = "[SERVICE[/METHOD] [JSON…]]",
             .summary = "Calls any method of any gRPC service by server reflection",
             .help =
                 "Without an operand it lists the services, with a SERVICE its methods. SERVICE "
                 "may be\n"
                 "the last part of its name. JSON is the request (default {}), @FILE one in a "
                 "file; - is\n"
                 "standard input with one request per line. A method that takes a\n"
                 "stream takes several. Responses are JSON always, those of a stream one per "
                 "line.\n\n"
                 "  tcproctor call\n"
                 "  tcproctor call Endpoint\n"
                 "  tcproctor call Sessions/CreateSession "
                 "'{\"a\":{\"stack\":{}},\"b\":{\"kernel\":{}},\"lease\":\"600s\"}'\n"
                 "  tcproctor call tcproctor.v1.Endpoint/List \"{\\\"session\\\":\\\"$ID\\\"}\"\n"
                 "  tcproctor call Wire/Log \"{\\\"session\\\":\\\"$ID\\\",\\\"follow\\\":true}\"\n"
                 "  tcproctor call Drive/Drive '{\"operation\":1,\"attach\":{\"session\":\"…\"}}' "
                 "'{\"operation\":2,\"run_until\":{\"duration\":\"1s\"}}'\n",
             .max_operands = SIZE_MAX}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    Services services(client->channel());
    if (operands.empty()) return list(context, services);
    if (operands[0].find('/') == std::string::npos) return describe(context, services, operands[0]);
    const absl::StatusOr<const MethodDescriptor*> method = services.method(operands[0]);
    if (!method.ok()) return method.status();
    return call(context, *client, services, **method, operands);
  }

 private:
  static absl::StatusOr<int> list(Context& context, Services& services) {
    const absl::StatusOr<std::vector<std::string>> names = services.names();
    if (!names.ok()) return names.status();
    reflection::Services message;
    for (const std::string& name : *names) {
      context.text() << name << "\n";
      message.add_service()->set_name(name);
    }
    if (absl::Status status = context.emit(message); !status.ok()) return status;
    return kExitOk;
  }

  static absl::StatusOr<int> describe(Context& context, Services& services,
                                      const std::string& name) {
    const absl::StatusOr<const ServiceDescriptor*> service = services.service(name);
    if (!service.ok()) return service.status();
    for (int i = 0; i < (*service)->method_count(); ++i)
      context.text() << signature(*(*service)->method(i)) << "\n";
    google::protobuf::ServiceDescriptorProto message;
    (*service)->CopyTo(&message);
    if (absl::Status status = context.emit(message); !status.ok()) return status;
    return kExitOk;
  }

  static absl::StatusOr<int> call(Context& context, const client::Client& client,
                                  Services& services, const MethodDescriptor& method,
                                  const std::vector<std::string>& operands) {
    // The operands are read before the call starts: a mistake in the third must not leave two sent.
    std::vector<std::string> requests;
    bool from_input = false;
    for (size_t i = 1; i < operands.size(); ++i) {
      if (operands[i] == "-") {
        from_input = true;
        continue;
      }
      const absl::StatusOr<std::string> request = serialised(services, method, operands[i]);
      if (!request.ok()) return request.status();
      requests.push_back(*request);
    }
    if (operands.size() == 1 && !method.client_streaming()) requests.emplace_back();
    if (requests.size() > 1 && !method.client_streaming()) {
      return absl::InvalidArgumentError(
          absl::StrCat(signature(method), " takes one request, ", requests.size(), " were given"));
    }
    size_t sent = 0;
    const auto next = [&]() -> absl::StatusOr<std::optional<std::string>> {
      if (sent < requests.size()) return std::optional<std::string>(requests[sent++]);
      std::string line;
      while (from_input && std::getline(context.in(), line)) {
        if (absl::StripAsciiWhitespace(line).empty()) continue;
        const absl::StatusOr<std::string> request = serialised(services, method, line);
        if (!request.ok()) return request.status();
        return std::optional<std::string>(*request);
      }
      return std::nullopt;
    };
    const auto print = [&](const std::string& octets) -> absl::Status {
      const std::unique_ptr<Message> response = services.make(method.output_type());
      if (!response->ParseFromString(octets))
        return absl::DataLossError("the response is not what the server described");
      const absl::StatusOr<std::string> json = to_json(*response, !method.server_streaming());
      if (!json.ok()) return json.status();
      if (!context.json().empty()) return context.emit_text(*json);
      context.out() << *json << std::flush;
      return context.out() ? absl::OkStatus() : absl::CancelledError("writing failed");
    };
    const absl::Status status = generic_call(
        client.channel(), absl::StrCat("/", method.service()->full_name(), "/", method.name()),
        next, print);
    if (!status.ok()) return status;
    return kExitOk;
  }

  static absl::StatusOr<std::string> serialised(Services& services, const MethodDescriptor& method,
                                                const std::string& json) {
    const std::unique_ptr<Message> request = services.make(method.input_type());
    if (absl::Status status = parse_json(json, request.get()); !status.ok()) return status;
    return request->SerializeAsString();
  }
};

}  // namespace

void add_call_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<CallVerb>());
}

}  // namespace tcproctor::cli
