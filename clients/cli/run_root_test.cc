// SPDX-License-Identifier: Apache-2.0
// `tcproctor run` as a user has it: the real command with the daemon it starts, on folders of cases
// that are wrong, deviate, hang or lose their daemon. conformance/VERDICTS.md says what comes of
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/private_daemon.h"
#include "conformance/report/report.h"
#include "conformance/runner/suite.h"

namespace tcproctor::cli {
namespace {

namespace fs = std::filesystem;
using conformance::CaseOutcome;
using conformance::RunReport;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A closed port answers a SYN with a reset (RFC 9293 §3.10.7.1).
constexpr char kRefused[] = "< S 0:0(0)\n> R. 0:0(0) ack 1\n";
// The same, expected wrongly: another segment comes.
constexpr char kDeviates[] = "< S 0:0(0)\n> S. 0:0(0) ack 1\n";
// Another failure at the same statement: nothing answers a reset.
constexpr char kDeviatesOtherwise[] = "< R 0:0(0)\n> S. 0:0(0) ack 1\n";

// The command as a process.
class Process {
 public:
  explicit Process(const std::vector<std::string>& words) {
    std::array<int, 2> ends = {};
    EXPECT_EQ(pipe(ends.data()), 0);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      ::close(ends[0]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    ::close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Process() {
    std::fclose(output_);
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  // Reads until a line begins so. False: the command ended before.
  bool read_until(const std::string& beginning) {
    std::array<char, 4096> line = {};
    while (std::fgets(line.data(), line.size(), output_) != nullptr) {
      said_ += line.data();
      if (std::string(line.data()).starts_with(beginning)) return true;
    }
    return false;
  }
  // The exit status; reads what is left of the output.
  int wait() {
    read_until("\x01");
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Its only child.
  pid_t child() const {
    std::ifstream list(absl::StrCat("/proc/", pid_, "/task/", pid_, "/children"));
    pid_t found = 0;
    list >> found;
    return found;
  }
  const std::string& said() const { return said_; }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
  std::string said_;
};

class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    std::string folder = fs::temp_directory_path() / "tcproctor_run_test-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
  }
  ~RunTest() override { fs::remove_all(folder_); }

  void write(const std::string& id, const std::string& body, const std::string& head = "") {
    std::ofstream(folder_ / (id + ".pkt")) << "//: id: " << id << "\n//: title: T\n"
                                           << "//: covers: S000-2.1\n"
                                           << head << body;
  }
  void write_ledger(const std::string& rows) {
    std::ofstream(folder_ / "deviations.csv")
        << "case,clause,target,kernel_min,kernel_max,expected,signature,reason,reference\n"
        << rows;
  }
  std::vector<std::string> command(const std::string& target) const {
    return {TCPROCTOR,  "run",  "--daemon", TCPROCTORD,
            "--target", target, "--cases",  folder_.string(),
            "--json",   json(), "--html",   (folder_ / "x.html").string()};
  }
  std::string json() const { return (folder_ / "x.json").string(); }
  // Runs all cases; the exit status.
  int run(const std::string& target = "stack-virtual") {
    fs::remove(json());
    Process process(command(target));
    const int status = process.wait();
    said_ = process.said();
    read_report();
    return status;
  }
  void read_report() {
    absl::StatusOr<RunReport> read = conformance::read_report_file(json());
    ASSERT_TRUE(read.ok()) << read.status() << "\n" << said_;
    report_ = *std::move(read);
  }
  std::map<std::string, std::string> verdicts() const {
    std::map<std::string, std::string> out;
    for (const CaseOutcome& result : report_.results) {
      out[result.id] = conformance::verdict_name(result.verdict);
    }
    return out;
  }
  std::string reason(const std::string& id) const {
    for (const CaseOutcome& result : report_.results) {
      if (result.id == id) return result.reason;
    }
    return "no result";
  }

  using Verdicts = std::map<std::string, std::string>;

  fs::path folder_;
  std::string said_;
  RunReport report_;
};

TEST_F(RunTest, AnXfailIsGrantedOnlyForItsSignature) {
  write("a", kDeviates);
  write("b", kRefused);
  EXPECT_EQ(run(), 1) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "FAIL"}, {"b", "PASS"}}));
  write_ledger("a,setup,*,,,XFAIL,sent another segment,it refuses,notes\n");
  EXPECT_EQ(run(), 0) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "XFAIL"}, {"b", "PASS"}}));
  EXPECT_THAT(reason("a"), HasSubstr("it refuses"));
  write("a", kDeviatesOtherwise);
  EXPECT_EQ(run(), 1) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "FAIL"}, {"b", "PASS"}}));
  EXPECT_THAT(reason("a"),
              HasSubstr("a deviation is known here, but it shows as \"sent another segment\""));
}

TEST_F(RunTest, AnUnexpectedPassIsTold) {
  write("a", kRefused);
  write_ledger("a,setup,stack-virtual,,,XFAIL,S. 0:0(0),it accepts,notes\n");
  EXPECT_EQ(run(), 1) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "XPASS"}}));
  EXPECT_THAT(said_, HasSubstr("a deviation was expected and did not show: it accepts"));
}

TEST_F(RunTest, ASkipThatNoEntryNamesEndsWithThree) {
  write("a", kRefused, "//: requires: clock.virtual\n");
  write("b", kRefused);
  EXPECT_EQ(run("stack"), 3) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "SKIP"}, {"b", "PASS"}}));
  EXPECT_THAT(said_, HasSubstr("no ledger entry names the SKIP of a \"setup\" on stack"));
  write_ledger("a,setup,stack,,,SKIP,,its clock is real,notes\n");
  EXPECT_EQ(run("stack"), 0) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"a", "SKIP"}, {"b", "PASS"}}));
}

TEST_F(RunTest, AnEntryThatMatchesNothingTurnsTheRunRed) {
  write("a", kRefused, "//: targets: stack-virtual\n");
  for (const auto& [row, message] :
       {std::pair{"zz,setup,*,,,SKIP,,r,n\n", "no case is named zz"},
        {"a,another clause,*,,,SKIP,,r,n\n", "the case a has no clause named another clause"},
        {"a,setup,kernel,,,SKIP,,r,n\n", "the case a does not run on kernel"}}) {
    write_ledger(row);
    EXPECT_EQ(run(), 1) << said_;
    EXPECT_EQ(verdicts(), (Verdicts{{"a", "PASS"}}));
    EXPECT_THAT(report_.complaints,
                ::testing::ElementsAre(
                    AllOf(HasSubstr("deviations.csv:2: stale entry: "), HasSubstr(message))));
  }
}

TEST_F(RunTest, ALedgerThatCannotBeReadIsRefusedBeforeAnythingRuns) {
  write("a", kRefused);
  write_ledger("a,setup,*,,,PERHAPS,,r,n\n");
  Process process(command("stack-virtual"));
  EXPECT_EQ(process.wait(), 3);
  EXPECT_THAT(process.said(), HasSubstr("deviations.csv:2: expected is XFAIL or SKIP"));
  EXPECT_TRUE(!fs::exists(json()) || fs::file_size(json()) == 0);
}

// What is wrong with a case is its ERROR, with the place; the others run.
TEST_F(RunTest, WrongCasesAreErrorsAndTheOthersRun) {
  write("good", kRefused);
  write("syntax", "< S 0:0(0\n");
  write("head", kRefused, "//: frobnicate: yes\n");
  write("option", "< S 0:0(0) <frob 3>\n");
  write("setting", kRefused, "//: set: stack.no_such_field = 1\n");
  write("time", "1.0 < S 0:0(0)\n0.5 < S 1:1(0)\n");
  std::ofstream(folder_ / "script.pkt") << "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                                        << "+-1 close(3) = 0\n";
  EXPECT_EQ(run(), 3) << said_;
  EXPECT_EQ(verdicts(), (Verdicts{{"good", "PASS"},
                                  {"syntax", "ERROR"},
                                  {"head", "ERROR"},
                                  {"option", "ERROR"},
                                  {"setting", "ERROR"},
                                  {"time", "ERROR"},
                                  {"script", "ERROR"}}));
  EXPECT_THAT(reason("syntax"), HasSubstr("syntax.pkt:4:"));
  EXPECT_THAT(reason("head"), HasSubstr("frobnicate"));
  EXPECT_THAT(reason("option"), HasSubstr("frob"));
  EXPECT_THAT(reason("setting"), HasSubstr("no_such_field"));
  EXPECT_THAT(reason("time"), HasSubstr("time.pkt:5:1: an impossible time"));
  EXPECT_THAT(reason("script"), HasSubstr("script.pkt:2:2: a time must not be negative"));
  // Whoever reads no report is told as well.
  EXPECT_THAT(said_, HasSubstr("syntax.pkt:4:"));
  EXPECT_THAT(said_, HasSubstr("time.pkt:5:1: an impossible time"));
}

TEST_F(RunTest, IfAllAreWrongNothingRuns) {
  write("a", "wat\n");
  Process process(command("stack-virtual"));
  EXPECT_EQ(process.wait(), 3);
  EXPECT_THAT(process.said(), HasSubstr("a.pkt:4:1: expected a statement, found \"wat\""));
}

TEST_F(RunTest, AnUnknownOptionOfTheCommandIsRefused) {
  Process process({TCPROCTOR, "run", "--frobnicate"});
  EXPECT_EQ(process.wait(), 3);
  EXPECT_THAT(process.said(), HasSubstr("--frobnicate"));
}

TEST_F(RunTest, AKilledDaemonEndsWhatIsLeftAsErrorsAtOnce) {
  constexpr int kCases = 40;
  // On a real clock, each for a quarter of a second; four run at a time.
  for (int i = 10; i < 10 + kCases; ++i) {
    write(absl::StrCat("c", i), absl::StrCat("silence 250ms\n", kRefused));
  }
  const absl::Time start = absl::Now();
  Process process(command("stack"));
  ASSERT_TRUE(process.read_until("PASS")) << process.said();
  const pid_t daemon = process.child();
  ASSERT_GT(daemon, 0);
  ASSERT_EQ(kill(daemon, SIGKILL), 0);
  const absl::Time killed = absl::Now();
  EXPECT_EQ(process.wait(), 3) << process.said();
  EXPECT_LT(absl::Now() - killed, absl::Seconds(20)) << "began at " << start;
  EXPECT_THAT(process.said(), HasSubstr("the daemon ended in mid-run by signal 9"));
  said_ = process.said();
  read_report();
  EXPECT_TRUE(fs::exists(folder_ / "x.html"));
  ASSERT_THAT(report_.results, SizeIs(kCases));
  EXPECT_EQ(report_.exit_status, 3);
  EXPECT_EQ(report_.results[0].verdict, v1::VERDICT_PASS) << "what was judged before counts";
  uint32_t errors = 0;
  for (const CaseOutcome& result : report_.results) {
    if (result.verdict == v1::VERDICT_PASS) continue;
    ++errors;
    EXPECT_EQ(result.verdict, v1::VERDICT_ERROR) << result.id << ": " << result.reason;
    EXPECT_THAT(result.reason, HasSubstr("the daemon died in mid-run: ")) << result.id;
  }
  EXPECT_GT(errors, kCases / 2u);
  EXPECT_THAT(report_.complaints,
              ::testing::ElementsAre(StartsWith("the daemon died in mid-run: ")));
}

// One that is alive and does nothing any more.
TEST_F(RunTest, AHangingDaemonEndsWhatIsLeftAsErrors) {
  for (int i = 10; i < 30; ++i) {
    write(absl::StrCat("c", i), absl::StrCat("silence 250ms\n", kRefused));
  }
  auto daemon = PrivateDaemon::start(TCPROCTORD);
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  absl::StatusOr<client::Client> client = client::Client::connect((*daemon)->address());
  ASSERT_TRUE(client.ok()) << client.status();
  const auto suite = conformance::Suite::load(folder_.string());
  ASSERT_TRUE(suite.ok()) << suite.status();
  conformance::RunOptions options;
  options.channel = client->channel();
  options.targets = {"stack"};
  options.watchdog = absl::Seconds(3);
  bool stopped = false;
  const absl::Time start = absl::Now();
  const absl::StatusOr<RunReport> report = suite->run(options, [&](const CaseOutcome&) {
    if (!stopped) kill((*daemon)->pid(), SIGSTOP);
    stopped = true;
  });
  // Cases under way end with the watchdog, then the daemon is asked whether it is there.
  EXPECT_LT(absl::Now() - start, absl::Seconds(60));
  kill((*daemon)->pid(), SIGCONT);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->exit_status, 3);
  ASSERT_THAT(report->results, SizeIs(20));
  EXPECT_EQ(report->results[0].verdict, v1::VERDICT_PASS);
  std::vector<std::string> causes;
  for (const CaseOutcome& result : report->results) {
    if (result.verdict != v1::VERDICT_PASS) causes.push_back(result.reason);
  }
  EXPECT_GT(causes.size(), 10u);
  EXPECT_THAT(causes, Each(HasSubstr("the daemon does not answer")));
  EXPECT_THAT(causes, ::testing::Contains(HasSubstr("hangs: the session was not over within 3s")));
  client = absl::UnknownError("closed");  // the daemon would wait for it
  options.channel.reset();
}

}  // namespace
}  // namespace tcproctor::cli
