// SPDX-License-Identifier: Apache-2.0
// The calls of the Endpoint service. An end never waits; what must wait is asked again here.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/end/translate.h"
#include "server/session/answer.h"
#include "server/session/waiting_call.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

constexpr size_t kMaxCallBytes = 1 << 20;
constexpr uint32_t kDefaultReceive = 65536;

const char* end_name(v1::End side) {
  return side == v1::END_A ? "A" : "B";
}

// The answer when a call is given up or its time is over.
template <class Moment>
v1::Outcome given_up(Moment moment) {
  return moment == Moment::kCancelled ? v1::OUTCOME_CANCELLED : v1::OUTCOME_WOULD_BLOCK;
}

absl::Status check_size(const std::string& data) {
  if (data.size() <= kMaxCallBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "data: ", data.size(), " octets are over the limit of ", kMaxCallBytes, " in one call"));
}

// Of a connection that is being closed: how its lingering ends; nothing: it goes on.
std::optional<v1::Outcome> linger_outcome(const v1::ConnectionStatus& status) {
  switch (status.state()) {
    case v1::TCP_STATE_FIN_WAIT_2:  // our FIN is acknowledged, and all data before it
    case v1::TCP_STATE_TIME_WAIT:
      return v1::OUTCOME_OK;
    case v1::TCP_STATE_CLOSED:
      return status.last_error();
    default:
      return std::nullopt;
  }
}

}  // namespace

// --- naming ---

absl::StatusOr<End*> Session::end_named(v1::End side, const char* field) const {
  if (side != v1::END_A && side != v1::END_B) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": must be END_A or END_B"));
  }
  return &bench_->end(side);
}

absl::Status Session::check_side(v1::End side) const {
  if (side == v1::END_UNSPECIFIED) return absl::OkStatus();
  return end_named(side, "end").status();
}

absl::Status Session::unknown_connection(uint64_t connection) const {
  const uint64_t serial = (connection - 1) / kIdsPerSession;
  if (connection != 0 && serial != serial_) {
    const std::string owner = services_.name_of(serial);
    if (!owner.empty()) {
      return absl::NotFoundError(absl::StrCat("connection ", connection, " is not of session ", id_,
                                              " but of session ", owner));
    }
  }
  return absl::NotFoundError(absl::StrCat("session ", id_, " has no connection ", connection));
}

absl::Status Session::check_connection(uint64_t connection) const {
  const bool mine = (connection - 1) / kIdsPerSession == serial_;
  return mine ? absl::OkStatus() : unknown_connection(connection);
}

absl::StatusOr<Session::Target> Session::resolve_pair(const v1::ConnectionRef& ref,
                                                      const char* field) const {
  const absl::StatusOr<End*> end = end_named(ref.end(), absl::StrCat(field, ".end").c_str());
  if (!end.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ".end: must be END_A or END_B when the connection is named by its pair"));
  }
  const absl::StatusOr<packet::FourTuple> pair =
      from_proto(ref.pair(), absl::StrCat(field, ".pair"));
  if (!pair.ok()) return pair.status();
  const std::optional<uint64_t> id = (*end)->find(ref.pair(), ref.incarnation());
  if (id) return Target{*end, *id};
  return absl::NotFoundError(absl::StrCat(
      "session ", id_, ": end ", end_name(ref.end()), " has no connection ", pair->to_string(),
      ref.incarnation() != 0 ? absl::StrCat(" of incarnation ", ref.incarnation()) : ""));
}

absl::StatusOr<Session::Target> Session::resolve(const v1::ConnectionRef& ref,
                                                 const char* field) const {
  switch (ref.name_case()) {
    case v1::ConnectionRef::kPair:
      return resolve_pair(ref, field);
    case v1::ConnectionRef::NAME_NOT_SET:
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": must name a connection by id or by pair"));
    case v1::ConnectionRef::kId:
      break;
  }
  for (const v1::End side : {v1::END_A, v1::END_B}) {
    End& end = bench_->end(side);
    if (!end.owns(ref.id())) continue;
    if (ref.end() != v1::END_UNSPECIFIED && ref.end() != side) {
      return absl::NotFoundError(absl::StrCat("connection ", ref.id(), " is of end ",
                                              end_name(side), ", not of ", end_name(ref.end())));
    }
    return Target{&end, ref.id()};
  }
  return unknown_connection(ref.id());
}

absl::StatusOr<std::optional<tcp::Instant>> Session::deadline_after(
    bool present, const google::protobuf::Duration& timeout, const char* field) const {
  if (!present) return std::nullopt;
  const absl::StatusOr<tcp::Duration> duration = duration_from_proto(timeout, field);
  if (!duration.ok()) return duration.status();
  return now() + *duration;
}

// --- OPEN and ACCEPT ---

absl::Status Session::check_room() {
  return allowance_.check_room([this](uint64_t connection) {
    for (const v1::End side : {v1::END_A, v1::END_B}) {
      End& end = bench_->end(side);
      if (!end.owns(connection)) continue;
      const absl::StatusOr<v1::ConnectionStatus> status = end.status(connection);
      return !status.ok() || status->state() == v1::TCP_STATE_CLOSED;
    }
    return true;
  });
}

OperationId Session::open(const v1::OpenRequest& request, Done<v1::OpenResponse> done) {
  const absl::StatusOr<End*> end = end_named(request.end(), "end");
  if (!end.ok()) return answer<v1::OpenResponse>(done, end.status());
  if (request.wait() && !request.active() && request.from_listener() == 0) {
    return answer<v1::OpenResponse>(
        done, absl::InvalidArgumentError("wait: is for an active OPEN; a passive one has Accept"));
  }
  absl::Status checked = check_size(request.data());
  if (checked.ok() && !request.data().empty() && !request.active()) {
    checked = absl::InvalidArgumentError("data: is for an active OPEN");
  }
  if (!checked.ok()) return answer<v1::OpenResponse>(done, checked);
  if (request.from_listener() != 0 && !(*end)->owns(request.from_listener())) {
    return answer<v1::OpenResponse>(done, unknown_connection(request.from_listener()));
  }
  const absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  if (!deadline.ok()) return answer<v1::OpenResponse>(done, deadline.status());
  absl::Status allowed = allowance_.check_open(request);
  if (allowed.ok()) allowed = check_room();
  if (!allowed.ok()) return answer<v1::OpenResponse>(done, allowed);
  absl::StatusOr<v1::OpenResponse> opened = (*end)->open(request);
  if (opened.ok()) {
    allowance_.count_connection(opened->connection());
    allowance_.count_octets(opened->accepted());
  }
  if (!opened.ok() || opened->outcome() != v1::OUTCOME_OK || !request.wait()) {
    return answer(done, std::move(opened));
  }
  return wait_for<v1::OpenResponse>(
      *deadline,
      [end = *end, response = *std::move(opened)](
          Moment moment) mutable -> std::optional<absl::StatusOr<v1::OpenResponse>> {
        const absl::StatusOr<v1::ConnectionStatus> status = end->status(response.connection());
        if (!status.ok()) return status.status();
        if (status->state() == v1::TCP_STATE_CLOSED) {
          response.set_outcome(status->last_error());
        } else if (status->state() < v1::TCP_STATE_ESTABLISHED) {
          if (moment == Moment::kActivity) return std::nullopt;
          response.set_outcome(given_up(moment));
        }
        return response;
      },
      std::move(done));
}

OperationId Session::accept(const v1::AcceptRequest& request, Done<v1::AcceptResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.listener(), "listener");
  if (!target.ok()) return answer<v1::AcceptResponse>(done, target.status());
  const absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  if (!deadline.ok()) return answer<v1::AcceptResponse>(done, deadline.status());
  if (bench_->serving().accepts_of(target->connection)) {
    return answer<v1::AcceptResponse>(
        done, absl::FailedPreconditionError(
                  absl::StrCat("listener ", target->connection,
                               ": a byte service takes every connection it accepts")));
  }
  return wait_for<v1::AcceptResponse>(
      *deadline,
      [this, target = *target](Moment moment) -> std::optional<absl::StatusOr<v1::AcceptResponse>> {
        v1::AcceptResponse given;
        given.set_outcome(given_up(moment));
        if (moment == Moment::kCancelled) return given;
        const absl::Status room = check_room();
        if (!room.ok()) return room;
        absl::StatusOr<v1::AcceptResponse> accepted = target.end->accept(target.connection);
        if (accepted.ok()) allowance_.count_connection(accepted->connection());
        if (!accepted.ok() || accepted->outcome() != v1::OUTCOME_WOULD_BLOCK) return accepted;
        if (moment == Moment::kActivity) return std::nullopt;
        return given;
      },
      std::move(done));
}

// --- SEND and RECEIVE ---

OperationId Session::send(const v1::SendRequest& request, Done<v1::SendResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::SendResponse>(done, target.status());
  absl::Status checked = check_size(request.data());
  if (checked.ok()) checked = allowance_.check_octets(request.data().size(), "data");
  if (!checked.ok()) return answer<v1::SendResponse>(done, checked);
  absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  if (!deadline.ok()) return answer<v1::SendResponse>(done, deadline.status());
  if (!*deadline) *deadline = now();  // absent: take what fits now
  return wait_for<v1::SendResponse>(
      *deadline,
      [this, target = *target, data = request.data(), push = request.push(),
       urgent = request.urgent(), total = uint64_t{0}](
          Moment moment) mutable -> std::optional<absl::StatusOr<v1::SendResponse>> {
        v1::SendResponse response;
        response.set_outcome(given_up(moment));
        while (moment != Moment::kCancelled) {
          const std::string_view rest = std::string_view(data).substr(total);
          const absl::StatusOr<v1::SendResponse> sent =
              target.end->send(target.connection, rest, push, urgent);
          if (!sent.ok()) return sent.status();
          total += sent->accepted();
          allowance_.count_octets(sent->accepted());
          response.set_outcome(sent->outcome());
          if (total == data.size()) break;
          if (sent->accepted() == 0 && sent->outcome() == v1::OUTCOME_OK) {
            response.set_outcome(v1::OUTCOME_WOULD_BLOCK);
          }
          if (response.outcome() != v1::OUTCOME_OK) break;
        }
        const bool unfinished = response.outcome() == v1::OUTCOME_WOULD_BLOCK;
        if (unfinished && moment == Moment::kActivity) return std::nullopt;
        // What was taken is the answer, whatever stopped the rest for now.
        if (unfinished && total > 0) response.set_outcome(v1::OUTCOME_OK);
        response.set_accepted(total);
        return response;
      },
      std::move(done));
}

OperationId Session::receive(const v1::ReceiveRequest& request, Done<v1::ReceiveResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::ReceiveResponse>(done, target.status());
  const uint32_t max_bytes = request.has_max_bytes() ? request.max_bytes() : kDefaultReceive;
  const uint32_t min_bytes = request.has_min_bytes() ? request.min_bytes() : 1;
  absl::Status status;
  if (max_bytes < 1 || max_bytes > kMaxCallBytes) {
    status = absl::InvalidArgumentError(
        absl::StrCat("max_bytes: ", max_bytes, " is outside 1..", kMaxCallBytes));
  } else if (min_bytes < 1 || min_bytes > max_bytes) {
    status = absl::InvalidArgumentError(
        absl::StrCat("min_bytes: ", min_bytes, " is outside 1..max_bytes (", max_bytes, ")"));
  }
  const absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  if (status.ok()) status = deadline.status();
  if (!status.ok()) return answer<v1::ReceiveResponse>(done, status);
  return wait_for<v1::ReceiveResponse>(
      *deadline,
      [target = *target, max_bytes, min_bytes, got = v1::ReceiveResponse()](
          Moment moment) mutable -> std::optional<absl::StatusOr<v1::ReceiveResponse>> {
        got.set_outcome(given_up(moment));
        while (moment != Moment::kCancelled) {
          const uint32_t room = max_bytes - static_cast<uint32_t>(got.data().size());
          const absl::StatusOr<v1::ReceiveResponse> part =
              target.end->receive(target.connection, room);
          if (!part.ok()) return part.status();
          got.set_outcome(part->outcome());
          if (part->outcome() != v1::OUTCOME_OK) break;
          got.mutable_data()->append(part->data());
          got.set_pushed(part->pushed());
          got.set_urgent(got.urgent() || part->urgent());
          got.set_urgent_remaining(part->urgent_remaining());
          if (got.data().size() >= min_bytes) return std::move(got);
        }
        const bool must_wait = got.outcome() == v1::OUTCOME_WOULD_BLOCK;
        if (must_wait && moment == Moment::kActivity) return std::nullopt;
        // Data that came before the end of the stream are given first; the next RECEIVE tells it.
        const bool last_data = !must_wait && moment != Moment::kCancelled && !got.data().empty();
        if (last_data) got.set_outcome(v1::OUTCOME_OK);
        return std::move(got);
      },
      std::move(done));
}

// --- CLOSE, Release, ABORT, STATUS ---

OperationId Session::call_on(const v1::ConnectionRef& ref,
                             absl::StatusOr<v1::Outcome> (End::*method)(uint64_t),
                             Done<v1::CallResponse>& done) {
  const absl::StatusOr<Target> target = resolve(ref, "connection");
  if (!target.ok()) return answer<v1::CallResponse>(done, target.status());
  const absl::StatusOr<v1::Outcome> outcome = (target->end->*method)(target->connection);
  if (!outcome.ok()) return answer<v1::CallResponse>(done, outcome.status());
  v1::CallResponse response;
  response.set_outcome(*outcome);
  note_activity();
  return answer<v1::CallResponse>(done, response);
}

OperationId Session::close(const v1::CloseRequest& request, Done<v1::CallResponse> done) {
  if (!request.has_linger()) return call_on(request.connection(), &End::close, done);
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  absl::Status status = target.status();
  const absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(true, request.linger(), "linger");
  if (status.ok()) status = deadline.status();
  if (!status.ok()) return answer<v1::CallResponse>(done, status);
  return linger(*target, **deadline, std::move(done));
}

OperationId Session::linger(const Target& target, tcp::Instant deadline,
                            Done<v1::CallResponse> done) {
  const absl::StatusOr<v1::ConnectionStatus> before = target.end->status(target.connection);
  if (!before.ok()) return answer<v1::CallResponse>(done, before.status());
  const absl::StatusOr<v1::Outcome> closed = target.end->close(target.connection);
  if (!closed.ok()) return answer<v1::CallResponse>(done, closed.status());
  note_activity();
  v1::CallResponse response;
  response.set_outcome(*closed);
  // CLOSE in SYN-SENT gives up what was queued (EM-SYN-SENT-CLOSE-01).
  const bool unsent = before->state() == v1::TCP_STATE_SYN_SENT && before->send_queue_bytes() > 0;
  if (*closed == v1::OUTCOME_OK && unsent) response.set_outcome(v1::OUTCOME_CONNECTION_ABORTED);
  const bool waits =
      (*closed == v1::OUTCOME_OK && !unsent && before->state() != v1::TCP_STATE_LISTEN) ||
      *closed == v1::OUTCOME_CONNECTION_CLOSING;  // closed before
  if (!waits) return answer<v1::CallResponse>(done, response);
  return wait_for<v1::CallResponse>(
      deadline,
      [this, target](Moment moment) -> std::optional<absl::StatusOr<v1::CallResponse>> {
        v1::CallResponse reply;
        const absl::StatusOr<v1::ConnectionStatus> status = target.end->status(target.connection);
        if (!status.ok()) return status.status();
        if (const std::optional<v1::Outcome> ended = linger_outcome(*status)) {
          reply.set_outcome(*ended);
          return reply;
        }
        if (moment == Moment::kActivity) return std::nullopt;
        reply.set_outcome(v1::OUTCOME_CANCELLED);
        if (moment == Moment::kCancelled) return reply;
        const absl::StatusOr<v1::Outcome> aborted = target.end->abort(target.connection);
        if (!aborted.ok()) return aborted.status();
        note_activity();
        reply.set_outcome(v1::OUTCOME_CONNECTION_ABORTED);
        return reply;
      },
      std::move(done));
}

OperationId Session::release(const v1::ReleaseRequest& request, Done<v1::CallResponse> done) {
  return call_on(request.connection(), &End::release, done);
}

OperationId Session::abort(const v1::AbortRequest& request, Done<v1::CallResponse> done) {
  return call_on(request.connection(), &End::abort, done);
}

OperationId Session::status(const v1::StatusRequest& request, Done<v1::ConnectionStatus> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::ConnectionStatus>(done, target.status());
  return answer(done, target->end->status(target->connection));
}

OperationId Session::list(const v1::ListRequest& request, Done<v1::ListResponse> done) {
  return answer<v1::ListResponse>(done, listed(request));
}

absl::StatusOr<v1::ListResponse> Session::listed(const v1::ListRequest& request) {
  const absl::Status checked = check_side(request.end());
  if (!checked.ok()) return checked;
  v1::ListResponse response;
  for (const v1::End side : {v1::END_A, v1::END_B}) {
    if (request.end() != v1::END_UNSPECIFIED && request.end() != side) continue;
    for (v1::ConnectionStatus& status : bench_->end(side).list(request.closed_after())) {
      *response.add_connections() = std::move(status);
    }
  }
  return response;
}

OperationId Session::get_options(const v1::GetOptionsRequest& request,
                                 Done<v1::ConnectionOptions> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::ConnectionOptions>(done, target.status());
  return answer(done, target->end->get_options(target->connection));
}

OperationId Session::set_options(const v1::SetOptionsRequest& request,
                                 Done<v1::ConnectionOptions> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::ConnectionOptions>(done, target.status());
  return answer(done, target->end->set_options(target->connection, request.options()));
}

// --- WaitState ---

// Nothing: the connection is in none of the states.
std::optional<v1::WaitStateResponse> Session::look_at_state(const v1::WaitStateRequest& request) {
  v1::WaitStateResponse response;
  response.set_outcome(v1::OUTCOME_OK);
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  absl::StatusOr<v1::ConnectionStatus> status =
      target.ok() ? target->end->status(target->connection) : target.status();
  if (status.ok()) {
    *response.mutable_status() = *std::move(status);
  } else if (request.connection().has_pair()) {
    // RFC 9293 §3.3.2: CLOSED is the state of a pair that has no TCB.
    response.mutable_status()->set_state(v1::TCP_STATE_CLOSED);
    response.mutable_status()->set_end(request.connection().end());
    *response.mutable_status()->mutable_pair() = request.connection().pair();
  }
  const v1::TcpState state = response.status().state();
  if (std::count(request.states().begin(), request.states().end(), state) != 0) return response;
  return std::nullopt;
}

OperationId Session::wait_state(const v1::WaitStateRequest& request,
                                Done<v1::WaitStateResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  absl::Status status = target.status();
  // A connection named by its pair may be still to come.
  if (absl::IsNotFound(status) && request.connection().has_pair()) status = absl::OkStatus();
  if (status.ok() && request.states().empty()) {
    status = absl::InvalidArgumentError("states: at least one state must be given");
  }
  for (const int state : request.states()) {
    if (status.ok() && (!v1::TcpState_IsValid(state) || state == v1::TCP_STATE_UNSPECIFIED)) {
      status = absl::InvalidArgumentError(absl::StrCat("states: ", state, " is no state"));
    }
  }
  const absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  if (status.ok()) status = deadline.status();
  if (!status.ok()) return answer<v1::WaitStateResponse>(done, status);
  return wait_for<v1::WaitStateResponse>(
      *deadline,
      [this, request](Moment moment) -> std::optional<absl::StatusOr<v1::WaitStateResponse>> {
        if (std::optional<v1::WaitStateResponse> found = look_at_state(request)) return *found;
        if (moment == Moment::kActivity) return std::nullopt;
        v1::WaitStateResponse response;
        response.set_outcome(given_up(moment));
        const absl::StatusOr<Target> last = resolve(request.connection(), "connection");
        if (!last.ok()) {
          if (moment == Moment::kCancelled) return response;
          return last.status();
        }
        absl::StatusOr<v1::ConnectionStatus> seen = last->end->status(last->connection);
        if (seen.ok()) *response.mutable_status() = *std::move(seen);
        return response;
      },
      std::move(done));
}

// --- Serve and Traffic ---

OperationId Session::serve(const v1::ServeRequest& request, Done<v1::ServeResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  if (!target.ok()) return answer<v1::ServeResponse>(done, target.status());
  absl::Status status = allowance_.check_serve(request);
  if (status.ok()) {
    status = bench_->serving().serve(*target->end, request, target->connection);
  }
  if (!status.ok()) return answer<v1::ServeResponse>(done, status);
  note_activity();
  return answer<v1::ServeResponse>(done, v1::ServeResponse());
}

OperationId Session::traffic(const v1::TrafficRequest& request, Done<v1::TrafficResponse> done) {
  const absl::StatusOr<Target> target = resolve(request.connection(), "connection");
  absl::StatusOr<std::optional<tcp::Instant>> deadline =
      deadline_after(request.has_timeout(), request.timeout());
  absl::Status status = target.ok() ? deadline.status() : target.status();
  if (status.ok()) status = bench_->serving().traffic(target->connection).status();
  if (!status.ok()) return answer<v1::TrafficResponse>(done, status);
  if (!request.wait()) *deadline = now();
  return wait_for<v1::TrafficResponse>(
      *deadline,
      [this, id = target->connection](
          Moment moment) -> std::optional<absl::StatusOr<v1::TrafficResponse>> {
        if (moment == Moment::kActivity && !bench_->serving().ended(id)) return std::nullopt;
        return bench_->serving().traffic(id);
      },
      std::move(done));
}

}  // namespace tcproctor::server
