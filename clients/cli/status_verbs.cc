// SPDX-License-Identifier: Apache-2.0
// status, options
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
#include "conformance/script/reflect.h"

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

// The fields of a message that are set, one a line, those of messages in it with a dot: a new field
// shows up here without a change.
void append_fields(const google::protobuf::Message& message, const std::string& prefix,
                   std::string& text) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->is_repeated()) continue;
    const std::string name = absl::StrCat(prefix, field->name());
    std::string value;
    if (field->message_type() == google::protobuf::Duration::descriptor()) {
      value = duration_text(
          dynamic_cast<const google::protobuf::Duration&>(reflection->GetMessage(message, field)));
    } else if (field->message_type() != nullptr) {
      append_fields(reflection->GetMessage(message, field), name + ".", text);
      continue;
    } else if (field->enum_type() != nullptr) {
      value = conformance::hyphenated(reflection->GetEnum(message, field)->name(),
                                      conformance::enum_prefix(field->enum_type()));
    } else {
      google::protobuf::TextFormat::PrintFieldValueToString(message, field, -1, &value);
    }
    absl::StrAppend(&text, "  ", name, " ", value, "\n");
  }
}

// Everything the TCP told beyond the line above.
std::string details(const v1::ConnectionStatus& status) {
  v1::ConnectionStatus rest = status;
  rest.clear_connection();
  rest.clear_end();
  rest.clear_state();
  rest.clear_pair();
  std::string text;
  append_fields(rest, "", text);
  for (const v1::Timer& timer : status.timers()) {
    absl::StrAppend(&text, "  timer ",
                    conformance::hyphenated(v1::TimerKind_Name(timer.kind()), "TIMER_KIND_"),
                    " in ", duration_text(timer.remaining()), "\n");
  }
  return text;
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
                  "  tcproctor status $ID $C --wait ESTABLISHED --timeout 1s\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("end", &end_, "A|B", "only the connections of that end");
    flags.add("wait", &wait_, "STATE,...", "wait until the connection is in one of these states");
    flags.add("timeout", &timeout_, "DURATION", "of --wait, session time; default: no limit");
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
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
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

  std::optional<std::string> end_, wait_;
  std::optional<absl::Duration> timeout_;
};

class OptionsVerb : public Verb {
 public:
  OptionsVerb()
      : Verb({.name = "options",
              .operands = "SESSION CONNECTION [NAME=VALUE...]",
              .summary = "Sets options of a connection, and shows them all as they then are",
              .help = "The names are those of ConnectionOptions, the values as for open --set.\n\n"
                      "  tcproctor options $ID $C\n"
                      "  tcproctor options $ID $C congestion_control=RENO user_timeout=30s\n",
              .min_operands = 2,
              .max_operands = 64}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    v1::SetOptionsRequest request;
    *request.mutable_connection() = *ref;
    for (size_t i = 2; i < operands.size(); ++i) {
      absl::Status status = parse_option(operands[i], *request.mutable_options());
      if (!status.ok()) return status;
    }
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::ConnectionOptions> options =
        operands.size() == 2 ? client->get_options(*ref) : client->set_options(request);
    if (!options.ok()) return options.status();
    std::string text;
    append_fields(*options, "", text);
    context.text() << text;
    if (absl::Status status = context.emit(*options); !status.ok()) return status;
    return kExitOk;
  }
};

}  // namespace

void add_status_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<StatusVerb>());
  verbs.push_back(std::make_unique<OptionsVerb>());
}

}  // namespace tcproctor::cli
