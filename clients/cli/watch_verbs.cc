// SPDX-License-Identifier: Apache-2.0
// watch
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

std::string recovery_name(v1::RecoveryState state) {
  return conformance::hyphenated(v1::RecoveryState_Name(state), "RECOVERY_STATE_");
}

std::string drop_text(const v1::Drop& drop) {
  std::string text = "dropped: ";
  if (!drop.section().empty()) absl::StrAppend(&text, drop.section(), " ");
  if (drop.check() != 0) absl::StrAppend(&text, "check ", drop.check(), " ");
  absl::StrAppend(&text, "(", drop.reason(), ")");
  if (!drop.has_pair()) return text;
  absl::StrAppend(&text, "  ", to_text(drop.pair().remote()), " > ", to_text(drop.pair().local()));
  if (drop.icmp()) {
    absl::StrAppend(&text, " ICMP about seq ", drop.sequence_number());
    return text;
  }
  absl::StrAppend(&text, " ", conformance::flag_letters(drop.flags()), " seq ",
                  drop.sequence_number(), " ack ", drop.acknowledgment_number(), " len ",
                  drop.length());
  if (drop.number() != 0) absl::StrAppend(&text, "  (no. ", drop.number(), ")");
  return text;
}

std::string what_happened(const v1::ConnectionEvent& event) {
  switch (event.event_case()) {
    case v1::ConnectionEvent::kStateChange: {
      const v1::StateChange& change = event.state_change();
      return absl::StrCat(conformance::state_name(change.from()), " -> ",
                          conformance::state_name(change.to()), change.cause().empty() ? "" : "  (",
                          change.cause(), change.cause().empty() ? "" : ")");
    }
    case v1::ConnectionEvent::kError:
      return conformance::outcome_name(event.error());
    case v1::ConnectionEvent::kDropped:
      return drop_text(event.dropped());
    case v1::ConnectionEvent::kRecovery:
      return absl::StrCat("recovery: ", recovery_name(event.recovery().from()), " -> ",
                          recovery_name(event.recovery().to()), "  cwnd ",
                          event.recovery().cwnd_bytes(), " ssthresh ",
                          event.recovery().ssthresh_bytes());
    case v1::ConnectionEvent::kRetransmissionTimeout:
      return absl::StrCat(
          "retransmission timeout, ", event.retransmission_timeout().in_a_row(),
          " in a row; the next in ",
          absl::FormatDuration(client::from_proto(event.retransmission_timeout().rto())));
    default: {
      v1::ConnectionEvent rest = event;
      rest.clear_time();
      rest.clear_end();
      rest.clear_connection();
      return rest.ShortDebugString();
    }
  }
}

std::string event_line(const v1::ConnectionEvent& event) {
  const std::string connection =
      event.connection() == 0 ? "no connection" : absl::StrCat("connection ", event.connection());
  return absl::StrFormat("%12.6f  %s  %s  %s\n",
                         absl::ToDoubleSeconds(client::from_proto(event.time())),
                         conformance::end_name(event.end()), connection, what_happened(event));
}

class Watch : public Verb {
 public:
  Watch()
      : Verb({.name = "watch",
              .operands = "SESSION [CONNECTION]",
              .summary = "Follows events live: changes of state, errors, and an end's trace",
              .help =
                  "An end that was made with the setting trace tells each segment it drops,\n"
                  "with the rule, and what its loss recovery does.\n\n"
                  "  tcproctor watch $ID                   # until the session ends\n"
                  "  tcproctor watch $ID $C\n"
                  "  tcproctor session create --request '{\"a\":{\"stack\":{\"trace\":true}}}'\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("end", &end_, "A|B", "only the events of that end");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    v1::WatchRequest request;
    request.set_session(operands[0]);
    if (end_) {
      const absl::StatusOr<v1::End> end = parse_end(*end_);
      if (!end.ok()) return end.status();
      request.set_end(*end);
    }
    if (operands.size() == 2) {
      const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
      if (!ref.ok()) return ref.status();
      if (ref->name_case() != v1::ConnectionRef::kId)
        return absl::InvalidArgumentError("watch needs a connection's id, or none for all");
      request.set_connection(ref->id());
    }
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (absl::Status there = client->get_session(operands[0]).status(); !there.ok()) return there;
    absl::Status written;
    const absl::Status status = client->watch(request, [&](const v1::ConnectionEvent& event) {
      context.text() << event_line(event) << std::flush;
      written = context.emit_line(event);
      return written.ok();
    });
    if (!written.ok()) return written;
    return end_of_following(context, status);
  }

 private:
  std::optional<std::string> end_;
};

}  // namespace

void add_watch_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Watch>());
}

}  // namespace tcproctor::cli
