// SPDX-License-Identifier: Apache-2.0
// Which calls run, so that the end of the daemon can wait for them, and for nothing else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <grpcpp/support/server_interceptor.h>

#include "absl/base/thread_annotations.h"

namespace tcproctor::server {

// Thread-safe.
class RunningCalls {
 public:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  // False: some still run after `time`.
  bool wait_for_none(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, time,
                          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Counts the calls of our own services: gRPC keeps an interceptor as long as its call. Those of the
// health service and of reflection may stay open for ever.
class CallCounter final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallCounter(std::shared_ptr<RunningCalls> calls) : calls_(std::move(calls)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    constexpr std::string_view kOurs = "/tcproctor.";
    if (!std::string_view(info->method()).starts_with(kOurs)) return nullptr;
    return new Counted(calls_);
  }

 private:
  class Counted final : public grpc::experimental::Interceptor {
   public:
    explicit Counted(std::shared_ptr<RunningCalls> calls) : calls_(std::move(calls)) {
      calls_->begin();
    }
    ~Counted() override { calls_->end(); }
    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
      methods->Proceed();
    }

   private:
    const std::shared_ptr<RunningCalls> calls_;
  };

  const std::shared_ptr<RunningCalls> calls_;
};

}  // namespace tcproctor::server
