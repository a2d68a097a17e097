// SPDX-License-Identifier: Apache-2.0
// What the workers of a hunt ask of the thread that began it: daemons are started there alone
// (the kernel ties a daemon's life to the thread that forked it), and results are told there.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include <grpcpp/channel.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace tcproctor::conformance {

class Posts {
 public:
  explicit Posts(size_t workers) : workers_(workers) {}

  // A worker's: waits until there is a daemon for it. False: there is none to be had.
  bool new_daemon(size_t worker, bool again, std::shared_ptr<grpc::Channel>& channel) {
    channel.reset();  // the old daemon ends sooner when nobody is connected
    Request request{.worker = worker, .again = again};
    absl::MutexLock lock(&mutex_);
    requests_.push_back(&request);
    mutex_.Await(absl::Condition(&request.answered));
    channel = std::move(request.channel);
    return channel != nullptr;
  }
  void done(size_t index) {
    const absl::MutexLock lock(&mutex_);
    done_.push_back(index);
  }
  void leave() {
    const absl::MutexLock lock(&mutex_);
    --workers_;
  }

  // The caller's: until all workers have left. The first error of `daemon`, if there was one.
  template <typename Daemon, typename Sink>
  absl::Status serve(const Daemon& daemon, const Sink& sink) {
    absl::Status status;
    while (true) {
      std::deque<Request*> requests;
      std::deque<size_t> done;
      {
        absl::MutexLock lock(&mutex_);
        const auto any = [this] { return !requests_.empty() || !done_.empty() || workers_ == 0; };
        mutex_.Await(absl::Condition(&any));
        if (requests_.empty() && done_.empty()) return status;
        requests.swap(requests_);
        done.swap(done_);
      }
      for (const size_t index : done) sink(index);
      for (Request* const request : requests) {
        absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
            daemon(request->worker, request->again);
        if (!channel.ok()) status.Update(channel.status());
        const absl::MutexLock lock(&mutex_);
        if (channel.ok()) request->channel = *std::move(channel);
        request->answered = true;
      }
    }
  }

 private:
  struct Request {
    size_t worker = 0;
    bool again = false;
    bool answered = false;
    std::shared_ptr<grpc::Channel> channel;
  };

  absl::Mutex mutex_;
  std::deque<Request*> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<size_t> done_ ABSL_GUARDED_BY(mutex_);
  size_t workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tcproctor::conformance
