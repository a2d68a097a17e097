// SPDX-License-Identifier: Apache-2.0
#include "server/host/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "server/host/queue.h"
#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

class UserNamespaceTest : public testing::RootTest {
 protected:
  // Runs `work` in a child that has become "nobody"; its return value is the child's exit status.
  static int as_nobody(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Without it /proc/self belongs to root after the change of ids; a program that was started
      // by the user has no such trouble.
      const bool dropped =
          ::setgid(65534) == 0 && ::setuid(65534) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
      ::_exit(dropped ? work() : 99);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    return WEXITSTATUS(status);
  }
  // Whether this machine lets a user make a user namespace at all: not inside a chroot, for one.
  static bool allowed_here() {
    return as_nobody([] { return ::unshare(CLONE_NEWUSER) == 0 ? 0 : 1; }) == 0;
  }
};

// The whole of a kernel end's life, with what the daemon keeps.
int live_without_sys_admin() {
  if (!keep_only({CAP_NET_ADMIN, CAP_NET_RAW}).ok() ||
      missing_capabilities() != std::vector<std::string>{"CAP_SYS_ADMIN"}) {
    return 4;
  }
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
  if (!a.ok() || !b.ok()) return 5;
  const absl::Status settings = apply_sysctls(**a, kernel_target_defaults());
  if (!settings.ok()) {
    std::fprintf(stderr, "%s\n", settings.ToString().c_str());
    return 6;
  }
  InterfaceSpec spec;
  spec.name = "leg";
  if (!create_veth(**a, spec, **b, spec).ok()) return 7;
  absl::StatusOr<KernelSocket> socket = KernelSocket::create(**a, SocketFamily::kIpv4);
  if (!socket.ok() || socket->options().congestion_control != "cubic") return 8;
  SocketOptions options;
  options.receive_buffer_bytes = 1 << 24;
  if (!socket->set_options(options).ok()) return 9;
  if (!(*a)->open_socket(AF_PACKET, SOCK_RAW, 0).ok()) return 10;
  if (::access("/dev/net/tun", R_OK | W_OK) == 0 && !check_tun().ok()) return 11;
  absl::StatusOr<std::unique_ptr<InetDiag>> diag = InetDiag::open(**a);
  if (!diag.ok() || !(*diag)->dump().ok()) return 12;
  if (!set_queue(**a, "pfifo", 7).ok() || !set_queue(**a, "", {}).ok()) return 13;
  if (!(*a)->open_counters("netstat").ok()) return 14;
  // A port that was root's.
  return socket->bind(testing::at("0.0.0.0", 80)).ok() ? 0 : 15;
}

int live_in_a_user_namespace() {
  if (missing_capabilities().size() != 3) return 1;
  const absl::StatusOr<Privilege> privilege = acquire_privilege();
  if (!privilege.ok()) {
    std::fprintf(stderr, "%s\n", privilege.status().ToString().c_str());
    return 2;
  }
  if (*privilege != Privilege::kUserNamespace || !missing_capabilities().empty()) return 3;
  struct stat info {};
  if (user_namespace_path().empty() || ::stat(user_namespace_path().c_str(), &info) != 0) return 3;
  return live_without_sys_admin();
}

// Where the machine forbids user namespaces (in a chroot, say), it must be refused, not crash.
TEST_F(UserNamespaceTest, NobodyHasAFullEndOrIsRefused) {
  constexpr int kRefused = 2;
  EXPECT_EQ(as_nobody(live_in_a_user_namespace), allowed_here() ? 0 : kRefused);
}

// In a child, because the children of the other tests must not inherit namespaces made by root.
TEST_F(UserNamespaceTest, RootHasAFullEnd) {
  EXPECT_EXIT(::_exit(acquire_privilege().ok() ? live_without_sys_admin() : 1),
              ::testing::ExitedWithCode(0), "");
}

TEST_F(UserNamespaceTest, RootNeedsNone) {
  EXPECT_EXIT(
      {
        const absl::StatusOr<Privilege> privilege = acquire_privilege();
        const bool good = privilege.ok() && *privilege == Privilege::kFull &&
                          user_namespace_path().empty() && check_namespaces().ok();
        if (!check_tun().ok()) std::fprintf(stderr, "%s\n", check_tun().ToString().c_str());
        ::_exit(good && check_tun().ok() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// Of what is permitted only the capabilities in `kept` stay so; none is effective.
bool keep_permitted(std::initializer_list<int> kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (const int capability : kept) data[capability / 32].permitted |= 1U << (capability % 32);
  return ::syscall(SYS_capset, &header, data) == 0;
}

// As those of an executable (setcap …+p) are.
TEST_F(UserNamespaceTest, WhatIsPermittedBecomesEffective) {
  EXPECT_EXIT(
      {
        const bool kept = keep_permitted({CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN}) &&
                          missing_capabilities().size() == 3;
        const absl::StatusOr<Privilege> privilege = acquire_privilege();
        ::_exit(kept && privilege.ok() && *privilege == Privilege::kFull ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// No user namespace brings it back.
TEST_F(UserNamespaceTest, WhatWasTakenAwayIsNamed) {
  EXPECT_EXIT(
      {
        const bool kept = keep_permitted({CAP_NET_ADMIN, CAP_SYS_ADMIN});
        const absl::Status status = acquire_privilege().status();
        std::fprintf(stderr, "%s\n", status.ToString().c_str());
        ::_exit(kept && status.code() == absl::StatusCode::kPermissionDenied &&
                        user_namespace_path().empty()
                    ? 0
                    : 1);
      },
      ::testing::ExitedWithCode(0), "missing CAP_NET_RAW, taken away");
}

// Inside a first user namespace further ones are forbidden, and the capabilities are given up.
int forbidden_and_explained() {
  if (!acquire_privilege().ok()) return 1;
  const UniqueFd limit(::open("/proc/sys/user/max_user_namespaces", O_WRONLY));
  if (::write(limit.get(), "0", 1) != 1) return 2;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return 3;
  const absl::Status status = acquire_privilege().status();
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  if (status.code() != absl::StatusCode::kPermissionDenied) return 4;
  for (const char* expected :
       {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "user.max_user_namespaces is 0"}) {
    if (status.message().find(expected) == std::string_view::npos) return 5;
  }
  // The broker has what this process gave up.
  return NetworkNamespace::create().ok() ? 0 : 6;
}

int refused_and_explained() {
  const absl::Status status = acquire_privilege().status();
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  if (status.code() != absl::StatusCode::kPermissionDenied) return 1;
  for (const char* expected : {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "chroot"}) {
    if (status.message().find(expected) == std::string_view::npos) return 2;
  }
  return 0;
}

TEST_F(UserNamespaceTest, SaysWhatIsMissingWhereItIsForbidden) {
  EXPECT_EQ(as_nobody(allowed_here() ? forbidden_and_explained : refused_and_explained), 0);
}

TEST_F(UserNamespaceTest, ThreadsAreTooLate) {
  EXPECT_EQ(as_nobody([] {
              std::thread other([] { ::pause(); });
              const absl::Status status = acquire_privilege().status();
              ::_exit(status.code() == absl::StatusCode::kFailedPrecondition ? 0 : 1);
              return 1;
            }),
            0);
}

}  // namespace
}  // namespace tcproctor::server
