// SPDX-License-Identifier: Apache-2.0
// A few threads for what may take milliseconds and must not keep a loop waiting: netlink,
// namespaces, closing packet sockets.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"

namespace tcproctor::server {

class Worker {
 public:
  explicit Worker(size_t threads);
  // stop().
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread. After stop() the job runs at once, in the caller's thread: nothing is lost.
  void post(absl::AnyInvocable<void()> job);
  // Runs what was posted, then ends the threads. Idempotent.
  void stop();

 private:
  void run();

  // std::mutex, not absl::Mutex: Debian's Abseil is not instrumented for ThreadSanitizer.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<absl::AnyInvocable<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace tcproctor::server
