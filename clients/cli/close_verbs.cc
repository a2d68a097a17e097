// SPDX-License-Identifier: Apache-2.0
// close, release, abort
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

using Call = absl::StatusOr<v1::CallResponse> (client::Client::*)(const v1::ConnectionRef&,
                                                                  client::Client::Deadline) const;

class CloseVerb : public Verb {
 public:
  CloseVerb(Call call, std::string name, std::string summary, std::string help)
      : Verb({.name = std::move(name),
              .operands = "SESSION CONNECTION",
              .summary = std::move(summary),
              .help = std::move(help),
              .min_operands = 2,
              .max_operands = 2}),
        call_(call) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::CallResponse> response =
        ((*client).*call_)(*ref, client::Client::kNoDeadline);
    if (!response.ok()) return response.status();
    context.text() << conformance::outcome_name(response->outcome()) << "\n";
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return response->outcome() == v1::OUTCOME_OK ? kExitOk : kExitOutcome;
  }

 private:
  const Call call_;
};

}  // namespace

void add_close_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<CloseVerb>(&client::Client::close, "close",
                                              "CLOSE: FIN after queued data, then go on receiving",
                                              "\n  tcproctor close $ID $C\n"));
  verbs.push_back(std::make_unique<CloseVerb>(&client::Client::release, "release",
                                              "Gives a connection up, as close(2) does",
                                              "\n  tcproctor release $ID $C\n"));
  verbs.push_back(std::make_unique<CloseVerb>(
      &client::Client::abort, "abort", "ABORT: RST at once, queued data is dropped",
      "\n  tcproctor abort $ID $C\n"
      "  tcproctor abort $ID B/192.0.2.2:80-192.0.2.1:40000   # by its socket pair\n"));
}

}  // namespace tcproctor::cli
