// SPDX-License-Identifier: Apache-2.0
// Whole runs over folders of cases, against a daemon made of lambdas.
#include "conformance/runner/suite.h"

#include <atomic>
#include <filesystem>
#include <fstream>

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
  ASSERT_THAT(report.complaints, SizeIs(1));
  EXPECT_THAT(report.complaints[0], HasSubstr("the sanity case, run first, says"));
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

TEST_F(SuiteTest, ASkipThatNobodyNamesIsThree) {
  write("a", "wait 1ms\n", "//: requires: syn_cookies\n");
  EXPECT_EQ(run({}).exit_status, 3);
  write_ledger("a,*,stack-virtual,,,SKIP,,it has none,notes\n");
  EXPECT_EQ(run({}).exit_status, 0);
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
  EXPECT_THAT(message({.pcap_dir = "/dev/null/x"}), HasSubstr("cannot be made"));
  EXPECT_EQ(suite->explain({.channel = daemon.channel()}, "zzz", "kernel").status().code(),
            absl::StatusCode::kNotFound);
  const absl::StatusOr<CaseOutcome> explained =
      suite->explain({.channel = daemon.channel()}, "a", "kernel");
  ASSERT_TRUE(explained.ok());
  EXPECT_THAT(explained->ladder, HasSubstr("TCP B (kernel)"));
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

TEST(Scheduler, HandsOutcomesOverInOrder) {
  std::vector<std::function<CaseOutcome()>> items;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
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
  const size_t count =
      run_in_order(items, 3, {}, [&](const CaseOutcome& outcome) { ids.push_back(outcome.id); });
  EXPECT_EQ(count, 20u);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], std::to_string(i));
  EXPECT_LE(most, 3);
}

TEST(Scheduler, StopsWhenCancelled) {
  std::vector<std::function<CaseOutcome()>> items(10, [] { return CaseOutcome(); });
  std::atomic<int> asked = 0;
  const size_t count = run_in_order(
      items, 1, [&] { return ++asked > 3; }, [](const CaseOutcome&) {});
  EXPECT_EQ(count, 3u);
}

}  // namespace
}  // namespace tcproctor::conformance
