// SPDX-License-Identifier: Apache-2.0
// What is said when the private daemon does not come up. That it does, and goes, is shown with the
// real one in private_daemon_root_test.cc.
#include "clients/cli/private_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace tcproctor::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PrivateDaemonTest : public ::testing::Test {
 protected:
  PrivateDaemonTest() {
    std::string folder = fs::temp_directory_path() / "private_daemon-XXXXXX";
    if (!mkdtemp(folder.data())) std::abort();
    folder_ = folder;
    setenv("TMPDIR", folder_.c_str(), 1);
  }
  ~PrivateDaemonTest() override {
    unsetenv("TMPDIR");
    fs::remove_all(folder_);
  }
  bool nothing_left() const { return fs::is_empty(folder_); }

  fs::path folder_;
};

TEST_F(PrivateDaemonTest, NoSuchProgram) {
  const absl::Status status = PrivateDaemon::start("/nonexistent/tcproctord").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/tcproctord"));
  EXPECT_TRUE(nothing_left());
}

TEST_F(PrivateDaemonTest, ProgramThatEndsIsQuoted) {
  const absl::Status status = PrivateDaemon::start("/bin/ls").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the daemon ended at once: /bin/ls: "));
  EXPECT_TRUE(nothing_left());
}

TEST_F(PrivateDaemonTest, ProgramThatNeverListensIsEnded) {
  // `yes --listen=… ` would refuse the flag; dd without operands waits for its standard input.
  const fs::path program = folder_ / "waits";
  fs::create_symlink("/bin/sleep", program);
  const absl::Time start = absl::Now();
  const absl::Status status = PrivateDaemon::start(program, absl::Milliseconds(100)).status();
  EXPECT_FALSE(status.ok());
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  fs::remove(program);
  EXPECT_TRUE(nothing_left());
}

TEST_F(PrivateDaemonTest, FoldersOfTheDeadAreRemoved) {
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  const fs::path of_the_dead = folder_ / absl::StrCat("tcproctor-run-", dead, "-abcdef");
  const fs::path of_the_living = folder_ / absl::StrCat("tcproctor-run-", getppid(), "-abcdef");
  const fs::path of_others = folder_ / "tcproctor-runs";
  for (const fs::path& path : {of_the_dead, of_the_living, of_others}) fs::create_directory(path);
  EXPECT_FALSE(PrivateDaemon::start("/bin/false").ok());
  EXPECT_FALSE(fs::exists(of_the_dead));
  EXPECT_TRUE(fs::exists(of_the_living));
  EXPECT_TRUE(fs::exists(of_others));
}

}  // namespace
}  // namespace tcproctor::cli
