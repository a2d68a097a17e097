// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/reflection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "clients/cli/generic_call.h"

namespace tcproctor::cli {

ReflectionDatabase::ReflectionDatabase(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)) {}

absl::StatusOr<reflection::Response> ReflectionDatabase::ask(const reflection::Request& request) {
  std::optional<reflection::Response> response;
  bool sent = false;
  const absl::Status status = generic_call(
      channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      [&]() -> absl::StatusOr<std::optional<std::string>> {
        if (std::exchange(sent, true)) return std::nullopt;
        return request.SerializeAsString();
      },
      [&](const std::string& octets) {
        if (response.emplace().ParseFromString(octets)) return absl::OkStatus();
        return absl::DataLossError("server reflection answered something else");
      });
  if (absl::IsUnimplemented(status))
    return absl::UnimplementedError("this server has no reflection, so its methods are not known");
  if (!status.ok()) return status;
  if (!response) return absl::DataLossError("server reflection did not answer");
  if (response->has_error()) {
    return absl::Status(static_cast<absl::StatusCode>(response->error().error_code()),
                        response->error().error_message());
  }
  return *response;
}

absl::StatusOr<std::vector<std::string>> ReflectionDatabase::services() {
  reflection::Request request;
  request.set_list_services("*");
  const absl::StatusOr<reflection::Response> response = ask(request);
  if (!response.ok()) return response.status();
  std::vector<std::string> names;
  for (const auto& service : response->services().service()) names.push_back(service.name());
  std::sort(names.begin(), names.end());
  return names;
}

bool ReflectionDatabase::fetch(const reflection::Request& request) {
  const absl::StatusOr<reflection::Response> response = ask(request);
  last_error_ = response.status();
  if (!response.ok()) return false;
  for (const std::string& octets : response->file_descriptors().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    google::protobuf::FileDescriptorProto present;
    if (!file.ParseFromString(octets)) {
      last_error_ = absl::DataLossError("server reflection sent a broken file description");
      return false;
    }
    // Servers send what a file imports along with it, again and again.
    if (!known_.FindFileByName(file.name(), &present)) known_.Add(file);
  }
  return true;
}

bool ReflectionDatabase::FindFileByName(const std::string& name,
                                        google::protobuf::FileDescriptorProto* output) {
  if (known_.FindFileByName(name, output)) return true;
  reflection::Request request;
  request.set_file_by_filename(name);
  return fetch(request) && known_.FindFileByName(name, output);
}

bool ReflectionDatabase::FindFileContainingSymbol(const std::string& symbol,
                                                  google::protobuf::FileDescriptorProto* output) {
  if (known_.FindFileContainingSymbol(symbol, output)) return true;
  reflection::Request request;
  request.set_file_containing_symbol(symbol);
  return fetch(request) && known_.FindFileContainingSymbol(symbol, output);
}

bool ReflectionDatabase::FindFileContainingExtension(const std::string&, int,
                                                     google::protobuf::FileDescriptorProto*) {
  return false;
}

}  // namespace tcproctor::cli
