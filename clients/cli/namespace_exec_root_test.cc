// SPDX-License-Identifier: Apache-2.0
// Programs are started in real network namespaces, so this needs root.
#include "clients/cli/namespace_exec.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace tcproctor::cli {
namespace {

using ::testing::HasSubstr;

// A network namespace that lives as long as this object, by a descriptor of this process.
class NamespaceExec : public ::testing::Test {
 protected:
  void SetUp() override {
    std::thread([this] {
      if (unshare(CLONE_NEWNET) == 0) fd_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }).join();
    ASSERT_GE(fd_, 0) << "cannot make a network namespace: run this test as root";
    struct stat info = {};
    ASSERT_EQ(fstat(fd_, &info), 0);
    end_.set_namespace_path(absl::StrCat("/proc/", getpid(), "/fd/", fd_));
    end_.set_namespace_inode(info.st_ino);
  }
  void TearDown() override { close(fd_); }

  absl::StatusOr<int> exec(const std::vector<std::string>& command, int period_ms = 1000) {
    return exec_in_namespace(end_, command, period_ms, [this] { ++kept_alive_; });
  }

  int fd_ = -1;
  v1::EndInfo end_;
  int kept_alive_ = 0;
};

TEST_F(NamespaceExec, RunsInsideAndReturnsTheExitStatus) {
  const std::vector<std::string> compare = {"test", "/proc/self/ns/net", "-ef",
                                            end_.namespace_path()};
  EXPECT_EQ(*exec(compare), 0);
  EXPECT_EQ(*exec({"test", "/proc/self/ns/net", "-ef", "/dev/null"}), 1);
  EXPECT_EQ(*exec({"false"}), 1);
}

TEST_F(NamespaceExec, SignalsAreReportedAsShellsDo) {
  // timeout(1) sends itself the signal that ended its child.
  EXPECT_EQ(*exec({"timeout", "--signal=KILL", "0.05", "sleep", "60"}), 128 + 9);
}

TEST_F(NamespaceExec, KeepsTheLeaseAlive) {
  EXPECT_EQ(*exec({"sleep", "0.3"}, 50), 0);
  EXPECT_GE(kept_alive_, 2);
}

TEST_F(NamespaceExec, NoSuchProgram) {
  const absl::Status status = exec({"no-such-program"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-such-program: No such file"));
}

TEST_F(NamespaceExec, PathThatIsNotHere) {
  end_.set_namespace_path("/proc/1/fd/99999");
  const absl::Status status = exec({"true"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the daemon's own machine"));
}

TEST_F(NamespaceExec, PathThatNamesAnotherNamespace) {
  end_.set_namespace_path("/proc/self/ns/net");
  const absl::Status status = exec({"true"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not the end's namespace"));
}

TEST_F(NamespaceExec, PathThatIsNoNamespace) {
  end_.set_namespace_path("/dev/null");
  end_.clear_namespace_inode();
  const absl::Status status = exec({"true"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("network namespace"));
}

TEST_F(NamespaceExec, EndWithoutNamespace) {
  end_.clear_namespace_path();
  EXPECT_EQ(exec({"true"}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(NamespaceExec, OtherUsersAreToldWhatIsMissing) {
  // As nobody in a thread of its own: credentials of system calls are a thread's.
  absl::Status status;
  std::thread([&] {
    ASSERT_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    status = exec({"true"}).status();
  }).join();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CAP_SYS_ADMIN"));
}

}  // namespace
}  // namespace tcproctor::cli
