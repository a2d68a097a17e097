// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include <grpcpp/channel.h>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/service/gate.h"
#include "tcproctor/v1/suite.grpc.pb.h"

namespace tcproctor::server {

// Runs the conformance suite against the daemon itself. A run waits for gRPC answers, so each has a
// thread of its own; at most kMaxRuns at a time.
class SuiteService final : public v1::Suite::CallbackService {
 public:
  static constexpr size_t kMaxRuns = 4;

  // `channel` gives the daemon's own channel for a caller, whose sessions those of the run are;
  // asked when a run begins. `gate` must outlive the service.
  using ChannelFor = std::function<std::shared_ptr<grpc::Channel>(const Caller&)>;
  SuiteService(const Gate& gate, ChannelFor channel) : gate_(gate), channel_(std::move(channel)) {}
  // shut_down().
  ~SuiteService() override;

  // Runs end with what is done so far; waits for them.
  void shut_down();

  grpc::ServerUnaryReactor* ListCases(grpc::CallbackServerContext* context,
                                      const v1::ListCasesRequest* request,
                                      v1::ListCasesResponse* response) override;
  grpc::ServerWriteReactor<v1::RunCasesResponse>* RunCases(
      grpc::CallbackServerContext* context, const v1::RunCasesRequest* request) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;

 private:
  struct Run {
    std::thread thread;
    std::atomic<bool> cancelled{false};
    std::atomic<bool> over{false};
  };

  // RESOURCE_EXHAUSTED, UNAVAILABLE: `work` was not started.
  absl::Status start(absl::AnyInvocable<void(Run&)> work);

  const Gate& gate_;
  const ChannelFor channel_;
  std::mutex mutex_;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::shared_ptr<Run>> runs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tcproctor::server
