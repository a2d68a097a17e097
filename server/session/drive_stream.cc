// SPDX-License-Identifier: Apache-2.0
#include "server/session/drive_stream.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

// Stalls that are remembered until somebody asks something.
constexpr size_t kMaxStalls = 1000;

// Requests of a stream need not name the session; if they do, it must be the stream's.
absl::Status check_session(const std::string& named, const Session& session) {
  if (named.empty() || named == session.id()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("session: ", named,
                                                 " is not this stream's, which is ", session.id(),
                                                 "; it may be left out"));
}

template <class Request>
const std::string& session_of(const Request& request) {
  static const std::string* const none = new std::string();
  if constexpr (requires { request.session(); }) {
    return request.session();
  } else if constexpr (requires { request.connection().session(); }) {
    return request.connection().session();
  } else if constexpr (requires { request.listener().session(); }) {
    return request.listener().session();
  } else {
    return *none;
  }
}

}  // namespace

DriveStream::DriveStream(std::shared_ptr<Session> session,
                         std::function<void(const v1::Report&)> report,
                         std::function<void(const absl::Status&)> on_end)
    : session_(std::move(session)),
      report_([this, report = std::move(report)](const v1::Report& answer) {
        if (answer.operation() != 0) {
          for (const v1::Report& stall : std::exchange(stalls_, {})) report(stall);
        }
        report(answer);
      }),
      on_end_(std::move(on_end)) {}

void DriveStream::start(uint64_t operation) {
  last_operation_ = operation;
  subscription_ = session_->subscribe({.on_event =
                                           [this](const v1::ConnectionEvent& event) {
                                             v1::Report report = report_for(0);
                                             *report.mutable_now() = event.time();
                                             *report.mutable_event() = event;
                                             if (report_) report_(report);
                                           },
                                       .on_activity = nullptr,
                                       .on_reset = nullptr,
                                       .on_end =
                                           [this](const absl::Status& why) {
                                             subscription_ = 0;
                                             if (report_) on_end_(why);
                                           }});
  if (!session_->virtual_clock()) {
    probe_ = std::make_unique<StallProbe>(session_->loop(),
                                          [this](tcp::Duration waited) { note_stall(waited); });
  }
  v1::Report report = report_for(operation);
  *report.mutable_session() = session_->describe();
  report_(report);
}

void DriveStream::note_stall(tcp::Duration waited) {
  if (!session_->alive() || stalls_.size() == kMaxStalls) return;
  v1::Report& report = stalls_.emplace_back(report_for(0));
  *report.mutable_stalled() = to_proto(waited);
}

void DriveStream::stop() {
  report_ = nullptr;
  probe_.reset();
  queue_.clear();
  queued_bytes_ = 0;
  if (!session_->alive()) return;
  if (subscription_ != 0) session_->unsubscribe(subscription_);
  subscription_ = 0;
  for (const auto& [number, operation] : std::exchange(waiting_, {})) {
    if (operation != 0) session_->cancel(operation);
  }
}

v1::Report DriveStream::report_for(uint64_t operation) const {
  v1::Report report;
  report.set_operation(operation);
  if (session_->alive()) *report.mutable_now() = to_proto(session_->now());
  return report;
}

void DriveStream::report_error(uint64_t operation, const absl::Status& status) {
  v1::Report report = report_for(operation);
  report.set_error_code(static_cast<int>(status.code()));
  report.set_error_message(std::string(status.message()));
  if (report_) report_(report);
}

void DriveStream::report_registered(uint64_t operation) {
  v1::Report report = report_for(operation);
  report.set_registered(true);
  if (report_) report_(report);
}

void DriveStream::on_command(v1::Command command) {
  if (!report_) return;
  if (blocked_by_ != 0 && !command.has_cancel()) return wait_in_line(std::move(command));
  carry_out(command);
}

void DriveStream::wait_in_line(v1::Command command) {
  const size_t octets = command.ByteSizeLong();
  if (queue_.size() >= kMaxBacklog || queued_bytes_ + octets > kMaxBacklogBytes) {
    return report_error(command.operation(),
                        absl::ResourceExhaustedError(absl::StrCat(
                            "operation ", blocked_by_, " is not over, and ", queue_.size(),
                            " commands of ", queued_bytes_, " octets wait for it already")));
  }
  queued_bytes_ += octets;
  queue_.push_back(std::move(command));
}

void DriveStream::work_off() {
  while (blocked_by_ == 0 && !queue_.empty()) {
    const v1::Command command = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= command.ByteSizeLong();
    carry_out(command);
  }
}

void DriveStream::unblock() {
  blocked_by_ = 0;
  // The answer came from within the session's work: go on after it.
  session_->post([self = shared_from_this()](Session&) { self->work_off(); });
}

void DriveStream::carry_out(const v1::Command& command) {
  absl::Status status = session_->begin_call();
  // Cancel may overtake commands that wait for their turn.
  if (status.ok() && command.operation() <= last_operation_ && !command.has_cancel()) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "operation: ", command.operation(), " does not grow; the last one was ", last_operation_));
  }
  if (command.operation() == 0) {
    status = absl::InvalidArgumentError("operation: 0 is for events; count from 1");
  }
  if (!status.ok()) return report_error(command.operation(), status);
  if (command.operation() > last_operation_) last_operation_ = command.operation();
  dispatch(command);
  if (session_->alive()) session_->settle();
}

template <class Request, class Response, class SetResult>
void DriveStream::call(const v1::Command& command, const Request& request,
                       OperationId (Session::*method)(const Request&, Done<Response>), bool waits,
                       SetResult set_result) {
  const uint64_t number = command.operation();
  const absl::Status named = check_session(session_of(request), *session_);
  if (!named.ok()) return report_error(number, named);
  // What is answered at once is reported after `registered`.
  auto at_once = std::make_shared<std::optional<absl::StatusOr<Response>>>();
  auto returned = std::make_shared<bool>(false);
  auto tell = [this, number, set_result](absl::StatusOr<Response> response) {
    waiting_.erase(number);
    if (!response.ok()) return report_error(number, response.status());
    v1::Report report = report_for(number);
    set_result(report, *std::move(response));
    if (report_) report_(report);
  };
  const OperationId operation = (session_.get()->*method)(
      request,
      [self = shared_from_this(), at_once, returned, tell](absl::StatusOr<Response> answer) {
        if (*returned) {
          tell(std::move(answer));
        } else {
          *at_once = std::move(answer);
        }
      });
  *returned = true;
  const bool misused = at_once->has_value() && !(*at_once)->ok();
  if ((waits && !misused) || !at_once->has_value()) report_registered(number);
  if (at_once->has_value()) return tell(**std::move(at_once));
  waiting_[number] = operation;
}

#define TCPROCTOR_RESULT(field) \
  [](v1::Report& report, auto response) { *report.mutable_##field() = std::move(response); }

void DriveStream::dispatch(const v1::Command& command) {
  using v1::Command;
  switch (command.command_case()) {
    case Command::kOpen:
      return call(command, command.open(), &Session::open, command.open().wait(),
                  TCPROCTOR_RESULT(open));
    case Command::kAccept:
      return call(command, command.accept(), &Session::accept, true, TCPROCTOR_RESULT(accept));
    case Command::kSend:
      return call(command, command.send(), &Session::send, command.send().has_timeout(),
                  TCPROCTOR_RESULT(send));
    case Command::kReceive:
      return call(command, command.receive(), &Session::receive, true, TCPROCTOR_RESULT(receive));
    case Command::kClose:
      return call(command, command.close(), &Session::close, false, TCPROCTOR_RESULT(call));
    case Command::kRelease:
      return call(command, command.release(), &Session::release, false, TCPROCTOR_RESULT(call));
    case Command::kAbort:
      return call(command, command.abort(), &Session::abort, false, TCPROCTOR_RESULT(call));
    case Command::kStatus:
      return call(command, command.status(), &Session::status, false, TCPROCTOR_RESULT(status));
    case Command::kList:
      return call(command, command.list(), &Session::list, false, TCPROCTOR_RESULT(list));
    case Command::kGetOptions:
      return call(command, command.get_options(), &Session::get_options, false,
                  TCPROCTOR_RESULT(options));
    case Command::kSetOptions:
      return call(command, command.set_options(), &Session::set_options, false,
                  TCPROCTOR_RESULT(options));
    case Command::kWaitState:
      return call(command, command.wait_state(), &Session::wait_state, true,
                  TCPROCTOR_RESULT(wait_state));
    case Command::kServe:
      return call(command, command.serve(), &Session::serve, false, TCPROCTOR_RESULT(serve));
    case Command::kTraffic:
      return call(command, command.traffic(), &Session::traffic, command.traffic().wait(),
                  TCPROCTOR_RESULT(traffic));
    case Command::kInject:
      return call(command, command.inject(), &Session::inject, false, TCPROCTOR_RESULT(inject));
    case Command::kHold:
      return call(command, command.hold(), &Session::hold, false, TCPROCTOR_RESULT(hold));
    case Command::kReleaseHeld:
      return call(command, command.release_held(), &Session::release_held, false,
                  TCPROCTOR_RESULT(release_held));
    case Command::kExpect:
      return call(command, command.expect(), &Session::expect, true, TCPROCTOR_RESULT(expect));
    case Command::kImpair:
      return call(command, command.impair(), &Session::impair, false, TCPROCTOR_RESULT(impair));
    case Command::kReadLog:
      return call(command, command.read_log(), &Session::read_log, false, TCPROCTOR_RESULT(log));
    case Command::kSocketCall:
      return call(command, command.socket_call(), &Session::socket_call, true,
                  TCPROCTOR_RESULT(socket_call));
    case Command::kRunUntil:
      return run_until(command);
    case Command::kReset:
      return reset(command);
    case Command::kCancel:
      return cancel(command);
    case Command::kAttach:
    case Command::kCreate:
      return report_error(command.operation(),
                          absl::FailedPreconditionError(absl::StrCat(
                              "the stream has its session already: ", session_->id())));
    case Command::COMMAND_NOT_SET:
      return report_error(command.operation(),
                          absl::InvalidArgumentError("command: none is given, or an unknown one"));
  }
}

#undef TCPROCTOR_RESULT

uint64_t DriveStream::first_completed(const v1::RunUntilRequest& request) const {
  for (const uint64_t number : request.operations()) {
    if (!waiting_.contains(number)) return number;
  }
  return 0;
}

void DriveStream::run_until(const v1::Command& command) {
  const uint64_t number = command.operation();
  for (const uint64_t awaited : command.run_until().operations()) {
    if (awaited == 0 || awaited >= number) {
      return report_error(number, absl::InvalidArgumentError(absl::StrCat(
                                      "operations: ", awaited, " is no earlier operation")));
    }
  }
  // On a virtual clock nothing may come between: it would depend on the moment of its arrival.
  if (session_->virtual_clock()) blocked_by_ = number;
  auto registered = std::make_shared<bool>(false);
  const OperationId operation = session_->run_until(
      command.run_until(),
      [self = shared_from_this(), request = command.run_until()] {
        return self->first_completed(request);
      },
      [self = shared_from_this(), number, registered](absl::StatusOr<v1::RunUntilResponse> answer) {
        self->waiting_.erase(number);
        if (answer.ok() && !*registered) self->report_registered(number);
        *registered = true;
        if (answer.ok()) {
          v1::Report report = self->report_for(number);
          *report.mutable_run_until() = *std::move(answer);
          if (self->report_) self->report_(report);
        } else {
          self->report_error(number, answer.status());
        }
        if (self->blocked_by_ == number) self->unblock();
      });
  if (operation == 0) return;
  *registered = true;
  waiting_[number] = operation;
  report_registered(number);
}

void DriveStream::reset(const v1::Command& command) {
  const uint64_t number = command.operation();
  const absl::Status named = check_session(command.reset().session(), *session_);
  if (!named.ok()) return report_error(number, named);
  blocked_by_ = number;
  session_->reset(command.reset(),
                  [self = shared_from_this(), number](absl::StatusOr<v1::Session> answer) {
                    if (answer.ok()) {
                      v1::Report report = self->report_for(number);
                      *report.mutable_session() = *std::move(answer);
                      if (self->report_) self->report_(report);
                    } else {
                      self->report_error(number, answer.status());
                    }
                    self->unblock();
                  });
}

void DriveStream::cancel(const v1::Command& command) {
  const auto waiting = waiting_.find(command.cancel().operation());
  const bool was_waiting = waiting != waiting_.end() && session_->cancel(waiting->second);
  v1::Report report = report_for(command.operation());
  report.set_cancelled(was_waiting);
  if (report_) report_(report);
}

}  // namespace tcproctor::server
