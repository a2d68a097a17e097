// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/service/gate.h"
#include "tcproctor/v1/drive.grpc.pb.h"

namespace tcproctor::server {

class DriveService final : public v1::Drive::CallbackService {
 public:
  // `gate` must outlive the service.
  explicit DriveService(const Gate& gate) : gate_(gate) {}

  grpc::ServerBidiReactor<v1::Command, v1::Report>* Drive(
      grpc::CallbackServerContext* context) override;

 private:
  const Gate& gate_;
};

}  // namespace tcproctor::server
