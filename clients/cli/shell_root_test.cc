// SPDX-License-Identifier: Apache-2.0
// The shell as a program reads it: lines in, the ladder out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/run_testing.h"

namespace tcproctor::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ShellRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PrivateDaemon::start(TCPROCTORD);
    ASSERT_TRUE(started.ok()) << started.status();
    daemon_ = started->release();
  }
  static void TearDownTestSuite() { delete daemon_; }

  int run(std::vector<std::string> words, const std::string& input) {
    words.insert(words.begin(), {"--address", daemon_->address()});
    Printed printed = run_words(words, input);
    out_ = std::move(printed.out);
    err_ = std::move(printed.err);
    return printed.exit;
  }
  void expect_nothing_left() {
    EXPECT_EQ(run({"session", "list"}, ""), kExitOk);
    EXPECT_THAT(out_, IsEmpty());
  }

  static PrivateDaemon* daemon_;
  std::string out_, err_;
};

PrivateDaemon* ShellRun::daemon_ = nullptr;

class ShellTest : public ShellRun, public ::testing::WithParamInterface<const char*> {
 protected:
  int shell(const std::string& input) { return run({"shell", "--target", GetParam()}, input); }
};

TEST_P(ShellTest, CallsAndPacketsMakeTheLadderGrow) {
  EXPECT_EQ(shell("L = OPEN(passive)\n"
                  "< S 0:0(0) win 65535 <mss 1460>\n"
                  "> S. 0:0(0) ack 1 <...>\n"
                  "< . 1:1(0) ack 1 win 65535\n"
                  "C = ACCEPT(L)\n"
                  "SEND(C, \"hello\")\n"
                  "STATE(C) = ESTABLISHED\n"),
            kExitOk)
      << err_;
  EXPECT_THAT(err_, IsEmpty());
  EXPECT_THAT(out_, HasSubstr("tcproctor> < S 0:0(0) win 65535 <mss 1460>\n"));
  // The ladder as far as it is, with the states that were observed.
  EXPECT_THAT(out_, ContainsRegex("TCP A .scripted. +TCP B ."));
  EXPECT_THAT(out_, ContainsRegex("--> <SEQ=0><CTL=SYN>[^\n]* --> +SYN-RECEIVED"));
  EXPECT_THAT(out_, ContainsRegex("<-- <SEQ=0><ACK=1><CTL=SYN,ACK>"));
  EXPECT_THAT(out_, ContainsRegex("<CTL=[^\n]*ACK><DATA=5>|<SEQ=1>[^\n]*5"));
  expect_nothing_left();
}

TEST_P(ShellTest, MistakesAreToldAndItGoesOn) {
  EXPECT_EQ(shell("< S 0:0(0\n"
                  "SEND(X, \"hello\")\n"
                  "frobnicate\n"
                  "clause \"another\" fresh\n"
                  "!nonsense\n"
                  "!send 'half\n"
                  "# a remark\n"
                  "\n"
                  "note \"still here\"\n"),
            kExitOutcome);
  EXPECT_THAT(err_, HasSubstr("  < S 0:0(0\n           ^"));
  EXPECT_THAT(err_, HasSubstr("X"));
  EXPECT_THAT(err_, HasSubstr("frobnicate"));
  EXPECT_THAT(err_, HasSubstr("no clauses"));
  EXPECT_THAT(err_, HasSubstr("no verb \"nonsense\""));
  EXPECT_THAT(err_, HasSubstr("does not end"));
  EXPECT_THAT(err_, Not(HasSubstr("typed:")));
  EXPECT_THAT(out_, HasSubstr("-- still here\n"));
  expect_nothing_left();
}

TEST_P(ShellTest, WhatDoesNotHoldIsToldWithWhatCame) {
  EXPECT_EQ(shell("< S 0:0(0) win 65535\n"
                  "> S. 0:0(0) ack 1 <...>\n"
                  "note \"goes on\"\n"),
            kExitOutcome);
  EXPECT_THAT(err_, HasSubstr("FAIL: "));
  EXPECT_THAT(err_, ContainsRegex("came: +R\\. "));
  EXPECT_THAT(out_, HasSubstr("<CTL=RST,ACK>"));
  EXPECT_THAT(out_, HasSubstr("-- goes on\n"));
  expect_nothing_left();
}

TEST_P(ShellTest, ProceduresAndTime) {
  EXPECT_EQ(shell("reach CLOSE-WAIT\nSTATE(C) = CLOSE-WAIT\nwait 50ms\nCLOSE(C)\n"
                  "> F. SND.NXT(0) ack RCV.NXT\n"),
            kExitOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("50ms pass"));
  EXPECT_THAT(out_, HasSubstr("CLOSE-WAIT"));
}

TEST_P(ShellTest, VerbsAreGivenTheSession) {
  EXPECT_EQ(shell("L = OPEN(passive)\n!status\n!session get\n!version\n!capture --output json\n"),
            kExitOk)
      << err_;
  EXPECT_THAT(out_, ContainsRegex(" B  LISTEN "));
  EXPECT_THAT(out_, HasSubstr("A SCRIPTED"));
  EXPECT_THAT(out_, HasSubstr("daemon "));
}

TEST_P(ShellTest, WhatHeldCanBeSavedAndRunAsACase) {
  const std::string file = absl::StrCat(::testing::TempDir(), "/typed.pkt");
  EXPECT_EQ(shell(absl::StrCat("L = OPEN(passive)\nfrobnicate\n< S 0:0(0) win 65535 <mss 1460>\n"
                               "> S. 0:0(0) ack 7 <...>\nsave ",
                               file, "\nsave /nonexistent/x\n")),
            kExitOutcome);
  EXPECT_THAT(err_, HasSubstr("/nonexistent/x: cannot be written"));
  std::ifstream saved(file);
  const std::string text(std::istreambuf_iterator<char>(saved), {});
  EXPECT_THAT(text, HasSubstr("\nL = OPEN(passive)\n< S 0:0(0) win 65535 <mss 1460>\n"));
  EXPECT_THAT(text, Not(HasSubstr("ack 7")));
  EXPECT_THAT(text, HasSubstr("\n//: covers: nothing\n")) << "a claim that nobody made";
  EXPECT_EQ(run({"run", "--target", GetParam(), file}, ""), kExitOk) << out_ << err_;
}

TEST_P(ShellTest, TheSessionsEndIsTold) {
  EXPECT_EQ(shell("!session delete\nL = OPEN(passive)\nnote \"never\"\n"), kExitError);
  EXPECT_THAT(err_, HasSubstr("NOT_FOUND"));
  EXPECT_THAT(out_, Not(HasSubstr("never")));
}

INSTANTIATE_TEST_SUITE_P(Targets, ShellTest, ::testing::Values("kernel", "stack", "stack-virtual"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(ShellRun, BothEndsMayBeReal) {
  EXPECT_EQ(run({"shell", "--examines", "both", "--target", "kernel"},
                "L = B.OPEN(passive)\nC = A.OPEN(active)\nSTATE(C) = ESTABLISHED\n"),
            kExitOk)
      << err_;
  EXPECT_THAT(out_, ContainsRegex("TCP A .kernel. +TCP B .stack."));
  EXPECT_THAT(out_, HasSubstr("ESTABLISHED"));
}

}  // namespace
}  // namespace tcproctor::cli
