// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/report_files.h"

#include "conformance/report/report.h"

namespace tcproctor::cli {

void ReportFiles::define(FlagSet& flags) {
  flags.add("html", &html_, "FILE", "one self-contained page: matrix, state diagram, ladders");
  flags.add("junit", &junit_, "FILE", "JUnit XML, - = standard output");
  flags.add("tap", &tap_, "FILE", "TAP version 14, - = standard output");
}

absl::Status ReportFiles::check(const Context& context) const {
  int wanting = 0;
  for (const std::string* file : {&junit_, &html_, &tap_, &context.json()}) wanting += *file == "-";
  if (wanting < 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "only one of --json, --html, --junit and --tap can have standard output (-)");
}

absl::Status ReportFiles::write(const conformance::RunReport& report) const {
  absl::Status status;
  if (!html_.empty()) status.Update(conformance::write_report(html_, html_report(report)));
  if (!junit_.empty()) status.Update(conformance::write_report(junit_, junit_report(report)));
  if (!tap_.empty()) status.Update(conformance::write_report(tap_, tap_report(report)));
  return status;
}

}  // namespace tcproctor::cli
