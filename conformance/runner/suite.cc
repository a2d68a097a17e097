// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/suite.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <set>
#include <utility>

#include <grpcpp/client_context.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "conformance/report/condense.h"
#include "conformance/report/report.h"
#include "conformance/runner/case_run.h"
#include "conformance/runner/library.h"
#include "conformance/runner/preflight.h"
#include "conformance/runner/scheduler.h"
#include "conformance/runner/selection.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kDefaultJobs = 8;
// Real time that a session of a case may take at most.
constexpr absl::Duration kWatchdog = absl::Minutes(2);
constexpr absl::Duration kSlowWatchdog = absl::Minutes(20);

// `wait`: for one that is just starting.
absl::StatusOr<v1::ServerInfo> server_info(const std::shared_ptr<grpc::Channel>& channel,
                                           bool wait) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  context.set_wait_for_ready(wait);
  v1::ServerInfo info;
  const grpc::Status status =
      v1::Sessions::NewStub(channel)->GetServerInfo(&context, v1::GetServerInfoRequest(), &info);
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        cat("the daemon does not answer: ", status.error_message()));
  }
  return info;
}

// Whether it is there. A connection that broke is made anew by the next call but one.
absl::Status ask_for_life(const std::shared_ptr<grpc::Channel>& channel) {
  constexpr int kTries = 3;
  absl::Status status;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) absl::SleepFor(absl::Seconds(1));
    status = server_info(channel, /*wait=*/false).status();
    if (status.ok() || absl::IsDeadlineExceeded(status)) break;
  }
  return status;
}

uint64_t draw_seed() {
  std::random_device device;
  // Short enough to be typed.
  return 1 + device() % 1'000'000'000;
}

// A result for a case that was not run.
CaseOutcome not_run(const WorkItem& item, const std::string& reason) {
  CaseOutcome outcome;
  outcome.id = item.test_case->head.id;
  outcome.title = item.test_case->head.title;
  outcome.level = item.test_case->head.level;
  outcome.covers = covered_ids(*item.test_case);
  outcome.target = item.target;
  outcome.repetition = item.repetition;
  outcome.seed = item.seed;
  outcome.verdict = v1::VERDICT_ERROR;
  ClauseOutcome clause;
  clause.name = "setup";
  clause.verdict = v1::VERDICT_ERROR;
  clause.reason = cat("not run: ", reason);
  outcome.reason = clause.reason;
  outcome.clauses.push_back(std::move(clause));
  return outcome;
}

// One run of the suite.
class Run {
 public:
  Run(const Library& library, const RunOptions& options,
      const std::function<void(const CaseOutcome&)>& sink)
      : library_(library), options_(options), sink_(sink) {}

  absl::StatusOr<RunReport> run();

 private:
  absl::Status prepare();
  CaseRunOptions case_options(const WorkItem& item) const;
  // Looks at what the target stands on. False: nothing can be examined there.
  bool examine_environment(const std::string& target);
  // Runs the sanity case. False: nothing can be examined there. A violation of the target, or that
  // the harness was late, is a result like any other, listed once, and no reason to stop: the
  // harness has just shown that it works.
  bool examine_harness(const std::string& target, const char* when);
  // Runs the cases; returns how many results there are.
  size_t examine();
  CaseOutcome examine(const WorkItem& item);
  // After an ERROR: whether the daemon is still there. What is begun after it went is not run.
  void look_for_the_daemon(CaseOutcome& outcome);
  std::string gone() const;
  void take(CaseOutcome outcome);
  void tell_progress(size_t done) const;
  bool turns_red(const CaseOutcome& outcome) const;
  void explain_what_is_missing(size_t done);
  bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  const Library& library_;
  const RunOptions& options_;
  const std::function<void(const CaseOutcome&)>& sink_;
  const absl::Time start_ = absl::Now();
  absl::Time first_ = absl::Now();  // when the first case was begun
  std::vector<WorkItem> work_;
  std::vector<std::string> targets_;  // those of the work, in its order
  Ledger ledger_;
  Apart apart_;
  bool tells_environment_ = false;  // the daemon has GetEnvironment
  std::set<std::string> unfit_;     // targets on which the sanity case could not be judged
  std::set<std::pair<std::string, v1::Verdict>> told_;  // what it came to instead of PASS
  std::atomic<bool> failed_ = false;                    // and nothing more is to be begun
  mutable absl::Mutex gone_mutex_;
  std::string gone_ ABSL_GUARDED_BY(gone_mutex_);  // since when there is no daemon: why
  RunFacts facts_;
  RunReport report_;
};

absl::Status Run::prepare() {
  if (!options_.channel) return absl::InvalidArgumentError("no channel to a daemon was given");
  report_.seed = options_.seed != 0 ? options_.seed : draw_seed();
  report_.shards = options_.shards;
  if (options_.shards != 0) report_.parts = {options_.shard};
  absl::StatusOr<std::vector<WorkItem>> work = select_work(library_, options_, report_.seed);
  if (!work.ok()) return work.status();
  work_ = *std::move(work);
  for (const WorkItem& item : work_) {
    const auto found = std::find(targets_.begin(), targets_.end(), item.target);
    if (found == targets_.end()) targets_.push_back(item.target);
  }
  if (!options_.pcap_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options_.pcap_dir, error);
    if (error) {
      return absl::InvalidArgumentError(cat("the folder for captures, ", options_.pcap_dir,
                                            ", cannot be made: ", error.message()));
    }
  }
  ledger_ = options_.strict ? library_.ledger.strict() : library_.ledger;
  const absl::StatusOr<v1::ServerInfo> info = server_info(options_.channel, /*wait=*/true);
  if (!info.ok()) return info.status();
  report_.version = info->version();
  report_.kernel_release = info->kernel_release();
  if (options_.endpoint) {
    const absl::StatusOr<v1::ServerInfo> endpoint = server_info(options_.endpoint, /*wait=*/true);
    if (!endpoint.ok()) return endpoint.status();
    absl::StatusOr<Apart> apart = meet(options_.endpoint, *endpoint, *info);
    if (!apart.ok()) return apart.status();
    apart_ = *std::move(apart);
    // What the ledger speaks of is the examined kernel.
    report_.kernel_release = endpoint->kernel_release();
  }
  const auto& can = info->capabilities();
  tells_environment_ = std::find(can.begin(), can.end(), "environment") != can.end();
  return absl::OkStatus();
}

CaseRunOptions Run::case_options(const WorkItem& item) const {
  CaseRunOptions options;
  options.channel = options_.channel;
  options.apart = apart_;
  options.target = item.target;
  options.repetition = item.repetition;
  if (library_.of_files && item.test_case != &library_.sanity) options.where = item.test_case->file;
  if (!library_.cases_dir.empty()) options.where = cat("--cases ", library_.cases_dir);
  options.seed = item.seed;
  options.slow = options_.slow;
  options.foreign = options_.foreign;
  options.watchdog = options_.slow ? kSlowWatchdog : kWatchdog;
  options.kernel_release = report_.kernel_release;
  if (options_.watchdog > absl::ZeroDuration()) options.watchdog = options_.watchdog;
  options.pcap_dir = options_.pcap_dir;
  options.cancelled = options_.cancelled;
  options.ledger = &ledger_;
  return options;
}

bool Run::examine_environment(const std::string& target) {
  if (!tells_environment_) return true;
  Preflight preflight =
      run_preflight(options_.channel, library_.sanity.head, target, report_.seed, apart_);
  report_.environment[target] = std::move(preflight.facts);
  if (preflight.fault.empty()) return true;
  facts_.complaints.push_back(
      cat("no examination is possible on ", target, ": the preflight says ", preflight.fault));
  return false;
}

bool Run::examine_harness(const std::string& target, const char* when) {
  CaseRunOptions options = case_options({&library_.sanity, target, 1, report_.seed});
  options.ledger = nullptr;
  CaseOutcome outcome = run_case(library_.sanity, options);
  if (outcome.verdict == v1::VERDICT_PASS) return true;
  // On a machine that is too busy every case finds out for itself whether it can be judged.
  const bool late = outcome.verdict == v1::VERDICT_INCONCLUSIVE && !cancelled();
  if (outcome.verdict == v1::VERDICT_FAIL || late) {
    if (told_.insert({target, outcome.verdict}).second) take(std::move(outcome));
    return true;
  }
  facts_.complaints.push_back(cat("no examination is possible: the sanity case, run ", when,
                                  ", says\n", console_failure(outcome, {})));
  return false;
}

std::string Run::gone() const {
  absl::MutexLock lock(&gone_mutex_);
  return gone_;
}

void Run::look_for_the_daemon(CaseOutcome& outcome) {
  std::string why = gone();
  if (why.empty()) {
    const absl::Status status = ask_for_life(options_.channel);
    if (status.ok()) return;
    why = cat(
        absl::IsDeadlineExceeded(status) ? "the daemon hangs: " : "the daemon died in mid-run: ",
        std::string(status.message()));
    absl::MutexLock lock(&gone_mutex_);
    gone_ = why;
  }
  for (ClauseOutcome& clause : outcome.clauses) {
    if (clause.verdict == v1::VERDICT_ERROR) clause.reason = cat(why, "\n", clause.reason);
  }
  judge_case(outcome);
}

CaseOutcome Run::examine(const WorkItem& item) {
  const auto wrong = library_.wrong.find(item.test_case->head.id);
  if (wrong != library_.wrong.end()) return not_run(item, wrong->second);
  const std::string why =
      unfit_.count(item.target) != 0 ? "the target is not fit for an examination" : gone();
  if (!why.empty()) {
    CaseOutcome outcome = not_run(item, why);
    outcome.told_by_complaint = true;
    return outcome;
  }
  CaseOutcome outcome = run_case(*item.test_case, case_options(item));
  if (outcome.verdict == v1::VERDICT_ERROR) look_for_the_daemon(outcome);
  return outcome;
}

bool Run::turns_red(const CaseOutcome& outcome) const {
  return std::any_of(outcome.clauses.begin(), outcome.clauses.end(), [&](const ClauseOutcome& c) {
    if (c.verdict == v1::VERDICT_ERROR) return true;
    return is_violation(c.verdict) && !c.known;
  });
}

void Run::take(CaseOutcome outcome) {
  mark_known(options_.known, outcome);
  if (sink_) sink_(outcome);
  const auto written = std::find_if(work_.begin(), work_.end(), [&](const WorkItem& i) {
    return i.test_case->head.id == outcome.id;
  });
  const Case& source = written == work_.end() ? library_.sanity : *written->test_case;
  report_.cases.try_emplace(outcome.id, CaseSource{source.file, source.head.rule, source.source});
  if (options_.fail_fast && turns_red(outcome)) failed_ = true;
  report_.results.push_back(std::move(outcome));
}

void Run::tell_progress(size_t done) const {
  if (!options_.progress) return;
  const absl::Duration spent = absl::Now() - first_;
  Progress progress{done, work_.size(), absl::Now() - start_, absl::ZeroDuration()};
  if (done > 0)
    progress.left = spent * static_cast<double>(work_.size() - done) / static_cast<double>(done);
  options_.progress(progress);
}

size_t Run::examine() {
  std::vector<std::function<CaseOutcome()>> items;
  for (const WorkItem& item : work_) items.push_back([this, &item] { return examine(item); });
  first_ = absl::Now();
  ScheduleHooks hooks;
  hooks.cancelled = [this] { return failed_ || cancelled(); };
  hooks.sink = [this](CaseOutcome outcome) { take(std::move(outcome)); };
  hooks.progress = [this](size_t done) { tell_progress(done); };
  // On a network an address is one session's.
  const uint32_t chosen = options_.jobs == 0 ? kDefaultJobs : options_.jobs;
  return run_in_order(items, apart_ ? 1 : chosen, hooks);
}

// What was not run proves nothing, and the report says so.
void Run::explain_what_is_missing(size_t done) {
  report_.interrupted = done < work_.size() || cancelled();
  if (!report_.interrupted) return;
  const char* why = failed_ && !cancelled() ? "stopped at the first failure: " : "interrupted: ";
  facts_.complaints.push_back(cat(why, done, " of ", work_.size(), " results"));
}

absl::StatusOr<RunReport> Run::run() {
  const absl::Status status = prepare();
  if (!status.ok()) return status;
  for (const std::string& target : targets_) {
    if (cancelled()) break;
    if (!examine_environment(target) || !examine_harness(target, "first")) unfit_.insert(target);
  }
  explain_what_is_missing(examine());
  if (!gone().empty()) facts_.complaints.push_back(gone());
  for (const std::string& target : targets_) {
    if (report_.interrupted || unfit_.count(target) != 0 || !gone().empty()) continue;
    (void)examine_harness(target, "last");
  }
  // What a wrong case would have had, the ledger may name.
  if (library_.own_ledger && library_.wrong.empty())
    facts_.stale = library_.ledger.stale_entries(library_.cases);
  judge_run(facts_, report_);
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  return std::move(report_);
}

}  // namespace

struct Suite::Impl {
  Library library;
};

Suite::Suite(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Suite::~Suite() = default;
Suite::Suite(Suite&&) noexcept = default;
Suite& Suite::operator=(Suite&&) noexcept = default;

absl::StatusOr<Suite> Suite::load(const std::string& cases_dir, OnWrongCase on_wrong) {
  absl::StatusOr<Library> library = load_library(cases_dir, on_wrong);
  if (!library.ok()) return library.status();
  auto impl = std::make_unique<Impl>();
  impl->library = *std::move(library);
  return Suite(std::move(impl));
}

absl::StatusOr<Suite> Suite::load_files(const std::vector<std::string>& files,
                                        OnWrongCase on_wrong) {
  absl::StatusOr<Library> library = load_library_of(files, on_wrong);
  if (!library.ok()) return library.status();
  auto impl = std::make_unique<Impl>();
  impl->library = *std::move(library);
  return Suite(std::move(impl));
}

absl::StatusOr<std::vector<v1::CaseInfo>> Suite::list(std::string_view filter) const {
  const absl::StatusOr<std::vector<const Case*>> selected = select_cases(impl_->library, filter);
  if (!selected.ok()) return selected.status();
  std::vector<v1::CaseInfo> infos;
  for (const Case* test_case : *selected) infos.push_back(case_info(*test_case));
  return infos;
}

absl::StatusOr<v1::CaseInfo> Suite::info(const std::string& case_id) const {
  for (const Case& test_case : impl_->library.cases) {
    if (test_case.head.id == case_id) return case_info(test_case);
  }
  return absl::NotFoundError(cat("there is no case \"", case_id, "\""));
}

absl::StatusOr<RunReport> Suite::run(const RunOptions& options,
                                     const std::function<void(const CaseOutcome&)>& sink) const {
  absl::StatusOr<RunReport> report = Run(impl_->library, options, sink).run();
  if (report.ok()) condense(*report);
  return report;
}

absl::StatusOr<CaseOutcome> Suite::explain(const RunOptions& options, const std::string& case_id,
                                           const std::string& target) const {
  const absl::StatusOr<v1::CaseInfo> found = info(case_id);
  if (!found.ok()) return found.status();
  RunOptions one = options;
  one.filter = case_id;
  one.targets = {target};
  one.slow = true;
  absl::StatusOr<RunReport> report = Run(impl_->library, one, nullptr).run();
  if (!report.ok()) return report.status();
  for (CaseOutcome& outcome : report->results) {
    if (outcome.id == case_id) return std::move(outcome);
  }
  return absl::CancelledError("the run was interrupted");
}

}  // namespace tcproctor::conformance
