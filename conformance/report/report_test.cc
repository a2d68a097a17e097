// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/report.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "conformance/report/condense.h"
#include "conformance/report/fsm.h"
#include "conformance/report/gunzip_testing.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/names.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

CaseOutcome outcome(const std::string& id, const std::string& target, v1::Verdict verdict) {
  CaseOutcome result;
  result.id = id;
  result.title = "Title of <" + id + "> & \"more\"";
  result.level = "must";
  result.covers = {"S000-2.1", "RFC9293-MUST-13"};
  result.target = target;
  result.seconds = 0.25;
  result.seed = 42;
  result.reproduce = "tcproctor run --target " + target + " --filter " + id + " --seed 42";
  ClauseOutcome clause;
  clause.name = "handshake";
  clause.verdict = verdict;
  clause.skip_is_named = true;
  if (verdict != v1::VERDICT_PASS) {
    clause.reason = "end B sent another segment than expected";
    clause.failure.requirement = "RFC 9293 §3.5: in our words";
    clause.failure.statement = "> S. 0:0(0) ack 1 | R";
    clause.failure.location = "conformance/cases/x.pkt:7:1";
    clause.failure.expected = {"S. 0:0(0) ack 1", "R"};
    clause.failure.came = "F. 0:0(0) ack 1 win 0";
    clause.failure.differences = {"flags: expected SA, got FA"};
    clause.failure.packet = 2;
  }
  result.clauses.push_back(clause);
  CasePart part;
  v1::LogEntry entry;
  entry.set_number(1);
  entry.mutable_time()->set_nanos(500'000'000);
  entry.set_from(v1::END_A);
  entry.set_origin(v1::ORIGIN_INJECTED);
  entry.set_fate(v1::FATE_DELIVERED);
  entry.set_raw("\x45\x01");
  part.segments.push_back(entry);
  part.edges = {{"stack", v1::TCP_STATE_CLOSED, v1::TCP_STATE_SYN_SENT},
                {"stack", v1::TCP_STATE_CLOSED, v1::TCP_STATE_SYN_SENT}};
  part.a = "scripted";
  part.b = target;
  LadderRow row;
  row.kind = LadderRow::Kind::kSegment;
  row.end = v1::END_A;
  row.number = 1;
  row.line = 7;
  row.time = absl::Milliseconds(500);
  row.states = {"[SYN-SENT]", "SYN-RECEIVED"};
  row.segment = {
      .tcp = true, .flags = "SYN", .sequence = "0", .window = 65535, .options = "<mss 1460>"};
  part.rows = {row};
  part.pcap_file = "pcap/" + id + ".pcap";
  result.parts.push_back(part);
  judge_case(result);
  return result;
}

RunReport full_report() {
  RunReport report;
  report.results = {
      outcome("C1", "kernel", v1::VERDICT_XFAIL), outcome("C2", "kernel", v1::VERDICT_FAIL),
      outcome("C1", "stack", v1::VERDICT_PASS),   outcome("C3", "stack", v1::VERDICT_SKIP),
      outcome("C4", "stack", v1::VERDICT_ERROR),  outcome("C5", "stack", v1::VERDICT_INCONCLUSIVE),
      outcome("C6", "stack", v1::VERDICT_XPASS)};
  judge_run({}, report);
  report.seconds = 1.5;
  report.seed = 42;
  report.version = "0.1.0";
  report.kernel_release = "6.18.44";
  report.environment["kernel"] = {{"clock", "tsc"}};
  condense(report);
  report.cases["C1"] = {"conformance/cases/x.pkt", "in our words", "//: id: C1\n< S 0:0(0)\n"};
  return report;
}

TEST(Console, MatrixHasARowPerCaseAndAColumnPerTarget) {
  EXPECT_EQ(console_matrix(full_report(), {}),
            "case                kernel        stack\n"
            "C1                  XFAIL         PASS\n"
            "C2                  FAIL          -\n"
            "C3                  -             SKIP\n"
            "C4                  -             ERROR\n"
            "C5                  -             INCONCLUSIVE\n"
            "C6                  -             XPASS\n"
            "\n"
            "total ERROR         0             1\n"
            "total FAIL          1             0\n"
            "total INCONCLUSIVE  0             1\n"
            "total PASS          0             1\n"
            "total SKIP          0             1\n"
            "total XFAIL         1             0\n"
            "total XPASS         0             1\n"
            "7 results in 1.5 s, seed 42, kernel 6.18.44, exit status 1\n");
}

// What is wrong with a target is said once, not for each case.
TEST(Console, CasesThatWereNotRunAreOnlyCounted) {
  RunReport report = full_report();
  for (CaseOutcome& result : report.results) result.told_by_complaint = result.target == "kernel";
  report.complaints = {"no examination is possible on kernel: it lacks CAP_NET_RAW"};
  const std::string matrix = console_matrix(report, {});
  EXPECT_THAT(matrix, HasSubstr("C1                  -             PASS\n"));
  EXPECT_THAT(matrix, Not(HasSubstr("C2 ")));
  EXPECT_THAT(matrix, HasSubstr("total FAIL          1             0\n"));
  EXPECT_THAT(matrix, HasSubstr("! no examination is possible on kernel: it lacks CAP_NET_RAW\n"));
}

TEST(Console, FailureTellsAllThatIsNeeded) {
  EXPECT_EQ(console_failure(outcome("C2", "kernel", v1::VERDICT_FAIL), {}),
            "FAIL C2 on kernel (Title of <C2> & \"more\")\n"
            "  clause \"handshake\": end B sent another segment than expected\n"
            "    requirement: RFC 9293 §3.5: in our words\n"
            "    statement:   conformance/cases/x.pkt:7:1: > S. 0:0(0) ack 1 | R\n"
            "    expected:    S. 0:0(0) ack 1\n"
            "    or:          R\n"
            "    came:        F. 0:0(0) ack 1 win 0\n"
            "                 flags: expected SA, got FA\n"
            "    packet:      number 2 of the capture (pcap/C2.pcap)\n"
            "  seed:        42\n"
            "  reproduce:   tcproctor run --target kernel --filter C2 --seed 42\n"
            "\n"
            "     TCP A (scripted)                                            TCP B (kernel)\n"
            "  1. [SYN-SENT]     --> <SEQ=0><CTL=SYN>                     --> SYN-RECEIVED\n");
}

TEST(Console, CleanResultsHaveNoFailure) {
  EXPECT_EQ(console_failure(outcome("C1", "stack", v1::VERDICT_PASS), {}), "");
  EXPECT_EQ(console_failure(outcome("C1", "stack", v1::VERDICT_XFAIL), {}), "");
}

TEST(Console, ARepeatedResultSaysSo) {
  CaseOutcome repeated = outcome("C1", "stack", v1::VERDICT_PASS);
  repeated.attempts = {{"handshake", v1::VERDICT_FAIL, "why", "x.pkt:7:1", 0.083},
                       {"handshake", v1::VERDICT_XPASS, "why", "x.pkt:7:1", 0.083}};
  EXPECT_THAT(console_line(repeated, {}), HasSubstr(" (late and repeated: FAIL, XPASS)\n"));
  RunReport report = full_report();
  report.results.push_back(repeated);
  EXPECT_THAT(console_matrix(report, {}), HasSubstr("\nlate and repeated: 1 results\n"));
}

TEST(Console, LineAndColours) {
  EXPECT_EQ(console_line(outcome("C1", "stack", v1::VERDICT_PASS), {}),
            "PASS         stack         C1                        0.25 s  "
            "Title of <C1> & \"more\"\n");
  EXPECT_THAT(console_line(outcome("C1", "stack", v1::VERDICT_FAIL), {.colours = true}),
              HasSubstr("\x1b[31mFAIL\x1b[0m "));
}

// The keys that SCHEMA.md documents, with their types.
void expect_keys(const google::protobuf::Struct& object,
                 const std::map<std::string, google::protobuf::Value::KindCase>& keys) {
  for (const auto& [name, kind] : keys) {
    const auto found = object.fields().find(name);
    ASSERT_NE(found, object.fields().end()) << "lacks " << name;
    EXPECT_EQ(found->second.kind_case(), kind) << name;
  }
  EXPECT_EQ(object.fields().size(), keys.size());
}

TEST(Fsm, TellsWhatWasTakenHowAndWhatCannotBe) {
  RunReport report;
  CaseOutcome one = outcome("C1", "kernel", v1::VERDICT_SKIP);
  one.clauses[0].name = "LISTEN to SYN-SENT by OPEN";
  one.clauses[0].reference = "af_inet.c";
  one.clauses[0].reason = "refused";
  one.parts[0].edges = {{"kernel", v1::TCP_STATE_CLOSED, v1::TCP_STATE_LISTEN}};
  CaseOutcome unnamed = outcome("C2", "kernel", v1::VERDICT_SKIP);
  unnamed.clauses[0].name = "SYN-RECEIVED to FIN-WAIT-1 by CLOSE";
  CaseOutcome two = outcome("C1", "stack", v1::VERDICT_PASS);
  two.parts[0].edges = {{"stack", v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_TIME_WAIT, true}};
  report.results = {one, unnamed, two};
  for (const EdgeCoverage& edge : fsm_coverage(report)) {
    const std::string name = state_name(edge.from) + " " + state_name(edge.to);
    EXPECT_EQ(edge.not_supported.count("kernel"), name == "LISTEN SYN-SENT" ? 1u : 0u) << name;
    EXPECT_EQ(edge.through.count("stack"), name == "FIN-WAIT-1 TIME-WAIT" ? 1u : 0u) << name;
    if (name == "LISTEN SYN-SENT") {
      EXPECT_EQ(edge.not_supported.at("kernel"), "refused: af_inet.c");
    }
  }
  // outcome() gives C2 an edge of the stack.
  const std::string text = console_fsm(report);
  EXPECT_THAT(text, HasSubstr("not supported"));
  EXPECT_THAT(text, HasSubstr("1*"));
  EXPECT_THAT(text, HasSubstr("1 of 28        2 of 29"));
  EXPECT_THAT(text, HasSubstr("* by way of the state between, within one segment"));
}

TEST(Json, HasTheDocumentedShape) {
  using Value = google::protobuf::Value;
  google::protobuf::Struct root;
  RunReport report = full_report();
  report.results[1].attempts = {{"handshake", v1::VERDICT_FAIL, "why", "x.pkt:7:1", 0.083}};
  const auto status = google::protobuf::util::JsonStringToMessage(json_report(report), &root);
  ASSERT_TRUE(status.ok()) << status.ToString();
  expect_keys(root, {{"schema", Value::kStringValue},
                     {"environment", Value::kStructValue},
                     {"summary", Value::kStructValue},
                     {"fsm", Value::kListValue},
                     {"cases", Value::kListValue},
                     {"results", Value::kListValue}});
  expect_keys(root.fields().at("environment").struct_value(),
              {{"version", Value::kStringValue},
               {"kernel_release", Value::kStringValue},
               {"seed", Value::kNumberValue},
               {"targets", Value::kStructValue}});
  expect_keys(root.fields().at("summary").struct_value(), {{"PASS", Value::kNumberValue},
                                                           {"FAIL", Value::kNumberValue},
                                                           {"INCONCLUSIVE", Value::kNumberValue},
                                                           {"ERROR", Value::kNumberValue},
                                                           {"SKIP", Value::kNumberValue},
                                                           {"XFAIL", Value::kNumberValue},
                                                           {"XPASS", Value::kNumberValue},
                                                           {"exit_status", Value::kNumberValue},
                                                           {"seconds", Value::kNumberValue},
                                                           {"interrupted", Value::kBoolValue},
                                                           {"known", Value::kNumberValue},
                                                           {"shards", Value::kNumberValue},
                                                           {"parts", Value::kListValue},
                                                           {"complaints", Value::kListValue}});
  const google::protobuf::Struct& edge =
      root.fields().at("fsm").list_value().values(1).struct_value();
  expect_keys(edge, {{"from", Value::kStringValue},
                     {"to", Value::kStringValue},
                     {"cause", Value::kStringValue},
                     {"results", Value::kStructValue},
                     {"through", Value::kListValue},
                     {"not_supported", Value::kStructValue}});
  EXPECT_EQ(edge.fields().at("to").string_value(), "SYN-SENT");
  // Seven results took it, each twice: counted once each.
  EXPECT_EQ(edge.fields().at("results").struct_value().fields().at("stack").number_value(), 7);
  const auto& results = root.fields().at("results").list_value().values();
  ASSERT_EQ(results.size(), 7);
  const google::protobuf::Struct& failed = results[1].struct_value();
  expect_keys(failed, {{"case", Value::kStringValue},
                       {"title", Value::kStringValue},
                       {"level", Value::kStringValue},
                       {"covers", Value::kListValue},
                       {"target", Value::kStringValue},
                       {"repetition", Value::kNumberValue},
                       {"verdict", Value::kStringValue},
                       {"reason", Value::kStringValue},
                       {"clauses", Value::kListValue},
                       {"attempts", Value::kListValue},
                       {"sessions", Value::kListValue},
                       {"capture", Value::kStringValue},
                       {"seconds", Value::kNumberValue},
                       {"seed", Value::kNumberValue},
                       {"reproduce", Value::kStringValue},
                       {"ladder", Value::kStringValue}});
  EXPECT_EQ(failed.fields().at("title").string_value(), "Title of <C2> & \"more\"");
  EXPECT_EQ(failed.fields().at("verdict").string_value(), "FAIL");
  const google::protobuf::Struct& attempt =
      failed.fields().at("attempts").list_value().values(0).struct_value();
  expect_keys(attempt, {{"clause", Value::kStringValue},
                        {"verdict", Value::kStringValue},
                        {"reason", Value::kStringValue},
                        {"location", Value::kStringValue},
                        {"late", Value::kNumberValue}});
  EXPECT_EQ(attempt.fields().at("late").number_value(), 0.083);
  const google::protobuf::Struct& clause =
      failed.fields().at("clauses").list_value().values(0).struct_value();
  expect_keys(clause, {{"name", Value::kStringValue},
                       {"verdict", Value::kStringValue},
                       {"reason", Value::kStringValue},
                       {"reference", Value::kStringValue},
                       {"skip_is_named", Value::kBoolValue},
                       {"known", Value::kBoolValue},
                       {"failure", Value::kStructValue}});
  expect_keys(clause.fields().at("failure").struct_value(), {{"requirement", Value::kStringValue},
                                                             {"statement", Value::kStringValue},
                                                             {"location", Value::kStringValue},
                                                             {"expected", Value::kListValue},
                                                             {"came", Value::kStringValue},
                                                             {"differences", Value::kListValue},
                                                             {"session", Value::kNumberValue},
                                                             {"packet", Value::kNumberValue}});
  const google::protobuf::Struct& session =
      failed.fields().at("sessions").list_value().values(0).struct_value();
  expect_keys(session, {{"a", Value::kStringValue},
                        {"b", Value::kStringValue},
                        {"edges", Value::kListValue},
                        {"rows", Value::kListValue},
                        {"file", Value::kStringValue},
                        {"captured", Value::kNumberValue},
                        {"left_out", Value::kNumberValue}});
  EXPECT_EQ(session.fields().at("captured").number_value(), 1);
  std::string zipped;
  ASSERT_TRUE(absl::Base64Unescape(failed.fields().at("capture").string_value(), &zipped));
  const std::vector<Packet> packets = packets_of(gunzip(zipped));
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].octets, "\x45\x01");
  // A row tells what there is to tell, in a line of its own.
  const google::protobuf::Struct& row =
      session.fields().at("rows").list_value().values(0).struct_value();
  expect_keys(row, {{"kind", Value::kStringValue},
                    {"end", Value::kStringValue},
                    {"state_a", Value::kStringValue},
                    {"state_b", Value::kStringValue},
                    {"time", Value::kNumberValue},
                    {"line", Value::kNumberValue},
                    {"number", Value::kNumberValue},
                    {"flags", Value::kStringValue},
                    {"seq", Value::kStringValue},
                    {"window", Value::kNumberValue},
                    {"options", Value::kStringValue}});
  EXPECT_EQ(row.fields().at("time").number_value(), 0.5);
  EXPECT_THAT(json_report(report), HasSubstr("\n            {\"kind\":\"segment\",\"end\":\"A\","));
  // What passed has its ladder in its rows alone.
  EXPECT_EQ(results[2].struct_value().fields().at("verdict").string_value(), "PASS");
  EXPECT_EQ(results[2].struct_value().fields().count("ladder"), 0u);
}

TEST(Json, IsReadBackWhole) {
  RunReport report = full_report();
  report.results[1].attempts = {{"handshake", v1::VERDICT_FAIL, "why", "x.pkt:7:1", 0.083}};
  report.results[1].parts[0].rows.push_back(report.results[1].parts[0].rows[0]);
  report.results[1].parts[0].rows[1].kind = LadderRow::Kind::kArrival;
  report.results[1].parts[0].rows[1].way = LadderRow::Way::kLost;
  report.results[1].parts[0].rows[1].forged = true;
  report.results[1].parts[0].rows[1].duplicate = true;
  report.results[1].parts[0].rows[1].segment.length = 9;
  report.results[1].parts[0].edges[0].through = true;
  report.results[1].parts[0].left_out = 3;
  report.complaints = {"a complaint"};
  const std::string json = json_report(report);
  const absl::StatusOr<RunReport> read = read_json_report(json, "x.json");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(json_report(*read), json);
}

TEST(Json, WrongReportsAreRefusedWithThePlace) {
  const auto message = [](const std::string& json) {
    return std::string(read_json_report(json, "x.json").status().message());
  };
  EXPECT_THAT(message("[]"), HasSubstr("x.json: is no JSON object"));
  EXPECT_THAT(message("{\"schema\": \"tcproctor.run/1\"}"),
              HasSubstr("x.json: is no report of a run: its schema is \"tcproctor.run/1\""));
  std::string json = json_report(full_report());
  json.replace(json.find("\"XFAIL\",\n"), 7, "\"FINE!\"");
  EXPECT_THAT(message(json), HasSubstr("\"FINE!\" is no name known here"));
  json = json_report(full_report());
  json.replace(json.find("\"capture\": \"") + 12, 2, "?!");
  EXPECT_THAT(message(json), HasSubstr("C1: its capture is no base64"));
}

// The data of the page, unpacked as a browser does it.
google::protobuf::Struct data_of(const std::string& html) {
  const std::string opening = "<script id=\"data\" type=\"application/octet-stream\">";
  const size_t begin = html.find(opening) + opening.size();
  std::string zipped;
  EXPECT_TRUE(
      absl::Base64Unescape(html.substr(begin, html.find("</script>", begin) - begin), &zipped));
  const std::string json = gunzip(zipped);
  google::protobuf::Struct data;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &data).ok());
  return data;
}

TEST(Html, IsOneFileWithTheDataInside) {
  RunReport report = full_report();
  report.results[0].title = "</script><script>alert(1)</script>";
  const std::string html = html_report(report);
  EXPECT_THAT(html, Not(HasSubstr("{{")));
  EXPECT_THAT(html, Not(HasSubstr("alert(1)")));
  EXPECT_THAT(html, HasSubstr("class Model"));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  // Nothing is fetched: the only address is the name of SVG's namespace.
  for (size_t at = html.find("://"); at != std::string::npos; at = html.find("://", at + 1)) {
    EXPECT_EQ(html.substr(at - 4, 26), "http://www.w3.org/2000/svg");
  }
  const google::protobuf::Struct data = data_of(html);
  EXPECT_EQ(data.fields().at("results").list_value().values_size(), 7);
  EXPECT_GT(data.fields().at("catalogue").struct_value().fields_size(), 1000);
  // C1 has results on two targets: their only rows stand side by side and are alike.
  const auto& pairs = data.fields().at("pairs").struct_value().fields();
  EXPECT_EQ(pairs.at("C1").struct_value().fields().at("kernel stack").ShortDebugString(),
            "list_value { values { list_value { values { list_value { values { number_value: 0 } "
            "values { number_value: 0 } values { string_value: \"\" } } } } } }");
}

TEST(Tap, VerdictsBecomePoints) {
  RunReport report = full_report();
  report.interrupted = true;
  report.complaints = {"two\nlines"};
  const std::string tap = tap_report(report);
  EXPECT_THAT(tap, StartsWith("TAP version 14\n1..7\n"));
  EXPECT_THAT(tap, HasSubstr("not ok 1 - C1 on kernel # TODO XFAIL \"handshake\": end B"));
  EXPECT_THAT(tap, HasSubstr("\nnot ok 2 - C2 on kernel\n  ---\n  verdict: \"FAIL\"\n"));
  EXPECT_THAT(tap, HasSubstr("\nok 3 - C1 on stack\n"));
  EXPECT_THAT(tap, HasSubstr("\nok 4 - C3 on stack # SKIP SKIP \"handshake\""));
  EXPECT_THAT(tap, HasSubstr("\nnot ok 5 - C4 on stack\n"));
  EXPECT_THAT(tap, HasSubstr("\nnot ok 6 - C5 on stack\n"));
  EXPECT_THAT(tap, HasSubstr("\nnot ok 7 - C6 on stack\n"));
  EXPECT_THAT(tap, HasSubstr("# two lines\nBail out! not all cases have run\n"));
}

// Who reads JUnit or TAP alone sees what is new.
TEST(Baseline, WhatItHadTooIsNoFailure) {
  RunReport report = full_report();
  CaseOutcome& failed = report.results[1];
  mark_known({violation_of(failed, failed.clauses[0])}, failed);
  EXPECT_THAT(
      tap_report(report),
      HasSubstr("\nnot ok 2 - C2 on kernel # TODO FAIL \"handshake\": known from the baseline: "));
  const std::string xml = junit_report(report);
  EXPECT_THAT(xml, HasSubstr("tests=\"7\" failures=\"1\" errors=\"2\" skipped=\"3\""));
  EXPECT_THAT(xml,
              HasSubstr("<skipped message=\"FAIL: FAIL &quot;handshake&quot;: known from the"));
  const absl::StatusOr<RunReport> read = read_json_report(json_report(report), "x");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(is_known(read->results[1]));
  EXPECT_FALSE(is_known(read->results[6])) << "the XPASS is new";
}

TEST(Json, EveryKeyIsDocumented) {
  std::ifstream in(TCPROCTOR_SCHEMA_MD);
  const std::string schema((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(schema.empty());
  RunReport report = full_report();
  report.environment.clear();  // its keys are names of settings
  const std::string json = json_report(report);
  for (size_t at = json.find("\":"); at != std::string::npos; at = json.find("\":", at + 1)) {
    if (json[at - 1] == '\\') continue;  // inside a text
    const size_t begin = json.rfind('"', at - 1) + 1;
    const std::string key = json.substr(begin, at - begin);
    EXPECT_THAT(schema, HasSubstr("`" + key + "`"));
  }
}

TEST(JUnit, IsValidAgainstTheSchema) {
  const std::string file = ::testing::TempDir() + "/tcproctor_junit_test.xml";
  RunReport report = full_report();
  LadderRow note;
  note.text = "\x01 control characters are no XML";
  report.results[0].parts[0].rows.push_back(note);
  ASSERT_TRUE(write_report(file, junit_report(report)).ok());
  const std::string command =
      "xmllint --noout --nonet --schema " TCPROCTOR_JUNIT_XSD " '" + file + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0) << output;
  std::remove(file.c_str());
}

// Not a list of failures where one thing is missing.
TEST(JUnit, WhatManyCasesLackIsOneError) {
  RunReport report = full_report();
  for (CaseOutcome& result : report.results) result.told_by_complaint = true;
  report.complaints = {"no examination is possible on kernel: missing CAP_NET_RAW"};
  const std::string xml = junit_report(report);
  EXPECT_THAT(xml, HasSubstr("tests=\"8\" failures=\"0\" errors=\"1\" skipped=\"7\""));
  EXPECT_THAT(
      xml,
      HasSubstr("<error message=\"no examination is possible on kernel: missing CAP_NET_RAW\""));
}

TEST(JUnit, VerdictsBecomeElements) {
  const std::string xml = junit_report(full_report());
  EXPECT_THAT(xml, HasSubstr("tests=\"7\" failures=\"2\" errors=\"2\" skipped=\"2\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"FAIL: "));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"XPASS: "));
  EXPECT_THAT(xml, HasSubstr("<error message=\"INCONCLUSIVE: "));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"XFAIL: "));
  EXPECT_THAT(xml, HasSubstr("Title of &lt;C2&gt; &amp; "));
  // Six of the seven did not pass: they have their ladders.
  size_t ladders = 0;
  for (size_t at = xml.find("<system-out>"); at != std::string::npos; ++ladders) {
    at = xml.find("<system-out>", at + 1);
  }
  EXPECT_EQ(ladders, 6u);
}

TEST(WriteReport, TellsWhatCannotBeWritten) {
  EXPECT_THAT(std::string(write_report("/nonexistent/x", "text").message()),
              HasSubstr("/nonexistent/x: cannot be written: No such file"));
}

}  // namespace
}  // namespace tcproctor::conformance
