// SPDX-License-Identifier: Apache-2.0
// run
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/report/fsm.h"
#include "conformance/report/report.h"
#include "conformance/runner/suite.h"

namespace tcproctor::cli {
namespace {

class Run : public Verb {
 public:
  Run()
      : Verb({.name = "run",
              .operands = "[SCRIPT...]",
              .summary = "Runs the conformance cases and says who keeps which rule",
              .help =
                  "Without --address it starts a daemon for its own lifetime. Each case runs on "
                  "each\n"
                  "target: kernel (the host's TCP), stack (ours, raw sockets, real clock) and\n"
                  "stack-virtual (ours, memory wire, virtual clock). Ctrl-C reports what is done.\n"
                  "Exit status: 0 clean, 1 a violation or an unexpected pass, 2 only inconclusive\n"
                  "results, 3 the harness or the environment broke, or nothing was selected.\n\n"
                  "  tcproctor run\n"
                  "  tcproctor run --target kernel,stack --filter 'S000-*'\n"
                  "  tcproctor run --filter 'S00*,-S003-rst-*' --json results.json --junit "
                  "results.xml\n"
                  "  tcproctor run --target stack --filter S000-2.1 --seed 42 --pcap captures\n\n"
                  "Files given as operands run instead of the cases built in: cases of one's own "
                  "and scripts\nof packetdrill's dialect.\n\n"
                  "  tcproctor run --target kernel scripts/*.pkt\n",
              .max_operands = std::numeric_limits<size_t>::max()}) {}

  void define(FlagSet& flags) override {
    flags.add("target", &options_.targets, "TARGET,...",
              "kernel, stack, stack-virtual; default all");
    flags.add("filter", &options_.filter, "GLOB,...", "cases by id; - before a glob excludes");
    flags.add("junit", &junit_, "FILE", "JUnit XML, - = standard output");
    flags.add("pcap", &options_.pcap_dir, "DIR", "a capture of each case into this folder");
    flags.add("slow", &options_.slow, "", "wait real long times too (the kernel's 2 MSL)");
    flags.add("seed", &options_.seed, "N", "of every random choice; default drawn and reported");
    flags.add("jobs", &options_.jobs, "N", "sessions side by side, 1..64; default 4");
    flags.add("cases", &cases_, "DIR", "the cases of this folder instead of those built in");
    flags.add("daemon", &daemon_, "PATH", "tcproctord to start; default: beside this program");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& scripts) override {
    if (!scripts.empty() && !cases_.empty())
      return absl::InvalidArgumentError("--cases and scripts both say what to run");
    if (junit_ == "-" && context.json() == "-")
      return absl::InvalidArgumentError("--junit - and --json - both want standard output");
    // The cases are read before anything is started: an error in one needs no daemon.
    const absl::StatusOr<conformance::Suite> suite = scripts.empty()
                                                         ? conformance::Suite::load(cases_)
                                                         : conformance::Suite::load_files(scripts);
    if (!suite.ok()) return suite.status();
    const Interrupt interrupt;
    std::unique_ptr<PrivateDaemon> daemon;
    const absl::StatusOr<client::Client> client = connect_or_start(context, daemon_, daemon);
    if (!client.ok()) return client.status();
    options_.channel = client->channel();
    options_.cancelled = [] { return Interrupt::noted(); };
    absl::StatusOr<int> exit = report(context, *suite);
    // The daemon ends sooner when nobody is connected.
    options_.channel.reset();
    return exit;
  }

 private:
  absl::StatusOr<int> report(Context& context, const conformance::Suite& suite) const {
    // With a report on standard output, nothing else goes there.
    std::ostream& text = junit_ == "-" ? context.err() : context.text();
    const conformance::ConsoleStyle style{.colours = context.colours() && junit_ != "-"};
    const absl::StatusOr<conformance::RunReport> report =
        suite.run(options_, [&](const conformance::CaseOutcome& outcome) {
          text << conformance::console_line(outcome, style)
               << conformance::console_failure(outcome, style) << std::flush;
        });
    if (!report.ok()) return report.status();
    text << "\n";
    // The coverage of a part of the suite says nothing.
    if (options_.filter.empty()) text << conformance::console_fsm(*report);
    text << conformance::console_matrix(*report, style) << std::flush;
    if (report->interrupted)
      context.err() << "tcproctor run: interrupted, not all cases have run\n";
    absl::Status status = context.emit_text(conformance::json_report(*report));
    if (status.ok() && !junit_.empty())
      status = conformance::write_report(junit_, conformance::junit_report(*report));
    if (!status.ok()) return status;
    // A run that did not finish proves nothing, whatever it saw.
    if (report->interrupted && report->exit_status == 0) return kExitError;
    return report->exit_status;
  }

  conformance::RunOptions options_;
  std::string junit_, cases_, daemon_;
};

}  // namespace

void add_run_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Run>());
}

}  // namespace tcproctor::cli
