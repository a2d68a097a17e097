// SPDX-License-Identifier: Apache-2.0
// Files that are several cases, procedures, and numbers relative to variables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/check.h"
#include "conformance/script/parser.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Case> all(const std::string& text) {
  absl::StatusOr<std::vector<Case>> parsed = parse_all(text, "t.pkt", {});
  EXPECT_TRUE(parsed.ok()) << parsed.status().message() << "\n" << text;
  return parsed.ok() ? *std::move(parsed) : std::vector<Case>();
}

std::string error_of(const std::string& text, const Procedures& procedures = {}) {
  const absl::StatusOr<std::vector<Case>> parsed = parse_all(text, "t.pkt", procedures);
  return parsed.ok() ? "no error" : std::string(parsed.status().message());
}

std::vector<std::string> ids(const std::vector<Case>& cases) {
  std::vector<std::string> out;
  out.reserve(cases.size());
  for (const Case& one : cases) out.push_back(one.head.id);
  return out;
}

std::vector<std::string> statements(const Clause& clause) {
  std::vector<std::string> out;
  for (const Statement& one : clause.statements) out.push_back(print_statement(one));
  return out;
}

constexpr std::string_view kHead = "//: id: t\n//: title: T\n//: covers: S000-2.1\n";

TEST(Parameters, EachTupleIsACase) {
  const std::vector<Case> cases =
      all("//: id: EM-$state-x\n//: title: In $state\n//: covers: EM-$state-SEG-$row\n"
          "//: for state row: FIN-WAIT-1 38, LAST-ACK 30\n"
          "clause \"$state\" covers EM-$state-RTO-01, S000-2.1\nA is [$state]\n");
  ASSERT_THAT(ids(cases), ElementsAre("EM-FIN-WAIT-1-x", "EM-LAST-ACK-x"));
  EXPECT_THAT(cases[0].head.covers, ElementsAre("EM-FIN-WAIT-1-SEG-38"));
  EXPECT_EQ(cases[1].head.title, "In LAST-ACK");
  EXPECT_EQ(cases[1].clauses[0].name, "LAST-ACK");
  EXPECT_THAT(cases[1].clauses[0].covers, ElementsAre("EM-LAST-ACK-RTO-01", "S000-2.1"));
  EXPECT_THAT(statements(cases[1].clauses[0]), ElementsAre("A is [LAST-ACK]"));
  EXPECT_EQ(cases[1].clauses[0].position.line, 5);
}

TEST(Parameters, SeveralLinesAndFamiliesCombine) {
  EXPECT_THAT(ids(all("//: id: t-$a$b\n//: title: T\n//: covers: S\n//: for a: 1, 2\n"
                      "//: for b: x, y\nwait 1s\n")),
              ElementsAre("t-1x", "t-1y", "t-2x", "t-2y"));
  const std::vector<Case> families = all(cat(kHead, "//: family: ipv4, ipv6\nwait 1s\n"));
  ASSERT_THAT(ids(families), ElementsAre("t", "t-v6"));
  EXPECT_FALSE(families[0].head.ipv6);
  EXPECT_TRUE(families[1].head.ipv6);
}

TEST(Parameters, AreRefusedWithPlaceAndReason) {
  EXPECT_THAT(error_of(cat(kHead, "//: for a b: 1 2, 3\nwait 1s\n")),
              HasSubstr("t.pkt:4:1: expected 2 value(s) for a b, found \"3\""));
  EXPECT_THAT(error_of(cat(kHead, "//: for A: 1\nwait 1s\n")), HasSubstr("of small letters"));
  EXPECT_THAT(error_of(cat(kHead, "//: for a: 1\nwait $b\n")),
              HasSubstr("t.pkt:5:1: unknown parameter \"$b\""));
  EXPECT_THAT(error_of(cat(kHead, "//: for a: 1, 2\nwait 1s\n")), HasSubstr("the id"));
  EXPECT_THAT(error_of("//: id: t\n//: title: T\nclause \"a\"\nwait 1s\n"),
              HasSubstr("the head lacks \"//: covers: …\" (\"nothing\" is an answer)"));
}

TEST(Procedures, StandForTheirStatements) {
  const std::vector<Case> cases =
      all(cat(kHead,
              "procedure reach A-B\nwait 1s\n> . 1:1(0) ack 1\n| R\nend\n"
              "procedure reach C\nreach A-B\nnote \"x\"\nend\n"
              "flow f2 A:1 B:2\n(f2) reach C\nwait 3s\n"));
  ASSERT_EQ(cases.size(), 1u);
  const Clause& clause = cases[0].clauses[0];
  EXPECT_THAT(statements(clause),
              ElementsAre("flow f2 A:1 B:2", "(f2) wait 1s", "(f2) > . 1:1(0) ack 1 | R",
                          "(f2) note \"x\"", "wait 3s"));
  EXPECT_EQ(clause.statements[1].position.line, 14);
  EXPECT_EQ(clause.statements[1].procedure, "reach A-B");
  EXPECT_EQ(clause.statements[3].procedure, "reach C");
  EXPECT_EQ(clause.statements[4].procedure, "");
}

TEST(Procedures, OfAnotherFileAreKnown) {
  const absl::StatusOr<Procedures> prelude =
      parse_procedures("// x\nprocedure reach A\nwait 2s\nend\n", "prelude.pkt");
  ASSERT_TRUE(prelude.ok()) << prelude.status().message();
  EXPECT_EQ(error_of(cat(kHead, "reach A\n"), *prelude), "no error");
  EXPECT_THAT(error_of(cat(kHead, "reach B\n"), *prelude),
              HasSubstr("t.pkt:4:1: there is no procedure \"reach B\""));
  EXPECT_THAT(error_of(cat(kHead, "+1 reach A\n"), *prelude), HasSubstr("has no time of its own"));
  EXPECT_THAT(error_of(cat(kHead, "procedure reach A\nwait 1s\nend\n"), *prelude),
              HasSubstr("there is a procedure \"reach A\" already"));
  EXPECT_THAT(error_of(cat(kHead, "procedure p q\nwait 1s\n")), HasSubstr("has no \"end\""));
  EXPECT_THAT(std::string(parse_procedures("wait 1s\n", "p.pkt").status().message()),
              HasSubstr("only procedures can stand here"));
}

TEST(Variables, AreSumsWithNumbers) {
  const std::vector<Case> cases =
      all(cat(kHead, "< FP. RCV.NXT+RCV.WND-5(10) ack SND.NXT-1-0 win 7\n",
              "> . SND.NXT(*) ack RCV.NXT+10+1 <sack RCV.NXT+1:RCV.NXT+2>\n", "< R RCV.NXT(0)\n",
              "fill window ack SND.NXT-1\n"));
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_TRUE(check(cases[0]).ok());
  EXPECT_THAT(statements(cases[0].clauses[0]),
              ElementsAre("< FP. RCV.NXT+RCV.WND-5(10) ack SND.NXT-1 win 7",
                          "> . SND.NXT(*) ack RCV.NXT+11 <sack RCV.NXT+1:RCV.NXT+2>",
                          "< R RCV.NXT(0)", "fill window ack SND.NXT-1"));
}

TEST(Variables, AreRefusedWithPlaceAndReason) {
  const auto error = [](std::string_view line) { return error_of(cat(kHead, line, "\n")); };
  EXPECT_THAT(error("< R RCV.UP(0)"), HasSubstr("unknown variable \"RCV.UP\""));
  EXPECT_THAT(error("< R RCV.NXT-SND.NXT(0)"), HasSubstr("after \"-\""));
  EXPECT_THAT(error("< R RCV.NXT:RCV.NXT(0)"), HasSubstr("expected \"(\""));
  EXPECT_THAT(error("< . 1:1(0) ack 1 win RCV.WND"), HasSubstr("the window must be 0 to 65535"));
}

}  // namespace
}  // namespace tcproctor::conformance
