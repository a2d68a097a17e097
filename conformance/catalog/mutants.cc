// SPDX-License-Identifier: Apache-2.0
#include "conformance/catalog/mutants.h"

#include <algorithm>

#include "conformance/catalog/csv.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr std::string_view kOpen = "«";
constexpr std::string_view kClose = "»";

absl::Status wrong(const Mutant& mutant, std::string_view what) {
  return absl::InvalidArgumentError(
      cat("mutants.csv:", mutant.line, ": mutant ", mutant.id, ": ", what));
}

// The anchor without its marks, and what they enclose.
struct Anchor {
  std::string text;
  size_t begin = 0;
  size_t end = 0;
};

absl::StatusOr<Anchor> read_anchor(const Mutant& mutant) {
  const std::string_view text = mutant.anchor;
  const size_t open = text.find(kOpen);
  if (open == std::string_view::npos) return Anchor{mutant.anchor, 0, text.size()};
  const size_t close = text.find(kClose, open);
  if (close == std::string_view::npos || text.find(kOpen, close) != std::string_view::npos) {
    return wrong(mutant, "the anchor wants one « and one » behind it");
  }
  const size_t within = open + kOpen.size();
  return Anchor{cat(text.substr(0, open), text.substr(within, close - within),
                    text.substr(close + kClose.size())),
                open, close - kOpen.size()};
}

bool is_statement(std::string_view text) {
  const std::string_view code = trim(text);
  return code.empty() || code.back() == ';' || code.back() == '}';
}

struct Planned {
  size_t number = 0;
  const Mutant* mutant = nullptr;
  MutantPlace place;
};

class Planter {
 public:
  Planter(std::string_view source, std::vector<Planned> planned)
      : source_(source), planned_(std::move(planned)) {
    // Of those at one place, the widest first; of equal ones in their order.
    std::ranges::stable_sort(planned_, [](const Planned& a, const Planned& b) {
      return a.place.begin != b.place.begin ? a.place.begin < b.place.begin
                                            : a.place.end > b.place.end;
    });
  }

  absl::StatusOr<std::string> plant() {
    std::string out;
    const absl::Status status = write(0, source_.size(), out);
    if (!status.ok()) return status;
    return out;
  }

 private:
  // The source from `begin` to `end`, with the mutants that live there.
  absl::Status write(size_t begin, size_t end, std::string& out) {
    while (next_ < planned_.size() && planned_[next_].place.begin < end) {
      const Planned& planned = planned_[next_];
      const MutantPlace& place = planned.place;
      if (place.end > end) {
        return wrong(*planned.mutant, "overlaps another one, and neither is within the other");
      }
      ++next_;
      append(out, source_.substr(begin, place.begin - begin));
      std::string original;
      const absl::Status status = write(place.begin, place.end, original);
      if (!status.ok()) return status;
      const std::string& instead = planned.mutant->replacement;
      const std::string on = cat("::tcproctor::mutants::on(", planned.number, ")");
      if (place.statement) {
        append(out, "{ if (", on, ") { ", instead, " } else { ", original, " } }");
      } else {
        append(out, "(", on, " ? (", instead, ") : (", original, "))");
      }
      begin = place.end;
    }
    append(out, source_.substr(begin, end - begin));
    return absl::OkStatus();
  }

  std::string_view source_;
  std::vector<Planned> planned_;
  size_t next_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Mutant>> parse_mutants(std::string_view text, const std::string& file) {
  const absl::StatusOr<std::vector<CsvRow>> rows =
      parse_csv(text, file, {"id", "file", "anchor", "replacement", "bug", "breaks", "equivalent"});
  if (!rows.ok()) return rows.status();
  std::vector<Mutant> mutants;
  for (const CsvRow& row : *rows) {
    Mutant& mutant = mutants.emplace_back();
    mutant.line = row.line;
    mutant.id = row.fields[0];
    mutant.file = row.fields[1];
    mutant.anchor = row.fields[2];
    mutant.replacement = row.fields[3];
    mutant.bug = row.fields[4];
    for (const std::string& id : split(row.fields[5], ',')) {
      if (!trim(id).empty()) mutant.breaks.emplace_back(trim(id));
    }
    mutant.equivalent = row.fields[6];
    if (mutant.id.empty() || mutant.bug.empty() || mutant.breaks.empty()) {
      return wrong(mutant, "id, bug and breaks must not be empty");
    }
    const bool twice = std::any_of(mutants.begin(), mutants.end() - 1,
                                   [&](const Mutant& other) { return other.id == mutant.id; });
    if (twice) return wrong(mutant, "this id occurs twice");
  }
  return mutants;
}

absl::StatusOr<MutantPlace> find_place(const Mutant& mutant, std::string_view source) {
  const absl::StatusOr<Anchor> anchor = read_anchor(mutant);
  if (!anchor.ok()) return anchor.status();
  if (anchor->text.empty()) return wrong(mutant, "the anchor is empty");
  const size_t at = source.find(anchor->text);
  if (at == std::string_view::npos) {
    return wrong(mutant, cat("the anchor does not occur in ", mutant.file));
  }
  if (source.find(anchor->text, at + 1) != std::string_view::npos) {
    return wrong(mutant, cat("the anchor occurs more than once in ", mutant.file));
  }
  const std::string_view replaced =
      std::string_view(anchor->text).substr(anchor->begin, anchor->end - anchor->begin);
  if (trim(replaced) == trim(mutant.replacement)) return wrong(mutant, "nothing is changed");
  const bool statement = is_statement(replaced) && is_statement(mutant.replacement);
  if (!statement && (trim(replaced).empty() || trim(mutant.replacement).empty())) {
    return wrong(mutant,
                 "without an expression in its place, what is replaced must be whole statements");
  }
  return MutantPlace{.begin = at + anchor->begin, .end = at + anchor->end, .statement = statement};
}

absl::StatusOr<std::string> plant(const std::vector<Mutant>& mutants, const std::string& file,
                                  std::string_view source) {
  std::vector<Planned> planned;
  for (size_t i = 0; i < mutants.size(); ++i) {
    if (mutants[i].file != file) continue;
    const absl::StatusOr<MutantPlace> place = find_place(mutants[i], source);
    if (!place.ok()) return place.status();
    planned.push_back({.number = i + 1, .mutant = &mutants[i], .place = *place});
  }
  return Planter(source, std::move(planned)).plant();
}

}  // namespace tcproctor::conformance
