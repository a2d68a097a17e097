// SPDX-License-Identifier: Apache-2.0
// session exec
#include <optional>

#include "absl/time/time.h"
#include "clients/cli/lease.h"
#include "clients/cli/namespace_exec.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

class SessionExec : public Verb {
 public:
  SessionExec()
      : Verb(
            {.name = "session exec",
             .operands = "SESSION -- PROGRAM [ARGUMENT…]",
             .summary = "Runs a program inside the network namespace of an end",
             .help =
                 "The program sees the end's interface and addresses only. The session's lease is\n"
                 "renewed while it runs. The exit status is the program's (128 + signal when one\n"
                 "killed it), 3 when it could not be started. Must be on the daemon's machine, as\n"
                 "root or as the user the daemon runs as.\n\n"
                 "  tcproctor session exec $ID --end B -- curl -s http://192.0.2.1/\n"
                 "  tcproctor session exec $ID --end A -- ip address\n",
             .min_operands = 2,
             .max_operands = SIZE_MAX}) {}

  void define(FlagSet& flags) override {
    flags.add("end", &end_, "A|B", "whose namespace; needed");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    if (context.json() == "-")
      return absl::InvalidArgumentError("--json -: standard output is the program's; name a file");
    if (!end_) return absl::InvalidArgumentError("--end is needed: A or B");
    const absl::StatusOr<v1::End> end = parse_end(*end_);
    if (!end.ok()) return end.status();
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::Session> session = client->get_session(operands[0]);
    if (!session.ok()) return session.status();
    if (absl::Status status = context.emit(*session); !status.ok()) return status;
    const absl::Duration period = renewal_period(*session);
    v1::RenewLeaseRequest renew;
    renew.set_session(operands[0]);
    return exec_in_namespace(*end == v1::END_A ? session->a() : session->b(),
                             {operands.begin() + 1, operands.end()},
                             static_cast<int>(absl::ToInt64Milliseconds(period)), [&] {
                               // If it fails the session is gone or will be, and the program sees
                               // that for itself.
                               client->renew_lease(renew, period).IgnoreError();
                             });
  }

 private:
  std::optional<std::string> end_;
};

}  // namespace

void add_exec_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<SessionExec>());
}

}  // namespace tcproctor::cli
