// SPDX-License-Identifier: Apache-2.0
// With the real daemon: it listens, ends with us, and ends when we are killed.
#include "clients/cli/private_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace tcproctor::cli {
namespace {

bool is_gone(pid_t pid) {
  return kill(pid, 0) != 0 && errno == ESRCH;
}

// A child of init that nobody has waited for yet is dead as well.
bool is_dead(pid_t pid) {
  if (is_gone(pid)) return true;
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string number, name, state;
  stat >> number >> name >> state;
  return state == "Z";
}

template <typename Condition>
bool within(absl::Duration time, Condition condition) {
  const absl::Time deadline = absl::Now() + time;
  while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  return condition();
}

// First: the forked process must have no threads of gRPC.
TEST(PrivateDaemon, DiesWithAKilledParent) {
  std::array<int, 2> ends = {};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const auto daemon = PrivateDaemon::start(TCPROCTORD);
    const pid_t pid = daemon.ok() ? (*daemon)->pid() : 0;
    const ssize_t ignored = write(ends[1], &pid, sizeof(pid));
    static_cast<void>(ignored);
    pause();
    _exit(0);
  }
  pid_t daemon = 0;
  ASSERT_EQ(read(ends[0], &daemon, sizeof(daemon)), static_cast<ssize_t>(sizeof(daemon)));
  ASSERT_NE(daemon, 0) << "the daemon did not start";
  EXPECT_FALSE(is_dead(daemon));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(within(absl::Seconds(10), [daemon] { return is_dead(daemon); }));
}

TEST(PrivateDaemon, ListensAndEndsWithTheObject) {
  absl::StatusOr<std::unique_ptr<PrivateDaemon>> daemon = PrivateDaemon::start(TCPROCTORD);
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  const pid_t pid = (*daemon)->pid();
  const std::string socket = (*daemon)->address().substr(std::string("unix:").size());
  absl::StatusOr<client::Client> client = client::Client::connect((*daemon)->address());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE(client->server_info().ok());
  client = absl::UnknownError("closed");  // the daemon would wait for it
  daemon->reset();
  EXPECT_TRUE(is_gone(pid));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(socket).parent_path()));
}

}  // namespace
}  // namespace tcproctor::cli
