// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/drive.grpc.pb.h"

namespace tcproctor::server {

class DriveService final : public v1::Drive::CallbackService {
 public:
  // `registry` must outlive the service.
  explicit DriveService(Registry& registry) : registry_(registry) {}

  grpc::ServerBidiReactor<v1::Command, v1::Report>* Drive(
      grpc::CallbackServerContext* context) override;

 private:
  Registry& registry_;
};

}  // namespace tcproctor::server
