// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/ledger.h"

#include <algorithm>

#include "conformance/catalog/csv.h"
#include "conformance/catalog/glob.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::vector<int> version_numbers(std::string_view release) {
  std::vector<int> numbers;
  const size_t end = release.find_first_not_of("0123456789.");
  for (const std::string& part : split(release.substr(0, end), '.')) {
    int number = 0;
    if (!parse_number(part, number)) break;
    numbers.push_back(number);
  }
  return numbers;
}

// Compares as many numbers as the bound has.
int compare(const std::vector<int>& release, const std::vector<int>& bound) {
  for (size_t i = 0; i < bound.size(); ++i) {
    const int mine = i < release.size() ? release[i] : 0;
    if (mine != bound[i]) return mine < bound[i] ? -1 : 1;
  }
  return 0;
}

// All the text of a failure, in which a signature is looked for.
std::string failure_text(const ClauseOutcome& clause) {
  return cat(clause.reason, "\n", clause.failure.statement, "\n", clause.failure.came, "\n",
             join(clause.failure.differences, "\n"));
}

void set_verdict(ClauseOutcome& clause, v1::Verdict verdict, const Deviation& deviation) {
  clause.verdict = verdict;
  clause.reference = deviation.reference;
}

}  // namespace

bool kernel_in_range(std::string_view release, std::string_view min, std::string_view max) {
  const std::vector<int> numbers = version_numbers(release);
  if (!min.empty() && compare(numbers, version_numbers(min)) < 0) return false;
  return max.empty() || compare(numbers, version_numbers(max)) <= 0;
}

absl::StatusOr<Ledger> Ledger::parse(std::string_view text, const std::string& file) {
  const absl::StatusOr<std::vector<CsvRow>> rows =
      parse_csv(text, file,
                {"case", "clause", "target", "kernel_min", "kernel_max", "expected", "signature",
                 "reason", "reference"});
  if (!rows.ok()) return rows.status();
  Ledger ledger;
  ledger.file_ = file;
  for (const CsvRow& row : *rows) {
    const std::vector<std::string>& f = row.fields;
    Deviation deviation{row.line,          f[0], f[1], f[2], f[3], f[4],
                        v1::VERDICT_XFAIL, f[6], f[7], f[8]};
    const auto wrong = [&](std::string_view what) {
      return absl::InvalidArgumentError(cat(file, ":", row.line, ": ", what));
    };
    if (f[5] == "SKIP") {
      deviation.expected = v1::VERDICT_SKIP;
    } else if (f[5] != "XFAIL") {
      return wrong(cat("expected is XFAIL or SKIP, found \"", f[5], "\""));
    }
    if (f[0].empty() || f[1].empty()) return wrong("case and clause must be given (globs)");
    if (f[2] != "*" && !is_target(f[2])) return wrong(cat("unknown target \"", f[2], "\""));
    if (deviation.expected == v1::VERDICT_XFAIL && deviation.signature.empty()) {
      return wrong("an XFAIL needs a signature: text that occurs in the failure");
    }
    if (deviation.reason.empty() || deviation.reference.empty()) {
      return wrong("reason and reference must be given");
    }
    ledger.deviations_.push_back(std::move(deviation));
  }
  return ledger;
}

void Ledger::apply(const std::string& case_id, const std::string& target,
                   const std::string& kernel_release, ClauseOutcome& clause) const {
  const v1::Verdict observed = clause.verdict;
  const Deviation* other_signature = nullptr;
  for (const Deviation& deviation : deviations_) {
    if (!glob_matches(deviation.case_glob, case_id) ||
        !glob_matches(deviation.clause_glob, clause.name) ||
        (deviation.target != "*" && deviation.target != target) ||
        !kernel_in_range(kernel_release, deviation.kernel_min, deviation.kernel_max)) {
      continue;
    }
    const bool expects_fail = deviation.expected == v1::VERDICT_XFAIL;
    if (observed == v1::VERDICT_PASS) {
      set_verdict(clause, v1::VERDICT_XPASS, deviation);
      clause.reason = cat(expects_fail ? "a deviation was expected and did not show: "
                                       : "it was expected to be skipped and passed: ",
                          deviation.reason);
      return;
    }
    if (observed == v1::VERDICT_SKIP && !expects_fail) {
      clause.skip_is_named = true;
      clause.reason = cat(deviation.reason, " (", clause.reason, ")");
      clause.reference = deviation.reference;
      return;
    }
    if (observed == v1::VERDICT_FAIL && expects_fail) {
      if (failure_text(clause).find(deviation.signature) != std::string::npos) {
        set_verdict(clause, v1::VERDICT_XFAIL, deviation);
        clause.reason = deviation.reason;
        return;
      }
      other_signature = &deviation;
    }
  }
  if (other_signature != nullptr) {
    append(clause.reason, " (a deviation is known here, but it shows as \"",
           other_signature->signature, "\")");
  }
}

Ledger Ledger::strict() const {
  Ledger out = *this;
  std::erase_if(out.deviations_,
                [](const Deviation& deviation) { return deviation.expected == v1::VERDICT_XFAIL; });
  return out;
}

std::vector<std::string> Ledger::stale_entries(const std::vector<Case>& cases) const {
  std::vector<std::string> out;
  for (const Deviation& deviation : deviations_) {
    bool has_case = false, has_clause = false, has_target = false;
    for (const Case& candidate : cases) {
      if (!glob_matches(deviation.case_glob, candidate.head.id)) continue;
      has_case = true;
      const auto& targets = candidate.head.targets;
      const bool target = deviation.target == "*" || std::find(targets.begin(), targets.end(),
                                                               deviation.target) != targets.end();
      has_target |= target;
      for (const Clause& clause : candidate.clauses) {
        has_clause |= target && glob_matches(deviation.clause_glob, clause.name);
      }
    }
    if (has_clause) continue;
    out.push_back(cat(
        file_, ":", deviation.line, ": stale entry: ",
        !has_case     ? cat("no case is named ", deviation.case_glob)
        : !has_target ? cat("the case ", deviation.case_glob, " does not run on ", deviation.target)
                      : cat("the case ", deviation.case_glob, " has no clause named ",
                            deviation.clause_glob)));
  }
  return out;
}

}  // namespace tcproctor::conformance
