// SPDX-License-Identifier: Apache-2.0
// tcproctor.v1.Drive: carries commands to a DriveStream on the session's loop, and its reports
// back.
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/drive.grpc.pb.h"

namespace tcproctor::server {

class DriveService final : public v1::Drive::CallbackService {
 public:
  explicit DriveService(Registry& registry) : registry_(registry) {}

  grpc::ServerBidiReactor<v1::Command, v1::Report>* Drive(
      grpc::CallbackServerContext* context) override;

 private:
  Registry& registry_;
};

}  // namespace tcproctor::server
