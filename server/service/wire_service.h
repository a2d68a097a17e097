// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/service/gate.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::server {

class WireService final : public v1::Wire::CallbackService {
 public:
  // `gate` must outlive the service.
  explicit WireService(const Gate& gate) : gate_(gate) {}

  grpc::ServerUnaryReactor* Inject(grpc::CallbackServerContext* context,
                                   const v1::InjectRequest* request,
                                   v1::InjectResponse* response) override;
  grpc::ServerUnaryReactor* Hold(grpc::CallbackServerContext* context,
                                 const v1::HoldRequest* request,
                                 v1::HoldResponse* response) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context,
                                    const v1::ReleaseHeldRequest* request,
                                    v1::ReleaseHeldResponse* response) override;
  grpc::ServerWriteReactor<v1::LogEntry>* Log(grpc::CallbackServerContext* context,
                                              const v1::LogRequest* request) override;
  grpc::ServerUnaryReactor* Expect(grpc::CallbackServerContext* context,
                                   const v1::ExpectRequest* request,
                                   v1::ExpectResponse* response) override;
  grpc::ServerUnaryReactor* Impair(grpc::CallbackServerContext* context,
                                   const v1::ImpairRequest* request,
                                   v1::ImpairResponse* response) override;
  grpc::ServerWriteReactor<v1::PcapChunk>* Pcap(grpc::CallbackServerContext* context,
                                                const v1::PcapRequest* request) override;

 private:
  const Gate& gate_;
};

}  // namespace tcproctor::server
