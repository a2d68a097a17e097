// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/causes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "conformance/report/compare.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using CauseKind = DifferenceCause::Kind;
using Causes = std::map<std::pair<CauseKind, std::string>, std::vector<DifferencePlace>>;

// How many places of a cause are told as text.
constexpr size_t kToldPlaces = 3;

// What a verdict that is no PASS makes of a difference.
CauseKind kind_of(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_FAIL:
    case v1::VERDICT_XFAIL:
    case v1::VERDICT_XPASS:
      return CauseKind::kDeviation;
    case v1::VERDICT_SKIP:
      return CauseKind::kCapability;
    default:
      return CauseKind::kUnjudged;
  }
}

// A kind of segment, without its numbers.
std::string what(const LadderRow& row) {
  switch (row.kind) {
    case LadderRow::Kind::kSegment:
    case LadderRow::Kind::kArrival:
      if (!row.segment.tcp) return "ICMP";
      return cat(row.segment.flags.empty() ? "a segment without flags" : row.segment.flags,
                 row.segment.length > 0 ? " with data" : "");
    case LadderRow::Kind::kCall:
      return "a call";
    case LadderRow::Kind::kStates:
      return "a state between two segments";
    case LadderRow::Kind::kStrangers:
      return "segments of no flow";
    case LadderRow::Kind::kLeftOut:
      return "a long run of segments";
    default:
      return "a note";
  }
}

// The kinds of the options, in order, without their values: "mss,sackOK,TS".
std::string option_kinds(const std::string& options) {
  std::string out;
  for (std::string_view option : split(options, ',')) {
    option = trim(option);
    while (option.starts_with("<")) option.remove_prefix(1);
    option = option.substr(0, option.find_first_of(" >"));
    if (!option.empty()) append(out, out.empty() ? "" : ",", option);
  }
  return out.empty() ? "none" : out;
}

std::string states_of(const LadderRow& row, size_t end) {
  return row.states[end].empty() ? "unknown" : row.states[end];
}

// What differs in one field, without the numbers that change from place to place.
std::string field_cause(const std::string& field, const LadderRow& left, const LadderRow& right) {
  if (field == "flags") return cat("flags: ", left.segment.flags, " | ", right.segment.flags);
  if (field == "state_a") return cat("state: ", states_of(left, 0), " | ", states_of(right, 0));
  if (field == "state_b") return cat("state: ", states_of(left, 1), " | ", states_of(right, 1));
  if (field == "text" && left.kind == LadderRow::Kind::kLeftOut) {
    return "how many segments follow each other";
  }
  if (field == "text") return "what a call or a note says";
  if (field == "options") {
    const std::string ours = option_kinds(left.segment.options);
    const std::string theirs = option_kinds(right.segment.options);
    if (ours == theirs) return cat("values of the options of ", what(left), ": ", ours);
    return cat("options of ", what(left), ": ", ours, " | ", theirs);
  }
  if (field == "time") return cat("moment of ", what(left));
  return cat(field, " of ", what(left));
}

class Grouping {
 public:
  Grouping(const CaseOutcome& left, const CaseOutcome& right, Causes& causes)
      : left_(left), right_(right), causes_(causes) {}

  void verdicts() {
    for (const ClauseOutcome& mine : left_.clauses) {
      const ClauseOutcome* other = clause_of(right_, mine.name);
      if (other == nullptr || other->verdict == mine.verdict) continue;
      note_verdicts(mine, *other);
    }
  }

  void rows() {
    for (size_t i = 0; i < std::min(left_.parts.size(), right_.parts.size()); ++i) {
      clause_.clear();
      for (const RowPair& pair : align_rows(left_.parts[i].rows, right_.parts[i].rows)) {
        row(pair, left_.parts[i].rows, right_.parts[i].rows);
      }
    }
  }

 private:
  static const ClauseOutcome* clause_of(const CaseOutcome& result, const std::string& name) {
    const auto found = std::find_if(result.clauses.begin(), result.clauses.end(),
                                    [&](const ClauseOutcome& c) { return c.name == name; });
    return found == result.clauses.end() ? nullptr : &*found;
  }

  // CauseKind and text for what differs in the clause, if a verdict says it.
  static std::optional<std::pair<CauseKind, std::string>> excuse(const ClauseOutcome* mine,
                                                                 const ClauseOutcome* other) {
    for (const ClauseOutcome* clause : {other, mine}) {
      if (clause == nullptr || clause->verdict == v1::VERDICT_PASS) continue;
      const std::string first_line = clause->reason.substr(0, clause->reason.find('\n'));
      return std::pair(kind_of(clause->verdict), first_line);
    }
    return std::nullopt;
  }

  void note_verdicts(const ClauseOutcome& mine, const ClauseOutcome& other) {
    if (const auto key = excuse(&mine, &other)) {
      causes_[*key].push_back(
          {left_.id, mine.name, 0, verdict_name(mine.verdict), verdict_name(other.verdict)});
    }
  }

  void row(const RowPair& pair, const std::vector<LadderRow>& left,
           const std::vector<LadderRow>& right) {
    const LadderRow* mine = pair.left.has_value() ? &left[*pair.left] : nullptr;
    const LadderRow* other = pair.right.has_value() ? &right[*pair.right] : nullptr;
    const LadderRow& any = mine != nullptr ? *mine : *other;
    if (any.kind == LadderRow::Kind::kClause) clause_ = any.text;
    const bool alone = mine == nullptr || other == nullptr;
    if (!alone && pair.differences.empty()) return;
    DifferencePlace place{left_.id, clause_, any.line, mine == nullptr ? "-" : row_text(*mine),
                          other == nullptr ? "-" : row_text(*other)};
    if (const auto key = excuse(clause_of(left_, clause_), clause_of(right_, clause_))) {
      causes_[*key].push_back(std::move(place));
    } else if (alone) {
      const std::string& who = mine != nullptr ? left_.target : right_.target;
      causes_[{CauseKind::kChoice, cat("only ", who, " has ", what(any))}].push_back(
          std::move(place));
    } else {
      for (const std::string& field : pair.differences) {
        causes_[{CauseKind::kChoice, field_cause(field, *mine, *other)}].push_back(place);
      }
    }
  }

  const CaseOutcome& left_;
  const CaseOutcome& right_;
  Causes& causes_;
  std::string clause_;
};

std::string count_text(size_t count, std::string_view what) {
  return cat(count, " ", what, count == 1 ? "" : "s");
}

}  // namespace

size_t DifferenceCause::cases() const {
  std::set<std::string_view> ids;
  for (const DifferencePlace& place : places) ids.insert(place.test_case);
  return ids.size();
}

std::string_view cause_kind_name(CauseKind kind) {
  switch (kind) {
    case CauseKind::kDeviation:
      return "deviation";
    case CauseKind::kCapability:
      return "capability";
    case CauseKind::kUnjudged:
      return "unjudged";
    case CauseKind::kChoice:
      break;
  }
  return "choice";
}

std::string_view cause_heading(CauseKind kind) {
  switch (kind) {
    case CauseKind::kDeviation:
      return "One of them breaks a rule";
    case CauseKind::kCapability:
      return "One of them cannot be asked";
    case CauseKind::kUnjudged:
      return "Not judged";
    case CauseKind::kChoice:
      break;
  }
  return "Both are lawful";
}

absl::StatusOr<std::vector<DifferenceCause>> difference_causes(const RunReport& report,
                                                               const std::string& left,
                                                               const std::string& right) {
  std::map<std::string, const CaseOutcome*> others;
  bool left_there = false;
  for (const CaseOutcome& result : report.results) {
    left_there |= result.target == left;
    if (result.target == right) others.emplace(result.id, &result);
  }
  if (!left_there || others.empty()) {
    return absl::NotFoundError(
        cat("the run has no results of the target \"", left_there ? right : left, "\""));
  }
  Causes grouped;
  for (const CaseOutcome& mine : report.results) {
    const auto other = others.find(mine.id);
    if (mine.target != left || mine.repetition != 1 || other == others.end()) continue;
    Grouping grouping(mine, *other->second, grouped);
    grouping.verdicts();
    grouping.rows();
  }
  std::vector<DifferenceCause> causes;
  for (auto& [key, places] : grouped) causes.push_back({key.first, key.second, std::move(places)});
  std::stable_sort(causes.begin(), causes.end(),
                   [](const DifferenceCause& a, const DifferenceCause& b) {
                     return std::pair(a.kind, b.places.size()) < std::pair(b.kind, a.places.size());
                   });
  return causes;
}

std::string causes_text(const std::vector<DifferenceCause>& causes, const std::string& left,
                        const std::string& right) {
  std::string out;
  std::optional<CauseKind> kind;
  for (const DifferenceCause& cause : causes) {
    if (kind != cause.kind) {
      kind = cause.kind;
      append(out, cause_heading(cause.kind), "\n");
    }
    append(out, "  ", cause.text, ": ", count_text(cause.places.size(), "place"), " in ",
           count_text(cause.cases(), "case"), "\n");
    for (size_t i = 0; i < std::min(cause.places.size(), kToldPlaces); ++i) {
      const DifferencePlace& place = cause.places[i];
      append(out, "    ", place.test_case,
             place.line > 0 ? cat(", line ", place.line) : cat(", clause \"", place.clause, "\""),
             "\n      ", left, ": ", place.left, "\n      ", right, ": ", place.right, "\n");
    }
  }
  return out;
}

}  // namespace tcproctor::conformance
