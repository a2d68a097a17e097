// SPDX-License-Identifier: Apache-2.0
// System calls of a script: made through the Sockets service, at once or beside the script, and
// what they change in its book-keeping.
#include <algorithm>
#include <utility>

#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/packetdrill_values.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// How long a call that the script takes for one that returns at once may last.
constexpr absl::Duration kAtOnce = absl::Seconds(3);
// So long a blocking call is waited for, that it has begun before the script goes on.
constexpr absl::Duration kBegins = absl::Microseconds(300);
constexpr int32_t kSolTcp = 6, kQuickAck = 12;  // TCP_QUICKACK

}  // namespace

// What a call changes in the script's book-keeping.
void PacketdrillStage::effects(const SystemCall& call, Prepared& prepared,
                               const v1::SocketCallResponse& response) {
  Socket* const socket = prepared.socket;
  if (response.error() != 0) return;
  const auto made = static_cast<int>(response.result());
  if (prepared.makes_descriptor && call.result.kind == Expression::Kind::kNumber) {
    descriptors_[call.result.number] = made;
  }
  if (call.name == "socket") {
    add_socket(Socket::State::kNew).descriptor = made;
  } else if (call.name == "accept") {
    for (Socket& candidate : sockets_) {
      const bool waits = candidate.descriptor < 0 && candidate.state == Socket::State::kSynReceived;
      if (waits && candidate.flow.side(v1::END_A).address.port() == response.address().port()) {
        candidate.descriptor = made;
      }
    }
  } else if (call.name == "listen" && socket != nullptr) {
    socket->state = Socket::State::kListening;
  } else if (call.name == "pipe" && response.descriptors_size() == 2) {
    const std::vector<Expression>& names = call.arguments[0].items;
    for (size_t i = 0; i < names.size() && i < 2; ++i) {
      descriptors_[names[i].number] = response.descriptors(static_cast<int>(i));
    }
  } else if (call.name == "close") {
    descriptors_.erase(call.arguments[0].number);
  } else if (prepared.request.has_connect() && prepared.request.connect().unspecified_family() &&
             socket != nullptr) {
    // What is still to come of the old connection is awaited under its numbers.
    socket->state = Socket::State::kDissolved;
    under_test_ = socket;
  } else if (!prepared.octets.empty() && socket != nullptr && response.result() > 0) {
    socket->flow.side(v1::END_B).sent.append(
        prepared.octets.substr(0, static_cast<size_t>(response.result())));
  }
}

Result PacketdrillStage::call(const Statement& statement, const SystemCall& call) {
  // One that blocks is awaited before the next is made, as there is one thread for them.
  Result settled = settle(statement.time.ends.has_value());
  if (settled.has_value()) return settled;
  absl::StatusOr<Prepared> prepared = build(call);
  if (!prepared.ok()) return refused(prepared.status());
  Result logged = read_log();
  if (logged.has_value()) return logged;
  LadderItem item;
  item.kind = LadderItem::Kind::kCall;
  item.end = v1::END_B;
  item.text = cat(call.name, "(",
                  call.arguments.empty() ? "" : print_expression(call.arguments.front()), ")");
  ladder_.push_back(std::move(item));
  if (statement.time.ends.has_value()) {
    return start_blocking(statement, call, *std::move(prepared));
  }
  v1::Command command;
  *command.mutable_socket_call() = prepared->request;
  const uint64_t operation = drive_->send(std::move(command));
  const absl::StatusOr<bool> ended = drive_->run_until_finished(operation, kAtOnce);
  if (!ended.ok()) return refused(ended.status());
  if (!*ended) {
    const absl::Status given_up = drive_->cancel(operation);
    if (!given_up.ok()) return refused(given_up);
    return violation(cat(call.name, "() does not return"), {print_system_call(call)},
                     cat("nothing for ", print_duration(kAtOnce)));
  }
  const absl::StatusOr<v1::Report> report = drive_->finish(operation);
  if (!report.ok()) return refused(report.status());
  Result result = judge(call, *prepared, report->socket_call());
  if (!result.has_value() && call.name == "socket" && !linux_layout()) {
    acknowledge_at_once(static_cast<int>(report->socket_call().result()));
  }
  return result;
}

// As Linux does at the beginning of each connection; a TCP that knows no such option delays.
void PacketdrillStage::acknowledge_at_once(int descriptor) {
  v1::SocketCallRequest request;
  request.mutable_set_option()->set_fd(descriptor);
  request.mutable_set_option()->set_level(kSolTcp);
  request.mutable_set_option()->set_option(kQuickAck);
  request.mutable_set_option()->set_value(little_endian(1, 4));
  (void)socket_call(std::move(request));
}

Result PacketdrillStage::start_blocking(const Statement& statement, const SystemCall& call,
                                        Prepared prepared) {
  Pending pending;
  v1::Command command;
  *command.mutable_socket_call() = prepared.request;
  pending.operation = drive_->send(std::move(command));
  pending.call = call;
  pending.position = statement.position;
  pending.began = moment_of(statement).earliest;
  pending.ends = pending.began - statement.time.at + *statement.time.ends;
  // What it may hand over can be on the wire before it returns.
  if (prepared.socket != nullptr) prepared.socket->flow.side(v1::END_B).sent += prepared.octets;
  pending.prepared = std::move(prepared);
  const absl::StatusOr<bool> ended = drive_->run_until_finished(pending.operation, kBegins);
  if (!ended.ok()) return refused(ended.status());
  pending_ = std::move(pending);
  return {};
}

// Judges a blocking call that has ended. `wait`: lets it end first.
Result PacketdrillStage::settle(bool wait) {
  if (!pending_.has_value()) return {};
  const absl::Duration tolerance =
      std::max(tolerance_, kRelativeTolerance * (pending_->ends - pending_->began));
  absl::StatusOr<bool> ended = drive_->finished(pending_->operation);
  const bool overdue = drive_->now() > pending_->ends + tolerance;
  if (ended.ok() && !*ended && (wait || overdue)) {
    const absl::Duration left = pending_->ends + 2 * tolerance - drive_->now();
    ended = drive_->run_until_finished(pending_->operation, std::max(left, absl::ZeroDuration()));
    if (ended.ok() && !*ended) {
      const Pending late = *std::exchange(pending_, std::nullopt);
      const absl::Status given_up = drive_->cancel(late.operation);
      if (!given_up.ok()) return refused(given_up);
      return violation(cat(late.call.name, "() has not ended"), {print_system_call(late.call)},
                       cat("it goes on at ", print_seconds(drive_->now() - start_), " s"));
    }
  }
  if (!ended.ok()) return refused(ended.status());
  if (!*ended) return {};
  Pending done = *std::exchange(pending_, std::nullopt);
  const absl::StatusOr<v1::Report> report = drive_->finish(done.operation);
  if (!report.ok()) return refused(report.status());
  if (done.prepared.socket != nullptr && !done.prepared.octets.empty()) {
    std::string& sent = done.prepared.socket->flow.side(v1::END_B).sent;
    sent.resize(sent.size() - done.prepared.octets.size());
  }
  Result result = judge(done.call, done.prepared, report->socket_call());
  if (result.has_value()) return result;
  const absl::Duration at = from_proto(report->now());
  if (absl::AbsDuration(at - done.ends) <= tolerance) return {};
  Problem problem = violation(cat(done.call.name, "() ended at another time"),
                              {cat("at ", print_seconds(done.ends - start_), " s, within ",
                                   print_seconds(tolerance), " s")},
                              cat("at ", print_seconds(at - start_), " s"));
  problem.missed_by = absl::AbsDuration(at - done.ends);
  return problem;
}

}  // namespace tcproctor::conformance
