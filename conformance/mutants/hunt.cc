// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/hunt.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <grpcpp/client_context.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "conformance/catalog/embedded.h"
#include "conformance/catalog/name_filter.h"
#include "conformance/mutants/posts.h"
#include "conformance/runner/case_run.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

using Channel = std::shared_ptr<grpc::Channel>;

// What a sound case came to, clause by clause.
struct Baseline {
  const Case* test_case = nullptr;
  CaseFacts facts;
  std::set<std::string> reaches;
  std::set<std::string> covers;
};

bool is_alive(const Channel& channel) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(5)));
  v1::ServerInfo info;
  return v1::Sessions::NewStub(channel)
      ->GetServerInfo(&context, v1::GetServerInfoRequest(), &info)
      .ok();
}

// A violation; or a session that broke, which it did not on the sound stack.
const ClauseOutcome* first_violation(const CaseOutcome& outcome) {
  for (const ClauseOutcome& clause : outcome.clauses) {
    if (clause.verdict == v1::VERDICT_FAIL || clause.verdict == v1::VERDICT_ERROR) return &clause;
  }
  return nullptr;
}

std::string first_line(const std::string& text) {
  return split_once(text, '\n').first;
}

class Hunt {
 public:
  Hunt(const Library& library, const HuntOptions& options)
      : library_(library), options_(options), posts_(options.jobs) {}

  absl::StatusOr<HuntReport> run(const std::function<void(const MutantOutcome&)>& sink);

 private:
  absl::Status prepare();
  void work(size_t worker);
  std::optional<size_t> take(size_t& next, size_t end);
  bool examine_sound(size_t worker, Baseline& baseline);
  std::vector<const Baseline*> in_order(const Mutant& mutant) const;
  bool examine(size_t worker, MutantOutcome& outcome);
  void try_case(size_t worker, const Baseline& baseline, MutantOutcome& outcome);
  CaseRunOptions case_options(size_t worker) const;
  bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  const Library& library_;
  const HuntOptions& options_;
  Posts posts_;  // between the workers and the caller's thread
  HuntReport report_;
  std::vector<Baseline> baselines_;        // the fastest first, once all are known
  std::vector<const Baseline*> by_speed_;  // sound ones
  std::vector<Channel> channels_;          // by worker

  absl::Mutex mutex_;
  size_t next_case_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t cases_done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool sorted_ ABSL_GUARDED_BY(mutex_) = false;
  size_t next_mutant_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::Status Hunt::prepare() {
  if (options_.jobs < 1 || options_.jobs > 64) {
    return absl::InvalidArgumentError(cat("jobs: ", options_.jobs, " is outside 1..64"));
  }
  const absl::StatusOr<std::vector<Mutant>> all = load_mutants();
  if (!all.ok()) return all.status();
  const absl::StatusOr<std::vector<const Case*>> cases = select_cases(library_, options_.cases);
  if (!cases.ok()) return cases.status();
  const NameFilter filter(options_.mutants);
  for (const Mutant& mutant : *all) {
    if (filter.selects(mutant.id)) report_.mutants.emplace_back().mutant = mutant;
  }
  if (report_.mutants.empty()) {
    return absl::InvalidArgumentError(cat("no mutant matches \"", options_.mutants, "\""));
  }
  for (const Case* test_case : *cases) {
    if (!runs_on(*test_case, kTargetVirtual)) continue;
    Baseline& baseline = baselines_.emplace_back();
    baseline.test_case = test_case;
    const std::vector<std::string> covers = covered_ids(*test_case);
    baseline.covers.insert(covers.begin(), covers.end());
  }
  channels_.resize(options_.jobs);
  report_.all = options_.all;
  report_.seed = options_.seed;
  return absl::OkStatus();
}

CaseRunOptions Hunt::case_options(size_t worker) const {
  CaseRunOptions options;
  options.channel = channels_[worker];
  options.target = std::string(kTargetVirtual);
  options.seed = options_.seed;
  options.ledger = &library_.ledger;
  options.watchdog = options_.patience;
  options.cancelled = options_.cancelled;
  return options;
}

std::optional<size_t> Hunt::take(size_t& next, size_t end) {
  const absl::MutexLock lock(&mutex_);
  if (stopped_ || next == end) return std::nullopt;
  if (cancelled()) {
    stopped_ = true;
    return std::nullopt;
  }
  return next++;
}

// False: no daemon is to be had.
bool Hunt::examine_sound(size_t worker, Baseline& baseline) {
  CaseRunOptions options = case_options(worker);
  options.note_mutants = true;
  CaseOutcome outcome = run_case(*baseline.test_case, options);
  CaseFacts& facts = baseline.facts;
  facts.id = outcome.id;
  facts.seconds = outcome.seconds;
  facts.sound = first_violation(outcome) == nullptr &&
                (outcome.verdict == v1::VERDICT_PASS || outcome.verdict == v1::VERDICT_XFAIL ||
                 outcome.verdict == v1::VERDICT_SKIP);
  if (!facts.sound) facts.reason = first_line(outcome.reason);
  baseline.reaches = std::move(outcome.mutants_passed);
  facts.reaches = baseline.reaches.size();
  if (is_alive(channels_[worker])) return true;
  facts.sound = false;
  return posts_.new_daemon(worker, true, channels_[worker]);
}

void Hunt::try_case(size_t worker, const Baseline& baseline, MutantOutcome& outcome) {
  CaseRunOptions options = case_options(worker);
  options.mutant = outcome.mutant.id;
  const CaseOutcome result = run_case(*baseline.test_case, options);
  ++outcome.ran;
  const ClauseOutcome* const violation = first_violation(result);
  if (violation == nullptr || cancelled()) return;
  Kill kill{
      .case_id = result.id, .clause = violation->name, .reason = first_line(violation->reason)};
  if (violation->verdict == v1::VERDICT_ERROR) {
    if (absl::Seconds(result.seconds) >= options_.patience) {
      kill.by = Fate::kTimedOut;
    } else if (!is_alive(channels_[worker])) {
      kill.by = Fate::kCrashed;
    }
  }
  outcome.kills.push_back(std::move(kill));
}

// The sound cases that come past its place: those that examine what it breaks before others, and
// the fastest first.
std::vector<const Baseline*> Hunt::in_order(const Mutant& mutant) const {
  std::vector<const Baseline*> reaching;
  for (const Baseline* const baseline : by_speed_) {
    if (baseline->reaches.count(mutant.id) != 0) reaching.push_back(baseline);
  }
  std::ranges::stable_partition(reaching, [&](const Baseline* baseline) {
    return std::ranges::any_of(
        mutant.breaks, [&](const std::string& id) { return baseline->covers.count(id) != 0; });
  });
  return reaching;
}

// False: no daemon is to be had.
bool Hunt::examine(size_t worker, MutantOutcome& outcome) {
  const absl::Time start = absl::Now();
  outcome.fate = Fate::kNotReached;
  for (const Baseline* const baseline : in_order(outcome.mutant)) {
    ++outcome.reaching;
    if (!options_.all && !outcome.kills.empty()) continue;
    const size_t before = outcome.kills.size();
    try_case(worker, *baseline, outcome);
    if (cancelled()) break;
    const bool lost = outcome.kills.size() != before && outcome.kills.back().by != Fate::kKilled;
    if (lost && !posts_.new_daemon(worker, true, channels_[worker])) return false;
  }
  // It may also fall over what a case left behind.
  if (!is_alive(channels_[worker])) {
    outcome.kills.push_back({.case_id = "",
                             .clause = "",
                             .by = Fate::kCrashed,
                             .reason = "the daemon died when the cases were over"});
    if (!posts_.new_daemon(worker, true, channels_[worker])) return false;
  }
  if (!outcome.kills.empty()) {
    outcome.fate = outcome.kills.front().by;
  } else if (outcome.reaching != 0) {
    outcome.fate = Fate::kSurvived;
  }
  outcome.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return true;
}

void Hunt::work(size_t worker) {
  bool fine = posts_.new_daemon(worker, false, channels_[worker]);
  while (fine) {
    const std::optional<size_t> index = take(next_case_, baselines_.size());
    if (!index) break;
    fine = examine_sound(worker, baselines_[*index]);
    const absl::MutexLock lock(&mutex_);
    ++cases_done_;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (!fine) stopped_ = true;
    const auto known = [this] { return stopped_ || cases_done_ == baselines_.size(); };
    mutex_.Await(absl::Condition(&known));
    if (!std::exchange(sorted_, true)) {
      for (const Baseline& baseline : baselines_) {
        if (baseline.facts.sound) by_speed_.push_back(&baseline);
      }
      std::ranges::stable_sort(by_speed_, {}, [](const Baseline* b) { return b->facts.seconds; });
    }
  }
  while (fine) {
    const std::optional<size_t> index = take(next_mutant_, report_.mutants.size());
    if (!index) break;
    fine = examine(worker, report_.mutants[*index]);
    if (fine && !cancelled()) posts_.done(*index);
  }
  if (!fine) {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  posts_.leave();
}

absl::StatusOr<HuntReport> Hunt::run(const std::function<void(const MutantOutcome&)>& sink) {
  const absl::Time start = absl::Now();
  const absl::Status status = prepare();
  if (!status.ok()) return status;
  std::vector<std::thread> workers;
  for (size_t i = 0; i < options_.jobs; ++i) workers.emplace_back([this, i] { work(i); });
  size_t told = 0;
  const absl::Status served = posts_.serve(options_.daemon, [&](size_t index) {
    ++told;
    if (sink) sink(report_.mutants[index]);
  });
  for (std::thread& worker : workers) worker.join();
  if (!served.ok()) return served;
  for (Baseline& baseline : baselines_) report_.cases.push_back(std::move(baseline.facts));
  const bool none = std::ranges::none_of(report_.cases, &CaseFacts::sound);
  if (none && !cancelled()) {
    return absl::FailedPreconditionError(
        cat("no case passes on the sound stack, so none can tell a mutant: ",
            report_.cases.empty() ? "none is selected" : report_.cases[0].reason));
  }
  const bool reached =
      std::ranges::any_of(report_.cases, [](const CaseFacts& facts) { return facts.reaches != 0; });
  if (!reached && !cancelled()) {
    return absl::FailedPreconditionError(
        "the daemon has no mutants: build the preset `mutants`, and use its tcproctord");
  }
  report_.interrupted = told < report_.mutants.size();
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return std::move(report_);
}

}  // namespace

std::string_view fate_name(Fate fate) {
  switch (fate) {
    case Fate::kKilled:
      return "killed";
    case Fate::kCrashed:
      return "crashed";
    case Fate::kTimedOut:
      return "timed out";
    case Fate::kSurvived:
      return "SURVIVED";
    case Fate::kNotReached:
      return "NOT REACHED";
  }
  return "?";
}

absl::StatusOr<std::vector<Mutant>> load_mutants() {
  return parse_mutants(embedded_file("catalog/mutants.csv"), "catalog/mutants.csv");
}

absl::StatusOr<HuntReport> hunt(const Library& library, const HuntOptions& options,
                                const std::function<void(const MutantOutcome&)>& sink) {
  return Hunt(library, options).run(sink);
}

}  // namespace tcproctor::conformance
