// SPDX-License-Identifier: Apache-2.0
#include "conformance/catalog/mutants.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/catalog/catalog.h"
#include "conformance/mutants/hunt.h"
#include "conformance/mutants/report.h"

namespace tcproctor::conformance {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<Mutant>& catalog() {
  static const std::vector<Mutant> all = [] {
    absl::StatusOr<std::vector<Mutant>> loaded = load_mutants();
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return loaded.ok() ? *std::move(loaded) : std::vector<Mutant>();
  }();
  return all;
}

std::string read(const fs::path& file) {
  std::ifstream in(fs::path(TCPROCTOR_ROOT) / file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Mutants, EveryAnchorOccursOnce) {
  ASSERT_FALSE(catalog().empty());
  std::map<std::string, std::string> sources;
  for (const Mutant& mutant : catalog()) {
    const auto [source, fresh] = sources.try_emplace(mutant.file);
    if (fresh) source->second = read(mutant.file);
    const absl::StatusOr<MutantPlace> place = find_place(mutant, source->second);
    EXPECT_TRUE(place.ok()) << place.status().message();
  }
  for (const auto& [file, source] : sources) {
    const absl::StatusOr<std::string> planted = plant(catalog(), file, source);
    EXPECT_TRUE(planted.ok()) << planted.status().message();
  }
}

TEST(Mutants, SayWhatTheyBreak) {
  const absl::StatusOr<Catalog> known = load_catalog();
  ASSERT_TRUE(known.ok()) << known.status().message();
  for (const Mutant& mutant : catalog()) {
    for (const std::string& id : mutant.breaks) {
      EXPECT_TRUE(known->knows(id) || id.substr(0, 9) == "RFC 2525 ")
          << "mutants.csv:" << mutant.line << ": " << mutant.id << ": " << id
          << " is in no catalogue";
    }
  }
}

Mutant mutant(std::string id, std::string anchor, std::string replacement) {
  return {.line = 1,
          .id = std::move(id),
          .file = "f.cc",
          .anchor = std::move(anchor),
          .replacement = std::move(replacement),
          .bug = "b",
          .breaks = {"RFC 2525 §2.1"},
          .equivalent = ""};
}

std::string planted(const std::vector<Mutant>& mutants, std::string_view source) {
  const absl::StatusOr<std::string> result = plant(mutants, "f.cc", source);
  return result.ok() ? *result : std::string(result.status().message());
}

TEST(Mutants, ExpressionsAndStatementsGetASwitch) {
  EXPECT_EQ(planted({mutant("m", "if («a == b») f", "a != b")}, "if (a == b) f();"),
            "if ((::tcproctor::mutants::on(1) ? (a != b) : (a == b))) f();");
  EXPECT_EQ(planted({mutant("m", "f();", "")}, "if (x) f();\ng();"),
            "if (x) { if (::tcproctor::mutants::on(1)) {  } else { f(); } }\ng();");
  EXPECT_EQ(planted({mutant("m", "g();«»\n", "h();")}, "g();\n"),
            "g();{ if (::tcproctor::mutants::on(1)) { h(); } else {  } }\n");
}

TEST(Mutants, OneMayLieWithinAnother) {
  EXPECT_THAT(planted({mutant("m", "b", "c")}, "a"), HasSubstr("does not occur"));
  EXPECT_EQ(planted({mutant("inner", "f(«a»)", "b"), mutant("outer", "f(a);", "g();"),
                     mutant("same", "f(«a»)", "c")},
                    "f(a); h;"),
            "{ if (::tcproctor::mutants::on(2)) { g(); } else { f((::tcproctor::mutants::on(1) ? "
            "(b) : ((::tcproctor::mutants::on(3) ? (c) : (a))))); } } h;");
  EXPECT_THAT(
      planted({mutant("m", "«a + b» + c", "0"), mutant("n", "a + «b + c»", "0")}, "a + b + c"),
      HasSubstr("overlaps"));
}

TEST(Mutants, WrongRowsAreRefused) {
  EXPECT_THAT(planted({mutant("m", "a", "b")}, "a a"), HasSubstr("more than once"));
  EXPECT_THAT(planted({mutant("m", "«a", "b")}, "a"), HasSubstr("one « and one »"));
  EXPECT_THAT(planted({mutant("m", "a", " a")}, "a"), HasSubstr("nothing is changed"));
  const std::string header = "id,file,anchor,replacement,bug,breaks,equivalent\n";
  EXPECT_THAT(parse_mutants(header + "m,f,a,b,bug,x,\nm,f,a,b,bug,x,\n", "t").status().message(),
              HasSubstr("occurs twice"));
  EXPECT_THAT(parse_mutants(header + "m,f,a,b,,x,\n", "t").status().message(),
              HasSubstr("must not be empty"));
}

HuntReport report_of(std::vector<MutantOutcome> outcomes) {
  HuntReport report;
  report.mutants = std::move(outcomes);
  return report;
}

TEST(MutantReport, EquivalentOnesDoNotCountUnlessTheyAreSeen) {
  MutantOutcome dead{.mutant = mutant("dead", "a", "b"),
                     .fate = Fate::kKilled,
                     .kills = {{.case_id = "C", .clause = "c"}}};
  MutantOutcome alive{.mutant = mutant("alive", "a", "b"), .fate = Fate::kSurvived};
  MutantOutcome same{.mutant = mutant("same", "a", "b"), .fate = Fate::kSurvived};
  same.mutant.equivalent = "because";
  MutantOutcome seen = dead;
  seen.mutant.id = "seen";
  seen.mutant.equivalent = "because";
  const HuntReport report = report_of({dead, alive, same, seen});
  const Sharpness totals = sharpness(report);
  EXPECT_EQ(totals.equivalent, 1u);
  EXPECT_EQ(totals.wrongly_equivalent, 1u);
  EXPECT_EQ(totals.dead(), 2u);
  EXPECT_NEAR(totals.percent(), 66.7, 0.1);
  EXPECT_THAT(hunt_summary(report), HasSubstr("seen is called equivalent, but C sees it"));
  EXPECT_THAT(hunt_summary(report), HasSubstr("  alive: b [RFC 2525 §2.1]"));
  EXPECT_THAT(hunt_json(report), HasSubstr("\"wrongly_equivalent\": 1"));
}

}  // namespace
}  // namespace tcproctor::conformance
