// SPDX-License-Identifier: Apache-2.0
// Forwarded connections side by side, each in threads of its own.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "clients/cli/context.h"
#include "clients/cli/forward.h"
#include "clients/cli/local_socket.h"
#include "clients/cpp/session.h"

namespace tcproctor::cli {

// A connection and the socket it is joined to.
struct Joined {
  client::Connection connection;
  LocalSocket socket;
};

// A line, or a JSON object, for each flow that ended. Going away it ends all that run.
class Flows {
 public:
  explicit Flows(Context& context) : context_(context) {}
  ~Flows();
  Flows(const Flows&) = delete;
  Flows& operator=(const Flows&) = delete;

  // Makes both and forwards between them, in another thread. `join` may take its time, and asks
  // now and then whether it is to stop; its error is told and fails the flow.
  using Join = std::function<absl::StatusOr<Joined>(const std::atomic<bool>& stop)>;
  void add(Join join);
  // Until all have ended; Ctrl-C ends them.
  void wait();

  // For people; may be called at any time.
  void tell(const std::string& line);
  // Whether any did not end in order.
  bool failed() const { return failed_; }

 private:
  struct Running {
    std::thread thread;
    std::atomic<bool> ended = false;
  };

  void run(const Join& join);
  void report(const client::Connection& connection, const Forwarded& done);
  void join_ended();

  Context& context_;
  absl::Mutex mutex_;  // of the output
  std::list<Running> running_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> failed_ = false;
};

}  // namespace tcproctor::cli
