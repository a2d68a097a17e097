// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/parser.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;

std::string checked(const std::string& text) {
  const absl::StatusOr<Case> parsed =
      parse(cat("//: id: t\n//: title: T\n//: covers: S000-2.1\n", text, "\n"), "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  if (!parsed.ok()) return "";
  const absl::Status status = check(*parsed);
  return status.ok() ? "right" : std::string(status.message());
}

struct Wrong {
  std::string text;
  std::string message;
};

class EachError : public ::testing::TestWithParam<Wrong> {};

TEST_P(EachError, IsFoundBeforeTheCaseRuns) {
  EXPECT_THAT(checked(GetParam().text), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Checks, EachError,
    ::testing::Values(
        Wrong{"ACCEPT(L)", "4:1: no connection was named \"L\" before"},
        Wrong{"L = OPEN(passive)\nclause \"b\" fresh\nACCEPT(L)", "no connection was named \"L\""},
        Wrong{"(f2) < S 0:0(0)", "unknown flow \"f2\""},
        Wrong{"pending a", "no call was started as \"a\""},
        Wrong{"1.0 < S 0:0(0)\n0.5 < S 0:0(0)",
              "5:1: an impossible time: the event before this is at 1s or later"},
        Wrong{"1.0 < S 0:0(0)\nwait 1s\n+1 < S 0:0(0)\n1~2.9 > R", "an impossible time"},
        Wrong{"A = OPEN(passive)", "A and B are the ends"},
        Wrong{"A > S 0:0(0)", "end A is scripted: what it sends is what the case injects"},
        Wrong{"A < S 0:0(0)", "end A is scripted: it receives nothing"},
        Wrong{"L = A.OPEN(passive)", "end A is scripted: it has no user calls"},
        Wrong{"hold A", "end A is scripted: it sends nothing of its own"},
        Wrong{"B is [LISTEN]", "end B is real: its state is observed"},
        Wrong{"isn B = 5", "end B is real: it chooses its ISN itself"},
        Wrong{"//: examines: both\n> S 0:0(0)", "both ends are real: name the end"},
        Wrong{"//: examines: both\n< S 0:0(0)", "both ends are real: name the end that receives"},
        Wrong{"//: examines: both\nsilence 1s", "both ends are real: name the end"},
        Wrong{"//: examines: both\nOPEN(passive)", "both ends are real: name the end that opens"},
        Wrong{"< R", "an injected segment needs sequence numbers"},
        Wrong{"< . *:*(0)", "an injected segment needs one value for the sequence number"},
        Wrong{"< . 1:1(0) ack *", "an injected segment needs one value for ack"},
        Wrong{"< [P]. 1:1(0)", "an injected segment cannot leave flags open"},
        Wrong{"< S 0:0(0) <...>", "an injected segment needs its options spelled out"},
        Wrong{"< S 0:0(0) <mss *>", "an injected option needs its values spelled out"},
        Wrong{"< S 0:0(0) {ttl *}", "an injected field needs one value"},
        Wrong{"< *", "\"*\" cannot be injected"}, Wrong{"> *", "\"*\" is for \"maybe > *\""},
        Wrong{"> . 1:1(0) {dscp 1~2}", "only ttl, window and urgent_pointer can be a range"},
        Wrong{"sent {ttl 5}", "nothing was injected before \"sent\""},
        Wrong{"+0~+1 wait 1s", "a range of times is for what is awaited"},
        Wrong{"* wait 1s", "\"*\" as time is for what is awaited"},
        Wrong{"+0...1 wait 1s", "only a call has a time at which it ends"},
        Wrong{"DANCE(1)", "unknown call \"DANCE\": one of OPEN"},
        Wrong{"OPEN(sideways)", "OPEN needs active or passive first"},
        Wrong{"OPEN(active, colour=1)", "OPEN has no argument \"colour\""},
        Wrong{"OPEN(active, from=L)", "no connection was named \"L\""},
        Wrong{"OPEN(active) = 5", "the result of OPEN is an outcome"},
        Wrong{"OPEN(active) = NONSENSE", "the result of OPEN is an outcome"},
        Wrong{"L = OPEN(passive)\nX = CLOSE(L)", "CLOSE makes no connection"},
        Wrong{"L = OPEN(passive)\nSEND(L)", "SEND lacks an argument"},
        Wrong{"L = OPEN(passive)\nSEND(L, 5)", "SEND needs what to send"},
        Wrong{"L = OPEN(passive)\nSEND(L, \"a\", \"b\")", "too many arguments for SEND"},
        Wrong{"L = OPEN(passive)\nRECEIVE(L, 0)", "RECEIVE needs how many octets"},
        Wrong{"L = OPEN(passive)\nRECEIVE(L, 5) = bytes(5) {urgnt: true}",
              "behind octets stand urgent, pushed"},
        Wrong{"L = OPEN(passive)\nRECEIVE(L, 5) = bytes(5) {urgent_remaining: true}",
              "urgent_remaining (a number)"},
        Wrong{"L = OPEN(passive)\nSTATE(L)", "STATE(…) needs \"= …\""},
        Wrong{"L = OPEN(passive)\nSTATE(L) = ASLEEP", "the result of STATE is a state of TCP"},
        Wrong{"L = OPEN(passive)\nSTATUS(L) = {mood: 1}", "STATUS has no field \"mood\""},
        Wrong{"L = OPEN(passive)\nSTATUS(L) = {timer.egg: 1s}", "there is no timer \"egg\""},
        Wrong{"L = OPEN(passive)\nSTATUS(L) = {options.egg: 1}",
              "ConnectionOptions has no field \"egg\""},
        Wrong{"L = OPEN(passive)\nEVENT(L, party)", "unknown event \"party\""},
        Wrong{"L = OPEN(passive)\nEVENT(L, error PARTY)", "expected error OUTCOME"},
        Wrong{"L = OPEN(passive)\nno CLOSE(L)", "only EVENT can be denied with \"no\""},
        Wrong{"CLOSE(A)", "A and B stand for the flow's connection only in"},
        Wrong{"//: set: stack.colour = 1\nwait 1s", "unknown field \"colour\": one of msl"},
        Wrong{"//: set: stack.msl = soon\nwait 1s", "\"soon\" is no value for msl"},
        Wrong{"//: set: moon.phase = 1\nwait 1s", "unknown setting \"moon.phase\""},
        Wrong{"//: set: wire.link = string\nwait 1s", "wire.link is veth or tun"},
        Wrong{"//: targets: stack\nclause \"a\" targets kernel\nwait 1s",
              "the case itself does not run on the target \"kernel\""},
        Wrong{"impair B colour=1", "unknown field \"colour\""}));

TEST(Check, ShowsThePlace) {
  EXPECT_EQ(checked("wait 1s\nB is [LISTEN]"),
            "t.pkt:5:1: end B is real: its state is observed (STATE), never claimed\n"
            "  B is [LISTEN]\n"
            "  ^");
}

TEST(Check, TimesAreThoseOfOneClause) {
  EXPECT_EQ(checked("0.5 < S 0:0(0)\n0.5 < S 0:0(0)\n0.4~0.6 > R\n2 < S 0:0(0)\n"
                    "clause \"b\"\n1 < S 0:0(0)"),
            "right");
}

TEST(Check, TakesWhatIsRight) {
  EXPECT_EQ(checked("L = OPEN(passive)\nstart a = ACCEPT(L)\nC = join a\nSTATE(C) = ESTABLISHED"),
            "right");
}

}  // namespace
}  // namespace tcproctor::conformance
