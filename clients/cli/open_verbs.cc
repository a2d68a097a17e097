// SPDX-License-Identifier: Apache-2.0
// open, accept
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

// The id of a connection is the whole output, so that a shell can keep it; everything else goes to
// standard error.
int report(Context& context, v1::Outcome outcome, uint64_t connection, const v1::FourTuple& pair) {
  if (connection != 0) context.text() << connection << "\n" << std::flush;
  if (outcome == v1::OUTCOME_OK) return kExitOk;
  context.err() << conformance::outcome_name(outcome);
  if (connection != 0)
    context.err() << "  " << to_text(pair.local()) << " -> " << to_text(pair.remote());
  context.err() << "\n";
  return kExitOutcome;
}

class Open : public Verb {
 public:
  Open()
      : Verb({.name = "open",
              .operands = "SESSION",
              .summary = "OPEN: makes a connection or a listener and prints its id",
              .help =
                  "With --to the OPEN is active, else passive. An address left out of --to is the\n"
                  "other end's first.\n\n"
                  "  L=$(tcproctor open $ID --end B --local :80)             # passive\n"
                  "  C=$(tcproctor open $ID --end A --to :80 --wait)         # active\n"
                  "  tcproctor open $ID --end A --to [2001:db8::2]:80 --timeout 3s --wait\n"
                  "  tcproctor open $ID --end B --local :80 --options "
                  "'{\"mss\":536,\"no_delay\":true}'\n"
                  "  tcproctor open $ID --end A --to :80 --set congestion_control=RENO --set "
                  "ecn=REQUEST\n"
                  "  tcproctor open $ID --end A --to :80 --set fast_open=on --data hello\n"
                  "  tcproctor open $ID --end A --to :80 --set \"keys=peers { md5: 'secret' }\"\n",
              .min_operands = 1,
              .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("end", &end_, "A|B", "whose TCP; needed");
    flags.add("to", &to_, "ADDR:PORT", "the remote socket: the OPEN is active");
    flags.add("local", &local_, "ADDR:PORT", "the local socket; default: any address, chosen port");
    flags.add("from", &remote_, "ADDR:PORT",
              "passive: take connections of this remote socket only");
    flags.add("backlog", &backlog_, "N",
              "passive: how many wait for accept, 1..65535; default 128");
    flags.add("wait", &wait_, "", "active: return when ESTABLISHED or failed, not at once");
    flags.add("timeout", &timeout_, "DURATION", "of --wait, session time");
    flags.add("listener", &from_listener_, "ID", "turn this listener into an active OPEN");
    flags.add("set", &set_, "NAME=VALUE", "one of ConnectionOptions; may be given again");
    flags.add("options", &options_, "JSON", "ConnectionOptions, or @FILE with them");
    flags.add("data", &data_, "TEXT",
              "active: the first octets to send; with fast_open in the SYN");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    v1::OpenRequest request;
    request.set_session(operands[0]);
    if (absl::Status status = fill(*client, request); !status.ok()) return status;
    const absl::StatusOr<v1::OpenResponse> response = client->open(request);
    if (!response.ok()) return response.status();
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    if (response->accepted() < data_.size()) {
      context.err() << response->accepted() << " of " << data_.size()
                    << " octets were taken, the rest is for send\n";
    }
    return report(context, response->outcome(), response->connection(), response->pair());
  }

 private:
  absl::Status fill(const client::Client& client, v1::OpenRequest& request) const {
    if (!end_) return absl::InvalidArgumentError("--end is needed: A or B");
    const absl::StatusOr<v1::End> end = parse_end(*end_);
    if (!end.ok()) return end.status();
    request.set_end(*end);
    if (to_ && remote_) return absl::InvalidArgumentError("--to and --from contradict each other");
    if (options_) {
      if (absl::Status status = parse_json(*options_, request.mutable_options()); !status.ok())
        return status;
    }
    request.mutable_options()->MergeFrom(set_.options);
    request.set_data(data_);
    for (const auto& [text, target] :
         {std::pair(&local_, request.mutable_local()),
          std::pair(to_ ? &to_ : &remote_, request.mutable_remote())}) {
      if (!*text) continue;
      const absl::StatusOr<v1::SocketAddress> address = parse_socket_address(**text);
      if (!address.ok()) return address.status();
      *target = *address;
    }
    if (!to_ && !remote_) request.clear_remote();
    request.set_active(to_.has_value());
    if (backlog_) request.set_backlog(*backlog_);
    request.set_wait(wait_);
    if (timeout_) *request.mutable_timeout() = client::to_proto(*timeout_);
    request.set_from_listener(from_listener_);
    if (!request.active() || !request.remote().address().empty()) return absl::OkStatus();
    const absl::StatusOr<v1::Session> session = client.get_session(request.session());
    if (!session.ok()) return session.status();
    return fill_peer_address(*session, request);
  }

  std::optional<std::string> end_, to_, local_, remote_, options_;
  OptionsFlag set_;
  std::string data_;
  std::optional<uint32_t> backlog_;
  std::optional<absl::Duration> timeout_;
  uint64_t from_listener_ = 0;
  bool wait_ = false;
};

class Accept : public Verb {
 public:
  Accept()
      : Verb({.name = "accept",
              .operands = "SESSION LISTENER",
              .summary = "Takes the next established connection of a listener and prints its id",
              .help = "Exit status 1 when none came within --timeout.\n\n"
                      "  D=$(tcproctor accept $ID $L --timeout 2s)\n",
              .min_operands = 2,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("timeout", &timeout_, "DURATION", "session time; default: no limit; 0: do not wait");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> listener = parse_connection(operands[0], operands[1]);
    if (!listener.ok()) return listener.status();
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    v1::AcceptRequest request;
    *request.mutable_listener() = *listener;
    if (timeout_) *request.mutable_timeout() = client::to_proto(*timeout_);
    const absl::StatusOr<v1::AcceptResponse> response = client->accept(request);
    if (!response.ok()) return response.status();
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return report(context, response->outcome(), response->connection(), response->pair());
  }

 private:
  std::optional<absl::Duration> timeout_;
};

}  // namespace

void add_open_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Open>());
  verbs.push_back(std::make_unique<Accept>());
}

}  // namespace tcproctor::cli
