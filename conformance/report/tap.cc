// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_format.h"
#include "conformance/report/json_writer.h"
#include "conformance/report/report.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// A description and a reason are one line, and "#" would begin a directive.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else {
      append(out, c == '#' || c == '\\' ? "\\" : "", c);
    }
  }
  return out;
}

// What the verdict becomes, and its directive.
std::pair<bool, std::string> point(const CaseOutcome& result) {
  if (is_known(result)) return {false, cat(" # TODO ", one_line(result.reason))};
  switch (result.verdict) {
    case v1::VERDICT_PASS:
      return {true, ""};
    case v1::VERDICT_SKIP:
      return {true, cat(" # SKIP ", one_line(result.reason))};
    case v1::VERDICT_XFAIL:
      return {false, cat(" # TODO ", one_line(result.reason))};
    default:
      return {false, ""};
  }
}

// Every YAML reader takes JSON's strings.
std::string diagnostics(const CaseOutcome& result) {
  std::string out = "  ---\n";
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) append(out, "  ", key, ": ", string_value(value), "\n");
  };
  add("verdict", verdict_name(result.verdict));
  add("reason", result.reason);
  for (const ClauseOutcome& clause : result.clauses) {
    if (clause.verdict != result.verdict || clause.failure.requirement.empty()) continue;
    add("requirement", clause.failure.requirement);
    add("statement", clause.failure.statement);
    add("at", clause.failure.location);
    add("expected", join(clause.failure.expected, " | "));
    add("came", clause.failure.came);
    break;
  }
  add("reproduce", result.reproduce);
  append(out, "  duration_ms: ", absl::StrFormat("%.1f", result.seconds * 1000), "\n  ...\n");
  return out;
}

}  // namespace

std::string tap_report(const RunReport& report) {
  std::string out = cat("TAP version 14\n1..", report.results.size(), "\n");
  size_t number = 0;
  for (const CaseOutcome& result : report.results) {
    const auto [ok, directive] = point(result);
    append(out, ok ? "ok " : "not ok ", ++number, " - ", one_line(result.id), " on ", result.target,
           result.repetition > 1 ? cat(" (", result.repetition, ")") : "", directive, "\n");
    if (!ok) out += diagnostics(result);
  }
  for (const std::string& complaint : report.complaints) {
    append(out, "# ", one_line(complaint), "\n");
  }
  if (report.interrupted) out += "Bail out! not all cases have run\n";
  return out;
}

}  // namespace tcproctor::conformance
