// SPDX-License-Identifier: Apache-2.0
// The forms in which a run is told. All are pure functions of the RunReport.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "conformance/runner/result.h"

namespace tcproctor::conformance {

struct ConsoleStyle {
  bool colours = false;  // ANSI colours of the verdicts
};

// One line for a result as it comes: "PASS  S000-2.1  stack-virtual  0.01 s  title".
std::string console_line(const CaseOutcome& outcome, const ConsoleStyle& style);

// Why a case did not pass: per clause the requirement, what was expected, what came, the packet's
// number, the ladder, the seed and the command that reproduces it. Empty for a case that passed.
std::string console_failure(const CaseOutcome& outcome, const ConsoleStyle& style);

// The matrix: a row per case, a column per target, totals per verdict, complaints, exit status.
std::string console_matrix(const RunReport& report, const ConsoleStyle& style);

// Documented in SCHEMA.md, and back. INVALID_ARGUMENT: "NAME: .results[3].verdict: …".
inline constexpr std::string_view kRunSchema = "tcproctor.run/3";
std::string json_report(const RunReport& report);
absl::StatusOr<RunReport> read_json_report(const std::string& json, const std::string& name);
absl::StatusOr<RunReport> read_report_file(const std::string& file);

// One self-contained file: matrix, state diagram, and each case as a ladder.
std::string html_report(const RunReport& report);

// The Test Anything Protocol, version 14: a known deviation, and what the baseline had too, is a
// TODO; an XPASS, which turns the run red, and what could not be judged are `not ok`.
std::string tap_report(const RunReport& report);

// JUnit XML, valid against junit.xsd: FAIL and XPASS are <failure>, ERROR and INCONCLUSIVE are
// <error>, SKIP and XFAIL are <skipped> with the reason. So are what the baseline had too, and what
// was not run for a cause that others share: each complaint of the run is an <error> by itself.
std::string junit_report(const RunReport& report);

// "-" is standard output. The folder of the file must exist.
absl::Status write_report(const std::string& file, const std::string& text);

}  // namespace tcproctor::conformance
