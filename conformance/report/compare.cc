// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/compare.h"

#include <algorithm>
#include <map>
#include <utility>

#include "conformance/runner/library.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using Kind = LadderRow::Kind;

bool is_segment(const LadderRow& row) {
  return row.kind == Kind::kSegment || row.kind == Kind::kArrival;
}

// How well two rows go together; 0 = not at all.
int likeness(const LadderRow& a, const LadderRow& b) {
  if (a.kind != b.kind || a.flow != b.flow || a.end != b.end) return 0;
  const bool same_line = a.line == b.line && a.line != 0;
  if (is_segment(a)) {
    return 1 + (same_line ? 4 : 0) + (a.segment.flags == b.segment.flags ? 2 : 0) +
           (a.segment.sequence == b.segment.sequence ? 1 : 0) +
           (a.segment.length == b.segment.length ? 1 : 0);
  }
  if (a.kind == Kind::kStates) return a.states == b.states ? 2 : 1;
  if (a.kind == Kind::kLeftOut || a.kind == Kind::kStrangers) return same_line ? 5 : 1;
  return (a.text == b.text ? 6 : 0) + (same_line && a.kind != Kind::kClause ? 3 : 0);
}

// What is random by nature is left out.
std::string comparable_number(const std::string& number) {
  return number.starts_with("@") ? "@" : number;
}

std::string comparable_options(const std::string& options) {
  std::string out;
  for (const std::string& option : split(options, ',')) {
    std::string_view name = option;
    if (name.starts_with("<")) name.remove_prefix(1);
    name = trim(name);
    bool random = false;
    for (const std::string_view kind : {"TS", "FO", "md5"}) {
      if (!name.starts_with(kind)) continue;
      append(out, kind, ",");
      random = true;
    }
    if (!random) append(out, name, ",");
  }
  std::erase(out, '>');
  return out;
}

void compare_segments(const SegmentText& a, const SegmentText& b,
                      std::vector<std::string>& differences) {
  const auto note = [&](bool differs, const char* name) {
    if (differs) differences.emplace_back(name);
  };
  note(a.flags != b.flags, "flags");
  note(comparable_number(a.sequence) != comparable_number(b.sequence), "seq");
  note(comparable_number(a.acknowledgment) != comparable_number(b.acknowledgment), "ack");
  note(a.length != b.length, "length");
  note(a.window != b.window, "window");
  note(comparable_options(a.options) != comparable_options(b.options), "options");
  note(a.other != b.other, "text");
  note(a.flaw != b.flaw, "flaw");
}

std::vector<std::string> row_differences(const LadderRow& a, const LadderRow& b) {
  std::vector<std::string> differences;
  if (is_segment(a)) {
    compare_segments(a.segment, b.segment, differences);
    if (a.way != b.way) differences.emplace_back("way");
  } else if (a.text != b.text) {
    differences.emplace_back("text");
  }
  if (a.states[0] != b.states[0]) differences.emplace_back("state_a");
  if (a.states[1] != b.states[1]) differences.emplace_back("state_b");
  return differences;
}

// The pairing with the greatest likeness in all, order kept.
std::vector<RowPair> best_pairs(const std::vector<LadderRow>& left,
                                const std::vector<LadderRow>& right) {
  const size_t width = right.size() + 1;
  std::vector<int> best((left.size() + 1) * width, 0);  // of what follows row i, row j
  const auto at = [&](size_t i, size_t j) -> int& { return best[i * width + j]; };
  for (size_t i = left.size(); i-- > 0;) {
    for (size_t j = right.size(); j-- > 0;) {
      const int together = likeness(left[i], right[j]);
      at(i, j) = std::max(at(i + 1, j), at(i, j + 1));
      if (together > 0) at(i, j) = std::max(at(i, j), together + at(i + 1, j + 1));
    }
  }
  std::vector<RowPair> pairs;
  size_t i = 0, j = 0;
  while (i < left.size() || j < right.size()) {
    const bool both = i < left.size() && j < right.size();
    const int together = both ? likeness(left[i], right[j]) : 0;
    if (together > 0 && at(i, j) == together + at(i + 1, j + 1)) {
      pairs.push_back({i++, j++, {}});
    } else if (j == right.size() || (both && at(i, j) == at(i + 1, j))) {
      pairs.push_back({i++, std::nullopt, {}});
    } else {
      pairs.push_back({std::nullopt, j++, {}});
    }
  }
  return pairs;
}

const CaseOutcome* find_result(const RunReport& report, const std::string& id,
                               const std::string& target) {
  for (const CaseOutcome& result : report.results) {
    if (result.id == id && result.target == target) return &result;
  }
  return nullptr;
}

std::string clause_differences(const CaseOutcome& left, const CaseOutcome& right) {
  std::string out;
  for (const ClauseOutcome& mine : left.clauses) {
    for (const ClauseOutcome& other : right.clauses) {
      if (mine.name != other.name || mine.verdict == other.verdict) continue;
      append(out, "  clause \"", mine.name, "\"\n");
      for (const auto& [result, clause] : {std::pair{&left, &mine}, {&right, &other}}) {
        append(out, "    ", result->target, ": ", verdict_name(clause->verdict),
               clause->reason.empty() ? "" : ": ", clause->reason, "\n");
      }
    }
  }
  return out;
}

std::string ladder_differences(const CasePart& left, const CasePart& right,
                               const std::string& left_name, const std::string& right_name,
                               const std::vector<std::string>& script) {
  std::string out;
  for (const RowPair& pair : align_rows(left.rows, right.rows)) {
    if (pair.left.has_value() && pair.right.has_value() && pair.differences.empty()) continue;
    const LadderRow* mine = pair.left.has_value() ? &left.rows[*pair.left] : nullptr;
    const LadderRow* other = pair.right.has_value() ? &right.rows[*pair.right] : nullptr;
    const int line = mine != nullptr ? mine->line : other->line;
    const bool known = line > 0 && static_cast<size_t>(line) <= script.size();
    append(
        out, "  ", pair.differences.empty() ? "only one has it" : join(pair.differences, ", "),
        known ? cat(" (line ", line, ": ", trim(script[static_cast<size_t>(line) - 1]), ")") : "",
        "\n");
    for (const auto& [name, row] : {std::pair{&left_name, mine}, {&right_name, other}}) {
      append(out, "    ", *name, ": ", row == nullptr ? "-" : row_text(*row), "\n");
    }
  }
  return out;
}

// By case, target, repetition and clause.
using ClauseKey = std::tuple<std::string, std::string, uint32_t, std::string>;

std::map<ClauseKey, const ClauseOutcome*> clauses_of(const RunReport& report) {
  std::map<ClauseKey, const ClauseOutcome*> out;
  for (const CaseOutcome& result : report.results) {
    for (const ClauseOutcome& clause : result.clauses) {
      out[{result.id, result.target, result.repetition, clause.name}] = &clause;
    }
  }
  return out;
}

size_t target_rank(const std::string& target) {
  const std::vector<std::string> all = all_targets();
  return static_cast<size_t>(std::find(all.begin(), all.end(), target) - all.begin());
}

// A violation comes first, then a broken harness, then what is only inconclusive.
int worse_status(int a, int b) {
  for (const int status : {1, 3, 2}) {
    if (a == status || b == status) return status;
  }
  return 0;
}

// A part that is not there proves nothing.
void tell_missing_parts(RunReport& merged) {
  std::vector<std::string> missing;
  for (uint32_t part = 1; part <= merged.shards; ++part) {
    if (merged.parts.count(part) == 0) missing.push_back(cat(part, "/", merged.shards));
  }
  if (missing.empty()) {
    merged.shards = 0;
    merged.parts.clear();
    return;
  }
  merged.complaints.push_back(cat("parts of the run are missing: ", join(missing, ", ")));
  merged.exit_status = worse_status(merged.exit_status, 3);
}

}  // namespace

std::string row_text(const LadderRow& row) {
  std::string out = is_segment(row)
                        ? cat(row.end == v1::END_A ? "A: " : "B: ", script_form(row.segment))
                        : row.text;
  if (row.way != LadderRow::Way::kArrives) append(out, " ", way_name(row.way));
  for (size_t i = 0; i < 2; ++i) {
    if (!row.states[i].empty()) append(out, i == 0 ? "  A " : "  B ", row.states[i]);
  }
  return out;
}

std::vector<RowPair> align_rows(const std::vector<LadderRow>& left,
                                const std::vector<LadderRow>& right) {
  std::vector<RowPair> pairs = best_pairs(left, right);
  std::optional<absl::Duration> left_before, right_before;
  for (RowPair& pair : pairs) {
    if (!pair.left.has_value() || !pair.right.has_value()) continue;
    const LadderRow& a = left[*pair.left];
    const LadderRow& b = right[*pair.right];
    pair.differences = row_differences(a, b);
    if (left_before.has_value()) {
      const absl::Duration off = (a.time - *left_before) - (b.time - *right_before);
      if (absl::AbsDuration(off) > kTimeTolerance) pair.differences.emplace_back("time");
    }
    left_before = a.time;
    right_before = b.time;
  }
  return pairs;
}

absl::StatusOr<std::string> target_differences(const RunReport& report, const std::string& left,
                                               const std::string& right) {
  for (const std::string& target : {left, right}) {
    const bool there = std::any_of(report.results.begin(), report.results.end(),
                                   [&](const CaseOutcome& r) { return r.target == target; });
    if (!there) {
      return absl::NotFoundError(cat("the run has no results of the target \"", target, "\""));
    }
  }
  std::string out;
  for (const CaseOutcome& mine : report.results) {
    if (mine.target != left || mine.repetition != 1) continue;
    const CaseOutcome* other = find_result(report, mine.id, right);
    if (other == nullptr) continue;
    const auto source = report.cases.find(mine.id);
    const std::vector<std::string> script =
        split(source == report.cases.end() ? "" : source->second.text, '\n');
    std::string differences = clause_differences(mine, *other);
    for (size_t i = 0; i < std::min(mine.parts.size(), other->parts.size()); ++i) {
      differences += ladder_differences(mine.parts[i], other->parts[i], left, right, script);
    }
    if (mine.parts.size() != other->parts.size()) {
      append(differences, "  sessions: ", left, " ", mine.parts.size(), ", ", right, " ",
             other->parts.size(), "\n");
    }
    if (!differences.empty()) append(out, mine.id, " (", mine.title, ")\n", differences);
  }
  return out;
}

std::vector<ClauseChange> changed_clauses(const RunReport& before, const RunReport& after) {
  std::map<ClauseKey, const ClauseOutcome*> earlier = clauses_of(before);
  std::vector<ClauseChange> changes;
  for (const CaseOutcome& result : after.results) {
    for (const ClauseOutcome& clause : result.clauses) {
      const auto found = earlier.find({result.id, result.target, result.repetition, clause.name});
      const ClauseOutcome* old = found == earlier.end() ? nullptr : found->second;
      if (found != earlier.end()) earlier.erase(found);
      if (old != nullptr && old->verdict == clause.verdict) continue;
      changes.push_back({result.id, result.target, clause.name,
                         old == nullptr ? "-" : verdict_name(old->verdict),
                         verdict_name(clause.verdict),
                         clause.reason.empty() && old != nullptr ? old->reason : clause.reason});
    }
  }
  for (const auto& [key, clause] : earlier) {
    const auto& [test_case, target, repetition, name] = key;
    changes.push_back(
        {test_case, target, name, verdict_name(clause->verdict), "-", clause->reason});
  }
  return changes;
}

std::set<Violation> violations(const RunReport& report) {
  std::set<Violation> out;
  for (const CaseOutcome& result : report.results) {
    for (const ClauseOutcome& clause : result.clauses) {
      if (is_violation(clause.verdict)) out.insert(violation_of(result, clause));
    }
  }
  return out;
}

absl::StatusOr<RunReport> merge_reports(std::vector<RunReport> shards) {
  RunReport merged;
  if (shards.empty()) return absl::InvalidArgumentError("there is nothing to merge");
  merged.exit_status = 0;
  merged.seed = shards.front().seed;
  std::set<std::tuple<std::string, std::string, uint32_t>> seen;
  std::set<std::string> versions, kernels;
  for (RunReport& shard : shards) {
    for (CaseOutcome& result : shard.results) {
      if (!seen.emplace(result.target, result.id, result.repetition).second) {
        if (result.id == kSanityId) continue;  // each shard has examined its harness
        return absl::InvalidArgumentError(
            cat("two of the reports have a result of ", result.id, " on ", result.target));
      }
      merged.results.push_back(std::move(result));
    }
    for (std::string& complaint : shard.complaints) {
      const auto& told = merged.complaints;
      if (std::find(told.begin(), told.end(), complaint) == told.end()) {
        merged.complaints.push_back(std::move(complaint));
      }
    }
    merged.exit_status = worse_status(merged.exit_status, shard.exit_status);
    merged.seconds += shard.seconds;
    merged.interrupted |= shard.interrupted;
    merged.shards = std::max(merged.shards, shard.shards);
    merged.parts.merge(shard.parts);
    merged.known += shard.known;
    merged.environment.merge(shard.environment);
    merged.cases.merge(shard.cases);
    versions.insert(shard.version);
    kernels.insert(shard.kernel_release);
  }
  tell_missing_parts(merged);
  count_verdicts(merged);
  merged.version = join(versions, ", ");
  merged.kernel_release = join(kernels, ", ");
  std::sort(merged.results.begin(), merged.results.end(),
            [](const CaseOutcome& a, const CaseOutcome& b) {
              return std::tuple(target_rank(a.target), a.id, a.repetition) <
                     std::tuple(target_rank(b.target), b.id, b.repetition);
            });
  return merged;
}

}  // namespace tcproctor::conformance
