// SPDX-License-Identifier: Apache-2.0
// run
#include <unistd.h>

#include <limits>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/progress_line.h"
#include "clients/cli/realtime.h"
#include "clients/cli/report_files.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/report/compare.h"
#include "conformance/report/fsm.h"
#include "conformance/report/report.h"
#include "conformance/runner/suite.h"
#include "conformance/script/targets.h"

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
                  "  tcproctor run --target kernel,stack --filter 'S000-*' --html report.html\n"
                  "  tcproctor run --filter 'S00*,-S003-rst-*' --json results.json --junit "
                  "results.xml\n"
                  "  tcproctor run --target stack --filter S000-2.1 --seed 42 --pcap captures\n"
                  "  tcproctor run --shard 3/8 --json shard-3.json\n"
                  "  tcproctor run --level must --baseline yesterday.json\n\n"
                  "Files given as operands run instead of the cases built in: cases of one's own "
                  "and scripts\nof packetdrill's dialect.\n\n"
                  "  tcproctor run --target kernel scripts/*.pkt\n\n"
                  "The TCP on one machine and the wire's scripted peer on another, with a daemon "
                  "each\n(tcproctord --interface); targets are kernel and stack.\n\n"
                  "  tcproctor run --endpoint 192.0.2.10:7443 --wire 198.51.100.20:7443\n",
              .max_operands = std::numeric_limits<size_t>::max()}) {}

  void define(FlagSet& flags) override {
    flags.add("target", &options_.targets,
              absl::StrCat(absl::StrJoin(conformance::all_targets(), "|"), ",..."), "default all");
    flags.add("filter", &options_.filter, "GLOB,...", "cases by id; - before a glob excludes");
    flags.add("level", &options_.level, "must|should|may",
              "must: only such cases; should: must and should; may: all, the default");
    flags.add("shard", &shard_, "K/N", "the K-th of N parts; tcproctor merge joins their reports");
    flags.add("repeat", &options_.repeat, "N", "each case so often, each time with the next seed");
    flags.add("order", &options_.order, "id|level|random", "default id; random by the seed");
    flags.add("strict", &options_.strict, "", "a known deviation is a violation");
    flags.add("fail-fast", &options_.fail_fast, "", "begin no case after the first failure");
    flags.add("baseline", &baseline_, "FILE",
              "JSON of an earlier run: what it violated already is no violation now");
    files_.define(flags);
    flags.add("pcap", &options_.pcap_dir, "DIR", "a capture of each case into this folder");
    flags.add("slow", &options_.slow, "", "wait real long times too (the kernel's 2 MSL)");
    flags.add("verify", &verify_, "LIST",
              "in scripts, what packetdrill does not look at: payload, checksums, silence behind "
              "the last line, or none; default payload,checksums");
    flags.add("seed", &options_.seed, "N", "of every random choice; default drawn and reported");
    flags.add("jobs", &options_.jobs, "N", "sessions side by side, 1..64; default 8");
    flags.add("realtime", &realtime_, "",
              "scheduled before others, the private daemon too, where that is allowed; default "
              "yes");
    flags.add("cases", &cases_, "DIR", "the cases of this folder instead of those built in");
    flags.add("endpoint", &endpoint_, "ADDRESS", "the daemon where the examined TCP is");
    flags.add("wire", &wire_, "ADDRESS", "the daemon that plays the other side");
    flags.add("daemon", &daemon_, "PATH", "tcproctord to start; default: beside this program");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& scripts) override {
    if (!scripts.empty() && !cases_.empty())
      return absl::InvalidArgumentError("--cases and scripts both say what to run");
    if (endpoint_.empty() != wire_.empty())
      return absl::InvalidArgumentError("--endpoint and --wire go together");
    if (!endpoint_.empty() && !context.address().empty())
      return absl::InvalidArgumentError("--address names one daemon, --endpoint and --wire two");
    // The options and cases are read before anything is started: an error in one needs no daemon.
    absl::Status status = files_.check(context);
    if (status.ok()) status = read_shard();
    if (status.ok()) status = read_baseline();
    if (status.ok()) status = read_verify();
    if (!status.ok()) return status;
    constexpr auto kKeep = conformance::OnWrongCase::kKeep;
    const absl::StatusOr<conformance::Suite> suite =
        scripts.empty() ? conformance::Suite::load(cases_, kKeep)
                        : conformance::Suite::load_files(scripts, kKeep);
    if (!suite.ok()) return suite.status();
    const Interrupt interrupt;
    // What it may not be, it is not: lateness is measured anyway.
    std::optional<RealTime> realtime(realtime_);
    std::unique_ptr<PrivateDaemon> daemon;
    status = connect(context, daemon);
    if (!status.ok()) return status;
    options_.cancelled = [] { return Interrupt::noted(); };
    const absl::StatusOr<conformance::RunReport> report = examine(context, *suite);
    realtime.reset();
    // The daemon ends sooner when nobody is connected.
    options_.channel.reset();
    options_.endpoint.reset();
    if (daemon) context.err() << daemon->death();
    if (!report.ok()) return report.status();
    return tell(context, *report);
  }

 private:
  absl::Status connect(Context& context, std::unique_ptr<PrivateDaemon>& daemon) {
    const absl::StatusOr<client::Client> client =
        wire_.empty() ? connect_or_start(context, daemon_, daemon) : context.connect_to(wire_);
    if (!client.ok()) return client.status();
    options_.channel = client->channel();
    if (endpoint_.empty()) return absl::OkStatus();
    const absl::StatusOr<client::Client> endpoint = context.connect_to(endpoint_);
    if (!endpoint.ok()) return endpoint.status();
    options_.endpoint = endpoint->channel();
    return absl::OkStatus();
  }

  absl::Status read_shard() {
    if (shard_.empty()) return absl::OkStatus();
    const std::vector<std::string> parts = absl::StrSplit(shard_, '/');
    if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &options_.shard) &&
        absl::SimpleAtoi(parts[1], &options_.shards) && options_.shard != 0) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("--shard ", shard_, ": want K/N with 1 <= K <= N, e.g. 3/8"));
  }

  absl::Status read_verify() {
    if (verify_.empty()) return absl::OkStatus();
    const absl::StatusOr<conformance::ForeignChecks> checks =
        conformance::parse_foreign_checks(verify_);
    if (!checks.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--verify ", checks.status().message()));
    }
    options_.foreign = *checks;
    return absl::OkStatus();
  }

  absl::Status read_baseline() {
    if (baseline_.empty()) return absl::OkStatus();
    const absl::StatusOr<conformance::RunReport> before = conformance::read_report_file(baseline_);
    if (!before.ok()) return before.status();
    options_.known = conformance::violations(*before);
    return absl::OkStatus();
  }

  // With a report on standard output, nothing else goes there.
  std::ostream& text_of(Context& context) const {
    return files_.takes_stdout() ? context.err() : context.text();
  }
  conformance::ConsoleStyle style_of(const Context& context) const {
    return {.colours = context.colours() && !files_.takes_stdout()};
  }

  absl::StatusOr<conformance::RunReport> examine(Context& context,
                                                 const conformance::Suite& suite) {
    std::ostream& text = text_of(context);
    const conformance::ConsoleStyle style = style_of(context);
    ProgressLine line(context.err(), isatty(STDERR_FILENO) == 1);
    options_.progress = [&](const conformance::Progress& progress) { line.show(progress); };
    absl::StatusOr<conformance::RunReport> report =
        suite.run(options_, [&](const conformance::CaseOutcome& outcome) {
          if (outcome.told_by_complaint) return;
          line.clear();
          text << conformance::console_line(outcome, style)
               << conformance::console_failure(outcome, style) << std::flush;
        });
    options_.progress = nullptr;
    return report;
  }

  absl::StatusOr<int> tell(Context& context, const conformance::RunReport& report) const {
    std::ostream& text = text_of(context);
    text << "\n";
    // The coverage of a part of the suite says nothing.
    if (options_.filter.empty() && options_.shards == 0) text << conformance::console_fsm(report);
    text << conformance::console_matrix(report, style_of(context)) << std::flush;
    if (report.interrupted) {
      context.err() << "tcproctor run: interrupted, not all cases have run\n";
    }
    absl::Status status = context.emit_text(conformance::json_report(report));
    if (status.ok()) status = files_.write(report);
    if (!status.ok()) return status;
    // A run that did not finish proves nothing, whatever it saw.
    if (report.interrupted && report.exit_status == 0) return kExitError;
    return report.exit_status;
  }

  conformance::RunOptions options_;
  ReportFiles files_;
  bool realtime_ = true;
  std::string shard_, baseline_, verify_, cases_, daemon_, endpoint_, wire_;
};

}  // namespace

void add_run_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Run>());
}

}  // namespace tcproctor::cli
