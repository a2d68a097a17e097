// SPDX-License-Identifier: Apache-2.0
#include "conformance/catalog/csv.h"

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  absl::StatusOr<std::vector<CsvRow>> parse() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      if (skip_line()) continue;
      CsvRow row;
      row.line = line_;
      const absl::Status status = parse_row(row);
      if (!status.ok()) return status;
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }

  // Comments and empty lines.
  bool skip_line() {
    if (peek() == '#') {
      while (peek() != '\n') ++at_;
    }
    if (peek() == '\r') ++at_;
    if (peek() != '\n') return false;
    ++at_;
    ++line_;
    return true;
  }

  absl::Status parse_row(CsvRow& row) {
    while (true) {
      std::string field;
      const absl::Status status = peek() == '"' ? parse_quoted(field) : parse_plain(field);
      if (!status.ok()) return status;
      row.fields.push_back(std::move(field));
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() == '\r') ++at_;
      if (peek() != '\n') return error("expected a comma or the end of the line after a quote");
      ++at_;
      ++line_;
      return absl::OkStatus();
    }
  }

  absl::Status parse_plain(std::string& field) {
    while (peek() != ',' && peek() != '\n' && peek() != '\r') field += text_[at_++];
    return absl::OkStatus();
  }

  absl::Status parse_quoted(std::string& field) {
    const int start = line_;
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (at_ < text_.size() && text_[at_] == '"') {
        field += '"';
        ++at_;
      } else {
        return absl::OkStatus();
      }
    }
    line_ = start;
    return error("this quote is never closed");
  }

  absl::Status error(std::string_view what) const {
    return absl::InvalidArgumentError(cat(file_, ":", line_, ": ", what));
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<CsvRow>> parse_csv(std::string_view text, const std::string& file,
                                              const std::vector<std::string>& header) {
  absl::StatusOr<std::vector<CsvRow>> rows = CsvParser(text, file).parse();
  if (!rows.ok()) return rows;
  if (rows->empty() || rows->front().fields != header) {
    return absl::InvalidArgumentError(
        cat(file, ":1: expected the header \"", join(header, ","), "\""));
  }
  for (const CsvRow& row : *rows) {
    if (row.fields.size() != header.size()) {
      return absl::InvalidArgumentError(cat(file, ":", row.line, ": expected ", header.size(),
                                            " fields, found ", row.fields.size()));
    }
  }
  rows->erase(rows->begin());
  return rows;
}

}  // namespace tcproctor::conformance
