// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/coverage.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "conformance/catalog/places.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using Json = google::protobuf::Value;

bool includes(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Cases by the ids they cover.
std::map<std::string, std::vector<CoveringCase>> covering_cases(const Library& library) {
  std::map<std::string, std::vector<CoveringCase>> out;
  for (const Case& one : library.cases) {
    for (const std::string& id : covered_ids(one)) {
      const bool whole = includes(one.head.covers, id);
      CoveringCase covering{one.head.id, {}};
      for (const Clause& clause : one.clauses) {
        if (whole || includes(clause.covers, id)) covering.clauses.push_back(clause.name);
      }
      out[id].push_back(std::move(covering));
    }
  }
  return out;
}

// Worst last.
int severity(const std::string& verdict) {
  static constexpr std::array<std::string_view, 6> kOrder = {"SKIP",  "PASS", "XFAIL",
                                                             "XPASS", "FAIL", "INCONCLUSIVE"};
  const auto* found = std::find(kOrder.begin(), kOrder.end(), verdict);
  return static_cast<int>(found - kOrder.begin());
}

const Json* field(const Struct& from, const std::string& name) {
  const auto found = from.fields().find(name);
  return found == from.fields().end() ? nullptr : &found->second;
}

std::string text_of(const Struct& from, const std::string& name) {
  const Json* value = field(from, name);
  return value == nullptr ? "" : value->string_value();
}

Json text_value(const std::string& text) {
  Json value;
  value.set_string_value(text);
  return value;
}

Json number_value(size_t number) {
  Json value;
  value.set_number_value(static_cast<double>(number));
  return value;
}

template <typename Range>
Json text_list(const Range& range) {
  Json value;
  value.mutable_list_value();
  for (const std::string& text : range) {
    *value.mutable_list_value()->add_values() = text_value(text);
  }
  return value;
}

struct Count {
  size_t rows = 0, examined = 0, todo = 0;
  std::map<std::string, size_t> unexamined;  // by reason
};

std::map<std::string, Count> counts(const std::vector<CoverageRow>& rows) {
  std::map<std::string, Count> out;
  for (const CoverageRow& row : rows) {
    Count& count = out[row.group];
    ++count.rows;
    if (!row.cases.empty()) {
      ++count.examined;
    } else if (row.reason.empty() || row.reason == "todo") {
      ++count.todo;
    } else {
      ++count.unexamined[row.reason];
    }
  }
  return out;
}

Json row_value(const CoverageRow& row) {
  Json value;
  auto& out = *value.mutable_struct_value()->mutable_fields();
  out["id"] = text_value(row.id);
  out["group"] = text_value(row.group);
  out["text"] = text_value(row.text);
  ListValue& cases = *out["cases"].mutable_list_value();
  for (const CoveringCase& one : row.cases) {
    auto& entry = *cases.add_values()->mutable_struct_value()->mutable_fields();
    entry["id"] = text_value(one.id);
    entry["clauses"] = text_list(one.clauses);
  }
  out["code"] = text_list(row.code);
  auto& verdicts = *out["verdicts"].mutable_struct_value()->mutable_fields();
  for (const auto& [target, verdict] : row.verdicts) verdicts[target] = text_value(verdict);
  if (!row.reason.empty()) {
    out["reason"] = text_value(row.reason);
    out["why"] = text_value(row.why);
  }
  return value;
}

// "RFC9293-MUST-5  S000-2.1, EM-LISTEN-SEG; stack/tcp/listener.cc:42; kernel PASS, stack PASS"
std::string row_text(const CoverageRow& row) {
  std::string out = cat(row.id, "  ");
  if (row.cases.empty()) {
    append(out, "not examined: ", row.reason.empty() ? "to do" : row.reason,
           row.why.empty() ? "" : ": ", row.why);
  }
  append(out, join(row.cases, ", ",
                   [](std::string& to, const CoveringCase& one) { append(to, one.id); }));
  if (!row.code.empty()) append(out, "; ", join(row.code, ", "));
  const char* separator = "; ";
  for (const auto& [target, verdict] : row.verdicts) {
    append(out, std::exchange(separator, ", "), target, " ", verdict);
  }
  return out;
}

}  // namespace

std::string coverage_group(std::string_view id) {
  if (id.starts_with("EM-")) return "event matrix";
  if (!id.starts_with("RFC9293-")) return "other RFCs";
  id.remove_prefix(8);
  for (const std::string_view label : {"MUST-", "SHLD-", "MAY-", "REC-"}) {
    if (id.starts_with(label)) return "RFC 9293, labelled";
  }
  return "RFC 9293, unlabelled";
}

std::vector<CoverageRow> coverage(const Library& library) {
  const std::map<std::string, std::vector<CoveringCase>> covering = covering_cases(library);
  std::vector<CoverageRow> rows;
  for (const auto* table : {&library.catalog.requirements, &library.catalog.matrix_rows}) {
    for (const auto& [id, text] : *table) {
      CoverageRow row{id, coverage_group(id), text, {}, {}, {}, "", ""};
      const auto cases = covering.find(id);
      if (cases != covering.end()) row.cases = cases->second;
      for (const CodePlace& place : code_places()) {
        if (place.id == id) row.code.emplace_back(place.place);
      }
      const auto unexamined = library.catalog.unexamined.find(id);
      if (unexamined != library.catalog.unexamined.end()) {
        row.reason = unexamined->second.reason;
        row.why = unexamined->second.why;
      }
      rows.push_back(std::move(row));
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const CoverageRow& a, const CoverageRow& b) { return a.id < b.id; });
  return rows;
}

absl::Status add_verdicts(std::string_view json_report, std::vector<CoverageRow>& rows) {
  Struct report;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      {json_report.data(), json_report.size()}, &report);
  const Json* results = parsed.ok() ? field(report, "results") : nullptr;
  if (results == nullptr) {
    return absl::InvalidArgumentError("this is no JSON report of a run: it has no \"results\"");
  }
  // case, clause -> target -> verdict
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::string>> verdicts;
  for (const Json& result : results->list_value().values()) {
    const Struct& one = result.struct_value();
    const Json* clauses = field(one, "clauses");
    if (clauses == nullptr) continue;
    for (const Json& clause : clauses->list_value().values()) {
      verdicts[{text_of(one, "case"), text_of(clause.struct_value(), "name")}]
              [text_of(one, "target")] = text_of(clause.struct_value(), "verdict");
    }
  }
  for (CoverageRow& row : rows) {
    for (const CoveringCase& one : row.cases) {
      for (const std::string& clause : one.clauses) {
        for (const auto& [target, verdict] : verdicts[{one.id, clause}]) {
          std::string& worst = row.verdicts[target];
          if (worst.empty() || severity(verdict) > severity(worst)) worst = verdict;
        }
      }
    }
  }
  return absl::OkStatus();
}

google::protobuf::Struct coverage_json(const std::vector<CoverageRow>& rows) {
  Struct json;
  auto& groups = *(*json.mutable_fields())["counts"].mutable_struct_value()->mutable_fields();
  for (const auto& [group, count] : counts(rows)) {
    auto& out = *groups[group].mutable_struct_value()->mutable_fields();
    out["rows"] = number_value(count.rows);
    out["examined"] = number_value(count.examined);
    out["todo"] = number_value(count.todo);
    auto& reasons = *out["unexamined"].mutable_struct_value()->mutable_fields();
    for (const auto& [reason, number] : count.unexamined) reasons[reason] = number_value(number);
  }
  ListValue& list = *(*json.mutable_fields())["rows"].mutable_list_value();
  for (const CoverageRow& row : rows) *list.add_values() = row_value(row);
  return json;
}

std::string coverage_text(const std::vector<CoverageRow>& rows) {
  std::string out;
  for (const CoverageRow& row : rows) append(out, row_text(row), "\n");
  if (!rows.empty()) out += '\n';
  for (const auto& [group, count] : counts(rows)) {
    append(out, absl::StrFormat("%-22s %4d rows: %4d examined, %4d to do", group, count.rows,
                                count.examined, count.todo));
    for (const auto& [reason, number] : count.unexamined) append(out, ", ", number, " ", reason);
    out += '\n';
  }
  return out;
}

}  // namespace tcproctor::conformance
