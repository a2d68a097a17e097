// SPDX-License-Identifier: Apache-2.0
// merge, diff
#include <google/protobuf/struct.pb.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "clients/cli/report_files.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/report/causes.h"
#include "conformance/report/compare.h"
#include "conformance/report/fsm.h"
#include "conformance/report/report.h"

namespace tcproctor::cli {
namespace {

class Merge : public Verb {
 public:
  Merge()
      : Verb({.name = "merge",
              .operands = "OUT.json IN.json…",
              .summary = "Joins the reports of a run's shards; needs no daemon",
              .help = "One report alone is shown again: in other forms, or after an update. The "
                      "exit\n"
                      "status is that of the run as a whole.\n\n"
                      "  tcproctor merge all.json shard-*.json --html report.html\n"
                      "  tcproctor merge /dev/null results.json --tap -\n",
              .min_operands = 2,
              .max_operands = 10000}) {}

  void define(FlagSet& flags) override { files_.define(flags); }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    absl::Status status = files_.check(context);
    if (!status.ok()) return status;
    std::vector<conformance::RunReport> shards;
    for (size_t i = 1; i < operands.size(); ++i) {
      absl::StatusOr<conformance::RunReport> shard = conformance::read_report_file(operands[i]);
      if (!shard.ok()) return shard.status();
      shards.push_back(*std::move(shard));
    }
    const absl::StatusOr<conformance::RunReport> merged =
        conformance::merge_reports(std::move(shards));
    if (!merged.ok()) return merged.status();
    std::ostream& text =
        files_.takes_stdout() || operands[0] == "-" ? context.err() : context.text();
    const conformance::ConsoleStyle style{.colours = context.colours()};
    text << conformance::console_fsm(*merged) << conformance::console_matrix(*merged, style);
    const std::string json = conformance::json_report(*merged);
    status.Update(conformance::write_report(operands[0], json));
    status.Update(context.emit_text(json));
    status.Update(files_.write(*merged));
    if (!status.ok()) return status;
    return merged->exit_status;
  }

 private:
  ReportFiles files_;
};

class Diff : public Verb {
 public:
  Diff()
      : Verb({.name = "diff",
              .operands = "A.json [B.json]",
              .summary = "What changed between two runs, or differs between two targets of one",
              .help = "Of two runs: every clause whose verdict is another one. Of two targets of "
                      "one run:\n"
                      "every verdict, segment, state and time (beyond 50 ms) that differs, "
                      "grouped by its\n"
                      "cause, or case by case with the line of the script; what is random by "
                      "nature is not\n"
                      "compared. Needs no daemon. Exit status: 0 no difference, 1 differences.\n\n"
                      "  tcproctor diff yesterday.json today.json\n"
                      "  tcproctor diff --targets stack,kernel results.json\n"
                      "  tcproctor diff --targets stack,kernel --by-case results.json\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("targets", &targets_, "LEFT,RIGHT", "two targets of one run");
    flags.add("by-case", &by_case_, "", "of two targets: case by case, all of it");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    if (targets_.empty() != (operands.size() == 2) || (!targets_.empty() && targets_.size() != 2)) {
      return absl::InvalidArgumentError(
          "want two reports, or one and --targets LEFT,RIGHT; usage: tcproctor diff "
          "A.json [B.json]");
    }
    const absl::StatusOr<conformance::RunReport> before =
        conformance::read_report_file(operands[0]);
    if (!before.ok()) return before.status();
    if (!targets_.empty()) return targets(context, *before);
    const absl::StatusOr<conformance::RunReport> after = conformance::read_report_file(operands[1]);
    if (!after.ok()) return after.status();
    return runs(context, *before, *after);
  }

 private:
  absl::StatusOr<int> targets(Context& context, const conformance::RunReport& report) const {
    if (!by_case_) return by_cause(context, report);
    if (!context.json().empty())
      return absl::InvalidArgumentError("--by-case is text; without it the causes are JSON");
    const absl::StatusOr<std::string> differences =
        conformance::target_differences(report, targets_[0], targets_[1]);
    if (!differences.ok()) return differences.status();
    context.text() << *differences;
    return differences->empty() ? kExitOk : kExitOutcome;
  }

  absl::StatusOr<int> by_cause(Context& context, const conformance::RunReport& report) const {
    const absl::StatusOr<std::vector<conformance::DifferenceCause>> causes =
        conformance::difference_causes(report, targets_[0], targets_[1]);
    if (!causes.ok()) return causes.status();
    context.text() << conformance::causes_text(*causes, targets_[0], targets_[1]);
    google::protobuf::ListValue json;
    for (const conformance::DifferenceCause& cause : *causes) add_cause(cause, json);
    if (absl::Status status = context.emit(json); !status.ok()) return status;
    return causes->empty() ? kExitOk : kExitOutcome;
  }

  void add_cause(const conformance::DifferenceCause& cause,
                 google::protobuf::ListValue& json) const {
    auto& fields = *json.add_values()->mutable_struct_value()->mutable_fields();
    fields["kind"].set_string_value(std::string(conformance::cause_kind_name(cause.kind)));
    fields["cause"].set_string_value(cause.text);
    auto& places = *fields["places"].mutable_list_value();
    for (const conformance::DifferencePlace& place : cause.places) {
      auto& at = *places.add_values()->mutable_struct_value()->mutable_fields();
      at["case"].set_string_value(place.test_case);
      at["clause"].set_string_value(place.clause);
      at["line"].set_number_value(place.line);
      at[targets_[0]].set_string_value(place.left);
      at[targets_[1]].set_string_value(place.right);
    }
  }

  static absl::StatusOr<int> runs(Context& context, const conformance::RunReport& before,
                                  const conformance::RunReport& after) {
    const std::vector<conformance::ClauseChange> changes =
        conformance::changed_clauses(before, after);
    google::protobuf::ListValue json;
    for (const conformance::ClauseChange& change : changes) {
      auto& fields = *json.add_values()->mutable_struct_value()->mutable_fields();
      fields["before"].set_string_value(change.before);
      fields["after"].set_string_value(change.after);
      fields["target"].set_string_value(change.target);
      fields["case"].set_string_value(change.test_case);
      fields["clause"].set_string_value(change.clause);
      fields["reason"].set_string_value(change.reason);
      context.text() << change.before << " -> " << change.after << "  " << change.target << "  "
                     << change.test_case << "  \"" << change.clause << "\""
                     << (change.reason.empty() ? "" : ": ") << change.reason << "\n";
    }
    if (absl::Status status = context.emit(json); !status.ok()) return status;
    return changes.empty() ? kExitOk : kExitOutcome;
  }

  std::vector<std::string> targets_;
  bool by_case_ = false;
};

}  // namespace

void add_compare_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Merge>());
  verbs.push_back(std::make_unique<Diff>());
}

}  // namespace tcproctor::cli
