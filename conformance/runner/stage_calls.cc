// SPDX-License-Identifier: Apache-2.0
// User calls: OPEN, SEND, RECEIVE and the rest, at once or beside the script.
#include <algorithm>
#include <utility>

#include "conformance/runner/stage.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

bool has_word(const CallStatement& call, std::string_view word) {
  return std::any_of(call.arguments.begin(), call.arguments.end(), [&](const Argument& argument) {
    return argument.name.empty() && argument.value.kind == Value::Kind::kWord &&
           argument.value.text == word;
  });
}

const Value* named(const CallStatement& call, std::string_view name) {
  for (const Argument& argument : call.arguments) {
    if (argument.name == name) return &argument.value;
  }
  return nullptr;
}

bool expects(const CallStatement& call, v1::Outcome outcome) {
  return std::any_of(call.results.begin(), call.results.end(), [&](const Value& value) {
    return value.kind == Value::Kind::kWord && parse_outcome(value.text) == outcome;
  });
}

// `= REFUSED`: the end is to refuse the call as misuse.
bool expects_refusal(const CallStatement& call) {
  return std::any_of(call.results.begin(), call.results.end(), is_refusal);
}

Result judge_refusal(const CallStatement& call, const absl::Status& status) {
  const bool misuse = absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status);
  if (misuse && expects_refusal(call)) return {};
  return refused(status);
}

std::vector<std::string> printed(const std::vector<Value>& values) {
  std::vector<std::string> out;
  for (const Value& value : values) out.push_back(print_value(value));
  return out;
}

// Long octets are told by their length and a start.
std::string shown(const std::string& octets) {
  constexpr size_t kShown = 32;
  if (octets.size() <= kShown) return quoted(octets);
  return cat(octets.size(), " octets beginning ", quoted(octets.substr(0, kShown)));
}

Problem wrong_result(const CallStatement& call, std::vector<std::string> expected,
                     std::string came) {
  return violation(cat(call.name, " ended otherwise than expected"), std::move(expected),
                   std::move(came));
}

// How long the call itself may wait, in session time. A call beside the script waits until it is
// cancelled; one that is expected to come back with WOULD-BLOCK does not wait.
std::optional<absl::Duration> wait_time(const CallStatement& call, bool waits,
                                        absl::Duration patience) {
  const Value* given = named(call, "timeout");
  if (given != nullptr) return given->from;
  if (!waits) return std::nullopt;
  if (expects(call, v1::OUTCOME_WOULD_BLOCK)) return absl::ZeroDuration();
  return patience;
}

absl::Status set_options_of(const CallStatement& call, v1::ConnectionOptions& options) {
  for (const Argument& argument : call.arguments) {
    if (argument.name.empty() ||
        v1::ConnectionOptions::descriptor()->FindFieldByName(argument.name) == nullptr) {
      continue;
    }
    const absl::Status status = set_field(options, argument.name, print_value(argument.value));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// What is to be sent: as it is written, or the next of the flow's own.
std::string octets_of(const Value& what, const Flow& flow, v1::End end) {
  if (what.kind != Value::Kind::kStream) return what.text;
  return flow.next_octets(end, static_cast<size_t>(what.number.value));
}

}  // namespace

v1::SocketAddress Stage::socket_argument(const std::string& text, v1::End end,
                                         const Flow& flow) const {
  v1::SocketAddress address;
  const size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  uint32_t port = 0;
  parse_number(colon == std::string::npos ? std::string_view(text)
                                          : std::string_view(text).substr(colon + 1),
               port);
  address.set_port(port);
  const auto named_end = parse_end(host);
  if (named_end.has_value()) {
    host = flow.side(*named_end).address.address();
  } else if (host.empty()) {
    host = flow.side(end).address.address();
  } else if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  address.set_address(host);
  return address;
}

Stage::Connection* Stage::connection(const CallStatement& call) {
  if (call.arguments.empty()) return nullptr;
  const auto found = connections_.find(call.arguments.front().value.text);
  return found == connections_.end() ? nullptr : &found->second;
}

Result Stage::unknown_connection(const CallStatement& call) const {
  return broken(cat("there is no connection \"",
                    call.arguments.empty() ? "" : call.arguments.front().value.text,
                    "\": the call that was to make it did not"));
}

void Stage::name_connection(const std::string& name, uint64_t id, const v1::FourTuple& pair,
                            v1::End end, const std::string& flow_name) {
  if (name.empty() || id == 0) return;
  const Flow* owner = flows_.owner(pair, end);
  connections_[name] = {id, end, owner != nullptr ? owner->name : flow_name};
}

Result Stage::build_open(const CallStatement& call, const std::string& flow_name, bool waits,
                         v1::OpenRequest& request) {
  const Value* from = named(call, "from");
  v1::End end = end_or_examined(call.end);
  if (from != nullptr) {
    const auto listener = connections_.find(from->text);
    if (listener == connections_.end()) return broken(cat("there is no listener ", from->text));
    request.set_from_listener(listener->second.id);
    end = listener->second.end;
  }
  const Flow& on = flow(flow_name);
  request.set_session(session().id());
  request.set_end(end);
  request.set_active(has_word(call, "active"));
  request.set_wait(has_word(call, "wait"));
  const Value* local = named(call, "local");
  if (local != nullptr) {
    *request.mutable_local() = socket_argument(local->text, end, on);
  } else if (from == nullptr) {
    *request.mutable_local() = on.side(end).address;
  }
  const Value* remote = named(call, "remote");
  if (remote != nullptr && remote->text != "none") {
    *request.mutable_remote() = socket_argument(remote->text, other(end), on);
  } else if (remote == nullptr && request.active()) {
    *request.mutable_remote() = on.side(other(end)).address;
  }
  const Value* backlog = named(call, "backlog");
  if (backlog != nullptr) request.set_backlog(static_cast<uint32_t>(backlog->number.value));
  const Value* data = named(call, "data");
  if (data != nullptr) request.set_data(octets_of(*data, on, end));
  const absl::Status status = set_options_of(call, *request.mutable_options());
  if (!status.ok()) return refused(status);
  const auto timeout = wait_time(call, waits && request.wait(), patience());
  if (timeout.has_value()) to_proto(*timeout, *request.mutable_timeout());
  return {};
}

Result Stage::build_send(const CallStatement& call, v1::SendRequest& request) {
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  *request.mutable_connection() = reference(*on);
  request.set_data(octets_of(call.arguments.at(1).value, flow(on->flow), on->end));
  request.set_urgent(has_word(call, "urgent"));
  request.set_push(has_word(call, "push"));
  const Value* timeout = named(call, "timeout");
  if (timeout != nullptr) to_proto(timeout->from, *request.mutable_timeout());
  return {};
}

Result Stage::build_receive(const CallStatement& call, bool waits, v1::ReceiveRequest& request) {
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  *request.mutable_connection() = reference(*on);
  for (size_t i = 1; i < call.arguments.size(); ++i) {
    const Argument& argument = call.arguments[i];
    const auto value = static_cast<uint32_t>(argument.value.number.value);
    if (argument.name.empty()) request.set_max_bytes(value);
    if (argument.name == "min") request.set_min_bytes(value);
  }
  // It waits for all that is expected, so that segments may come one by one.
  size_t wanted = 0;
  for (const Value& value : call.results) {
    if (value.kind == Value::Kind::kText) wanted = std::max(wanted, value.text.size());
    if (value.kind == Value::Kind::kStream) {
      wanted = std::max(wanted, static_cast<size_t>(value.number.value));
    }
  }
  if (wanted > 0 && !request.has_min_bytes()) request.set_min_bytes(static_cast<uint32_t>(wanted));
  const auto timeout = wait_time(call, waits, patience());
  if (timeout.has_value()) to_proto(*timeout, *request.mutable_timeout());
  return {};
}

Result Stage::build_call(const CallStatement& call, const std::string& flow_name, bool waits,
                         v1::Command& command, std::string& octets) {
  if (call.name == "OPEN") {
    Result result = build_open(call, flow_name, waits, *command.mutable_open());
    octets = command.open().data();
    return result;
  }
  if (call.name == "RECEIVE") return build_receive(call, waits, *command.mutable_receive());
  if (call.name == "SEND") {
    Result result = build_send(call, *command.mutable_send());
    octets = command.send().data();
    return result;
  }
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  if (call.name == "ACCEPT") {
    *command.mutable_accept()->mutable_listener() = reference(*on);
    const auto timeout = wait_time(call, waits, patience());
    if (timeout.has_value()) to_proto(*timeout, *command.mutable_accept()->mutable_timeout());
  } else if (call.name == "CLOSE") {
    *command.mutable_close()->mutable_connection() = reference(*on);
    const Value* linger = named(call, "linger");
    if (linger != nullptr) to_proto(linger->from, *command.mutable_close()->mutable_linger());
  } else if (call.name == "RELEASE") {
    *command.mutable_release()->mutable_connection() = reference(*on);
  } else {
    *command.mutable_abort()->mutable_connection() = reference(*on);
  }
  return {};
}

Result Stage::judge_outcome(const CallStatement& call, v1::Outcome outcome) {
  if (call.results.empty() ? outcome == v1::OUTCOME_OK : expects(call, outcome)) return {};
  for (const Value& value : call.results) {
    if (value.kind == Value::Kind::kAny) return {};
  }
  return wrong_result(call,
                      call.results.empty() ? std::vector<std::string>{"OK"} : printed(call.results),
                      outcome_name(outcome));
}

Result Stage::judge_send(const CallStatement& call, const std::string& octets,
                         const v1::SendResponse& response) {
  const Connection* on = connection(call);
  flow(on->flow).side(on->end).sent += octets.substr(0, response.accepted());
  if (response.outcome() != v1::OUTCOME_OK) return judge_outcome(call, response.outcome());
  if (call.results.empty() && response.accepted() == octets.size()) return {};
  for (const Value& value : call.results) {
    if (value.kind == Value::Kind::kAny || parse_outcome(value.text) == v1::OUTCOME_OK) return {};
    const auto accepted = static_cast<int64_t>(response.accepted());
    if (value.kind == Value::Kind::kNumber && accepted >= value.number.value &&
        accepted <= value.number.max.value_or(value.number.value)) {
      return {};
    }
  }
  return wrong_result(
      call,
      call.results.empty() ? std::vector<std::string>{cat(octets.size())} : printed(call.results),
      cat(response.accepted(), " octets taken"));
}

Result Stage::judge_receive(const CallStatement& call, const v1::ReceiveResponse& response) {
  const Connection* on = connection(call);
  Flow& owner = flow(on->flow);
  int64_t& place = owner.side(on->end).received;
  const int64_t start = place;
  place += static_cast<int64_t>(response.data().size());
  if (response.data().empty()) return judge_outcome(call, response.outcome());
  if (call.results.empty()) return {};
  std::vector<std::string> wanted;
  for (const Value& value : call.results) {
    if (value.kind == Value::Kind::kAny) return {};
    std::string octets = value.text;
    if (value.kind == Value::Kind::kStream) {
      const absl::StatusOr<std::string> stream =
          owner.octets(other(on->end), start, static_cast<size_t>(value.number.value));
      if (!stream.ok()) return broken(std::string(stream.status().message()));
      octets = *stream;
    }
    const bool data = value.kind == Value::Kind::kStream || value.kind == Value::Kind::kText;
    wanted.push_back(data ? cat(print_value(value), ", that is ", shown(octets))
                          : print_value(value));
    if (!data || octets != response.data()) continue;
    // {urgent: true, pushed: true, urgent_remaining: 5}
    for (const auto& [key, flag] : value.map) {
      if (key == "urgent_remaining") {
        if (flag.number.value == static_cast<int64_t>(response.urgent_remaining())) continue;
        return wrong_result(call, {cat(key, ": ", flag.number.value)},
                            cat(response.urgent_remaining()));
      }
      const bool got = key == "urgent" ? response.urgent() : response.pushed();
      if ((flag.text == "true") != got) {
        return wrong_result(call, {cat(key, ": ", flag.text)}, got ? "true" : "false");
      }
    }
    return {};
  }
  return wrong_result(call, std::move(wanted), shown(response.data()));
}

Result Stage::judge(const CallStatement& call, const std::string& flow_name,
                    const std::string& octets, const v1::Report& report) {
  event_time_ = std::max(event_time_, from_proto(report.now()));
  if (report.cancelled()) return wrong_result(call, printed(call.results), "it was cancelled");
  if (call.name == "OPEN") {
    name_connection(call.assigned, report.open().connection(), report.open().pair(),
                    end_or_examined(call.end), flow_name);
    flow(flow_name).side(end_or_examined(call.end)).sent +=
        octets.substr(0, report.open().accepted());
    return judge_outcome(call, report.open().outcome());
  }
  if (call.name == "ACCEPT") {
    const Connection* listener = connection(call);
    name_connection(call.assigned, report.accept().connection(), report.accept().pair(),
                    listener->end, flow_name);
    return judge_outcome(call, report.accept().outcome());
  }
  if (call.name == "SEND") return judge_send(call, octets, report.send());
  if (call.name == "RECEIVE") return judge_receive(call, report.receive());
  return judge_outcome(call, report.call().outcome());
}

void Stage::show_call(const CallStatement& call, v1::End end, const std::string& flow_name) {
  CallStatement plain = call;
  plain.assigned.clear();
  plain.task.clear();
  plain.results.clear();
  plain.end = v1::END_UNSPECIFIED;
  Statement statement;
  statement.body = plain;
  LadderItem item;
  item.kind = LadderItem::Kind::kCall;
  item.end = end;
  item.flow = flow_name == "main" ? "" : flow_name;
  item.text = print_statement(statement);
  add_item(std::move(item));
}

Result Stage::call(const Statement& statement, const CallStatement& call) {
  if (call.name == "STATE") return state(statement, call);
  if (call.name == "STATUS") return status(statement, call);
  if (call.name == "EVENT") return event(call);
  if (call.name == "EMBRYONIC") return embryonic(statement, call);
  if (call.name == "SET") return set_options(call);
  const bool beside = !call.task.empty() || statement.time.ends.has_value();
  v1::Command command;
  std::string octets;
  Result wrong = build_call(call, statement.flow, !beside, command, octets);
  if (wrong.has_value()) return wrong;
  const Connection* on = call.name == "OPEN" ? nullptr : connection(call);
  show_call(call, on != nullptr ? on->end : end_or_examined(call.end),
            on != nullptr ? on->flow : statement.flow);
  if (beside) {
    Task task{drive_->send(std::move(command)), call, statement.flow, std::move(octets), {}};
    std::string name = call.task;
    if (name.empty()) {
      name = cat("#", ++anonymous_tasks_);
      task.ends = drive_->now() + (*statement.time.ends - statement.time.at);
    }
    tasks_[name] = std::move(task);
    event_time_ = drive_->now();
    return {};
  }
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return judge_refusal(call, report.status());
  return judge(call, statement.flow, octets, *report);
}

// The result of a task is there: judge it.
Result Stage::finish_task(const std::string& name) {
  const auto found = tasks_.find(name);
  const Task task = std::move(found->second);
  tasks_.erase(found);
  const absl::StatusOr<v1::Report> report = drive_->finish(task.operation);
  if (!report.ok()) return judge_refusal(task.call, report.status());
  Result result = judge(task.call, task.flow, task.sent, *report);
  if (result.has_value() || !task.ends.has_value()) return result;
  const absl::Duration off = from_proto(report->now()) - *task.ends;
  if (absl::AbsDuration(off) <= tolerance()) return {};
  Problem problem =
      wrong_result(task.call, {cat("it ends at ", print_duration(*task.ends - start_))},
                   cat("it ended at ", print_duration(*task.ends - start_ + off)));
  problem.missed_by = absl::AbsDuration(off) - tolerance();
  return problem;
}

Result Stage::join_task(const JoinStatement& join) {
  const auto found = tasks_.find(join.task);
  if (found == tasks_.end()) return broken(cat("no call was started as ", join.task));
  found->second.call.assigned = join.assigned;
  if (!join.results.empty()) found->second.call.results = join.results;
  const absl::StatusOr<bool> there =
      drive_->run_until_finished(found->second.operation, patience());
  if (!there.ok()) return refused(there.status());
  if (*there) return finish_task(join.task);
  const Task task = std::move(found->second);
  tasks_.erase(found);
  const absl::Status status = drive_->cancel(task.operation);
  if (!status.ok()) return refused(status);
  return wrong_result(task.call, printed(task.call.results),
                      cat("it was still waiting after ", print_duration(patience())));
}

Result Stage::pending(const PendingStatement& pending) {
  const auto found = tasks_.find(pending.task);
  if (found == tasks_.end()) return broken(cat("no call was started as ", pending.task));
  const absl::StatusOr<bool> finished = drive_->finished(found->second.operation);
  if (!finished.ok()) return refused(finished.status());
  if (!*finished) return {};
  return wrong_result(found->second.call, {"it still waits"}, "it has ended");
}

Result Stage::cancel(const CancelStatement& cancel) {
  const auto found = tasks_.find(cancel.task);
  if (found == tasks_.end()) return broken(cat("no call was started as ", cancel.task));
  const Task task = std::move(found->second);
  tasks_.erase(found);
  const absl::StatusOr<bool> finished = drive_->finished(task.operation);
  if (!finished.ok()) return refused(finished.status());
  const absl::Status status = drive_->cancel(task.operation);
  if (!status.ok()) return refused(status);
  if (!*finished) return {};
  return wrong_result(task.call, {"it still waits and can be cancelled"}, "it has ended");
}

// Calls of the form `+0...0.5`: those that have ended, those that are overdue, and all of them at
// the end of a clause.
Result Stage::settle_timed_tasks(bool all) {
  std::vector<std::string> names;
  for (const auto& [name, task] : tasks_) {
    if (task.ends.has_value()) names.push_back(name);
  }
  for (const std::string& name : names) {
    const absl::Duration left = *tasks_[name].ends + tolerance() - drive_->now();
    const absl::StatusOr<bool> there =
        all && left > absl::ZeroDuration()
            ? drive_->run_until_finished(tasks_[name].operation, left)
            : drive_->finished(tasks_[name].operation);
    if (!there.ok()) return refused(there.status());
    if (!*there && !all && left > absl::ZeroDuration()) continue;
    if (!*there) {
      return wrong_result(tasks_[name].call,
                          {cat("it ends at ", print_duration(*tasks_[name].ends - start_))},
                          "it still waits");
    }
    Result result = finish_task(name);
    if (result.has_value()) return result;
  }
  return {};
}

// A statement that uses the name which a timed call is to assign waits for that call.
Result Stage::resolve_names(const Statement& statement) {
  const auto* call = std::get_if<CallStatement>(&statement.body);
  if (call == nullptr || call->arguments.empty()) return {};
  const std::string& name = call->arguments.front().value.text;
  for (const auto& [task_name, task] : tasks_) {
    if (!task.ends.has_value() || task.call.assigned != name || name.empty()) continue;
    const std::string awaited = task_name;
    const absl::StatusOr<bool> there =
        drive_->run_until_finished(task.operation, *task.ends + tolerance() - drive_->now());
    if (!there.ok()) return refused(there.status());
    due_ = std::max(due_, drive_->now());
    return *there ? finish_task(awaited) : settle_timed_tasks(true);
  }
  return {};
}

Result Stage::set_options(const CallStatement& call) {
  const Connection* on = connection(call);
  if (on == nullptr) return unknown_connection(call);
  v1::Command command;
  *command.mutable_set_options()->mutable_connection() = reference(*on);
  const absl::Status status =
      set_options_of(call, *command.mutable_set_options()->mutable_options());
  if (!status.ok()) return refused(status);
  show_call(call, on->end, on->flow);
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return judge_refusal(call, report.status());
  event_time_ = from_proto(report->now());
  if (expects_refusal(call)) return wrong_result(call, printed(call.results), "it was taken");
  return {};
}

}  // namespace tcproctor::conformance
