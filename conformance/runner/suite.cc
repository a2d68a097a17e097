// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/suite.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>
#include <utility>

#include <grpcpp/client_context.h>

#include "absl/time/clock.h"
#include "conformance/report/report.h"
#include "conformance/runner/case_run.h"
#include "conformance/runner/library.h"
#include "conformance/runner/scheduler.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kDefaultJobs = 4;
constexpr uint32_t kMaxJobs = 64;

absl::StatusOr<v1::ServerInfo> server_info(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  context.set_wait_for_ready(true);
  v1::ServerInfo info;
  const grpc::Status status =
      v1::Sessions::NewStub(channel)->GetServerInfo(&context, v1::GetServerInfoRequest(), &info);
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        cat("the daemon does not answer: ", status.error_message()));
  }
  return info;
}

uint64_t draw_seed() {
  std::random_device device;
  // Short enough to be typed.
  return 1 + device() % 1'000'000'000;
}

// A result for a case that was not run, because its target is not fit for an examination.
CaseOutcome unfit(const Case& test_case, const CaseRunOptions& options) {
  CaseOutcome outcome;
  outcome.id = test_case.head.id;
  outcome.title = test_case.head.title;
  outcome.level = test_case.head.level;
  outcome.covers = covered_ids(test_case);
  outcome.target = options.target;
  outcome.seed = options.seed;
  outcome.verdict = v1::VERDICT_ERROR;
  ClauseOutcome clause;
  clause.name = "setup";
  clause.verdict = v1::VERDICT_ERROR;
  clause.reason = "not run: the target is not fit for an examination";
  outcome.reason = clause.reason;
  outcome.clauses.push_back(std::move(clause));
  return outcome;
}

// One run of the suite.
class Run {
 public:
  Run(const Library& library, const RunOptions& options) : library_(library), options_(options) {}

  absl::StatusOr<RunReport> run(const std::function<void(const CaseOutcome&)>& sink);

 private:
  absl::Status prepare();
  CaseRunOptions case_options(const std::string& target) const;
  // Runs the sanity case. False: nothing can be examined there. A violation of the target, or that
  // the harness was late, is a result like any other, listed once, and no reason to stop: the
  // harness has just shown that it works.
  bool examine_harness(const std::string& target, const char* when,
                       const std::function<void(const CaseOutcome&)>& sink);
  std::vector<std::function<CaseOutcome()>> items();
  bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  const Library& library_;
  const RunOptions& options_;
  std::vector<std::string> targets_;
  std::vector<const Case*> cases_;
  std::set<std::string> unfit_;  // targets on which the sanity case could not be judged
  std::set<std::pair<std::string, v1::Verdict>> told_;  // what it came to instead of PASS
  RunFacts facts_;
  RunReport report_;
};

absl::Status Run::prepare() {
  if (!options_.channel) return absl::InvalidArgumentError("no channel to a daemon was given");
  if (options_.jobs > kMaxJobs) {
    return absl::InvalidArgumentError(cat("jobs: ", options_.jobs, " is above ", kMaxJobs));
  }
  targets_ = options_.targets.empty() ? all_targets() : options_.targets;
  for (const std::string& target : targets_) {
    if (!is_target(target)) {
      return absl::InvalidArgumentError(
          cat("unknown target \"", target, "\": one of ", join(all_targets(), ", ")));
    }
    if (std::count(targets_.begin(), targets_.end(), target) > 1) {
      return absl::InvalidArgumentError(cat("the target \"", target, "\" was given twice"));
    }
  }
  absl::StatusOr<std::vector<const Case*>> cases = select_cases(library_, options_.filter);
  if (!cases.ok()) return cases.status();
  cases_ = *std::move(cases);
  if (!options_.pcap_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options_.pcap_dir, error);
    if (error) {
      return absl::InvalidArgumentError(cat("the folder for captures, ", options_.pcap_dir,
                                            ", cannot be made: ", error.message()));
    }
  }
  const absl::StatusOr<v1::ServerInfo> info = server_info(options_.channel);
  if (!info.ok()) return info.status();
  report_.version = info->version();
  report_.kernel_release = info->kernel_release();
  report_.seed = options_.seed != 0 ? options_.seed : draw_seed();
  return absl::OkStatus();
}

CaseRunOptions Run::case_options(const std::string& target) const {
  CaseRunOptions options;
  options.channel = options_.channel;
  options.target = target;
  options.seed = report_.seed;
  options.slow = options_.slow;
  options.kernel_release = report_.kernel_release;
  options.pcap_dir = options_.pcap_dir;
  options.cancelled = options_.cancelled;
  options.ledger = &library_.ledger;
  return options;
}

bool Run::examine_harness(const std::string& target, const char* when,
                          const std::function<void(const CaseOutcome&)>& sink) {
  CaseRunOptions options = case_options(target);
  options.ledger = nullptr;
  CaseOutcome outcome = run_case(library_.sanity, options);
  if (outcome.verdict == v1::VERDICT_PASS) return true;
  // On a machine that is too busy every case finds out for itself whether it can be judged.
  const bool late = outcome.verdict == v1::VERDICT_INCONCLUSIVE && !cancelled();
  if (outcome.verdict == v1::VERDICT_FAIL || late) {
    if (!told_.insert({target, outcome.verdict}).second) return true;
    if (sink) sink(outcome);
    report_.results.push_back(std::move(outcome));
    return true;
  }
  facts_.complaints.push_back(cat("no examination is possible: the sanity case, run ", when,
                                  ", says\n", console_failure(outcome, {})));
  return false;
}

std::vector<std::function<CaseOutcome()>> Run::items() {
  std::vector<std::function<CaseOutcome()>> items;
  for (const std::string& target : targets_) {
    for (const Case* test_case : cases_) {
      if (!runs_on(*test_case, target)) continue;
      items.push_back([this, target, test_case] {
        if (unfit_.count(target) != 0) return unfit(*test_case, case_options(target));
        return run_case(*test_case, case_options(target));
      });
    }
  }
  return items;
}

absl::StatusOr<RunReport> Run::run(const std::function<void(const CaseOutcome&)>& sink) {
  const absl::Time start = absl::Now();
  const absl::Status status = prepare();
  if (!status.ok()) return status;
  const std::vector<std::function<CaseOutcome()>> work = items();
  if (work.empty()) {
    return absl::InvalidArgumentError("none of the selected cases runs on the selected targets");
  }
  for (const std::string& target : targets_) {
    if (cancelled()) break;
    if (!examine_harness(target, "first", sink)) unfit_.insert(target);
  }
  const size_t jobs = options_.jobs == 0 ? kDefaultJobs : options_.jobs;
  const size_t done = run_in_order(work, jobs, options_.cancelled, [&](CaseOutcome outcome) {
    if (sink) sink(outcome);
    report_.results.push_back(std::move(outcome));
  });
  report_.interrupted = done < work.size() || cancelled();
  if (report_.interrupted) {
    facts_.complaints.push_back(cat("interrupted: ", done, " of ", work.size(), " results"));
  }
  for (const std::string& target : targets_) {
    if (report_.interrupted || unfit_.count(target) != 0) continue;
    (void)examine_harness(target, "last", sink);
  }
  if (library_.built_in) facts_.stale = library_.ledger.stale_entries(library_.cases);
  judge_run(facts_, report_);
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
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

absl::StatusOr<Suite> Suite::load(const std::string& cases_dir) {
  absl::StatusOr<Library> library = load_library(cases_dir);
  if (!library.ok()) return library.status();
  auto impl = std::make_unique<Impl>();
  impl->library = *std::move(library);
  return Suite(std::move(impl));
}

absl::StatusOr<Suite> Suite::load_files(const std::vector<std::string>& files) {
  absl::StatusOr<Library> library = load_library_of(files);
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
  return Run(impl_->library, options).run(sink);
}

absl::StatusOr<CaseOutcome> Suite::explain(const RunOptions& options, const std::string& case_id,
                                           const std::string& target) const {
  const absl::StatusOr<v1::CaseInfo> found = info(case_id);
  if (!found.ok()) return found.status();
  RunOptions one = options;
  one.filter = case_id;
  one.targets = {target};
  one.slow = true;
  absl::StatusOr<RunReport> report = run(one, nullptr);
  if (!report.ok()) return report.status();
  for (CaseOutcome& outcome : report->results) {
    if (outcome.id == case_id) return std::move(outcome);
  }
  return absl::CancelledError("the run was interrupted");
}

}  // namespace tcproctor::conformance
