// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/condense.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/report/gunzip_testing.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kHeaders = 40;

// A case with one session, to which segments are added one by one.
class Session {
 public:
  explicit Session(const std::string& id, const std::string& target = "stack",
                   v1::Verdict verdict = v1::VERDICT_PASS) {
    result_.id = id;
    result_.target = target;
    result_.clauses.resize(1);
    result_.clauses[0].name = "c";
    result_.clauses[0].verdict = verdict;
    result_.parts.resize(1);
    judge_case(result_);
  }
  // In the log alone: of no flow of the case.
  Session& stranger(size_t payload = 0) {
    v1::LogEntry& entry = part().segments.emplace_back();
    entry.set_number(part().segments.size());
    entry.mutable_time()->set_seconds(1);
    entry.mutable_wall_time()->set_seconds(1'700'000'000);
    entry.mutable_segment()->set_payload(std::string(payload, 'p'));
    entry.set_raw(std::string(kHeaders, static_cast<char>(entry.number())) +
                  entry.segment().payload());
    return *this;
  }
  Session& segment(size_t payload = 100, const std::string& flags = "ACK",
                   const std::string& state = "ESTABLISHED") {
    stranger(payload);
    LadderRow& row = part().rows.emplace_back();
    row.kind = LadderRow::Kind::kSegment;
    row.end = v1::END_A;
    row.number = part().segments.size();
    row.states[1] = state;
    row.line = 9;
    row.segment.tcp = true;
    row.segment.flags = flags;
    row.segment.sequence = std::to_string(row.number * 100);
    row.segment.length = static_cast<uint32_t>(payload);
    return *this;
  }
  Session& segments(size_t count) {
    for (size_t i = 0; i < count; ++i) segment();
    return *this;
  }
  // Its failure names this segment.
  Session& names(uint64_t packet) {
    result_.clauses[0].failure.packet = packet;
    return *this;
  }
  CaseOutcome result() const { return result_; }

 private:
  CasePart& part() { return result_.parts[0]; }

  CaseOutcome result_;
};

// The numbers of the rows; "-14" for a row that says 14 segments were left out.
std::vector<std::string> rows_of(const CaseOutcome& result) {
  std::vector<std::string> out;
  for (const LadderRow& row : result.parts[0].rows) {
    const bool left_out = row.kind == LadderRow::Kind::kLeftOut;
    EXPECT_EQ(left_out, row.text.ends_with(" segments left out")) << row.text;
    out.push_back(left_out ? "-" + split(row.text, ' ')[0] : std::to_string(row.number));
  }
  return out;
}

std::vector<Packet> capture_of(const CaseOutcome& result) {
  return packets_of(gunzip(result.capture));
}

std::vector<CaseOutcome> condensed(const std::vector<Session>& sessions) {
  RunReport report;
  for (const Session& session : sessions) report.results.push_back(session.result());
  condense(report);
  return report.results;
}

TEST(Condense, TheMiddleOfALongRunIsLeftOutAndCounted) {
  const CaseOutcome result = condensed({Session("C").segments(20).segment(1, "FIN,ACK")})[0];
  EXPECT_THAT(rows_of(result), ElementsAre("1", "2", "3", "-14", "18", "19", "20", "21"));
  EXPECT_EQ(result.parts[0].rows[3].line, 9);
  EXPECT_EQ(result.parts[0].left_out, 14u);
  EXPECT_EQ(result.parts[0].captured, 7u);
  EXPECT_THAT(result.parts[0].segments, IsEmpty());
  const std::vector<Packet> packets = capture_of(result);
  ASSERT_THAT(packets, SizeIs(7));
  EXPECT_EQ(packets[2].octets[0], 3);
  EXPECT_EQ(packets[3].octets[0], 18);
}

TEST(Condense, AShortRunIsKept) {
  const CaseOutcome result = condensed({Session("C").segments(7)})[0];
  EXPECT_THAT(rows_of(result), SizeIs(7));
  EXPECT_EQ(result.parts[0].left_out, 0u);
  EXPECT_THAT(capture_of(result), SizeIs(7));
}

TEST(Condense, WhatDiffersInMoreThanNumbersEndsARun) {
  for (const auto& [payload, flags, state] : {std::tuple{100, "ACK", "CLOSE-WAIT"},
                                              {100, "PSH,ACK", "ESTABLISHED"},
                                              {99, "ACK", "ESTABLISHED"}}) {
    Session session("C");
    session.segments(5).segment(static_cast<size_t>(payload), flags, state).segments(5);
    EXPECT_THAT(rows_of(condensed({session})[0]), SizeIs(11)) << flags << state << payload;
  }
}

TEST(Condense, AFailingCaseKeepsEverythingOnAllTargets) {
  for (const v1::Verdict verdict :
       {v1::VERDICT_FAIL, v1::VERDICT_XPASS, v1::VERDICT_ERROR, v1::VERDICT_INCONCLUSIVE}) {
    const std::vector<CaseOutcome> results =
        condensed({Session("C", "kernel", verdict).segments(20), Session("C", "stack").segments(20),
                   Session("D", "stack").segments(20)});
    for (const size_t i : {0u, 1u}) {
      EXPECT_THAT(rows_of(results[i]), SizeIs(20));
      EXPECT_EQ(results[i].parts[0].captured, 20u);
      const std::vector<Packet> packets = capture_of(results[i]);
      ASSERT_THAT(packets, SizeIs(20));
      EXPECT_THAT(packets[0].octets, SizeIs(kHeaders + 100));
    }
    EXPECT_THAT(rows_of(results[2]), SizeIs(7));
  }
}

TEST(Condense, WhatADeviationNamesIsKept) {
  const CaseOutcome result =
      condensed({Session("C", "kernel", v1::VERDICT_XFAIL).segments(30).names(10)})[0];
  EXPECT_THAT(rows_of(result), ElementsAre("1", "2", "3", "-3", "7", "8", "9", "10", "11", "12",
                                           "13", "-14", "28", "29", "30"));
}

TEST(Condense, OfAFloodTheBeginningAndTheEndAreCaptured) {
  Session session("C");
  session.segment();
  for (int i = 0; i < 100; ++i) session.stranger();
  const CaseOutcome result = condensed({session.segment()})[0];
  EXPECT_EQ(result.parts[0].left_out, 94u);
  std::string numbers;
  for (const Packet& packet : capture_of(result)) append(numbers, int{packet.octets[0]}, " ");
  EXPECT_EQ(numbers, "1 2 3 4 99 100 101 102 ");
}

TEST(Condense, OfAPayloadTheBeginningIsCapturedAndTheLengthTold) {
  const std::vector<Packet> packets =
      capture_of(condensed({Session("C").segment(1000).segment(16).segment(0)})[0]);
  ASSERT_THAT(packets, SizeIs(3));
  EXPECT_EQ(packets[0].octets.size(), kHeaders + 16);
  EXPECT_EQ(packets[0].whole_length, kHeaders + 1000);
  EXPECT_EQ(packets[1].octets.size(), kHeaders + 16);
  EXPECT_EQ(packets[2].octets.size(), kHeaders);
}

TEST(Condense, TimesAreThoseOfTheSession) {
  const std::string pcap = gunzip(condensed({Session("C").segment(0)})[0].capture);
  EXPECT_EQ(pcap.substr(24, 4), std::string("\1\0\0\0", 4));
}

TEST(Condense, WhatIsCondensedStaysAsItIs) {
  RunReport report;
  report.results = condensed({Session("C").segments(20)});
  condense(report);
  EXPECT_EQ(report.results[0].parts[0].left_out, 14u);
  EXPECT_THAT(capture_of(report.results[0]), SizeIs(6));
}

TEST(Condense, NoSegmentsNoCapture) {
  EXPECT_THAT(condensed({Session("C")})[0].capture, IsEmpty());
}

}  // namespace
}  // namespace tcproctor::conformance
