// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/parser.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/check.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kHead = "//: id: t\n//: title: T\n//: covers: S000-2.1\n";

Case must_parse(const std::string& text) {
  absl::StatusOr<Case> parsed = parse(text, "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message() << "\n" << text;
  return parsed.ok() ? *std::move(parsed) : Case{};
}

// The only statement of a case that has one.
Statement statement(const std::string& line) {
  const Case parsed = must_parse(cat(kHead, line, "\n"));
  if (parsed.clauses.empty() || parsed.clauses[0].statements.empty()) return {};
  return parsed.clauses[0].statements[0];
}

template <typename Body>
Body body(const std::string& line) {
  const Statement parsed = statement(line);
  const Body* found = std::get_if<Body>(&parsed.body);
  EXPECT_NE(found, nullptr) << line;
  return found == nullptr ? Body{} : *found;
}

TcpPacket injected(const std::string& line) {
  return std::get<TcpPacket>(body<InjectStatement>(line).packet.body);
}

std::string error_of(const std::string& text) {
  const absl::StatusOr<Case> parsed = parse(text, "t.pkt");
  return parsed.ok() ? "no error" : std::string(parsed.status().message());
}

// Every block of LANGUAGE.md is a case: with a head of its own, or below a default one; those of
// packetdrill's dialect, in the chapter about it, are whole scripts.
std::vector<std::string> language_examples() {
  std::ifstream in(TCPROCTOR_LANGUAGE_MD);
  std::ostringstream whole;
  whole << in.rdbuf();
  std::vector<std::string> examples;
  bool inside = false;
  size_t ours = std::string::npos;  // how many examples stand before that chapter
  for (const std::string& line : split(whole.str(), '\n')) {
    if (line == "## packetdrill's dialect") ours = examples.size();
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) examples.emplace_back();
    } else if (inside) {
      append(examples.back(), line, "\n");
    }
  }
  EXPECT_LT(ours, examples.size()) << "no chapter about packetdrill's dialect";
  for (size_t i = 0; i < std::min(ours, examples.size()); ++i) {
    if (examples[i].find("//: id:") == std::string::npos) examples[i].insert(0, kHead);
  }
  return examples;
}

TEST(Parser, EveryExampleOfTheLanguageParsesChecksAndPrintsToItself) {
  const std::vector<std::string> examples = language_examples();
  ASSERT_GE(examples.size(), 12u);
  for (const std::string& example : examples) {
    const Case parsed = must_parse(example);
    const absl::Status status = check(parsed);
    EXPECT_TRUE(status.ok()) << status.message();
    const std::string printed = print(parsed);
    EXPECT_EQ(print(must_parse(printed)), printed);
  }
}

TEST(Parser, HeadHasDefaults) {
  const Head head = must_parse(cat(kHead, "wait 1s\n")).head;
  EXPECT_EQ(head.id, "t");
  EXPECT_EQ(head.level, "must");
  EXPECT_EQ(head.examines, Examines::kB);
  EXPECT_EQ(head.targets.size(), 3u);
  EXPECT_EQ(head.patience, absl::Seconds(2));
  EXPECT_EQ(head.tolerance, absl::Milliseconds(50));
  EXPECT_FALSE(head.slow);
}

TEST(Parser, ACaseMaySayThatItCoversNothing) {
  const std::string text = "//: id: t\n//: title: T\n//: covers: nothing\nwait 1s\n";
  const Case parsed = must_parse(text);
  EXPECT_TRUE(parsed.head.covers.empty());
  EXPECT_TRUE(check(parsed).ok());
  EXPECT_NE(print(parsed).find("//: covers: nothing\n"), std::string::npos) << print(parsed);
}

TEST(Parser, HeadIsRead) {
  const Head head = must_parse(cat(kHead,
                                   "//: examines: both\n//: isn: A = 7, B = 9\n"
                                   "//: set stack: stack.msl = 1s\n//: family: ipv6\n"
                                   "//: addresses: A 10.0.0.1/8\n//: slow: yes\nwait 1s\n"))
                        .head;
  EXPECT_EQ(head.examines, Examines::kBoth);
  EXPECT_EQ(head.isn.at(v1::END_B), 9u);
  ASSERT_EQ(head.settings.size(), 1u);
  EXPECT_EQ(head.settings[0].target, "stack");
  EXPECT_EQ(head.settings[0].key, "stack.msl");
  EXPECT_EQ(head.settings[0].value, "1s");
  EXPECT_TRUE(head.ipv6);
  EXPECT_THAT(head.addresses.at(v1::END_A), ElementsAre("10.0.0.1/8"));
  EXPECT_TRUE(head.slow);
}

TEST(Parser, TimesAreRead) {
  EXPECT_EQ(statement("+0.1 wait 1s").time.at, absl::Milliseconds(100));
  EXPECT_EQ(statement("+0.1 wait 1s").time.kind, TimeSpec::Kind::kRelative);
  EXPECT_EQ(statement("0.000001 wait 1s").time.at, absl::Microseconds(1));
  EXPECT_EQ(statement("2.5 wait 1s").time.kind, TimeSpec::Kind::kAbsolute);
  const TimeSpec range = statement("+0~+500ms > . 1:1(0) ack 1").time;
  EXPECT_EQ(range.latest, absl::Milliseconds(500));
  const TimeSpec call = statement("+0...0.5 ACCEPT(L)").time;
  EXPECT_EQ(call.ends, absl::Milliseconds(500));
  EXPECT_EQ(statement("* > . 1:1(0) ack 1").time.kind, TimeSpec::Kind::kAny);
}

TEST(Parser, NumbersOfPacketsAreRead) {
  const TcpPacket packet = injected("< FP. @4294967290:@4(10) ack -3 win 0x10 urg 2");
  EXPECT_EQ(packet.flags, 0x19u);
  EXPECT_TRUE(packet.sequence.absolute);
  EXPECT_EQ(packet.sequence.value, 4294967290);
  EXPECT_EQ(packet.length, 10u);
  EXPECT_EQ(packet.acknowledgment->value, -3);
  EXPECT_EQ(packet.window->value, 16);
  EXPECT_EQ(packet.urgent->value, 2);
}

TEST(Parser, FlagsInBracketsAreNotCompared) {
  const auto expect = body<ExpectStatement>("> F[PU]. 1:1(0) ack 1");
  const auto& packet = std::get<TcpPacket>(expect.alternatives[0].body);
  EXPECT_EQ(packet.flags & packet.flags_mask, 0x11u);
  EXPECT_EQ(packet.flags_mask, 0x1ffu & ~0x28u);
}

TEST(Parser, PartsOfAnAwaitedPacketMayBeOpen) {
  const auto open = body<ExpectStatement>("> R");
  EXPECT_FALSE(std::get<TcpPacket>(open.alternatives[0].body).has_sequence);
  const auto any = body<ExpectStatement>("A > . *:*(0) ack 1~5 | *");
  ASSERT_EQ(any.alternatives.size(), 2u);
  EXPECT_EQ(any.from, v1::END_A);
  EXPECT_TRUE(std::get<TcpPacket>(any.alternatives[0].body).sequence.any);
  EXPECT_EQ(std::get<TcpPacket>(any.alternatives[0].body).acknowledgment->max, 5);
  EXPECT_TRUE(std::holds_alternative<AnyPacket>(any.alternatives[1].body));
}

TEST(Parser, AlternativesGoOnInTheNextLine) {
  const Case parsed = must_parse(cat(kHead, "> R 1:1(0)\n  | . 1:1(0) ack 1\nwait 1s\n"));
  ASSERT_EQ(parsed.clauses[0].statements.size(), 2u);
  const auto& expect = std::get<ExpectStatement>(parsed.clauses[0].statements[0].body);
  EXPECT_EQ(expect.alternatives.size(), 2u);
}

TEST(Parser, OptionsAreRead) {
  using Mode = Options::Mode;
  EXPECT_EQ(injected("< S 0:0(0)").options.mode, Mode::kUnwritten);
  EXPECT_EQ(injected("< S 0:0(0) <>").options.mode, Mode::kNone);
  EXPECT_EQ(injected("< S 0:0(0) <...>").options.mode, Mode::kAny);
  EXPECT_EQ(injected("< S 0:0(0) <... mss 5>").options.mode, Mode::kContains);
  EXPECT_EQ(injected("< S 0:0(0) <{mss 5}>").options.mode, Mode::kSet);
  EXPECT_EQ(injected("< S 0:0(0) <octets hex \"0200\">").options.octets, std::string("\2\0", 2));
  const Options exact =
      injected("< S 0:0(0) <mss 1460,sackOK,TS val 5 ecr last-2,nop,wscale 7>").options;
  ASSERT_EQ(exact.list.size(), 5u);
  EXPECT_EQ(exact.list[0].number.value, 1460);
  EXPECT_EQ(exact.list[2].value.value, 5);
  EXPECT_TRUE(exact.list[2].echo.last);
  EXPECT_EQ(exact.list[2].echo.value, -2);
  EXPECT_EQ(injected("< . 1:1(0) <sack 1:5 9:12>").options.list[0].blocks.size(), 2u);
  const Option raw = injected("< . 1:1(0) <kind 6 len 9 \"ab\">").options.list[0];
  EXPECT_EQ(raw.raw_kind, 6u);
  EXPECT_EQ(raw.raw_length, 9u);
  EXPECT_EQ(raw.data, "ab");
  const Options signatures =
      injected("< . 1:1(0) <FO last,md5 key \"k\",ao 1 2 key \"m\" cmac sne 3>").options;
  EXPECT_TRUE(signatures.list[0].last);
  EXPECT_EQ(signatures.list[1].key, "k");
  const Option& ao = signatures.list[2];
  EXPECT_EQ(ao.key_id.value, 1);
  EXPECT_EQ(ao.rnext_key_id.value, 2);
  EXPECT_EQ(ao.key, "m");
  EXPECT_TRUE(ao.cmac);
  EXPECT_FALSE(ao.bare);
  EXPECT_EQ(ao.extension, 3u);
}

TEST(Parser, TextsAreUnescaped) {
  EXPECT_EQ(injected("< . 1:6(5) \"a\\r\\n\\x00\\\"\"").payload, std::string("a\r\n\0\"", 5));
  EXPECT_EQ(injected("< . 1:3(2) {ttl 3} hex \"0d 0A\"").payload, "\r\n");
}

TEST(Parser, CallsAreRead) {
  const auto open =
      body<CallStatement>("C = A.OPEN(active, remote=B:[::1]:80, mss=536, wait) = OK");
  EXPECT_EQ(open.assigned, "C");
  EXPECT_EQ(open.end, v1::END_A);
  ASSERT_EQ(open.arguments.size(), 4u);
  EXPECT_EQ(open.arguments[1].name, "remote");
  EXPECT_EQ(open.arguments[1].value.text, "B:[::1]:80");
  const auto status = body<CallStatement>("STATUS(C) = {a.b: 1~5, t: 50s~1min,\n x: true}");
  ASSERT_EQ(status.results[0].map.size(), 3u);
  EXPECT_EQ(status.results[0].map[0].value.number.max, 5);
  EXPECT_EQ(status.results[0].map[1].value.to, absl::Minutes(1));
  const auto event = body<CallStatement>("no EVENT(C, error CONNECTION-RESET)");
  EXPECT_TRUE(event.negated);
  EXPECT_EQ(event.arguments[1].value.text, "error CONNECTION-RESET");
}

TEST(Parser, CommentsAndContinuedLines) {
  const Case parsed =
      must_parse(cat(kHead, "/* two\nlines */ wait 1s // and this\nwait \\\n 2s\n"));
  EXPECT_EQ(parsed.clauses[0].statements.size(), 2u);
  EXPECT_EQ(parsed.clauses[0].statements[1].position.line, 6);
}

TEST(ParserErrors, ShowFileLineColumnAndCaret) {
  EXPECT_EQ(error_of(cat(kHead, "L = OPEN(passive)\n> S. 0:0(0 ack 1\n")),
            "t.pkt:5:12: expected \")\" after the length, found \"ack\"\n"
            "  > S. 0:0(0 ack 1\n"
            "             ^");
}

TEST(ParserErrors, AllAreReportedAtOnce) {
  const std::string errors = error_of(cat(kHead, "wait\nfoo\nhold C\n"));
  EXPECT_THAT(errors, HasSubstr("t.pkt:4:5: expected how long to wait"));
  EXPECT_THAT(errors, HasSubstr("t.pkt:5:1: expected a statement, found \"foo\""));
  EXPECT_THAT(errors, HasSubstr("t.pkt:6:6: expected an end, A or B, after hold"));
}

TEST(ParserErrors, AreAtMostTwenty) {
  std::string text(kHead);
  for (int i = 0; i < 50; ++i) text += "foo\n";
  const std::string errors = error_of(text);
  EXPECT_THAT(errors, HasSubstr("t.pkt:23:1:"));
  EXPECT_THAT(errors, ::testing::Not(HasSubstr("t.pkt:24:1:")));
}

struct Wrong {
  std::string text;     // below the head
  std::string message;  // with the position
};

class EachError : public ::testing::TestWithParam<Wrong> {};

TEST_P(EachError, HasItsPosition) {
  EXPECT_THAT(error_of(cat(kHead, GetParam().text, "\n")), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Statements, EachError,
    ::testing::Values(
        Wrong{"//: colour: red\nwait 1s", "4:5: unknown key \"colour\""},
        Wrong{"//: level: perhaps\nwait 1s", "4:12: \"perhaps\" is not one of must, should, may"},
        Wrong{"//: targets: vax\nwait 1s", "4:14: unknown target \"vax\""},
        Wrong{"//: title: again\nwait 1s", "4:5: \"title\" was given in line 2 already"},
        Wrong{"//: tolerance: soon\nwait 1s", "4:16: \"soon\" is not a time"},
        Wrong{"//: isn: C = 5\nwait 1s", "4:10: expected \"isn: A = N\""},
        Wrong{"//: nonsense\nwait 1s", "4:5: expected \"key: value\""},
        Wrong{"//: patience:\nwait 1s", "4:14: \"patience\" needs a value"},
        Wrong{"wait 1s\n//: level: may", "5:1: the head ends where the first statement begins"},
        Wrong{"", "1:1: the case has no statements"},
        Wrong{"< ", "4:3: expected a packet, found the end of the line"},
        Wrong{"< X 0:0(0)", "4:3: expected the flags of a segment"},
        Wrong{"< S 0:5(4)", "4:5: the length says 4 but the sequence numbers cover 5"},
        Wrong{"< S 0", "4:6: expected \":\" and the number after the last octet"},
        Wrong{"< S 0:0(70000)", "4:9: the length of the payload must be a whole number"},
        Wrong{"< . 1:3(2) \"abc\"", "4:12: the payload has 3 octets but the length says 2"},
        Wrong{"< . 1:1(0) win 65536", "4:16: the window must be 0 to 65535"},
        Wrong{"< . 1:1(0) ack 1 ack 2", "4:18: \"ack\" was given already"},
        Wrong{"> . 1:1(0) ack 9~3", "4:18: the range of the acknowledgment number is upside down"},
        Wrong{"< S 0:0(0) <mss>", "4:16: expected the MSS (a number)"},
        Wrong{"< S 0:0(0) <colour 1>", "4:13: unknown option \"colour\""},
        Wrong{"< S 0:0(0) <mss 1", "4:18: expected \",\" after an option"},
        Wrong{"< S 0:0(0) {speed 1}", "4:13: unknown field \"speed\""},
        Wrong{"< S 0:0(0) {ttl 256}", "4:17: ttl must be 0 to 255"},
        Wrong{"< S 0:0(0) {raw_options 0}", "4:25: expected pairs of hexadecimal digits"},
        Wrong{"< icmp unreachable moon", "4:8: unknown ICMP error \"unreachable moon\""},
        Wrong{"< octets 45", "4:10: expected a whole IP packet"},
        Wrong{"SEND(C, \"abc", "4:9: this text is never closed"},
        Wrong{"SEND(C, \"\\q\")", "4:10: unknown escape \"\\q\""},
        Wrong{"SEND(C, \"\\x1\")", "4:10: \\x needs two hexadecimal digits"},
        Wrong{"SEND(C", "4:7: expected \",\" after an argument"},
        Wrong{"STATE(C) = ", "4:12: expected a value, found the end of the line"},
        Wrong{"STATUS(C) = {a 1}", "4:16: expected \":\" after \"a\""},
        Wrong{"/* open", "4:1: this comment is never closed"},
        Wrong{"+1.0~+0.5 > R", "4:2: the range of times is upside down"},
        Wrong{"+1.0...0.5 ACCEPT(L)", "4:2: the call ends before it starts"},
        Wrong{"+5parsecs wait 1s", "4:2: unknown unit of time \"parsecs\""},
        Wrong{"wait 1s wait 2s", "4:9: expected the end of the line, found \"wait\""},
        Wrong{"(f2 wait 1s", "4:5: expected \")\" after the name of a flow"},
        Wrong{"flow f2 B:1 A:2", "4:9: expected A:PORT"},
        Wrong{"flow f2 A:1 B:70000", "4:13: expected B:PORT"},
        Wrong{"fresh main", "4:7: expected \"flow NAME\" after \"fresh\""},
        Wrong{"A is ESTABLISHED", "4:6: expected \"[\" after \"is\""},
        Wrong{"A is [SLEEPING]", "4:7: \"SLEEPING\" is not a state of TCP"},
        Wrong{"A waits", "4:3: expected <, >, silence, is or .CALL"},
        Wrong{"isn A = 5000000000", "4:9: the initial sequence number must be a whole number"},
        Wrong{"flood 0 from 198.18.0.0/15", "4:7: how many SYNs must be a whole number"},
        Wrong{"flood 5 from everywhere", "expected a prefix such as 198.18.0.0/15"},
        Wrong{"clause name", "4:8: expected the clause's name in quotes"},
        Wrong{"clause \"a\"\nwait 1s\nclause \"a\"", "6:1: there is a clause \"a\" already"},
        Wrong{"clause \"a\" later", "4:12: expected fresh, slow, covers, requires or targets"},
        Wrong{"%{ assert x }%", "4:1: %{ } assertions are for scripts of packetdrill's dialect"},
        Wrong{"`ls`", "4:1: shell commands are for scripts of packetdrill's dialect"},
        Wrong{"socket(AF_INET) = 3",
              "4:1: system calls are for scripts of packetdrill's dialect"}));

TEST(ParserErrors, AtTheEndOfTheFileTheLastLineIsShown) {
  EXPECT_THAT(
      error_of(cat(kHead, "wait 1s\nSTATUS(C) = {a: 1\n\n  \n")),
      HasSubstr("t.pkt:5:18: expected \",\" after an entry (or \"}\" to end), found the end "
                "of the file\n  STATUS(C) = {a: 1\n                   ^"));
  EXPECT_THAT(error_of(cat(kHead, "SEND(C")), HasSubstr("t.pkt:4:7: "));
}

TEST(ParserErrors, HeadWithoutIdIsRefused) {
  EXPECT_THAT(error_of("//: title: T\nwait 1s\n"),
              HasSubstr("t.pkt:1:1: the head lacks \"//: id: …\""));
}

TEST(Duration, IsExact) {
  EXPECT_EQ(parse_duration("0.000000001"), absl::Nanoseconds(1));
  EXPECT_EQ(parse_duration("2h"), absl::Hours(2));
  EXPECT_EQ(parse_duration("1.5min"), absl::Seconds(90));
  EXPECT_EQ(parse_duration("5 s"), std::nullopt);
  EXPECT_EQ(parse_duration(""), std::nullopt);
  EXPECT_EQ(parse_duration("5."), std::nullopt);
}

}  // namespace
}  // namespace tcproctor::conformance
