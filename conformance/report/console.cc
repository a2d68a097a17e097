// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_format.h"
#include "conformance/report/evidence.h"
#include "conformance/report/report.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr size_t kVerdictWidth = 13;  // "INCONCLUSIVE "

bool is_clean(v1::Verdict verdict) {
  return verdict == v1::VERDICT_PASS || verdict == v1::VERDICT_XFAIL || verdict == v1::VERDICT_SKIP;
}

std::string coloured(v1::Verdict verdict, const ConsoleStyle& style, size_t width) {
  const std::string name = verdict_name(verdict);
  const std::string blanks(name.size() < width ? width - name.size() : 0, ' ');
  if (!style.colours) return name + blanks;
  const std::string_view colour = verdict == v1::VERDICT_PASS ? "\x1b[32m"
                                  : is_clean(verdict)         ? "\x1b[33m"
                                                              : "\x1b[31m";
  return cat(colour, name, "\x1b[0m", blanks);
}

std::string column(const std::string& text, size_t width) {
  return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

// " (late and repeated: FAIL, FAIL)"
std::string repeats(const CaseOutcome& outcome) {
  if (outcome.attempts.empty()) return "";
  return cat(" (late and repeated: ",
             join(outcome.attempts, ", ",
                  [](std::string& out, const Attempt& attempt) {
                    append(out, verdict_name(attempt.verdict));
                  }),
             ")");
}

void tell_failure(const CaseOutcome& outcome, const ClauseOutcome& clause, std::string& out) {
  const Failure& failure = clause.failure;
  append(out, "  clause \"", clause.name, "\": ", clause.reason, "\n");
  if (!clause.reference.empty()) append(out, "    documented:  ", clause.reference, "\n");
  if (!failure.requirement.empty()) append(out, "    requirement: ", failure.requirement, "\n");
  if (!failure.statement.empty()) {
    append(out, "    statement:   ", failure.location, ": ", failure.statement, "\n");
  }
  append(out, console_evidence(failure));
  if (failure.packet == 0) return;
  append(out, "    packet:      number ", failure.packet, " of the capture");
  if (outcome.parts.size() > 1) append(out, " of session ", failure.part);
  if (failure.part <= outcome.parts.size()) {
    const std::string& file = outcome.parts[failure.part - 1].pcap_file;
    if (!file.empty()) append(out, " (", file, ")");
  }
  out += '\n';
}

}  // namespace

std::string console_evidence(const Failure& failure) {
  std::string out;
  for (size_t i = 0; i < failure.expected.size(); ++i) {
    append(out, i == 0 ? "    expected:    " : "    or:          ", failure.expected[i], "\n");
  }
  if (!failure.came.empty()) append(out, "    came:        ", failure.came, "\n");
  for (const std::string& difference : failure.differences) {
    append(out, "                 ", difference, "\n");
  }
  return out;
}

std::string console_line(const CaseOutcome& outcome, const ConsoleStyle& style) {
  return cat(coloured(outcome.verdict, style, kVerdictWidth), column(outcome.target, 14),
             column(outcome.id, 24), absl::StrFormat("%6.2f s  ", outcome.seconds), outcome.title,
             repeats(outcome), "\n");
}

std::string console_failure(const CaseOutcome& outcome, const ConsoleStyle& style) {
  if (is_clean(outcome.verdict)) return "";
  std::string out = cat(coloured(outcome.verdict, style, 0), " ", outcome.id, " on ",
                        outcome.target, " (", outcome.title, ")\n");
  std::set<size_t> sessions;
  for (const ClauseOutcome& clause : outcome.clauses) {
    if (is_clean(clause.verdict)) continue;
    tell_failure(outcome, clause, out);
    if (!clause.failure.statement.empty()) sessions.insert(clause.failure.part);
  }
  append(out, "  seed:        ", outcome.seed, "\n  reproduce:   ", outcome.reproduce, "\n");
  for (const size_t session : sessions) {
    if (session <= outcome.parts.size()) append(out, "\n", ladder_text(outcome.parts[session - 1]));
  }
  return out;
}

std::string console_matrix(const RunReport& report, const ConsoleStyle& style) {
  std::set<std::string> used;
  std::map<std::string, std::map<std::string, v1::Verdict>> rows;
  std::map<std::string, std::map<std::string, uint32_t>> totals;  // verdict -> target -> count
  for (const CaseOutcome& result : report.results) {
    used.insert(result.target);
    ++totals[verdict_name(result.verdict)][result.target];
    if (result.told_by_complaint) continue;
    // Of repetitions the worst.
    const auto [shown, fresh] = rows[result.id].emplace(result.target, result.verdict);
    if (!fresh && is_worse(result.verdict, shown->second)) shown->second = result.verdict;
  }
  std::vector<std::string> targets;
  for (const std::string& target : all_targets()) {
    if (used.count(target) != 0) targets.push_back(target);
  }
  size_t width = 20;
  for (const auto& [id, verdicts] : rows) width = std::max(width, id.size() + 2);
  std::string out = column("case", width);
  for (const std::string& target : targets) append(out, column(target, kVerdictWidth + 1));
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
  for (const auto& [id, verdicts] : rows) {
    append(out, column(id, width));
    for (const std::string& target : targets) {
      const auto found = verdicts.find(target);
      append(out, found == verdicts.end() ? column("-", kVerdictWidth + 1)
                                          : coloured(found->second, style, kVerdictWidth + 1));
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  out += '\n';
  for (const auto& [name, counts] : totals) {
    append(out, column(cat("total ", name), width));
    for (const std::string& target : targets) {
      const auto found = counts.find(target);
      append(out, column(cat(found == counts.end() ? 0 : found->second), kVerdictWidth + 1));
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  for (const std::string& complaint : report.complaints) append(out, "! ", complaint, "\n");
  const auto repeated =
      std::count_if(report.results.begin(), report.results.end(),
                    [](const CaseOutcome& result) { return !result.attempts.empty(); });
  if (repeated > 0) append(out, "late and repeated: ", repeated, " results\n");
  if (report.known > 0) append(out, "known from the baseline: ", report.known, " violations\n");
  append(out, report.results.size(), " results in ", absl::StrFormat("%.1f", report.seconds),
         " s, seed ", report.seed, ", kernel ", report.kernel_release, ", exit status ",
         report.exit_status, "\n");
  return out;
}

}  // namespace tcproctor::conformance
