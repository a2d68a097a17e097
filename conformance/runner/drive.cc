// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/drive.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/message.h>

#include "absl/time/clock.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Commands bound their own waiting; this only ends a wait that nothing else ends.
constexpr absl::Duration kEndlessWait = absl::Hours(1000);
// How often two clocks are compared.
constexpr int kClockRounds = 9;
// What a segment may take to the other machine, longer than a call takes.
constexpr absl::Duration kTransit = absl::Milliseconds(3);

absl::Status report_status(const v1::Report& report) {
  if (report.error_code() == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(report.error_code()), report.error_message());
}

absl::Status tell_where(const char* where, const absl::Status& status) {
  return absl::Status(status.code(), cat(where, ": ", std::string(status.message())));
}

// Whether its result may come only as time passes.
bool waits(const v1::Command& command) {
  switch (command.command_case()) {
    case v1::Command::kAccept:
    case v1::Command::kReceive:
    case v1::Command::kWaitState:
    case v1::Command::kExpect:
    case v1::Command::kSocketCall:
      return true;
    case v1::Command::kOpen:
      return command.open().wait();
    case v1::Command::kSend:
      return command.send().has_timeout();
    case v1::Command::kTraffic:
      return command.traffic().wait();
    default:
      return false;
  }
}

v1::Command question(uint64_t after, const v1::ListRequest& list) {
  v1::Command command;
  command.mutable_read_log()->set_after(after);
  *command.mutable_read_log()->mutable_list() = list;
  return command;
}

// Each of two streams knows its own.
void forget_session(google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->is_repeated()) continue;
    if (field->name() == "session" && field->type() == field->TYPE_STRING) {
      reflection.ClearField(&message, field);
    } else if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
      forget_session(*reflection.MutableMessage(&message, field));
    }
  }
}

}  // namespace

absl::Status Drive::open(const DriveHalf& half, std::unique_ptr<Line>& line) {
  line = std::make_unique<Line>();
  line->stub = v1::Drive::NewStub(half.channel);
  line->context.set_deadline(absl::ToChronoTime(absl::Now() + watchdog_));
  line->stream = line->stub->Drive(&line->context);
  v1::Command command;
  *command.mutable_create() = half.request;
  absl::StatusOr<v1::Report> report = await(*line, send_on(*line, std::move(command)));
  if (!report.ok()) return report.status();
  if (!report->has_session()) {
    return absl::InternalError("Drive answered create without a session");
  }
  line->session = report->session();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Drive>> Drive::create(const std::shared_ptr<grpc::Channel>& channel,
                                                     const v1::CreateSessionRequest& request,
                                                     absl::Duration watchdog) {
  std::unique_ptr<Drive> drive(new Drive());
  drive->watchdog_ = watchdog;
  const absl::Status status = drive->open({channel, request}, drive->wire_);
  if (!status.ok()) return status;
  drive->session_ = drive->wire_->session;
  return drive;
}

absl::StatusOr<std::unique_ptr<Drive>> Drive::create_apart(const DriveHalf& endpoint,
                                                           const DriveHalf& wire,
                                                           absl::Duration watchdog) {
  std::unique_ptr<Drive> drive(new Drive());
  drive->watchdog_ = watchdog;
  // The TCP first: the wire asks for its address.
  absl::Status status = drive->open(endpoint, drive->endpoint_);
  if (!status.ok()) return tell_where("the endpoint's daemon", status);
  // What the TCP of a session before this one sent as it ended is no longer under way then.
  absl::SleepFor(kTransit);
  status = drive->open(wire, drive->wire_);
  if (!status.ok()) return tell_where("the wire's daemon", status);
  status = drive->compare_clocks();
  if (!status.ok()) return status;
  drive->session_ = drive->wire_->session;
  const v1::Session& there = drive->endpoint_->session;
  if (there.a().kind() == v1::END_KIND_REMOTE) {
    *drive->session_.mutable_b() = there.b();
  } else {
    *drive->session_.mutable_a() = there.a();
  }
  return drive;
}

Drive::~Drive() {
  // The wire's first: what the TCP sends when its session ends is of no session any more.
  for (const std::unique_ptr<Line>* line : {&wire_, &endpoint_}) {
    if (*line) close(**line);
  }
}

void Drive::close(Line& line) {
  if (!line.stream) return;  // it has failed
  line.stream->WritesDone();
  // Events may still be on their way; the session ends when the stream has.
  v1::Report report;
  while (line.stream->Read(&report)) {
  }
  line.stream->Finish();
}

absl::StatusOr<absl::Duration> Drive::ask_time(Line& line) {
  v1::Command command;
  to_proto(absl::ZeroDuration(), *command.mutable_run_until()->mutable_duration());
  const absl::StatusOr<v1::Report> report = await(line, send_on(line, std::move(command)));
  if (!report.ok()) return report.status();
  return from_proto(report->now());
}

// As NTP does: of several answers the one that came back soonest tells most. Crystals differ by
// some 50 millionths, which in the life of a case is less than a tolerance.
absl::Status Drive::compare_clocks() {
  absl::Duration best = absl::InfiniteDuration();
  absl::Duration ahead = absl::ZeroDuration();
  for (int round = 0; round < kClockRounds; ++round) {
    const absl::StatusOr<absl::Duration> before = ask_time(*wire_);
    if (!before.ok()) return before.status();
    const absl::StatusOr<absl::Duration> there = ask_time(*endpoint_);
    if (!there.ok()) return there.status();
    const absl::StatusOr<absl::Duration> after = ask_time(*wire_);
    if (!after.ok()) return after.status();
    if (*after - *before >= best) continue;
    best = *after - *before;
    ahead = *before + best / 2 - *there;
  }
  endpoint_->ahead = ahead;
  clock_error_ = best / 2;
  return absl::OkStatus();
}

const absl::Status& Drive::fail_stream(Line& line) {
  if (!broken_.ok()) return broken_;
  const grpc::Status status = line.stream->Finish();
  line.stream.reset();
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

Drive::Line& Drive::line_of(uint64_t operation) {
  return to_endpoint_.count(operation) != 0 ? *endpoint_ : *wire_;
}

Drive::Line& Drive::line_for(const v1::Command& command) {
  if (!endpoint_) return *wire_;
  switch (command.command_case()) {
    case v1::Command::kInject:
    case v1::Command::kHold:
    case v1::Command::kReleaseHeld:
    case v1::Command::kExpect:
    case v1::Command::kImpair:
    case v1::Command::kReadLog:
      return *wire_;
    case v1::Command::kRunUntil:
      return command.run_until().operations().empty() ? *wire_
                                                      : line_of(command.run_until().operations(0));
    case v1::Command::kCancel:
      return line_of(command.cancel().operation());
    default:
      return *endpoint_;
  }
}

uint64_t Drive::send(v1::Command command) {
  Line& line = line_for(command);
  if (endpoint_) {
    forget_session(command);
    if (command.has_inject()) endpoint_->injected = absl::Now();
    // What was sent before a call has to be there before it, as on one machine.
    if (&line == endpoint_.get() && !command.has_run_until()) {
      absl::SleepFor(endpoint_->injected + kTransit - absl::Now());
    }
  }
  drop(std::exchange(asked_, 0));
  const bool waiting = waits(command);
  const uint64_t operation = send_on(line, std::move(command));
  if (waiting) {
    waits_ = operation;
  } else if (question_.has_value()) {
    asked_ = send_on(line, *std::exchange(question_, std::nullopt));
  }
  return operation;
}

uint64_t Drive::send_on(Line& line, v1::Command command) {
  command.set_operation(next_operation_++);
  if (&line == endpoint_.get()) to_endpoint_.insert(command.operation());
  if (broken_.ok() && !line.stream->Write(command)) static_cast<void>(fail_stream(line));
  return command.operation();
}

// Into the time of the wire's session.
void Drive::translate(const Line& line, v1::Report& report) const {
  if (line.ahead == absl::ZeroDuration()) return;
  const auto shift = [&line](google::protobuf::Duration& time) {
    to_proto(std::max(from_proto(time) + line.ahead, absl::ZeroDuration()), time);
  };
  if (report.has_now()) shift(*report.mutable_now());
  if (report.has_event()) shift(*report.mutable_event()->mutable_time());
}

absl::Status Drive::read_one(Line& line) {
  if (!broken_.ok()) return broken_;
  v1::Report report;
  if (!line.stream->Read(&report)) return fail_stream(line);
  translate(line, report);
  // Of two streams one may be read later.
  if (report.has_now()) {
    now_ = endpoint_ ? std::max(now_, from_proto(report.now())) : from_proto(report.now());
  }
  if (report.operation() == 0) {
    if (report.has_event()) {
      events_.push_back(report.event());
      if (report.event().has_state_change()) state_changes_.push_back(report.event());
    }
    if (report.has_stalled()) {
      const absl::Duration told = report.has_now() ? from_proto(report.now()) : now_;
      stalls_.push_back({told - from_proto(report.stalled()), told});
    }
    return absl::OkStatus();
  }
  if (report.operation() == marked_ && !began_.has_value()) began_ = now_;
  if (report.result_case() == v1::Report::kRegistered) {
    registered_.insert(report.operation());
    return absl::OkStatus();
  }
  if (unawaited_.erase(report.operation()) != 0) {
    registered_.erase(report.operation());
    return report_status(report);
  }
  if (forgotten_.erase(report.operation()) == 0) {
    results_[report.operation()] = std::move(report);
  } else {
    to_endpoint_.erase(report.operation());
  }
  return absl::OkStatus();
}

// A command that does not wait.
absl::StatusOr<v1::Report> Drive::await(Line& line, uint64_t operation) {
  while (results_.count(operation) == 0) {
    absl::Status status = read_one(line);
    if (!status.ok()) return status;
  }
  return take(operation);
}

absl::StatusOr<v1::Report> Drive::take(uint64_t operation) {
  const auto found = results_.find(operation);
  v1::Report report = std::move(found->second);
  results_.erase(found);
  registered_.erase(operation);
  to_endpoint_.erase(operation);
  const absl::Status status = report_status(report);
  if (!status.ok()) return status;
  return report;
}

// Nobody will ask for its result.
void Drive::drop(uint64_t operation) {
  if (operation != 0 && results_.erase(operation) == 0) forgotten_.insert(operation);
}

absl::StatusOr<v1::Report> Drive::finish(uint64_t operation) {
  while (results_.count(operation) == 0) {
    if (registered_.count(operation) != 0 || (virtual_clock() && operation == waits_)) {
      const absl::StatusOr<bool> there = run_until_finished(operation, kEndlessWait);
      if (!there.ok()) return there.status();
      if (*there) break;
    }
    const absl::Status status = read_one(line_of(operation));
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

void Drive::will_observe(uint64_t after, const v1::ListRequest& list) {
  if (virtual_clock()) question_ = question(after, list);
}

absl::StatusOr<v1::ReadLogResponse> Drive::observe(uint64_t after, const v1::ListRequest& list) {
  question_.reset();
  if (asked_ == 0) {
    v1::Command read = question(after, list);
    if (endpoint_) read.mutable_read_log()->clear_list();
    asked_ = send(std::move(read));
  }
  absl::StatusOr<v1::Report> log = await(*wire_, std::exchange(asked_, 0));
  observed_ = next_operation_;
  if (!log.ok()) return log.status();
  if (endpoint_) {
    v1::Command connections;
    *connections.mutable_list() = list;
    absl::StatusOr<v1::Report> listed = call(std::move(connections));
    if (!listed.ok()) return listed.status();
    *log->mutable_log()->mutable_list() = std::move(*listed->mutable_list());
  }
  return std::move(*log->mutable_log());
}

absl::Status Drive::run(v1::RunUntilRequest request) {
  v1::Command command;
  *command.mutable_run_until() = std::move(request);
  Line& line = line_for(command);
  const absl::Status status = await(line, send(std::move(command))).status();
  if (!status.ok() || !endpoint_ || &line == endpoint_.get()) return status;
  // What the TCP has reported meanwhile.
  return ask_time(*endpoint_).status();
}

absl::StatusOr<bool> Drive::run_until_finished(uint64_t operation, absl::Duration limit) {
  // Of each operation comes its result, or that it waits. On a virtual clock RunUntil passes no
  // time where the result is there already, and need not wait for the news.
  while (!virtual_clock() && results_.count(operation) == 0 && registered_.count(operation) == 0) {
    const absl::Status status = read_one(line_of(operation));
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
  if (results_.erase(operation) != 0) {
    to_endpoint_.erase(operation);
    return absl::OkStatus();
  }
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
  unawaited_.insert(send(std::move(command)));
  now_ = time;
  return broken_;
}

}  // namespace tcproctor::conformance
