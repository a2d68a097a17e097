// SPDX-License-Identifier: Apache-2.0
// The services a server describes about itself (gRPC server reflection, v1alpha).
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/reflection.pb.h"

namespace tcproctor::cli {

// Asks the server for each file a DescriptorPool wants, once. Not for use from several threads.
class ReflectionDatabase : public google::protobuf::DescriptorDatabase {
 public:
  explicit ReflectionDatabase(std::shared_ptr<grpc::Channel> channel);

  // Names of all services. UNIMPLEMENTED: the server has no reflection.
  absl::StatusOr<std::vector<std::string>> services();
  // Why the last search found nothing.
  const absl::Status& last_error() const { return last_error_; }

  bool FindFileByName(const std::string& name,
                      google::protobuf::FileDescriptorProto* output) override;
  bool FindFileContainingSymbol(const std::string& symbol,
                                google::protobuf::FileDescriptorProto* output) override;
  // Extensions are not used by any contract this serves.
  bool FindFileContainingExtension(const std::string& type, int number,
                                   google::protobuf::FileDescriptorProto* output) override;

 private:
  absl::StatusOr<reflection::Response> ask(const reflection::Request& request);
  bool fetch(const reflection::Request& request);

  const std::shared_ptr<grpc::Channel> channel_;
  google::protobuf::SimpleDescriptorDatabase known_;
  absl::Status last_error_;
};

}  // namespace tcproctor::cli
