// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/case_run.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <grpcpp/client_context.h>

#include "conformance/report/ladder.h"
#include "conformance/runner/seed.h"
#include "conformance/runner/stage.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/diagnostic.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

// Real time that a session of a case may take at most, beyond what its script waits for.
constexpr absl::Duration kWatchdog = absl::Minutes(2);
constexpr absl::Duration kSlowWatchdog = absl::Minutes(20);

bool applies(const Clause& clause, const std::string& target) {
  return clause.targets.empty() ||
         std::find(clause.targets.begin(), clause.targets.end(), target) != clause.targets.end();
}

class CaseRun {
 public:
  CaseRun(const Case& test_case, const CaseRunOptions& options)
      : case_(test_case), options_(options) {}
  CaseOutcome run();

 private:
  // How what came before bears on a clause that is not fresh.
  enum class Past { kSound, kFailed, kDeviated, kCancelled };

  void run_clause(const Clause& clause);
  void judge_clause(const Clause& clause, ClauseOutcome& outcome);
  bool begin_stage(ClauseOutcome& outcome);
  void end_stage();
  std::string lacking(const Clause& clause) const;
  void record(const Problem& problem, const Statement* statement, ClauseOutcome& outcome);
  void save_pcap(CasePart& part);
  bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  const Case& case_;
  const CaseRunOptions& options_;
  CaseOutcome outcome_;
  std::unique_ptr<Stage> stage_;
  Past past_ = Past::kSound;
  std::string past_clause_;
};

bool CaseRun::begin_stage(ClauseOutcome& outcome) {
  end_stage();
  StageOptions stage;
  stage.channel = options_.channel;
  stage.target = options_.target;
  stage.seed = derive_seed(options_.seed, cat(case_.head.id, "/", options_.target));
  stage.watchdog = options_.slow ? kSlowWatchdog : kWatchdog;
  absl::StatusOr<std::unique_ptr<Stage>> begun = Stage::begin(case_.head, stage);
  if (!begun.ok()) {
    outcome.verdict = v1::VERDICT_ERROR;
    outcome.reason = cat("no session: ", begun.status().ToString());
    return false;
  }
  stage_ = *std::move(begun);
  return true;
}

void CaseRun::save_pcap(CasePart& part) {
  const size_t number = outcome_.parts.size() + 1;
  const std::string file = cat(options_.pcap_dir, "/", case_.head.id, ".", options_.target,
                               number == 1 ? "" : cat(".", number), ".pcap");
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  v1::PcapRequest request;
  request.set_session(stage_->session().id());
  const auto stub = v1::Wire::NewStub(options_.channel);
  const auto reader = stub->Pcap(&context, request);
  std::ofstream out(file, std::ios::binary);
  v1::PcapChunk chunk;
  while (reader->Read(&chunk)) {
    out.write(chunk.data().data(), static_cast<std::streamsize>(chunk.data().size()));
  }
  const grpc::Status status = reader->Finish();
  out.close();
  if (status.ok() && out) part.pcap_file = file;
}

void CaseRun::end_stage() {
  if (!stage_) return;
  CasePart part;
  part.segments = stage_->segments();
  part.edges = stage_->edges();
  part.ladder = render_ladder(stage_->ladder(), stage_->end_description(v1::END_A),
                              stage_->end_description(v1::END_B));
  append(outcome_.ladder, outcome_.ladder.empty() ? "" : "\n", part.ladder);
  if (!options_.pcap_dir.empty()) save_pcap(part);
  outcome_.parts.push_back(std::move(part));
  stage_.reset();
}

// The first capability that the case or the clause needs and the target has not; empty if none.
std::string CaseRun::lacking(const Clause& clause) const {
  for (const std::vector<std::string>* needs : {&case_.head.needs, &clause.needs}) {
    for (const std::string& name : *needs) {
      if (!stage_->has_capability(name)) return name;
    }
  }
  return "";
}

void CaseRun::record(const Problem& problem, const Statement* statement, ClauseOutcome& outcome) {
  outcome.verdict = problem.verdict;
  outcome.reason = problem.reason;
  outcome.failure = problem.failure;
  outcome.failure.requirement = case_.head.rule.empty() ? case_.head.title : case_.head.rule;
  outcome.failure.part = static_cast<uint32_t>(outcome_.parts.size() + 1);
  if (statement != nullptr) {
    const Position& at = statement->position;
    outcome.failure.statement = std::string(trim(source_line(case_.source, at.line)));
    outcome.failure.location = cat(case_.file, ":", at.line, ":", at.column);
  }
  if (outcome.verdict == v1::VERDICT_FAIL && !stage_->lateness().empty()) {
    outcome.verdict = v1::VERDICT_INCONCLUSIVE;
    outcome.reason = cat(stage_->lateness(), ", so this proves nothing: ", outcome.reason);
  }
}

void CaseRun::judge_clause(const Clause& clause, ClauseOutcome& outcome) {
  const bool runs = !clause.slow || options_.slow;
  if (!runs) {
    outcome.verdict = v1::VERDICT_SKIP;
    outcome.skip_is_named = true;
    outcome.reason = "slow: runs under --slow";
    return;
  }
  if ((clause.fresh || !stage_) && !begin_stage(outcome)) return;
  const std::string capability = lacking(clause);
  if (!capability.empty()) {
    outcome.verdict = v1::VERDICT_SKIP;
    outcome.reason = cat("the target lacks the capability ", capability);
    return;
  }
  stage_->open_clause(clause.name);
  for (const Statement& statement : clause.statements) {
    if (cancelled()) {
      outcome.verdict = v1::VERDICT_INCONCLUSIVE;
      outcome.reason = "the run was interrupted";
      return;
    }
    const Result result = stage_->run(statement);
    if (result.has_value()) return record(*result, &statement, outcome);
  }
  const Result result = stage_->close_clause();
  if (result.has_value()) return record(*result, nullptr, outcome);
  outcome.verdict = v1::VERDICT_PASS;
}

void CaseRun::run_clause(const Clause& clause) {
  ClauseOutcome outcome;
  outcome.name = clause.name;
  if (clause.fresh && past_ != Past::kCancelled) past_ = Past::kSound;
  if (past_ == Past::kSound) {
    judge_clause(clause, outcome);
    if (options_.ledger != nullptr) {
      options_.ledger->apply(case_.head.id, options_.target, options_.kernel_release, outcome);
    }
    switch (outcome.verdict) {
      case v1::VERDICT_PASS:
      case v1::VERDICT_XPASS:
        break;
      case v1::VERDICT_SKIP:
        // A clause that was left out whole leaves the connection as it was. One that broke off in
        // its middle does not.
        if (!outcome.failure.statement.empty()) past_ = Past::kDeviated;
        break;
      case v1::VERDICT_XFAIL:
        past_ = Past::kDeviated;
        break;
      default:
        past_ = Past::kFailed;
    }
    if (cancelled()) past_ = Past::kCancelled;
    if (past_ != Past::kSound) past_clause_ = clause.name;
  } else if (past_ == Past::kDeviated) {
    // The ledger that names the deviation names this as well.
    outcome.verdict = v1::VERDICT_SKIP;
    outcome.skip_is_named = true;
    outcome.reason = cat("not reached: \"", past_clause_, "\" ended as the ledger expects");
  } else {
    outcome.verdict = v1::VERDICT_INCONCLUSIVE;
    outcome.reason = past_ == Past::kCancelled
                         ? "the run was interrupted"
                         : cat("not reached: \"", past_clause_, "\" ended the session");
  }
  outcome_.clauses.push_back(std::move(outcome));
}

CaseOutcome CaseRun::run() {
  const absl::Time start = absl::Now();
  outcome_.id = case_.head.id;
  outcome_.title = case_.head.title;
  outcome_.level = case_.head.level;
  outcome_.covers = case_.head.covers;
  outcome_.target = options_.target;
  outcome_.seed = options_.seed;
  outcome_.reproduce = cat("tcproctor run --target ", options_.target, " --filter ", case_.head.id,
                           " --seed ", options_.seed, options_.slow ? " --slow" : "");
  for (const Clause& clause : case_.clauses) {
    if (!applies(clause, options_.target)) continue;
    Clause asked = clause;
    asked.slow |= case_.head.slow;
    run_clause(asked);
  }
  end_stage();
  outcome_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  judge_case(outcome_);
  return std::move(outcome_);
}

}  // namespace

CaseOutcome run_case(const Case& test_case, const CaseRunOptions& options) {
  return CaseRun(test_case, options).run();
}

}  // namespace tcproctor::conformance
