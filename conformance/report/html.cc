// SPDX-License-Identifier: Apache-2.0
// The run as one HTML file. Page, style and program are files of their own below html/, built into
// the binary; what is written here is the data they show: the JSON of the run, the ids of the
// catalogue in our words, and the ladders of each two targets row beside row.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "conformance/catalog/catalog.h"
#include "conformance/catalog/embedded.h"
#include "conformance/report/causes.h"
#include "conformance/report/compare.h"
#include "conformance/report/gzip.h"
#include "conformance/report/json_writer.h"
#include "conformance/report/report.h"
#include "conformance/script/targets.h"

namespace tcproctor::conformance {
namespace {

// Part of a pair: [row left, row right, "field field"]; -1 = none.
void write_pairs(JsonWriter& json, const CasePart& left, const CasePart& right) {
  json.element();
  json.open('[');
  for (const RowPair& pair : align_rows(left.rows, right.rows)) {
    const auto index = [](const std::optional<size_t>& row) {
      return row.has_value() ? cat(*row) : std::string("-1");
    };
    json.element();
    json.raw(cat("[", index(pair.left), ",", index(pair.right), ",\"", join(pair.differences, " "),
                 "\"]"));
  }
  json.close(']');
}

// Of each two targets that sat a case: the sessions, and in each the rows side by side.
void write_alignments(JsonWriter& json, const RunReport& report) {
  std::map<std::string, std::map<std::string, const CaseOutcome*>> by_case;
  for (const CaseOutcome& result : report.results) {
    by_case[result.id].emplace(result.target, &result);  // the first of the repetitions
  }
  json.key("pairs");
  json.open('{');
  for (const auto& [id, results] : by_case) {
    json.key(id);
    json.open('{');
    for (const auto& [left_name, left] : results) {
      for (const auto& [right_name, right] : results) {
        if (left_name >= right_name) continue;
        json.key(cat(left_name, " ", right_name));
        json.open('[');
        for (size_t i = 0; i < std::min(left->parts.size(), right->parts.size()); ++i) {
          write_pairs(json, left->parts[i], right->parts[i]);
        }
        json.close(']');
      }
    }
    json.close('}');
  }
  json.close('}');
}

void write_place(JsonWriter& json, const DifferencePlace& place) {
  json.element();
  json.open('{');
  json.text("case", place.test_case);
  json.text("clause", place.clause);
  json.number("line", static_cast<uint64_t>(place.line));
  json.text("left", place.left);
  json.text("right", place.right);
  json.close('}');
}

void write_cause(JsonWriter& json, const DifferenceCause& cause) {
  json.element();
  json.open('{');
  json.text("kind", cause_kind_name(cause.kind));
  json.text("heading", cause_heading(cause.kind));
  json.text("text", cause.text);
  json.list("places", cause.places, write_place);
  json.close('}');
}

// What differs between our stack and the kernel; nothing where the run has not both.
void write_causes(JsonWriter& json, const RunReport& report) {
  const auto causes =
      difference_causes(report, std::string(kTargetStack), std::string(kTargetKernel));
  json.list("causes", causes.ok() ? *causes : std::vector<DifferenceCause>(), write_cause);
}

void write_catalogue(JsonWriter& json) {
  const absl::StatusOr<Catalog> catalog = load_catalog();
  json.key("catalogue");
  json.open('{');
  if (catalog.ok()) {
    for (const auto* rows : {&catalog->requirements, &catalog->matrix_rows, &catalog->seed_rows}) {
      for (const auto& [id, text] : *rows) json.text(id, text);
    }
  }
  json.close('}');
  json.key("levels");
  json.open('{');
  if (catalog.ok()) {
    for (const auto& [id, level] : catalog->levels) json.text(id, level);
  }
  json.close('}');
}

std::string data_of(const RunReport& report) {
  JsonWriter json(/*compact=*/true);
  json.open('{');
  write_run(json, report);
  write_alignments(json, report);
  write_causes(json, report);
  write_catalogue(json);
  json.close('}');
  return json.finish();
}

// "{{html/report.css}}" stands for that file, "{{data}}" for the data.
std::string filled(std::string_view page, const std::string& data) {
  std::string out;
  while (true) {
    const size_t begin = page.find("{{");
    const size_t end = begin == std::string_view::npos ? begin : page.find("}}", begin);
    if (end == std::string_view::npos) return out.append(page);
    const std::string_view name = page.substr(begin + 2, end - begin - 2);
    out.append(page.substr(0, begin));
    out.append(name == "data" ? std::string_view(data) : embedded_file(cat("report/", name)));
    page.remove_prefix(end + 2);
  }
}

}  // namespace

std::string html_report(const RunReport& report) {
  return filled(embedded_file("report/html/report.html"),
                absl::Base64Escape(gzip(data_of(report))));
}

}  // namespace tcproctor::conformance
