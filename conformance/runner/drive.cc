// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/drive.h"

#include <utility>

#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Commands bound their own waiting; this only ends a wait that nothing else ends.
constexpr absl::Duration kEndlessWait = absl::Hours(1000);

absl::Status report_status(const v1::Report& report) {
  if (report.error_code() == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(report.error_code()), report.error_message());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Drive>> Drive::create(const std::shared_ptr<grpc::Channel>& channel,
                                                     const v1::CreateSessionRequest& request,
                                                     absl::Duration watchdog) {
  std::unique_ptr<Drive> drive(new Drive());
  drive->watchdog_ = watchdog;
  drive->stub_ = v1::Drive::NewStub(channel);
  drive->context_.set_deadline(absl::ToChronoTime(absl::Now() + watchdog));
  drive->stream_ = drive->stub_->Drive(&drive->context_);
  v1::Command command;
  *command.mutable_create() = request;
  absl::StatusOr<v1::Report> report = drive->call(std::move(command));
  if (!report.ok()) return report.status();
  if (!report->has_session()) {
    return absl::InternalError("Drive answered create without a session");
  }
  drive->session_ = report->session();
  return drive;
}

Drive::~Drive() {
  if (!stream_) return;  // it has failed
  stream_->WritesDone();
  // Events may still be on their way; the session ends when the stream has.
  v1::Report report;
  while (stream_->Read(&report)) {
  }
  stream_->Finish();
}

const absl::Status& Drive::fail_stream() {
  if (!broken_.ok()) return broken_;
  const grpc::Status status = stream_->Finish();
  stream_.reset();
  if (status.ok()) {
    broken_ = absl::UnavailableError("the daemon ended the Drive stream");
  } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    broken_ = absl::DeadlineExceededError(
        cat("the daemon or what it examines hangs: the session was not over within ",
            print_duration(watchdog_)));
  } else {
    broken_ = absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                           cat("the Drive stream failed: ", status.error_message()));
  }
  return broken_;
}

uint64_t Drive::send(v1::Command command) {
  command.set_operation(next_operation_++);
  if (broken_.ok() && !stream_->Write(command)) static_cast<void>(fail_stream());
  return command.operation();
}

absl::Status Drive::read_one() {
  if (!broken_.ok()) return broken_;
  v1::Report report;
  if (!stream_->Read(&report)) return fail_stream();
  if (report.has_now()) now_ = from_proto(report.now());
  if (report.operation() == 0) {
    if (report.has_event()) {
      events_.push_back(report.event());
      if (report.event().has_state_change()) state_changes_.push_back(report.event());
    }
    if (report.has_stalled()) stalls_.push_back({now_ - from_proto(report.stalled()), now_});
    return absl::OkStatus();
  }
  if (report.operation() == marked_ && !began_.has_value()) began_ = now_;
  if (report.result_case() == v1::Report::kRegistered) {
    registered_.insert(report.operation());
    return absl::OkStatus();
  }
  if (ahead_.erase(report.operation()) != 0) {
    registered_.erase(report.operation());
    return report_status(report);
  }
  if (forgotten_.erase(report.operation()) == 0) {
    results_[report.operation()] = std::move(report);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Report> Drive::take(uint64_t operation) {
  const auto found = results_.find(operation);
  v1::Report report = std::move(found->second);
  results_.erase(found);
  registered_.erase(operation);
  const absl::Status status = report_status(report);
  if (!status.ok()) return status;
  return report;
}

absl::StatusOr<v1::Report> Drive::finish(uint64_t operation) {
  while (results_.count(operation) == 0) {
    if (registered_.count(operation) != 0) {
      const absl::StatusOr<bool> there = run_until_finished(operation, kEndlessWait);
      if (!there.ok()) return there.status();
      if (*there) break;
    }
    const absl::Status status = read_one();
    if (!status.ok()) return status;
  }
  return take(operation);
}

void Drive::mark() {
  marked_ = next_operation_;
  began_.reset();
}

absl::StatusOr<v1::Report> Drive::call(v1::Command command) {
  return finish(send(std::move(command)));
}

absl::Status Drive::run(v1::RunUntilRequest request) {
  v1::Command command;
  *command.mutable_run_until() = std::move(request);
  const uint64_t operation = send(std::move(command));
  while (results_.count(operation) == 0) {
    absl::Status status = read_one();
    if (!status.ok()) return status;
  }
  return take(operation).status();
}

absl::StatusOr<bool> Drive::run_until_finished(uint64_t operation, absl::Duration limit) {
  // Of each operation comes its result, or that it waits.
  while (results_.count(operation) == 0 && registered_.count(operation) == 0) {
    const absl::Status status = read_one();
    if (!status.ok()) return status;
  }
  if (results_.count(operation) != 0) return true;
  v1::RunUntilRequest request;
  request.add_operations(operation);
  to_proto(limit, *request.mutable_duration());
  const absl::Status status = run(std::move(request));
  if (!status.ok()) return status;
  return results_.count(operation) != 0;
}

absl::StatusOr<bool> Drive::finished(uint64_t operation) {
  // The answer to any command comes after all that was reported before it.
  const absl::Status status = run_for(absl::ZeroDuration());
  if (!status.ok()) return status;
  return results_.count(operation) != 0;
}

absl::Status Drive::cancel(uint64_t operation) {
  if (results_.erase(operation) != 0) return absl::OkStatus();
  forgotten_.insert(operation);
  v1::Command command;
  command.mutable_cancel()->set_operation(operation);
  return call(std::move(command)).status();
}

absl::Status Drive::run_for(absl::Duration duration) {
  v1::RunUntilRequest request;
  to_proto(duration, *request.mutable_duration());
  return run(std::move(request));
}

absl::Status Drive::run_to(absl::Duration time) {
  if (time <= now_) return absl::OkStatus();
  v1::RunUntilRequest request;
  to_proto(time, *request.mutable_time());
  if (!virtual_clock()) return run(std::move(request));
  // It ends at that time and nowhere else: the next command follows without waiting for it.
  v1::Command command;
  *command.mutable_run_until() = std::move(request);
  ahead_.insert(send(std::move(command)));
  now_ = time;
  return broken_;
}

}  // namespace tcproctor::conformance
