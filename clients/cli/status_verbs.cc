// SPDX-License-Identifier: Apache-2.0
// status
#include <google/protobuf/text_format.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

std::string one_line(const v1::ConnectionStatus& status) {
  const std::string reason =
      status.state() == v1::TCP_STATE_CLOSED && status.last_error() != v1::OUTCOME_UNSPECIFIED
          ? "  " + conformance::outcome_name(status.last_error())
          : "";
  return absl::StrFormat("%8d  %s  %-12s  %s <-> %s%s\n", status.connection(),
                         conformance::end_name(status.end()),
                         conformance::state_name(status.state()), to_text(status.pair().local()),
                         to_text(status.pair().remote()), reason);
}

std::string duration_text(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(absl::Trunc(client::from_proto(duration), absl::Microseconds(1)));
}

// Everything the TCP told beyond the line above: a new field shows up here without a change.
std::string details(const v1::ConnectionStatus& status) {
  const google::protobuf::Reflection* reflection = status.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(status, &fields);
  std::string text;
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->number() <= v1::ConnectionStatus::kPairFieldNumber) continue;
    if (field->is_repeated()) continue;
    std::string value;
    if (field->message_type() == google::protobuf::Duration::descriptor()) {
      value = duration_text(
          dynamic_cast<const google::protobuf::Duration&>(reflection->GetMessage(status, field)));
    } else if (field->message_type()) {
      value = reflection->GetMessage(status, field).ShortDebugString();
    } else {
      google::protobuf::TextFormat::PrintFieldValueToString(status, field, -1, &value);
    }
    absl::StrAppend(&text, "  ", field->name(), " ", value, "\n");
  }
  for (const v1::Timer& timer : status.timers()) {
    absl::StrAppend(&text, "  timer ",
                    conformance::hyphenated(v1::TimerKind_Name(timer.kind()), "TIMER_KIND_"),
                    " in ", duration_text(timer.remaining()), "\n");
  }
  return text;
}

std::string event_line(const v1::ConnectionEvent& event) {
  std::string text = absl::StrFormat("%12.6f  %s  connection %d  ",
                                     absl::ToDoubleSeconds(client::from_proto(event.time())),
                                     conformance::end_name(event.end()), event.connection());
  if (event.has_state_change()) {
    const v1::StateChange& change = event.state_change();
    absl::StrAppend(&text, conformance::state_name(change.from()), " -> ",
                    conformance::state_name(change.to()), change.cause().empty() ? "" : "  (",
                    change.cause(), change.cause().empty() ? "" : ")");
  } else if (event.event_case() == v1::ConnectionEvent::kError) {
    absl::StrAppend(&text, conformance::outcome_name(event.error()));
  } else {
    v1::ConnectionEvent rest = event;
    rest.clear_time();
    rest.clear_end();
    rest.clear_connection();
    absl::StrAppend(&text, rest.ShortDebugString());
  }
  return text + "\n";
}

class StatusVerb : public Verb {
 public:
  StatusVerb()
      : Verb({.name = "status",
              .operands = "SESSION [CONNECTION]",
              .summary = "STATUS: the state of a connection, or a list of all",
              .help =
                  "The list has listeners, embryonic, TIME-WAIT and just-CLOSED connections too.\n"
                  "With --wait the exit status is 1 when the state was not reached in time.\n\n"
                  "  tcproctor status $ID\n"
                  "  tcproctor status $ID $C\n"
                  "  tcproctor status $ID $C --wait ESTABLISHED --timeout 1s\n"
                  "  tcproctor status $ID --watch          # state changes and errors, as they "
                  "come\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("end", &end_, "END", "only the connections of A or B");
    flags.add("wait", &wait_, "STATE,...", "wait until the connection is in one of these states");
    flags.add("timeout", &timeout_, "DURATION", "of --wait, session time; default: no limit");
    flags.add("watch", &watch_, "", "print events from now on, until the session ends");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    v1::End end = v1::END_UNSPECIFIED;
    if (end_) {
      const absl::StatusOr<v1::End> given = parse_end(*end_);
      if (!given.ok()) return given.status();
      end = *given;
    }
    std::optional<v1::ConnectionRef> ref;
    if (operands.size() == 2) {
      const absl::StatusOr<v1::ConnectionRef> named = parse_connection(operands[0], operands[1]);
      if (!named.ok()) return named.status();
      ref = *named;
    }
    if (wait_ && !ref) return absl::InvalidArgumentError("--wait needs a CONNECTION");
    if (watch_ && ref && ref->name_case() != v1::ConnectionRef::kId)
      return absl::InvalidArgumentError("--watch needs a connection's id, or none for all");
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (watch_) return watch(context, *client, operands[0], end, ref ? ref->id() : 0);
    if (wait_) return wait(context, *client, *ref);
    if (ref) return status(context, *client, *ref);
    return list(context, *client, operands[0], end);
  }

 private:
  static absl::StatusOr<int> status(Context& context, const client::Client& client,
                                    const v1::ConnectionRef& ref) {
    const absl::StatusOr<v1::ConnectionStatus> response = client.status(ref);
    if (!response.ok()) return response.status();
    context.text() << one_line(*response) << details(*response);
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return kExitOk;
  }

  static absl::StatusOr<int> list(Context& context, const client::Client& client,
                                  const std::string& session, v1::End end) {
    v1::ListRequest request;
    request.set_session(session);
    request.set_end(end);
    const absl::StatusOr<v1::ListResponse> response = client.list(request);
    if (!response.ok()) return response.status();
    for (const v1::ConnectionStatus& status : response->connections())
      context.text() << one_line(status);
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return kExitOk;
  }

  absl::StatusOr<int> wait(Context& context, const client::Client& client,
                           const v1::ConnectionRef& ref) const {
    const absl::StatusOr<std::vector<v1::TcpState>> states = parse_states(*wait_);
    if (!states.ok()) return states.status();
    v1::WaitStateRequest request;
    *request.mutable_connection() = ref;
    for (const v1::TcpState state : *states) request.add_states(state);
    if (timeout_) *request.mutable_timeout() = client::to_proto(*timeout_);
    const absl::StatusOr<v1::WaitStateResponse> response = client.wait_state(request);
    if (!response.ok()) return response.status();
    context.text() << one_line(response->status());
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return response->outcome() == v1::OUTCOME_OK ? kExitOk : kExitOutcome;
  }

  static absl::StatusOr<int> watch(Context& context, const client::Client& client,
                                   const std::string& session, v1::End end, uint64_t connection) {
    v1::WatchRequest request;
    request.set_session(session);
    request.set_end(end);
    request.set_connection(connection);
    if (absl::Status there = client.get_session(session).status(); !there.ok()) return there;
    absl::Status written;
    const absl::Status status = client.watch(request, [&](const v1::ConnectionEvent& event) {
      context.text() << event_line(event) << std::flush;
      written = context.emit_line(event);
      return written.ok();
    });
    if (!written.ok()) return written;
    return end_of_following(context, status);
  }

  std::optional<std::string> end_, wait_;
  std::optional<absl::Duration> timeout_;
  bool watch_ = false;
};

}  // namespace

void add_status_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<StatusVerb>());
}

}  // namespace tcproctor::cli
