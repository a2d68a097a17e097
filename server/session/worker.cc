// SPDX-License-Identifier: Apache-2.0
#include "server/session/worker.h"

#include <utility>

namespace tcproctor::server {

Worker::Worker(size_t threads) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Worker::~Worker() {
  stop();
}

void Worker::post(absl::AnyInvocable<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      jobs_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  job();
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Worker::run() {
  for (;;) {
    absl::AnyInvocable<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock,
                 [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace tcproctor::server
