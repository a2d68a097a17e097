// SPDX-License-Identifier: Apache-2.0
// The cases built into the binary against the catalogue.
#include "conformance/catalog/catalog.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/catalog/csv.h"
#include "conformance/catalog/embedded.h"
#include "conformance/catalog/glob.h"
#include "conformance/catalog/places.h"
#include "conformance/report/coverage.h"
#include "conformance/runner/library.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Library& library() {
  static const Library* const loaded = [] {
    absl::StatusOr<Library> result = load_library("");
    EXPECT_TRUE(result.ok()) << result.status().message();
    return new Library(result.ok() ? *std::move(result) : Library());
  }();
  return *loaded;
}

TEST(CatalogTest, HasAllIds) {
  const Catalog& catalog = library().catalog;
  EXPECT_EQ(catalog.requirements.size(), 589u);
  EXPECT_EQ(catalog.matrix_rows.size(), 518u);
  EXPECT_EQ(catalog.seed_rows.size(), 41u);
  EXPECT_TRUE(catalog.knows("RFC9293-MUST-12"));
  EXPECT_TRUE(catalog.knows("EM-LISTEN-SEG-09"));
  EXPECT_TRUE(catalog.knows("S000-2.1"));
  EXPECT_FALSE(catalog.knows("S000-9.9"));
}

TEST(CatalogTest, EverySeedRowHasACaseOnEachTarget) {
  for (const auto& [id, title] : library().catalog.seed_rows) {
    std::set<std::string> targets;
    for (const Case& test_case : library().cases) {
      const auto& covers = test_case.head.covers;
      if (std::find(covers.begin(), covers.end(), id) == covers.end()) continue;
      for (const std::string& target : test_case.head.targets) {
        if (runs_on(test_case, target)) targets.insert(target);
      }
    }
    EXPECT_THAT(targets, ElementsAre("kernel", "stack", "stack-virtual"))
        << id << " (" << title << ")";
  }
}

TEST(CatalogTest, EveryRequirementAndMatrixRowIsExaminedOrExplained) {
  std::map<std::string, int> rows;
  for (const CoverageRow& row : coverage(library())) {
    ++rows[row.group];
    // Of the other RFCs the list of what is not examined yet is open.
    if (row.group == "other RFCs") continue;
    EXPECT_TRUE(row.accounted_for())
        << row.id << " (" << row.text << ") has neither a case nor a reason in unexamined.csv";
    EXPECT_TRUE(row.cases.empty() || row.reason.empty())
        << row.id << " is examined by " << row.cases.front().id << " and in unexamined.csv";
  }
  EXPECT_EQ(rows["RFC 9293, labelled"], 119);
  EXPECT_EQ(rows["RFC 9293, unlabelled"], 36);
  EXPECT_EQ(rows["event matrix"], 518);
}

TEST(CatalogTest, CodePlacesNameKnownIds) {
  EXPECT_GT(code_places().size(), 100u);
  for (const CodePlace& place : code_places()) {
    EXPECT_TRUE(library().catalog.knows(std::string(place.id))) << place.place << ": " << place.id;
  }
}

TEST(CatalogTest, LedgerHasNoStaleEntries) {
  EXPECT_THAT(library().ledger.stale_entries(library().cases), IsEmpty());
}

TEST(CatalogTest, SanityCaseIsNotSelectable) {
  EXPECT_EQ(library().sanity.head.id, kSanityId);
  EXPECT_FALSE(select_cases(library(), "sanity").ok());
}

TEST(Selection, IncludesAndExcludes) {
  const auto ids = [](std::string_view filter) {
    std::vector<std::string> out;
    const absl::StatusOr<std::vector<const Case*>> selected = select_cases(library(), filter);
    if (!selected.ok()) return std::vector<std::string>{std::string(selected.status().message())};
    for (const Case* one : *selected) out.push_back(one->head.id);
    return out;
  };
  EXPECT_EQ(ids("").size(), library().cases.size());
  EXPECT_THAT(ids("S000-2.1"), ElementsAre("S000-2.1"));
  EXPECT_THAT(ids("S000-2.1*, -*pair"), ElementsAre("S000-2.1", "S000-2.1-A"));
  EXPECT_THAT(ids("X*"), ElementsAre("no case matches \"X*\""));
  EXPECT_THAT(ids("S000-2.1,-S*"), ElementsAre(HasSubstr("selects no case")));
}

TEST(Glob, Matches) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("S00*-2.?", "S000-2.1"));
  EXPECT_TRUE(glob_matches("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob_matches("S000-2.?", "S000-2.1-A"));
  EXPECT_FALSE(glob_matches("", "x"));
}

TEST(Csv, ReadsQuotesCommentsAndLineEnds) {
  const absl::StatusOr<std::vector<CsvRow>> rows =
      parse_csv("a,b\r\n# comment\n\n\"x, \"\"y\"\"\",\"two\nlines\"\n,z", "f", {"a", "b"});
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_THAT((*rows)[0].fields, ElementsAre("x, \"y\"", "two\nlines"));
  EXPECT_EQ((*rows)[0].line, 4);
  EXPECT_THAT((*rows)[1].fields, ElementsAre("", "z"));
  EXPECT_EQ((*rows)[1].line, 6);
}

TEST(Csv, RefusesAnotherHeader) {
  EXPECT_THAT(std::string(parse_csv("a,c\n", "f", {"a", "b"}).status().message()),
              HasSubstr("f:1: expected the header \"a,b\""));
}

}  // namespace
}  // namespace tcproctor::conformance
