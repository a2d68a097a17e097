// SPDX-License-Identifier: Apache-2.0
#include "conformance/catalog/catalog.h"

#include "conformance/catalog/csv.h"
#include "conformance/catalog/embedded.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

absl::StatusOr<std::vector<CsvRow>> rows_of(const std::string& file,
                                            const std::vector<std::string>& header) {
  const std::string path = cat("catalog/", file);
  return parse_csv(embedded_file(path), path, header);
}

absl::Status add(const std::string& file, const CsvRow& row, std::string text,
                 std::map<std::string, std::string>& out) {
  if (!out.emplace(row.fields[0], std::move(text)).second) {
    return absl::InvalidArgumentError(
        cat("catalog/", file, ":", row.line, ": the id ", row.fields[0], " occurs twice"));
  }
  return absl::OkStatus();
}

// `text` makes the description of a row.
template <typename Text>
absl::Status load(const std::string& file, const std::vector<std::string>& header, const Text& text,
                  std::map<std::string, std::string>& out) {
  const absl::StatusOr<std::vector<CsvRow>> rows = rows_of(file, header);
  if (!rows.ok()) return rows.status();
  for (const CsvRow& row : *rows) {
    const absl::Status status = add(file, row, text(row.fields), out);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status load_unexamined(Catalog& catalog) {
  const std::string file = "unexamined.csv";
  const absl::StatusOr<std::vector<CsvRow>> rows = rows_of(file, {"id", "reason", "why"});
  if (!rows.ok()) return rows.status();
  for (const CsvRow& row : *rows) {
    const std::vector<std::string>& f = row.fields;
    if (catalog.unexamined_reasons.count(f[1]) == 0) {
      return absl::InvalidArgumentError(
          cat("catalog/", file, ":", row.line, ": unknown reason \"", f[1], "\""));
    }
    if (!catalog.knows(f[0]) || !catalog.unexamined.emplace(f[0], Unexamined{f[1], f[2]}).second) {
      return absl::InvalidArgumentError(
          cat("catalog/", file, ":", row.line, ": the id ", f[0], " is unknown or occurs twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Catalog> load_catalog() {
  Catalog catalog;
  const auto second = [](const std::vector<std::string>& fields) { return fields[1]; };
  absl::Status status = load(
      "requirements.csv",
      {"id", "rfc", "section", "level", "summary", "testable_on_wire", "how_to_test", "source"},
      [&](const std::vector<std::string>& fields) {
        catalog.levels[fields[0]] = fields[3];
        return fields[4];
      },
      catalog.requirements);
  status.Update(load(
      "event_matrix.csv",
      {"id", "state", "event", "condition", "action", "next_state", "rfc_section"},
      [](const std::vector<std::string>& fields) {
        return cat(fields[1], " ", fields[2], ": ", fields[4]);
      },
      catalog.matrix_rows));
  status.Update(load("seed_rows.csv", {"id", "title"}, second, catalog.seed_rows));
  status.Update(load("capabilities.csv", {"name", "meaning"}, second, catalog.capabilities));
  status.Update(
      load("unexamined_reasons.csv", {"name", "meaning"}, second, catalog.unexamined_reasons));
  if (status.ok()) status = load_unexamined(catalog);
  if (!status.ok()) return status;
  return catalog;
}

}  // namespace tcproctor::conformance
