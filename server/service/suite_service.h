// SPDX-License-Identifier: Apache-2.0
// tcproctor.v1.Suite: the conformance suite, run against this very daemon over its own API.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <grpcpp/channel.h>

#include "tcproctor/v1/suite.grpc.pb.h"

namespace tcproctor::server {

// Synchronous: each call of it keeps a thread of gRPC's pool busy for as long as it runs.
class SuiteService final : public v1::Suite::Service {
 public:
  // Where the suite finds the daemon; set once the server runs.
  void set_channel(std::shared_ptr<grpc::Channel> channel) { channel_ = std::move(channel); }
  // Runs under way end early.
  void stop() { stopped_ = true; }

  grpc::Status ListCases(grpc::ServerContext* context, const v1::ListCasesRequest* request,
                         v1::ListCasesResponse* response) override;
  grpc::Status RunCases(grpc::ServerContext* context, const v1::RunCasesRequest* request,
                        grpc::ServerWriter<v1::RunCasesResponse>* writer) override;
  grpc::Status Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                       v1::ExplainResponse* response) override;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace tcproctor::server
