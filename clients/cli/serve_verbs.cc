// SPDX-License-Identifier: Apache-2.0
// serve
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

std::string flow_line(const v1::TrafficResponse::Flow& flow) {
  std::string text = absl::StrCat("connection ", flow.connection(), ": received ", flow.received());
  if (flow.received() > 0) absl::StrAppend(&text, " sha256 ", flow.received_sha256());
  absl::StrAppend(&text, ", sent ", flow.sent());
  if (flow.sent() > 0) absl::StrAppend(&text, " sha256 ", flow.sent_sha256());
  absl::StrAppend(&text, flow.ended() ? ", ended " : ", running ",
                  conformance::outcome_name(flow.outcome()), "\n");
  return text;
}

class Serve : public Verb {
 public:
  Serve()
      : Verb({.name = "serve",
              .operands = "SESSION CONNECTION [sink|discard|source|echo|chargen]",
              .summary =
                  "Hosts a byte service on a connection or a listener, and reports its traffic",
              .help =
                  "sink, or discard (RFC 863), reads to the end of the stream; source sends\n"
                  "--bytes and closes; echo (RFC 862) sends back what comes; chargen (RFC 864)\n"
                  "sends lines of characters until the peer closes, or --bytes of them. Files:\n"
                  "tcproctor help forward. Without a service it only reports what one has moved,\n"
                  "with --wait when it has ended. The service lives in the daemon, not in this\n"
                  "command.\n\n"
                  "  tcproctor serve $ID $L echo\n"
                  "  tcproctor serve $ID $C source --bytes 100000000 --wait\n"
                  "  tcproctor serve $ID $L --wait --timeout 30s\n",
              .min_operands = 2,
              .max_operands = 3}) {}

  void define(FlagSet& flags) override {
    flags.add("bytes", &bytes_, "N", "source, chargen: how many octets");
    flags.add("seed", &seed_, "N", "source: of the pseudo-random octets; default 0");
    flags.add("wait", &wait_, "", "wait for the service's end before the report");
    flags.add("timeout", &timeout_, "DURATION", "of --wait, session time; default: no limit");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    v1::ServeRequest request;
    *request.mutable_connection() = *ref;
    request.set_bytes(bytes_);
    request.set_seed(seed_);
    if (operands.size() == 3) {
      const absl::StatusOr<v1::ServiceKind> kind = parse_kind(operands[2]);
      if (!kind.ok()) return kind.status();
      request.set_kind(*kind);
    }
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (request.kind() != v1::SERVICE_KIND_UNSPECIFIED) {
      if (absl::Status status = client->serve(request); !status.ok()) return status;
      if (!wait_) {
        if (absl::Status status = context.emit(v1::ServeResponse()); !status.ok()) return status;
        return kExitOk;
      }
    }
    return traffic(context, *client, *ref);
  }

 private:
  static absl::StatusOr<v1::ServiceKind> parse_kind(const std::string& text) {
    if (text == "sink" || text == "discard") return v1::SERVICE_KIND_SINK;
    if (text == "source") return v1::SERVICE_KIND_SOURCE;
    if (text == "echo") return v1::SERVICE_KIND_ECHO;
    if (text == "chargen") return v1::SERVICE_KIND_CHARGEN;
    return absl::InvalidArgumentError(
        absl::StrCat("service \"", text, "\": want sink, discard, source, echo or chargen"));
  }

  absl::StatusOr<int> traffic(Context& context, const client::Client& client,
                              const v1::ConnectionRef& ref) const {
    v1::TrafficRequest request;
    *request.mutable_connection() = ref;
    request.set_wait(wait_);
    if (timeout_) *request.mutable_timeout() = client::to_proto(*timeout_);
    const absl::StatusOr<v1::TrafficResponse> response = client.traffic(request);
    if (!response.ok()) return response.status();
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    int exit = kExitOk;
    for (const v1::TrafficResponse::Flow& flow : response->flows()) {
      context.text() << flow_line(flow);
      if (flow.outcome() != v1::OUTCOME_OK || (wait_ && !flow.ended())) exit = kExitOutcome;
    }
    return exit;
  }

  uint64_t bytes_ = 0;
  uint64_t seed_ = 0;
  bool wait_ = false;
  std::optional<absl::Duration> timeout_;
};

}  // namespace

void add_serve_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Serve>());
}

}  // namespace tcproctor::cli
