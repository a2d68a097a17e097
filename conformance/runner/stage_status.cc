// SPDX-License-Identifier: Apache-2.0
// What is observed of a connection: STATE, STATUS, EVENT, EMBRYONIC.
#include <algorithm>
#include <utility>

#include "conformance/runner/stage.h"
#include "conformance/runner/status_match.h"
#include "conformance/runner/target.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// How long to wait before looking again.
constexpr absl::Duration kVirtualStep = absl::Milliseconds(10);
constexpr absl::Duration kRealStep = absl::Milliseconds(2);

std::vector<std::string> state_names(const CallStatement& call) {
  std::vector<std::string> names;
  for (const Value& value : call.results) names.push_back(print_value(value));
  return names;
}

bool wants_state(const CallStatement& call, v1::TcpState state) {
  return std::any_of(call.results.begin(), call.results.end(), [&](const Value& value) {
    return value.kind == Value::Kind::kAny || parse_state(value.text) == state;
  });
}

Problem wrong_state(const CallStatement& call, v1::TcpState state) {
  return violation("the connection is in another state than expected", state_names(call),
                   state_name(state));
}

bool event_matches(const v1::ConnectionEvent& event, const std::string& kind,
                   const std::string& detail) {
  switch (event.event_case()) {
    case v1::ConnectionEvent::kStateChange:
      return kind == "state" && parse_state(detail) == event.state_change().to();
    case v1::ConnectionEvent::kError:
      return kind == "error" && (detail.empty() || parse_outcome(detail) == event.error());
    case v1::ConnectionEvent::kSoftError:
      return kind == "soft_error";
    case v1::ConnectionEvent::kUrgent:
      return kind == "urgent";
    case v1::ConnectionEvent::kDeliveryTrouble:
      return kind == "delivery_trouble";
    case v1::ConnectionEvent::kAcceptable:
      return kind == "acceptable";
    case v1::ConnectionEvent::kHalfOpenAlarm:
      return kind == "half_open_alarm";
    case v1::ConnectionEvent::EVENT_NOT_SET:
      return false;
    default:  // those of the trace go by the names of their fields
      return kind == v1::ConnectionEvent::descriptor()
                         ->FindFieldByNumber(static_cast<int>(event.event_case()))
                         ->name();
  }
}

std::string event_text(const v1::ConnectionEvent& event) {
  switch (event.event_case()) {
    case v1::ConnectionEvent::kStateChange:
      return cat("state ", state_name(event.state_change().to()));
    case v1::ConnectionEvent::kError:
      return cat("error ", outcome_name(event.error()));
    case v1::ConnectionEvent::kSoftError:
      return cat("soft_error ", event.soft_error().type(), "/", event.soft_error().code());
    case v1::ConnectionEvent::kUrgent:
      return "urgent";
    case v1::ConnectionEvent::kDeliveryTrouble:
      return "delivery_trouble";
    case v1::ConnectionEvent::kAcceptable:
      return "acceptable";
    case v1::ConnectionEvent::kHalfOpenAlarm:
      return "half_open_alarm";
    case v1::ConnectionEvent::EVENT_NOT_SET:
      return "an event of an unknown kind";
    default: {
      v1::ConnectionEvent bare = event;
      bare.clear_time();
      bare.clear_end();
      bare.clear_connection();
      bare.clear_listener();
      return bare.ShortDebugString();
    }
  }
}

}  // namespace

absl::StatusOr<bool> Stage::poll(const std::function<absl::StatusOr<bool>()>& attempt) {
  const absl::Duration deadline = drive_->now() + patience();
  const absl::Duration step = drive_->virtual_clock() ? kVirtualStep : kRealStep;
  while (true) {
    const absl::Duration begun = drive_->now();
    const absl::StatusOr<bool> done = attempt();
    if (!done.ok() || *done || begun >= deadline) return done;
    const absl::Status status = drive_->run_for(step);
    if (!status.ok()) return status;
    if (!drive_->virtual_clock()) {
      lateness_.note(begun + step, drive_->now(), "between two looks at the candidate");
    }
  }
}

absl::StatusOr<v1::ListResponse> Stage::list() {
  v1::Command command;
  command.mutable_list()->set_session(session().id());
  command.mutable_list()->set_end(examined_end(head_));
  absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return report.status();
  return report->list();
}

Result Stage::state_of_pair(Flow& flow, v1::End end, const CallStatement& call) {
  v1::TcpState state = v1::TCP_STATE_UNSPECIFIED;
  const absl::StatusOr<bool> reached = poll([&]() -> absl::StatusOr<bool> {
    const absl::StatusOr<v1::ListResponse> connections = list();
    if (!connections.ok()) return connections.status();
    state = resolve_state(flow, end, *connections);
    return wants_state(call, state);
  });
  if (!reached.ok()) return refused(reached.status());
  return *reached ? Result() : Result(wrong_state(call, state));
}

Result Stage::state(const Statement& statement, const CallStatement& call) {
  const auto end = parse_end(call.arguments.front().value.text);
  if (end.has_value()) return state_of_pair(flow_of(statement), *end, call);
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  v1::Command command;
  v1::WaitStateRequest& request = *command.mutable_wait_state();
  *request.mutable_connection() = reference(*on);
  for (const Value& value : call.results) {
    if (value.kind == Value::Kind::kAny) return {};
    request.add_states(*parse_state(value.text));
  }
  to_proto(patience(), *request.mutable_timeout());
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  // A connection that is not even listed any more is CLOSED: that state means "reach CLOSED"
  // (RFC 9293 §3.3.2).
  if (absl::IsNotFound(report.status()) && drive_->broken().ok()) {
    return wants_state(call, v1::TCP_STATE_CLOSED)
               ? Result()
               : Result(wrong_state(call, v1::TCP_STATE_CLOSED));
  }
  if (!report.ok()) return refused(report.status());
  if (report->wait_state().outcome() == v1::OUTCOME_OK) return {};
  return wrong_state(call, report->wait_state().status().state());
}

Result Stage::status(const Statement& statement, const CallStatement& call) {
  const Value& wanted = call.results.front();
  const auto end = parse_end(call.arguments.front().value.text);
  const Connection* on = connection(call);
  if (!end.has_value() && on == nullptr) return unknown_connection(call);
  Flow& owner = end.has_value() ? flow_of(statement) : flow(on->flow);
  v1::ConnectionRef target;
  if (end.has_value()) {
    target.set_session(session().id());
    target.set_end(*end);
    *target.mutable_pair()->mutable_local() = owner.side(*end).address;
    *target.mutable_pair()->mutable_remote() = owner.side(other(*end)).address;
  } else {
    target = reference(*on);
  }
  StatusMatch match;
  const absl::StatusOr<bool> reached = poll([&]() -> absl::StatusOr<bool> {
    v1::Command command;
    *command.mutable_status()->mutable_connection() = target;
    const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
    if (!report.ok()) return report.status();
    v1::ConnectionOptions options;
    if (asks_for_options(wanted)) {
      v1::Command ask;
      *ask.mutable_get_options()->mutable_connection() = target;
      const absl::StatusOr<v1::Report> answer = drive_->call(std::move(ask));
      if (!answer.ok()) return answer.status();
      options = answer->options();
    }
    match = match_status(wanted, report->status(), &options, &owner);
    // On a virtual clock everything that was to happen by now has happened.
    return match.differences.empty() || drive_->virtual_clock();
  });
  if (!reached.ok()) return refused(reached.status());
  if (!match.differences.empty()) {
    return violation("STATUS shows something else than expected", {print_value(wanted)},
                     join(match.differences, "; "), 0, match.differences);
  }
  if (!match.untold.empty()) {
    return missing(cat("STATUS of this TCP does not tell ", join(match.untold, ", ")));
  }
  return {};
}

Result Stage::event(const CallStatement& call) {
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  const auto [kind, detail] = split_once(call.arguments.at(1).value.text, ' ');
  std::deque<v1::ConnectionEvent>& events = drive_->events();
  const auto of_this = [&](const v1::ConnectionEvent& event) {
    return event.connection() == on->id || (event.listener() == on->id && event.listener() != 0);
  };
  const auto find = [&] {
    return std::find_if(events.begin(), events.end(), [&](const v1::ConnectionEvent& event) {
      return of_this(event) && event_matches(event, kind, detail);
    });
  };
  if (call.negated) {
    const absl::Status status = drive_->run_for(absl::ZeroDuration());
    if (!status.ok()) return refused(status);
    if (find() == events.end()) return {};
    return violation("an event was reported that must not be", {"no such event"},
                     event_text(*find()));
  }
  const absl::StatusOr<bool> there =
      poll([&]() -> absl::StatusOr<bool> { return find() != events.end(); });
  if (!there.ok()) return refused(there.status());
  if (*there) {
    events.erase(find());
    return {};
  }
  std::vector<std::string> reported;
  for (const v1::ConnectionEvent& event : events) {
    if (of_this(event) && event.event_case() != v1::ConnectionEvent::kStateChange) {
      reported.push_back(event_text(event));
    }
  }
  return violation("an event was not reported", {call.arguments.at(1).value.text},
                   reported.empty() ? "no event but changes of state" : join(reported, ", "));
}

Result Stage::embryonic(const Statement& statement, const CallStatement& call) {
  const auto end = parse_end(call.arguments.front().value.text);
  if (!end.has_value()) return broken("EMBRYONIC needs an end, A or B");
  Flow& on = flow_of(statement);
  v1::ConnectionStatus newest;
  const absl::StatusOr<bool> there = poll([&]() -> absl::StatusOr<bool> {
    const absl::StatusOr<v1::ListResponse> connections = list();
    if (!connections.ok()) return connections.status();
    for (const v1::ConnectionStatus& status : connections->connections()) {
      const bool half_open = status.end() == *end && on.owns(status) &&
                             status.state() != v1::TCP_STATE_LISTEN &&
                             status.state() != v1::TCP_STATE_CLOSED;
      if (half_open && status.incarnation() >= newest.incarnation()) newest = status;
    }
    return newest.connection() != 0;
  });
  if (!there.ok()) return refused(there.status());
  if (!*there) {
    return violation(cat("end ", end_name(*end), " has no half-open connection of the flow"),
                     {"a connection in SYN-RECEIVED"}, "none is listed");
  }
  name_connection(call.assigned, newest.connection(), newest.pair(), *end, on.name);
  return {};
}

}  // namespace tcproctor::conformance
