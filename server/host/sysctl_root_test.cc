// SPDX-License-Identifier: Apache-2.0
#include "server/host/sysctl.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

class SysctlTest : public testing::RootTest {
 protected:
  void SetUp() override {
    RootTest::SetUp();
    if (HasFatalFailure()) return;
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> made = NetworkNamespace::create();
    ASSERT_TRUE(made.ok()) << made.status();
    ns_ = *std::move(made);
  }
  std::unique_ptr<NetworkNamespace> ns_;
};

TEST_F(SysctlTest, IsOfThatNamespaceOnly) {
  const absl::StatusOr<std::string> before = read_sysctl_here("net.ipv4.tcp_fin_timeout");
  ASSERT_TRUE(before.ok()) << before.status();
  ASSERT_TRUE(write_sysctl(*ns_, "net.ipv4.tcp_fin_timeout", "7").ok());
  EXPECT_EQ(*read_sysctl(*ns_, "net.ipv4.tcp_fin_timeout"), "7");
  EXPECT_EQ(*read_sysctl_here("net.ipv4.tcp_fin_timeout"), *before);
  ASSERT_TRUE(write_sysctl(*ns_, "net.ipv4.tcp_rmem", "4096 20000 30000").ok());
  EXPECT_EQ(*read_sysctl(*ns_, "net.ipv4.tcp_rmem"), "4096 20000 30000");
}

TEST_F(SysctlTest, NamesTheWrongOne) {
  const absl::Status wrong_name = write_sysctl(*ns_, "net.ipv4.tcp_no_such", "1");
  EXPECT_EQ(wrong_name.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(wrong_name.message(), HasSubstr("net.ipv4.tcp_no_such"));
  const absl::Status wrong_value = write_sysctl(*ns_, "net.ipv4.tcp_fin_timeout", "soon");
  EXPECT_EQ(wrong_value.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(wrong_value.message(), HasSubstr("net.ipv4.tcp_fin_timeout"));
  EXPECT_THAT(wrong_value.message(), HasSubstr("soon"));
  EXPECT_FALSE(write_sysctl(*ns_, "net.ipv4.tcp_fin_timeout", "").ok());

  const std::vector<Sysctl> list = {
      {"net.ipv4.tcp_sack", "0"}, {"net.ipv4.tcp_sakc", "0"}, {"net.ipv4.tcp_timestamps", "0"}};
  EXPECT_THAT(apply_sysctls(*ns_, list).message(), HasSubstr("net.ipv4.tcp_sakc"));
  EXPECT_EQ(*read_sysctl(*ns_, "net.ipv4.tcp_timestamps"), "1") << "stops at the first error";
}

TEST_F(SysctlTest, LeadsNowhereElse) {
  for (const char* name :
       {"", "net", "net.", "kernel.hostname", "net./../../kernel.hostname", "net...kernel.hostname",
        "net.ipv4.tcp_sack\n", "net.ipv4. x", "net.ipv4.tcp_sack."}) {
    EXPECT_EQ(write_sysctl(*ns_, name, "1").code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(read_sysctl(*ns_, name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(SysctlTest, TheTargetsDefaultsApplyAndHaveReasons) {
  const absl::Status status = apply_sysctls(*ns_, kernel_target_defaults());
  ASSERT_TRUE(status.ok()) << status;
  for (const Sysctl& setting : kernel_target_defaults()) {
    EXPECT_EQ(*read_sysctl(*ns_, setting.name), setting.value) << setting.name;
    EXPECT_FALSE(setting.reason.empty()) << setting.name;
  }
  EXPECT_FALSE(kernel_release().empty());
}

// As in a Docker container: /proc/sys is mounted read-only, CAP_SYS_ADMIN was added.
TEST_F(SysctlTest, GetsRoundAReadOnlyProcSys) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/proc", nullptr, MS_REC | MS_PRIVATE, nullptr) ||
        ::mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr) ||
        ::mount("none", "/proc/sys", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr)) {
      ::_exit(2);
    }
    if (::open("/proc/sys/net/ipv4/tcp_sack", O_WRONLY) >= 0 || errno != EROFS) ::_exit(3);
    const absl::Status status = write_sysctl(*ns_, "net.ipv4.tcp_sack", "0");
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
    ::_exit(status.ok() && *read_sysctl(*ns_, "net.ipv4.tcp_sack") == "0" ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tcproctor::server
