// SPDX-License-Identifier: Apache-2.0
// Requirement x case x code x verdict: what examines each id of the catalogue, or why nothing does.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "conformance/runner/library.h"

namespace tcproctor::conformance {

struct CoveringCase {
  std::string id;
  std::vector<std::string> clauses;  // those that name the row; all of the case if its head does
};

struct CoverageRow {
  std::string id;
  std::string group;  // coverage_group()
  std::string text;
  std::vector<CoveringCase> cases;
  std::vector<std::string> code;                // "stack/tcp/timeouts.cc:42"
  std::map<std::string, std::string> verdicts;  // by target: the worst of its clauses
  std::string reason, why;                      // of what is not examined

  bool accounted_for() const { return !cases.empty() || !reason.empty(); }
};

// "RFC 9293, labelled", "RFC 9293, unlabelled", "event matrix", "other RFCs".
std::string coverage_group(std::string_view id);

// A row for each requirement and each row of the event matrix, sorted by id.
std::vector<CoverageRow> coverage(const Library& library);

// Reads the verdicts out of a JSON report (SCHEMA.md). INVALID_ARGUMENT: it is none.
absl::Status add_verdicts(std::string_view json_report, std::vector<CoverageRow>& rows);

// {"counts": {GROUP: {"rows", "examined", "unexamined": {REASON: n}, "todo"}}, "rows": [...]}
google::protobuf::Struct coverage_json(const std::vector<CoverageRow>& rows);

// A line for each row, and the counts, for people.
std::string coverage_text(const std::vector<CoverageRow>& rows);

}  // namespace tcproctor::conformance
