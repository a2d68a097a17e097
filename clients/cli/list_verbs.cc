// SPDX-License-Identifier: Apache-2.0
// list, explain
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/report/coverage.h"
#include "conformance/report/report.h"
#include "conformance/runner/library.h"
#include "conformance/runner/suite.h"
#include "conformance/script/targets.h"

namespace tcproctor::cli {
namespace {

class List : public Verb {
 public:
  List()
      : Verb({.name = "list",
              .operands = "",
              .summary = "Lists the conformance cases; needs no daemon",
              .help =
                  "\n  tcproctor list\n"
                  "  tcproctor list --filter 'S000-*'\n"
                  "  tcproctor list --json - | jq -r '.cases[].covers[]' | sort -u\n"
                  "  tcproctor list --coverage\n"
                  "  tcproctor list --coverage --results results.json --json -\n\n"
                  "--coverage tells of each requirement and each row of the event matrix which\n"
                  "clauses of which cases examine it, where the stack's sources name it, and\n"
                  "with the JSON report of a run the verdict of each target; or why nothing\n"
                  "examines it.\n"}) {}

  void define(FlagSet& flags) override {
    flags.add("filter", &filter_, "GLOB,...", "cases by id; - before a glob excludes");
    flags.add("cases", &cases_, "DIR", "the cases of this folder instead of those built in");
    flags.add("coverage", &coverage_, "", "requirements and matrix rows instead of cases");
    flags.add("results", &results_, "FILE", "with --coverage: verdicts of this JSON report");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    if (coverage_) return tell_coverage(context);
    if (!results_.empty()) return absl::InvalidArgumentError("--results goes with --coverage");
    const absl::StatusOr<conformance::Suite> suite = conformance::Suite::load(cases_);
    if (!suite.ok()) return suite.status();
    const absl::StatusOr<std::vector<v1::CaseInfo>> cases = suite->list(filter_);
    if (!cases.ok()) return cases.status();
    v1::ListCasesResponse response;
    size_t width = 0;
    for (const v1::CaseInfo& info : *cases) width = std::max(width, info.id().size());
    for (const v1::CaseInfo& info : *cases) {
      std::string id = info.id();
      id.resize(width, ' ');
      context.text() << id << "  " << info.title() << "  [" << absl::StrJoin(info.targets(), " ")
                     << (info.slow() ? ", slow" : "") << "]\n";
      *response.add_cases() = info;
    }
    if (absl::Status status = context.emit(response); !status.ok()) return status;
    return kExitOk;
  }

 private:
  absl::StatusOr<int> tell_coverage(Context& context) {
    if (!filter_.empty()) return absl::InvalidArgumentError("--coverage is of all cases");
    const absl::StatusOr<conformance::Library> library = conformance::load_library(cases_);
    if (!library.ok()) return library.status();
    std::vector<conformance::CoverageRow> rows = conformance::coverage(*library);
    if (!results_.empty()) {
      std::ifstream in(results_, std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      if (!in) return absl::NotFoundError(absl::StrCat(results_, ": cannot be read"));
      const absl::Status status = conformance::add_verdicts(text.str(), rows);
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(results_, ": ", status.message()));
      }
    }
    context.text() << conformance::coverage_text(rows);
    const absl::Status status = context.emit(conformance::coverage_json(rows));
    if (!status.ok()) return status;
    return kExitOk;
  }

  std::string filter_, cases_, results_;
  bool coverage_ = false;
};

class Explain : public Verb {
 public:
  Explain()
      : Verb({.name = "explain",
              .operands = "CASE",
              .summary = "Runs one case and tells it as a ladder with a state column for each end",
              .help = "Without --address it starts a daemon for its own lifetime. The exit status "
                      "is that\n"
                      "of the verdict, as for run.\n\n"
                      "  tcproctor explain S000-2.1\n"
                      "  tcproctor explain S000-2.2 --target stack\n",
              .min_operands = 1,
              .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("target", &target_, absl::StrJoin(conformance::all_targets(), "|"),
              "default: the last the case has");
    flags.add("seed", &options_.seed, "N", "of every random choice; default drawn and reported");
    flags.add("pcap", &options_.pcap_dir, "DIR", "the capture into this folder");
    flags.add("cases", &cases_, "DIR", "the cases of this folder instead of those built in");
    flags.add("daemon", &daemon_, "PATH", "tcproctord to start; default: beside this program");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<conformance::Suite> suite = conformance::Suite::load(cases_);
    if (!suite.ok()) return suite.status();
    const absl::StatusOr<v1::CaseInfo> info = suite->info(operands[0]);
    if (!info.ok()) return info.status();
    if (target_.empty() && !info->targets().empty())
      target_ = info->targets(info->targets_size() - 1);
    const Interrupt interrupt;
    std::unique_ptr<PrivateDaemon> daemon;
    const absl::StatusOr<client::Client> client = connect_or_start(context, daemon_, daemon);
    if (!client.ok()) return client.status();
    options_.channel = client->channel();
    options_.cancelled = [] { return Interrupt::noted(); };
    const absl::StatusOr<conformance::CaseOutcome> outcome =
        suite->explain(options_, operands[0], target_);
    // The daemon ends sooner when nobody is connected.
    options_.channel.reset();
    if (!outcome.ok()) return outcome.status();
    return report(context, *info, *outcome);
  }

 private:
  static absl::StatusOr<int> report(Context& context, const v1::CaseInfo& info,
                                    const conformance::CaseOutcome& outcome) {
    const conformance::ConsoleStyle style{.colours = context.colours()};
    std::ostream& text = context.text();
    text << info.id() << "  " << info.title() << "\n"
         << "covers " << absl::StrJoin(info.covers(), ", ") << "; level " << info.level()
         << "; target " << outcome.target << "; seed " << outcome.seed << "\n\n";
    const std::string failure = conformance::console_failure(outcome, style);
    // The story of a failure has the ladder in it.
    if (failure.empty()) text << conformance::ladder_text(outcome) << "\n";
    text << conformance::console_line(outcome, style) << failure;
    v1::ExplainResponse response;
    *response.mutable_info() = info;
    *response.mutable_result() = conformance::to_proto(outcome);
    if (absl::Status status = context.emit(response); !status.ok()) return status;
    return exit_status(outcome.verdict);
  }

  static int exit_status(v1::Verdict verdict) {
    switch (verdict) {
      case v1::VERDICT_PASS:
      case v1::VERDICT_XFAIL:
      case v1::VERDICT_SKIP:
        return kExitOk;
      case v1::VERDICT_FAIL:
      case v1::VERDICT_XPASS:
        return kExitOutcome;
      case v1::VERDICT_INCONCLUSIVE:
        return kExitInconclusive;
      default:
        return kExitError;
    }
  }

  conformance::RunOptions options_;
  std::string target_, cases_, daemon_;
};

}  // namespace

void add_list_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<List>());
  verbs.push_back(std::make_unique<Explain>());
}

}  // namespace tcproctor::cli
