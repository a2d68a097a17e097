// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/case_run.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <grpcpp/client_context.h>

#include "conformance/runner/library.h"
#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/seed.h"
#include "conformance/runner/stage.h"
#include "conformance/runner/target.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/diagnostic.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.grpc.pb.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

bool applies(const Clause& clause, const std::string& target) {
  return clause.targets.empty() ||
         std::find(clause.targets.begin(), clause.targets.end(), target) != clause.targets.end();
}

// How often the clauses of one session are tried when the harness was late.
constexpr size_t kAttempts = 3;

// Whether it is the same that went wrong in another attempt.
bool same_failure(const ClauseOutcome& a, const ClauseOutcome& b) {
  return a.name == b.name && a.verdict == b.verdict && a.reason == b.reason &&
         a.failure.location == b.failure.location;
}

class CaseRun {
 public:
  CaseRun(const Case& test_case, const CaseRunOptions& options)
      : case_(test_case), options_(options) {}
  CaseOutcome run();

 private:
  // How what came before bears on a clause that is not fresh.
  enum class Past { kSound, kFailed, kDeviated, kLeftOut, kCancelled };

  // A clause and how far the lateness of the harness may be the reason of its verdict.
  struct Judged {
    ClauseOutcome outcome;
    std::optional<Problem> problem;
    Doubt doubt = Doubt::kNone;
    double late_seconds = 0;
    std::string late;
  };
  using Judgement = std::vector<Judged>;  // of the clauses of one session

  void run_session(const std::vector<Clause>& clauses);
  Judgement attempt(const std::vector<Clause>& clauses);
  Judged run_clause(const Clause& clause);
  void judge_clause(const Clause& clause, Judged& judged);
  void weigh(Judged& judged) const;
  void put_aside(const Judgement& judgement);
  static void settle(Judgement& judgement, const std::vector<Judgement>& earlier);
  absl::StatusOr<std::unique_ptr<Performer>> begin_performer(const StageOptions& options) const;
  bool begin_stage(ClauseOutcome& outcome);
  void end_stage();
  std::string lacking(const Clause& clause) const;
  bool left_to_one_machine(const Clause& clause, ClauseOutcome& outcome);
  static void leave_to_one_machine(const std::string& why, ClauseOutcome& outcome);
  void record(const Problem& problem, const Statement* statement, Judged& judged);
  void save_pcap(CasePart& part);
  void note_mutants();
  bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  const Case& case_;
  const CaseRunOptions& options_;
  CaseOutcome outcome_;
  std::unique_ptr<Performer> stage_;
  Past past_ = Past::kSound;
  std::string past_clause_;
};

absl::StatusOr<std::unique_ptr<Performer>> CaseRun::begin_performer(
    const StageOptions& options) const {
  if (case_.dialect == Dialect::kPacketdrill) return PacketdrillStage::begin(case_, options);
  return Stage::begin(case_.head, options);
}

bool CaseRun::begin_stage(ClauseOutcome& outcome) {
  StageOptions stage;
  stage.channel = options_.channel;
  stage.apart = options_.apart;
  stage.target = options_.target;
  // The id of a script depends on what else is run.
  const bool foreign = case_.dialect == Dialect::kPacketdrill;
  stage.seed =
      derive_seed(options_.seed, cat(foreign ? case_.file : case_.head.id, "/", options_.target));
  stage.mutant = options_.mutant;
  stage.foreign = options_.foreign;
  stage.watchdog = options_.watchdog;
  absl::StatusOr<std::unique_ptr<Performer>> begun = begin_performer(stage);
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
                               options_.repetition == 1 ? "" : cat(".again", options_.repetition),
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

// The examined end knows which mutants it came past; that nobody can be asked is no fault of the
// case.
void CaseRun::note_mutants() {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  v1::GetSessionRequest request;
  request.set_session(stage_->session().id());
  v1::Session session;
  if (!v1::Sessions::NewStub(options_.channel)->GetSession(&context, request, &session).ok())
    return;
  const v1::EndInfo& end = mutated_end(case_.head) == v1::END_A ? session.a() : session.b();
  outcome_.mutants_passed.insert(end.mutants_passed().begin(), end.mutants_passed().end());
}

void CaseRun::end_stage() {
  if (!stage_) return;
  CasePart part;
  part.segments = stage_->segments();
  part.edges = stage_->edges();
  part.a = stage_->end_description(v1::END_A);
  part.b = stage_->end_description(v1::END_B);
  part.rows = ladder_rows(stage_->ladder());
  if (!options_.pcap_dir.empty()) save_pcap(part);
  if (options_.note_mutants) note_mutants();
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

// True: the clause cannot be carried out with Endpoint and Wire apart, which they are.
bool CaseRun::left_to_one_machine(const Clause& clause, ClauseOutcome& outcome) {
  if (!options_.apart) return false;
  std::string why =
      case_.dialect == Dialect::kPacketdrill
          ? "a script in packetdrill's dialect brings its addresses, MTU and kernel settings"
          : local_only(case_.head, options_.target, options_.apart);
  if (why.empty()) {
    why = local_only(clause);
    if (why.empty()) return false;
    // What it would have done to the connection is missing from then on.
    past_ = Past::kLeftOut;
  }
  leave_to_one_machine(why, outcome);
  return true;
}

void CaseRun::leave_to_one_machine(const std::string& why, ClauseOutcome& outcome) {
  outcome.verdict = v1::VERDICT_SKIP;
  outcome.skip_is_named = true;
  outcome.reason = cat("only where Endpoint and Wire are on one machine: ", why);
}

void CaseRun::record(const Problem& problem, const Statement* statement, Judged& judged) {
  ClauseOutcome& outcome = judged.outcome;
  outcome.verdict = problem.verdict;
  outcome.reason = problem.reason;
  outcome.failure = problem.failure;
  outcome.failure.requirement = case_.head.rule.empty() ? case_.head.title : case_.head.rule;
  outcome.failure.part = static_cast<uint32_t>(outcome_.parts.size() + 1);
  if (statement != nullptr) {
    const Position& at = statement->position;
    outcome.failure.statement = std::string(trim(source_line(case_.source, at.line)));
    if (!statement->procedure.empty()) {
      append(outcome.failure.statement, ": ", print_statement(*statement));
    }
    outcome.failure.location = cat(case_.file, ":", at.line, ":", at.column);
  }
  judged.problem = problem;
}

void CaseRun::judge_clause(const Clause& clause, Judged& judged) {
  ClauseOutcome& outcome = judged.outcome;
  const bool runs = !clause.slow || options_.slow;
  if (!runs) {
    outcome.verdict = v1::VERDICT_SKIP;
    outcome.skip_is_named = true;
    outcome.reason = "slow: runs under --slow";
    return;
  }
  if (left_to_one_machine(clause, outcome)) return;
  if (!stage_ && !begin_stage(outcome)) return;
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
    if (result.has_value()) return record(*result, &statement, judged);
  }
  const Result result = stage_->close_clause();
  if (result.has_value()) return record(*result, nullptr, judged);
  outcome.verdict = v1::VERDICT_PASS;
}

// Whether the lateness of the harness may be the reason of a verdict that turns the run red. The
// ledger has been asked before: a deviation whose signature was observed is one, late or not.
void CaseRun::weigh(Judged& judged) const {
  const v1::Verdict verdict = judged.outcome.verdict;
  const bool red = verdict == v1::VERDICT_FAIL || verdict == v1::VERDICT_XPASS ||
                   (verdict == v1::VERDICT_ERROR && judged.problem.has_value());
  if (!red || !stage_) return;
  const Lateness& lateness = stage_->lateness();
  judged.doubt = lateness.doubt(judged.problem.value_or(Problem{}), stage_->patience());
  judged.late_seconds = absl::ToDoubleSeconds(lateness.longest());
  judged.late = lateness.text();
}

CaseRun::Judged CaseRun::run_clause(const Clause& clause) {
  Judged judged;
  ClauseOutcome& outcome = judged.outcome;
  outcome.name = clause.name;
  if (past_ == Past::kSound) {
    judge_clause(clause, judged);
    if (options_.ledger != nullptr) {
      options_.ledger->apply(case_.head.id, options_.target, options_.kernel_release, outcome);
    }
    weigh(judged);
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
  } else if (past_ == Past::kLeftOut) {
    leave_to_one_machine(cat("it goes on from \"", past_clause_, "\""), outcome);
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
  return judged;
}

CaseRun::Judgement CaseRun::attempt(const std::vector<Clause>& clauses) {
  stage_.reset();
  if (past_ != Past::kCancelled) past_ = Past::kSound;
  Judgement judgement;
  for (const Clause& clause : clauses) judgement.push_back(run_clause(clause));
  return judgement;
}

void CaseRun::put_aside(const Judgement& judgement) {
  for (const Judged& judged : judgement) {
    if (judged.doubt == Doubt::kNone) continue;
    outcome_.attempts.push_back({judged.outcome.name, judged.outcome.verdict, judged.outcome.reason,
                                 judged.outcome.failure.location, judged.late_seconds});
  }
}

// After the last attempt: what went wrong in the same way each time, once at least without being
// what lateness brings about, is the candidate's doing.
void CaseRun::settle(Judgement& judgement, const std::vector<Judgement>& earlier) {
  for (Judged& judged : judgement) {
    if (judged.doubt == Doubt::kNone) continue;
    size_t same = 1;
    bool explained = judged.doubt == Doubt::kExplained;
    for (const Judgement& before : earlier) {
      for (const Judged& other : before) {
        if (other.doubt == Doubt::kNone || !same_failure(judged.outcome, other.outcome)) continue;
        ++same;
        explained &= other.doubt == Doubt::kExplained;
      }
    }
    ClauseOutcome& outcome = judged.outcome;
    if (same == kAttempts && !explained) {
      append(outcome.reason, " (in each of ", kAttempts, " attempts, though ", judged.late, ")");
    } else {
      outcome.reason = cat(judged.late, " in the last of ", earlier.size() + 1,
                           " attempts, so this proves nothing: ", verdict_name(outcome.verdict),
                           ": ", outcome.reason);
      outcome.verdict = v1::VERDICT_INCONCLUSIVE;
    }
  }
}

void CaseRun::run_session(const std::vector<Clause>& clauses) {
  std::vector<Judgement> earlier;
  Judgement judgement = attempt(clauses);
  const auto doubtful = [&] {
    return std::any_of(judgement.begin(), judgement.end(),
                       [](const Judged& judged) { return judged.doubt != Doubt::kNone; });
  };
  while (doubtful() && earlier.size() + 1 < kAttempts && !cancelled()) {
    put_aside(judgement);
    earlier.push_back(std::move(judgement));
    judgement = attempt(clauses);
  }
  settle(judgement, earlier);
  end_stage();
  for (Judged& judged : judgement) outcome_.clauses.push_back(std::move(judged.outcome));
}

CaseOutcome CaseRun::run() {
  const absl::Time start = absl::Now();
  outcome_.id = case_.head.id;
  outcome_.title = case_.head.title;
  outcome_.level = case_.head.level;
  outcome_.covers = covered_ids(case_);
  outcome_.target = options_.target;
  outcome_.repetition = options_.repetition;
  outcome_.seed = options_.seed;
  outcome_.reproduce = cat("tcproctor run ", options_.where, options_.where.empty() ? "" : " ",
                           "--target ", options_.target, " --filter ", case_.head.id, " --seed ",
                           options_.seed, options_.slow ? " --slow" : "");
  std::vector<Clause> session;
  for (const Clause& clause : case_.clauses) {
    if (!applies(clause, options_.target)) continue;
    Clause asked = clause;
    asked.slow |= case_.head.slow;
    // A clause that is left out begins no session.
    if (asked.fresh && (!asked.slow || options_.slow) && !session.empty()) {
      run_session(std::exchange(session, {}));
    }
    session.push_back(std::move(asked));
  }
  run_session(session);
  outcome_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  judge_case(outcome_);
  return std::move(outcome_);
}

}  // namespace

CaseOutcome run_case(const Case& test_case, const CaseRunOptions& options) {
  return CaseRun(test_case, options).run();
}

}  // namespace tcproctor::conformance
