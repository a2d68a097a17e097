// SPDX-License-Identifier: Apache-2.0
// How session time passes: RunUntil, and the virtual clock that only it moves.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/session/waiting_call.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

// Events of a virtual run before other sessions of the loop get their turn.
constexpr int kEventsPerTurn = 4096;
// Tasks at one moment of the virtual clock before the ends are declared restless: two TCPs that
// answer each other for ever (an ACK war) need no time for it on a wire in memory.
constexpr int kMaxTasksAtOnce = 200'000;

// Times that a request names are added to the present: here it ends before they could overflow.
constexpr tcp::Instant kEndOfTime{kMaxRequestTime};

absl::StatusOr<std::optional<tcp::Instant>> end_of_run(const v1::RunUntilRequest& request,
                                                       tcp::Instant now) {
  std::optional<tcp::Instant> end;
  if (request.has_duration()) {
    const absl::StatusOr<tcp::Duration> duration =
        duration_from_proto(request.duration(), "duration");
    if (!duration.ok()) return duration.status();
    end = now + *duration;
  }
  if (request.has_time()) {
    const absl::StatusOr<tcp::Duration> time = duration_from_proto(request.time(), "time");
    if (!time.ok()) return time.status();
    const tcp::Instant until(*time);
    if (!end || until < *end) end = until;
  }
  if (!end && request.operations().empty() && !request.idle()) {
    return absl::InvalidArgumentError(
        "run_until: one of duration, time, operations and idle must say when it ends");
  }
  return end;
}

}  // namespace

OperationId Session::run_until(const v1::RunUntilRequest& request,
                               std::function<uint64_t()> completed,
                               Done<v1::RunUntilResponse> done) {
  const absl::StatusOr<std::optional<tcp::Instant>> end = end_of_run(request, now());
  absl::Status status = end.status();
  if (status.ok() && request.idle() && !virtual_clock()) {
    status = absl::InvalidArgumentError("idle: needs a virtual clock");
  }
  if (status.ok() && virtual_run_) {
    status = absl::FailedPreconditionError(
        "run_until: another one is moving this session's virtual clock");
  }
  if (!status.ok()) {
    done(status);
    return 0;
  }
  Step<v1::RunUntilResponse> step =
      [this, completed = std::move(completed)](
          Moment moment) -> std::optional<absl::StatusOr<v1::RunUntilResponse>> {
    const uint64_t operation = completed();
    const bool at_rest = virtual_run_ && virtual_run_->at_rest;
    if (moment == Moment::kActivity && operation == 0 && !at_rest) return std::nullopt;
    v1::RunUntilResponse response;
    *response.mutable_now() = to_proto(now());
    response.set_completed(operation);
    return response;
  };
  const OperationId operation = wait_for(*end, std::move(step), std::move(done));
  if (operation == 0 || !virtual_clock()) return operation;
  virtual_run_ = VirtualRun{.operation = operation, .idle = request.idle()};
  post([](Session& session) { session.drive_virtual_run(); });
  return operation;
}

void Session::drive_virtual_run() {
  if (!virtual_run_) return;
  for (int i = 0; i < kEventsPerTurn; ++i) {
    if (!advance_virtual_run()) {
      virtual_run_.reset();
      settle();
      return;
    }
  }
  post([](Session& session) { session.drive_virtual_run(); });
}

bool Session::advance_virtual_run() {
  const OperationId run = virtual_run_->operation;
  const absl::Status status = run_due_tasks();
  if (!status.ok()) operations_.cancel(run, status);
  if (!operations_.waiting(run)) return false;

  run::VirtualScheduler& scheduler = *bench_->virtual_scheduler();
  const std::optional<tcp::Instant> task = scheduler.next();
  const std::optional<tcp::Instant> deadline = operations_.next_deadline();
  if (!task && (virtual_run_->idle || !deadline)) {
    virtual_run_->at_rest = true;
    operations_.poll_all();
    return false;
  }
  const tcp::Instant next =
      std::min(task.value_or(tcp::Instant::max()), deadline.value_or(tcp::Instant::max()));
  if (next > kEndOfTime) {
    operations_.cancel(run, absl::OutOfRangeError(absl::StrCat(
                                "run_until: session time ends at ",
                                std::chrono::duration<double>(kMaxRequestTime).count(), " s")));
    return false;
  }
  if (task && (!deadline || *task <= *deadline)) {
    scheduler.run_next(*task);
  } else {
    // What is due at that moment has happened: only then is the time of those who waited over.
    scheduler.run_until(*deadline);
    operations_.expire(*deadline);
    operations_.poll_all();
  }
  return operations_.waiting(run);
}

void Session::settle() {
  // A RunUntil that follows will report ends that never come to rest.
  if (bench_ != nullptr && virtual_clock()) run_due_tasks().IgnoreError();
}

absl::Status Session::run_due_tasks() {
  run::VirtualScheduler& scheduler = *bench_->virtual_scheduler();
  for (int i = 0; i < kMaxTasksAtOnce; ++i) {
    if (!scheduler.run_next(scheduler.now())) return absl::OkStatus();
  }
  return absl::AbortedError(
      absl::StrCat("the ends never come to rest at ",
                   std::chrono::duration<double>(now().time_since_epoch()).count(),
                   " s of session time: they answer each other without end"));
}

}  // namespace tcproctor::server
