// SPDX-License-Identifier: Apache-2.0
// mutants
#include <google/protobuf/struct.pb.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/mutants/hunt.h"
#include "conformance/mutants/report.h"
#include "conformance/runner/library.h"

namespace tcproctor::cli {
namespace {

class Mutants : public Verb {
 public:
  Mutants()
      : Verb({.name = "mutants",
              .operands = "",
              .summary = "Plants faults in our own stack and says which case notices which",
              .help = "Each mutant of conformance/catalog/mutants.csv is planted in the examined "
                      "end, and\n"
                      "the cases that come past its place are run on stack-virtual, up to the "
                      "first that\n"
                      "sees it. Needs the tcproctord of a build with mutants (./dev mutants). Exit "
                      "status:\n"
                      "0 as many are noticed as --least asks, 1 fewer, or an equivalent one was "
                      "noticed,\n"
                      "3 the harness broke, or nothing was selected.\n\n"
                      "  tcproctor mutants\n"
                      "  tcproctor mutants --mutant 'rst-*' --filter 'S004-*' --all\n"
                      "  tcproctor mutants --list\n"}) {}

  void define(FlagSet& flags) override {
    flags.add("mutant", &options_.mutants, "MUTANT,...", "mutants by id; - before a glob excludes");
    flags.add("filter", &options_.cases, "GLOB,...", "cases by id; - before a glob excludes");
    flags.add("all", &options_.all, "", "every case that notices, not only the first");
    flags.add("least", &least_, "PERCENT", "how many must be noticed; default 95");
    flags.add("jobs", &jobs_, "N", "daemons side by side, 1..64; default 2");
    flags.add("seed", &options_.seed, "N", "of every random choice; default 1");
    flags.add("list", &list_, "", "list the mutants; needs no daemon");
    flags.add("cases", &cases_, "DIR", "the cases of this folder instead of those built in");
    flags.add("daemon", &daemon_, "PATH", "tcproctord to start; default: beside this program");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    if (list_) return list(context);
    if (!context.address().empty()) {
      return absl::InvalidArgumentError(
          "a mutant may kill its daemon, so it wants ones of its own");
    }
    if (least_ > 100) return absl::InvalidArgumentError("least: want a percentage, 0..100");
    const absl::StatusOr<conformance::Library> library = conformance::load_library(cases_);
    if (!library.ok()) return library.status();
    const Interrupt interrupt;
    options_.jobs = jobs_;
    options_.cancelled = [] { return Interrupt::noted(); };
    options_.daemon = [this](size_t worker, bool) { return start(worker); };
    std::ostream& text = context.text();
    const absl::StatusOr<conformance::HuntReport> report =
        conformance::hunt(*library, options_, [&](const conformance::MutantOutcome& outcome) {
          text << conformance::mutant_line(outcome) << std::flush;
        });
    if (!report.ok()) return report.status();
    text << conformance::hunt_summary(*report) << std::flush;
    if (report->interrupted) context.err() << "tcproctor mutants: interrupted\n";
    const absl::Status status = context.emit_text(conformance::hunt_json(*report));
    if (!status.ok()) return status;
    if (report->interrupted) return kExitError;
    const conformance::Sharpness totals = conformance::sharpness(*report);
    const bool sharp = totals.percent() >= least_ && totals.wrongly_equivalent == 0;
    return sharp ? kExitOk : kExitOutcome;
  }

 private:
  static absl::StatusOr<int> list(Context& context) {
    const absl::StatusOr<std::vector<conformance::Mutant>> mutants = conformance::load_mutants();
    if (!mutants.ok()) return mutants.status();
    google::protobuf::ListValue json;
    for (const conformance::Mutant& mutant : *mutants) {
      auto& fields = *json.add_values()->mutable_struct_value()->mutable_fields();
      fields["id"].set_string_value(mutant.id);
      fields["file"].set_string_value(mutant.file);
      fields["bug"].set_string_value(mutant.bug);
      fields["equivalent"].set_string_value(mutant.equivalent);
      context.text() << mutant.id << "  " << mutant.file << "  " << mutant.bug
                     << (mutant.equivalent.empty() ? "" : " (equivalent)") << "\n";
    }
    if (absl::Status status = context.emit(json); !status.ok()) return status;
    return kExitOk;
  }

  // A fresh daemon in the place of the worker's last one.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> start(size_t worker) {
    if (daemons_.size() <= worker) daemons_.resize(worker + 1);
    daemons_[worker].reset();
    absl::StatusOr<std::unique_ptr<PrivateDaemon>> started = PrivateDaemon::start(daemon_);
    if (!started.ok()) return started.status();
    daemons_[worker] = *std::move(started);
    const absl::StatusOr<client::Client> client =
        client::Client::connect(daemons_[worker]->address());
    if (!client.ok()) return client.status();
    return client->channel();
  }

  conformance::HuntOptions options_;
  std::vector<std::unique_ptr<PrivateDaemon>> daemons_;  // by worker
  uint32_t least_ = 95;
  uint32_t jobs_ = 2;
  bool list_ = false;
  std::string cases_, daemon_;
};

}  // namespace

void add_mutant_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Mutants>());
}

}  // namespace tcproctor::cli
