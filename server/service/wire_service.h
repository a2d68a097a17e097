// SPDX-License-Identifier: Apache-2.0
// tcproctor.v1.Wire, delegated to the session.
#pragma once

#include "server/session/registry.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::server {

class WireService final : public v1::Wire::CallbackService {
 public:
  explicit WireService(Registry& registry) : registry_(registry) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  Reactor* Inject(Context* context, const v1::InjectRequest* request,
                  v1::InjectResponse* response) override;
  Reactor* Hold(Context* context, const v1::HoldRequest* request,
                v1::HoldResponse* response) override;
  Reactor* Release(Context* context, const v1::ReleaseHeldRequest* request,
                   v1::ReleaseHeldResponse* response) override;
  Reactor* Expect(Context* context, const v1::ExpectRequest* request,
                  v1::ExpectResponse* response) override;
  Reactor* Impair(Context* context, const v1::ImpairRequest* request,
                  v1::ImpairResponse* response) override;
  grpc::ServerWriteReactor<v1::LogEntry>* Log(Context* context,
                                              const v1::LogRequest* request) override;
  grpc::ServerWriteReactor<v1::PcapChunk>* Pcap(Context* context,
                                                const v1::PcapRequest* request) override;

 private:
  Registry& registry_;
};

}  // namespace tcproctor::server
