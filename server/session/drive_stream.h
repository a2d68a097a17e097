// SPDX-License-Identifier: Apache-2.0
// One Drive stream without its gRPC: commands go in, reports come out, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "server/session/session.h"
#include "server/session/stall_probe.h"
#include "tcproctor/v1/drive.pb.h"

namespace tcproctor::server {

// Lives on its session's loop. While RunUntil moves a virtual clock, and while the session is being
// reset, later commands wait (Cancel does not), so that a run does not depend on when a command
// happened to arrive.
class DriveStream : public std::enable_shared_from_this<DriveStream> {
 public:
  // `report` sends a report to the client; `on_end` tells that the session ended under the stream.
  DriveStream(std::shared_ptr<Session> session, std::function<void(const v1::Report&)> report,
              std::function<void(const absl::Status&)> on_end);

  // Begins to report events. `operation`: of the attach or create command, which it answers.
  void start(uint64_t operation);
  void on_command(v1::Command command);
  // The client is gone: what it waits for is given up. Nothing is reported any more.
  void stop();

  // Commands that may wait for their turn, and their octets; more are RESOURCE_EXHAUSTED.
  static constexpr size_t kMaxBacklog = 10'000;
  static constexpr size_t kMaxBacklogBytes = size_t{128} << 20;

 private:
  void carry_out(const v1::Command& command);
  void dispatch(const v1::Command& command);
  void wait_in_line(v1::Command command);
  void work_off();
  template <class Request, class Response, class SetResult>
  void call(const v1::Command& command, const Request& request,
            OperationId (Session::*method)(const Request&, Done<Response>), bool waits,
            SetResult set_result);
  void run_until(const v1::Command& command);
  void reset(const v1::Command& command);
  void cancel(const v1::Command& command);

  v1::Report report_for(uint64_t operation) const;
  void report_error(uint64_t operation, const absl::Status& status);
  void report_registered(uint64_t operation);
  // The first of these that is over, 0 if none is.
  uint64_t first_completed(const v1::RunUntilRequest& request) const;
  void unblock();
  void note_stall(tcp::Duration waited);

  const std::shared_ptr<Session> session_;
  std::function<void(const v1::Report&)> report_;
  const std::function<void(const absl::Status&)> on_end_;
  Session::SubscriptionId subscription_ = 0;
  uint64_t last_operation_ = 0;
  // Operations of the client that wait, by their numbers.
  std::map<uint64_t, OperationId> waiting_;
  uint64_t blocked_by_ = 0;  // the command that holds the queue up, 0 = none
  std::deque<v1::Command> queue_;
  size_t queued_bytes_ = 0;
  // Real clock. Stalls are told with the next answer: who asks nothing is told nothing.
  std::unique_ptr<StallProbe> probe_;
  std::vector<v1::Report> stalls_;
};

}  // namespace tcproctor::server
