// SPDX-License-Identifier: Apache-2.0
// Whole runs over folders of cases, against a daemon made of lambdas.
#include "conformance/runner/suite.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "conformance/runner/fake_daemon_testing.h"
#include "conformance/runner/scheduler.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SuiteTest : public ::testing::Test {
 protected:
  SuiteTest()
      : folder_(::testing::TempDir() + "/tcproctor_suite_test_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    write("sanity", "wait 1ms\n");
  }
  ~SuiteTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& id, const std::string& body, const std::string& head = "") {
    std::ofstream(folder_ + "/" + id + ".pkt")
        << "//: id: " << id << "\n//: title: T\n//: covers: S000-2.1\n"
        << head << body;
  }
  void write_ledger(const std::string& rows) {
    std::ofstream(folder_ + "/deviations.csv")
        << "case,clause,target,kernel_min,kernel_max,expected,signature,reason,reference\n"
        << rows;
  }
  RunReport run(RunOptions options, FakeCandidate candidate = {}) {
    FakeDaemon daemon(std::move(candidate));
    options.channel = daemon.channel();
    if (options.targets.empty()) options.targets = {"stack-virtual"};
    const absl::StatusOr<Suite> suite = Suite::load(folder_);
    EXPECT_TRUE(suite.ok()) << suite.status().message();
    if (!suite.ok()) return {};
    absl::StatusOr<RunReport> report = suite->run(options, [&](const CaseOutcome& outcome) {
      sunk_.push_back(cat(outcome.id, "/", outcome.target));
    });
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *std::move(report) : RunReport();
  }
  std::string load_error() {
    const absl::StatusOr<Suite> suite = Suite::load(folder_);
    return suite.ok() ? "no error" : std::string(suite.status().message());
  }

  std::string folder_;
  std::vector<std::string> sunk_;
};

TEST_F(SuiteTest, CleanRunIsZeroAndInOrder) {
  write("b", "wait 1ms\n");
  write("a", "wait 1ms\n");
  write("k", "wait 1ms\n", "//: targets: kernel\n");
  RunOptions options;
  options.targets = {"stack-virtual", "kernel"};
  const RunReport report = run(options);
  EXPECT_EQ(report.exit_status, 0);
  EXPECT_THAT(
      sunk_, ElementsAre("a/stack-virtual", "b/stack-virtual", "a/kernel", "b/kernel", "k/kernel"));
  EXPECT_THAT(report.results, SizeIs(5));
  EXPECT_THAT(report.complaints, IsEmpty());
  EXPECT_EQ(report.kernel_release, "6.18.44");
  EXPECT_NE(report.seed, 0u);
}

TEST_F(SuiteTest, AViolationIsOneUnlessTheLedgerExpectsIt) {
  write("a", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  EXPECT_EQ(run({}).exit_status, 1);
  write_ledger("a,setup,*,,,XFAIL,sent nothing,it is mute,notes\n");
  const RunReport expected = run({});
  EXPECT_EQ(expected.exit_status, 0);
  EXPECT_EQ(expected.results.at(0).verdict, v1::VERDICT_XFAIL);
  write_ledger("a,setup,*,,,XFAIL,another failure,it is mute,notes\n");
  EXPECT_EQ(run({}).exit_status, 1);
}

TEST_F(SuiteTest, ATargetThatCannotBeExaminedHasErrors) {
  FakeCandidate broken;
  broken.breaks_at = 2;
  write("a", "wait 1ms\n");
  const RunReport report = run({}, broken);
  EXPECT_EQ(report.exit_status, 3);
  ASSERT_THAT(report.results, SizeIs(1));
  EXPECT_EQ(report.results[0].verdict, v1::VERDICT_ERROR);
  EXPECT_THAT(report.results[0].reason, HasSubstr("not fit for an examination"));
  EXPECT_TRUE(report.results[0].told_by_complaint);
  ASSERT_THAT(report.complaints, SizeIs(1));
  EXPECT_THAT(report.complaints[0], HasSubstr("the sanity case, run first, says"));
}

TEST_F(SuiteTest, ATargetWhoseEnvironmentIsNotSoundHasErrors) {
  FakeCandidate candidate;
  candidate.environment.emplace();
  write("a", "wait 1ms\n");
  EXPECT_EQ(run({}, candidate).exit_status, 0);
  candidate.environment->set_lost(1);
  const RunReport report = run({}, candidate);
  EXPECT_EQ(report.exit_status, 3);
  ASSERT_THAT(report.results, SizeIs(1));
  EXPECT_EQ(report.results[0].verdict, v1::VERDICT_ERROR);
  ASSERT_THAT(report.complaints, SizeIs(1));
  EXPECT_THAT(report.complaints[0],
              HasSubstr("on stack-virtual: the preflight says the capture lost 1 frames"));
  EXPECT_EQ(report.environment.at("stack-virtual").count("capture"), 1u);
}

TEST_F(SuiteTest, AViolationInTheSanityCaseIsOneResultAndTheRestIsExamined) {
  write("sanity", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  write("a", "wait 1ms\n");
  const RunReport report = run({});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_THAT(sunk_, ElementsAre("sanity/stack-virtual", "a/stack-virtual"));
  EXPECT_EQ(report.results.at(0).verdict, v1::VERDICT_FAIL);
  EXPECT_EQ(report.results.at(1).verdict, v1::VERDICT_PASS);
}

TEST_F(SuiteTest, ALateSanityCaseIsOneResultAndTheRestIsExamined) {
  write("sanity", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  write("a", "wait 1ms\n");
  FakeCandidate late;
  late.clock = v1::CLOCK_REAL;
  late.delay = [](FakeSession&, const v1::Command& command) {
    return absl::Milliseconds(command.has_inject() ? 500 : 0);
  };
  const RunReport report = run({}, late);
  EXPECT_EQ(report.exit_status, 2);
  EXPECT_THAT(report.complaints, IsEmpty());
  EXPECT_THAT(sunk_, ElementsAre("sanity/stack-virtual", "a/stack-virtual"));
  EXPECT_EQ(report.results.at(0).verdict, v1::VERDICT_INCONCLUSIVE);
  EXPECT_EQ(report.results.at(1).verdict, v1::VERDICT_PASS);
}

TEST_F(SuiteTest, AnEntryOfItsOwnLedgerThatNamesNothingIsOne) {
  write("a", "wait 1ms\n");
  write_ledger("b,*,*,,,SKIP,,it has none,notes\n");
  const RunReport report = run({});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_THAT(report.complaints, ElementsAre(HasSubstr("stale entry: no case is named b")));
  std::filesystem::remove(folder_ + "/deviations.csv");
  EXPECT_EQ(run({}).exit_status, 0) << "the ledger of the cases built in is not of these";
}

TEST_F(SuiteTest, ASkipThatNobodyNamesIsThree) {
  write("a", "wait 1ms\n", "//: requires: syn_cookies\n");
  EXPECT_EQ(run({}).exit_status, 3);
  write_ledger("a,*,stack-virtual,,,SKIP,,it has none,notes\n");
  EXPECT_EQ(run({}).exit_status, 0);
}

TEST_F(SuiteTest, ShardsTogetherAreTheWhole) {
  for (const char* id : {"a", "b", "c", "d", "e"}) write(id, "wait 1ms\n");
  RunOptions options;
  options.targets = {"stack-virtual", "stack"};
  options.shards = 3;
  std::vector<size_t> sizes;
  for (options.shard = 1; options.shard <= 3; ++options.shard) {
    sizes.push_back(run(options).results.size());
  }
  EXPECT_THAT(sizes, ElementsAre(4u, 3u, 3u));
  EXPECT_THAT(std::set<std::string>(sunk_.begin(), sunk_.end()), SizeIs(10));
}

TEST_F(SuiteTest, RepetitionsHaveSeedsOfTheirOwn) {
  write("a", "wait 1ms\n");
  RunOptions options;
  options.repeat = 3;
  options.seed = 40;
  const RunReport report = run(options);
  ASSERT_THAT(report.results, SizeIs(3));
  EXPECT_EQ(report.results[0].seed, 40u);
  EXPECT_EQ(report.results[2].seed, 42u);
  EXPECT_EQ(report.results[2].repetition, 3u);
  EXPECT_EQ(report.results[2].reproduce,
            cat("tcproctor run --cases ", folder_, " --target stack-virtual --filter a --seed 42"));
}

TEST_F(SuiteTest, LevelAndOrder) {
  write("a", "wait 1ms\n", "//: level: may\n");
  write("b", "wait 1ms\n", "//: level: should\n");
  write("c", "wait 1ms\n");
  RunOptions options;
  options.level = "should";
  run(options);
  EXPECT_THAT(sunk_, ElementsAre("b/stack-virtual", "c/stack-virtual"));
  sunk_.clear();
  options.level = "must";
  run(options);
  EXPECT_THAT(sunk_, ElementsAre("c/stack-virtual"));
  sunk_.clear();
  run({.order = "level"});
  EXPECT_THAT(sunk_, ElementsAre("c/stack-virtual", "b/stack-virtual", "a/stack-virtual"));
}

TEST_F(SuiteTest, ARandomOrderIsThatOfTheSeed) {
  for (char id = 'a'; id <= 'l'; ++id) write(std::string(1, id), "wait 1ms\n");
  RunOptions options;
  options.order = "random";
  options.seed = 7;
  run(options);
  const std::vector<std::string> first = std::exchange(sunk_, {});
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  run(options);
  EXPECT_EQ(sunk_, first);
}

TEST_F(SuiteTest, StrictExcusesNothing) {
  write("a", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  write("b", "wait 1ms\n", "//: requires: syn_cookies\n");
  write_ledger(
      "a,setup,*,,,XFAIL,sent nothing,it is mute,notes\n"
      "b,*,*,,,SKIP,,it has none,notes\n");
  EXPECT_EQ(run({}).exit_status, 0);
  const RunReport report = run({.strict = true});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_EQ(report.results.at(0).verdict, v1::VERDICT_FAIL);
  EXPECT_THAT(report.complaints, IsEmpty()) << "what cannot be examined is still named";
}

TEST_F(SuiteTest, FailFastBeginsNothingAfterAFailure) {
  write("a", "wait 1ms\n");
  write("b", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  for (const char* id : {"c", "d", "e", "f"}) write(id, "wait 1ms\n");
  RunOptions options;
  options.jobs = 1;
  options.fail_fast = true;
  const RunReport report = run(options);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(report.interrupted);
  EXPECT_LT(report.results.size(), 6u);
  ASSERT_THAT(report.complaints, SizeIs(1));
  EXPECT_THAT(report.complaints[0], HasSubstr("stopped at the first failure: "));
}

TEST_F(SuiteTest, WhatWasViolatedBeforeIsNoNewViolation) {
  write("a", "< S 0:0(0)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
  RunOptions options;
  options.known = {{"a", "stack-virtual", "setup", "> S. 0:0(0) ack 1"}};
  const RunReport report = run(options);
  EXPECT_EQ(report.exit_status, 0);
  EXPECT_EQ(report.known, 1u);
  EXPECT_EQ(report.results.at(0).verdict, v1::VERDICT_FAIL) << "it is told as what it is";
  options.known = {{"a", "stack-virtual", "setup", "> another statement"}};
  EXPECT_EQ(run(options).exit_status, 1);
}

TEST_F(SuiteTest, AnInterruptedRunTellsWhatWasDone) {
  for (int i = 10; i < 60; ++i) write(std::to_string(i), "wait 1ms\n");
  RunOptions options;
  options.jobs = 1;
  // Asked at least once for each case, and from the runner's threads.
  std::atomic<int> asked = 0;
  options.cancelled = [&asked] { return ++asked > 40; };
  const RunReport report = run(options);
  EXPECT_TRUE(report.interrupted);
  EXPECT_GE(report.results.size(), 2u);
  EXPECT_LT(report.results.size(), 50u);
  EXPECT_NE(report.exit_status, 0);
}

// What goes wrong in one case is its ERROR, with the cause; the others are examined.
class BrokenCaseTest : public SuiteTest {
 protected:
  BrokenCaseTest() {
    write("a", "wait 1ms\n");
    write("broken", "L = OPEN(passive)\n> S. 0:0(0) ack 1\n", "//: patience: 20ms\n");
    write("z", "wait 1ms\n");
  }
  static bool is_broken(const FakeSession& session) {
    return session.created.label().starts_with("broken ");
  }
  void expect_one_error(const FakeCandidate& candidate, const std::string& cause,
                        RunOptions options = {}) {
    const RunReport report = run(std::move(options), candidate);
    EXPECT_EQ(report.exit_status, 3);
    ASSERT_THAT(report.results, SizeIs(3));
    EXPECT_EQ(report.results[0].verdict, v1::VERDICT_PASS);
    EXPECT_EQ(report.results[1].verdict, v1::VERDICT_ERROR);
    EXPECT_THAT(report.results[1].reason, HasSubstr(cause));
    EXPECT_EQ(report.results[2].verdict, v1::VERDICT_PASS);
    EXPECT_THAT(report.complaints, IsEmpty());
  }
};

TEST_F(BrokenCaseTest, ACandidateThatHangs) {
  FakeCandidate candidate;
  candidate.hangs = [](const FakeSession& session, const v1::Command& command) {
    return is_broken(session) && command.has_open();
  };
  expect_one_error(candidate, "hangs: the session was not over within 2s",
                   {.watchdog = absl::Seconds(2)});
}

TEST_F(BrokenCaseTest, AWireThatDrops) {
  FakeCandidate candidate;
  candidate.on_command = [](FakeSession& session,
                            const v1::Command& command) -> std::optional<v1::Report> {
    if (!is_broken(session) || !command.has_expect()) return std::nullopt;
    v1::Report report;
    report.set_error_code(grpc::StatusCode::DATA_LOSS);
    report.set_error_message("the capture lost 3 frames");
    return report;
  };
  expect_one_error(candidate, "the capture lost 3 frames");
}

TEST_F(BrokenCaseTest, AStreamThatBreaks) {
  FakeCandidate candidate;
  candidate.breaks = [](const FakeSession& session, const v1::Command& command) {
    return is_broken(session) && command.has_expect();
  };
  expect_one_error(candidate, "the fake daemon went away");
}

TEST_F(BrokenCaseTest, ADaemonThatDiesInMidRun) {
  FakeDaemon daemon({});
  const absl::StatusOr<Suite> suite = Suite::load(folder_);
  ASSERT_TRUE(suite.ok());
  RunOptions options;
  options.channel = daemon.channel();
  options.targets = {"stack-virtual"};
  options.filter = "a,z";
  options.jobs = 1;
  // The second case may have begun before the first was told.
  const absl::StatusOr<RunReport> report =
      suite->run(options, [&](const CaseOutcome&) { daemon.die(); });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->exit_status, 3);
  ASSERT_THAT(report->results, SizeIs(2));
  EXPECT_EQ(report->results[0].verdict, v1::VERDICT_PASS);
  ASSERT_FALSE(report->complaints.empty()) << "the last sanity case cannot be run";
  EXPECT_THAT(report->complaints[0], ::testing::AnyOf(HasSubstr("no examination is possible"),
                                                      HasSubstr("the daemon died in mid-run")));
}

TEST_F(SuiteTest, WhatIsLeftWhenTheDaemonDiesIsNotRun) {
  for (int i = 10; i < 40; ++i) write(std::to_string(i), "wait 1ms\nwait 1ms\n");
  std::atomic<int> begun = 0;
  std::atomic<bool> dying = false;
  FakeCandidate candidate;
  candidate.hangs = [&](const FakeSession& session, const v1::Command&) {
    // The third case never ends, so that the daemon dies in its middle.
    return session.created.label().starts_with("12 ") && (dying = true);
  };
  FakeDaemon daemon(candidate);
  const absl::StatusOr<Suite> suite = Suite::load(folder_);
  ASSERT_TRUE(suite.ok());
  RunOptions options;
  options.channel = daemon.channel();
  options.targets = {"stack-virtual"};
  options.jobs = 1;
  options.progress = [&](const Progress&) {
    if (dying && ++begun == 1) daemon.die();
  };
  const absl::StatusOr<RunReport> report = suite->run(options, nullptr);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->exit_status, 3);
  EXPECT_FALSE(report->interrupted);
  ASSERT_THAT(report->results, SizeIs(30));
  for (size_t i = 0; i < 30; ++i) {
    const CaseOutcome& result = report->results[i];
    EXPECT_EQ(result.verdict, i < 2 ? v1::VERDICT_PASS : v1::VERDICT_ERROR) << result.id;
    if (i < 2) continue;
    EXPECT_THAT(result.reason, HasSubstr("the daemon died in mid-run: ")) << result.id;
    EXPECT_EQ(i > 2, result.reason.find("not run: ") != std::string::npos) << result.reason;
  }
  EXPECT_THAT(report->complaints, ElementsAre(HasSubstr("the daemon died in mid-run: ")));
}

TEST_F(SuiteTest, AWrongCaseMayBeAnErrorAmongTheOthers) {
  write("a", "wait 1ms\n");
  write("b", "wat\n");
  write("c", "wait 1ms\n", "//: covers: NO-SUCH-ID\n");
  FakeDaemon daemon({});
  const absl::StatusOr<Suite> suite = Suite::load(folder_, OnWrongCase::kKeep);
  ASSERT_TRUE(suite.ok()) << suite.status().message();
  RunOptions options;
  options.channel = daemon.channel();
  options.targets = {"stack-virtual"};
  absl::StatusOr<RunReport> report = suite->run(options, nullptr);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->exit_status, 3);
  ASSERT_THAT(report->results, SizeIs(3));
  EXPECT_EQ(report->results[0].verdict, v1::VERDICT_PASS);
  EXPECT_THAT(report->results[1].reason, HasSubstr("b.pkt:4:1: expected a statement"));
  EXPECT_THAT(report->results[2].reason, HasSubstr("covers an id that no catalogue has"));
  EXPECT_THAT(report->cases.at("b").text, HasSubstr("wat"));
  options.filter = "a";
  report = suite->run(options, nullptr);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->exit_status, 0) << "what is not selected does not matter";
}

TEST_F(SuiteTest, MisuseIsRefused) {
  write("a", "wait 1ms\n", "//: targets: kernel\n");
  FakeDaemon daemon({});
  const absl::StatusOr<Suite> suite = Suite::load(folder_);
  ASSERT_TRUE(suite.ok());
  const auto message = [&](RunOptions options) {
    if (!options.channel) options.channel = daemon.channel();
    return std::string(suite->run(options, nullptr).status().message());
  };
  EXPECT_THAT(message({.filter = "zzz"}), HasSubstr("no case matches \"zzz\""));
  EXPECT_THAT(message({.targets = {"vax"}}), HasSubstr("unknown target \"vax\""));
  EXPECT_THAT(message({.targets = {"kernel", "kernel"}}), HasSubstr("given twice"));
  EXPECT_THAT(message({.jobs = 65}), HasSubstr("jobs: 65 is above 64"));
  EXPECT_THAT(message({.targets = {"stack"}}), HasSubstr("none of the selected cases runs"));
  EXPECT_THAT(message({.level = "ought"}),
              HasSubstr("level: \"ought\" is none of must, should, may"));
  EXPECT_THAT(message({.shard = 3, .shards = 2}), HasSubstr("shard 3 of 2"));
  EXPECT_THAT(message({.shard = 2, .shards = 2}), HasSubstr("shard 2 of 2 is empty"));
  EXPECT_THAT(message({.repeat = 1001}), HasSubstr("repeat: 1001 is above 1000"));
  EXPECT_THAT(message({.order = "chaos"}),
              HasSubstr("order: \"chaos\" is none of id, level, random"));
  EXPECT_THAT(message({.pcap_dir = "/dev/null/x"}), HasSubstr("cannot be made"));
  EXPECT_EQ(suite->explain({.channel = daemon.channel()}, "zzz", "kernel").status().code(),
            absl::StatusCode::kNotFound);
  const absl::StatusOr<CaseOutcome> explained =
      suite->explain({.channel = daemon.channel()}, "a", "kernel");
  ASSERT_TRUE(explained.ok());
  EXPECT_THAT(ladder_text(*explained), HasSubstr("TCP B (kernel)"));
}

TEST_F(SuiteTest, WrongFoldersAreRefusedWithAllErrors) {
  write("a", "wat\n");
  write("b", "A is [LISTEN]\nB is [LISTEN]\n");
  write("c", "wait 1ms\n", "//: covers: NO-SUCH-ID\n//: requires: flying\n");
  const std::string errors = load_error();
  EXPECT_THAT(errors, HasSubstr("a.pkt:4:1: expected a statement, found \"wat\"\n  wat\n  ^"));
  EXPECT_THAT(errors, HasSubstr("b.pkt:5:1: end B is real"));
  EXPECT_THAT(errors, HasSubstr("c.pkt:1:1: covers an id that no catalogue has: \"NO-SUCH-ID\""));
  EXPECT_THAT(errors, HasSubstr("c.pkt:1:1: requires an unknown capability: \"flying\""));
}

TEST_F(SuiteTest, TwoCasesOfOneIdAreRefused) {
  write("a", "wait 1ms\n");
  std::filesystem::copy(folder_ + "/a.pkt", folder_ + "/b.pkt");
  EXPECT_THAT(load_error(), HasSubstr("the id a is that of"));
  EXPECT_THAT(std::string(Suite::load("/nonexistent").status().message()),
              HasSubstr("/nonexistent: cannot be read"));
}

TEST_F(SuiteTest, AFilesCaseIsReproducedFromThatFile) {
  write("a", "wait 1ms\n");
  const std::string file = cat(folder_, "/a.pkt");
  const absl::StatusOr<Suite> suite = Suite::load_files({file});
  FakeDaemon daemon({});
  ASSERT_TRUE(suite.ok()) << suite.status().message();
  RunOptions options;
  options.channel = daemon.channel();
  options.targets = {"stack-virtual"};
  options.seed = 7;
  const absl::StatusOr<RunReport> report = suite->run(options, nullptr);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->results.back().reproduce,
            cat("tcproctor run ", file, " --target stack-virtual --filter a --seed 7"));
}

TEST_F(SuiteTest, ScriptsOfOneNameAreToldApartByTheirFolders) {
  const auto script = [&](const std::string& file) {
    std::string path = cat(folder_, "/", file);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
    return path;
  };
  const std::string near = script("x/inq/client.pkt"), far = script("y/inq/client.pkt");
  const auto ids = [](const std::vector<std::string>& files) {
    const absl::StatusOr<Suite> suite = Suite::load_files(files);
    EXPECT_TRUE(suite.ok()) << suite.status().message();
    std::vector<std::string> out;
    if (!suite.ok()) return out;
    const absl::StatusOr<std::vector<v1::CaseInfo>> listed = suite->list("");
    EXPECT_TRUE(listed.ok());
    if (!listed.ok()) return out;
    for (const v1::CaseInfo& info : *listed) out.push_back(info.id());
    return out;
  };
  EXPECT_THAT(ids({near, script("epoll/client.pkt"), script("only.pkt")}),
              ElementsAre("epoll-client", "inq-client", "only"));
  EXPECT_THAT(ids({near, far}), ElementsAre("x-inq-client", "y-inq-client"));
  EXPECT_THAT(std::string(Suite::load_files({near, near}).status().message()),
              HasSubstr("the id client is that of"));
}

TEST(Scheduler, HandsOutcomesOverInOrder) {
  std::vector<std::function<CaseOutcome()>> items;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  items.reserve(20);
  for (int i = 0; i < 20; ++i) {
    items.push_back([i, &running, &most] {
      most = std::max<int>(most, ++running);
      absl::SleepFor(absl::Milliseconds((i * 7) % 5));
      --running;
      CaseOutcome outcome;
      outcome.id = std::to_string(i);
      return outcome;
    });
  }
  std::vector<std::string> ids;
  ScheduleHooks hooks;
  hooks.sink = [&](const CaseOutcome& outcome) { ids.push_back(outcome.id); };
  EXPECT_EQ(run_in_order(items, 3, hooks), 20u);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], std::to_string(i));
  EXPECT_LE(most, 3);
}

TEST(Scheduler, TellsHowFarItIsWhileItWaits) {
  std::vector<std::function<CaseOutcome()>> items(3, [] { return CaseOutcome(); });
  // The first ends last: meanwhile the others have ended.
  std::atomic<size_t> told = 0;
  items[0] = [&told] {
    while (told != 2) absl::SleepFor(absl::Milliseconds(5));
    return CaseOutcome();
  };
  ScheduleHooks hooks;
  hooks.sink = [](const CaseOutcome&) {};
  hooks.progress = [&](size_t done) { told = done; };
  EXPECT_EQ(run_in_order(items, 2, hooks), 3u);
}

TEST(Scheduler, StopsWhenCancelled) {
  std::vector<std::function<CaseOutcome()>> items(10, [] { return CaseOutcome(); });
  std::atomic<int> asked = 0;
  ScheduleHooks hooks;
  hooks.cancelled = [&] { return ++asked > 3; };
  hooks.sink = [](const CaseOutcome&) {};
  EXPECT_EQ(run_in_order(items, 1, hooks), 3u);
}

}  // namespace
}  // namespace tcproctor::conformance
