// SPDX-License-Identifier: Apache-2.0
// A process that holds namespaces, devices and connections is killed: nothing of it may be left.
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/host/offload.h"
#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using testing::at;

// Inodes of every network namespace that some process lives in or holds open, as lsns finds them.
std::set<uint64_t> namespaces_of_all_processes() {
  namespace fs = std::filesystem;
  std::set<uint64_t> inodes;
  std::error_code ignored;
  const auto note = [&](const fs::path& path) {
    const std::string target = fs::read_symlink(path, ignored).string();
    if (target.starts_with("net:[")) inodes.insert(std::stoull(target.substr(5)));
  };
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", ignored)) {
    if (!isdigit(process.path().filename().string()[0])) continue;
    for (fs::directory_iterator task(process.path() / "task", ignored), end; task != end;
         task.increment(ignored)) {
      note(task->path() / "ns/net");
    }
    for (fs::directory_iterator fd(process.path() / "fd", ignored), end; fd != end;
         fd.increment(ignored)) {
      note(fd->path());
    }
  }
  return inodes;
}

std::set<std::string> devices_here() {
  std::set<std::string> names;
  std::ifstream file("/proc/net/dev");
  for (std::string line; std::getline(file, line);) {
    if (line.find(':') == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(' ');
    names.insert(line.substr(begin, line.find(':') - begin));
  }
  return names;
}

class CleanupTest : public testing::TwoKernels {
 protected:
  // Holds everything a daemon holds, in the midst of work, and tells the inodes.
  [[noreturn]] void live_until_killed(int report) {
    std::unique_ptr<NetworkNamespace> inner_a = *NetworkNamespace::create();
    std::unique_ptr<NetworkNamespace> inner_b = *NetworkNamespace::create();
    if (!create_veth(*inner_a, spec(1), *inner_b, spec(2)).ok()) ::_exit(1);
    InterfaceSpec to_outside;
    to_outside.name = "watched";
    to_outside.mac = mac(7);
    // The far leg of this one lies in a namespace of the test, which sees it vanish.
    InterfaceSpec far = to_outside;
    far.mac = mac(8);
    if (!create_veth(*inner_a, to_outside, *a_, far).ok()) ::_exit(2);
    InterfaceSpec tun;
    tun.name = "tun0";
    absl::StatusOr<TunDevice> device = create_tun(*inner_b, tun, false);
    KernelSocket listening = make(*inner_b);
    if (!listening.bind(at("192.0.2.2", 80)).ok() || !listening.listen(5).ok()) ::_exit(3);
    KernelSocket active = make(*inner_a);
    active.connect(at("192.0.2.2", 80));
    if (!testing::ready(active, POLLOUT)) ::_exit(4);
    KernelSocket::Accepted passive = listening.accept();
    // The peer is out of reach and data is unacknowledged: what makes an orphan live for minutes.
    if (!delete_interface(*inner_a, "wire0").ok()) ::_exit(5);
    active.send(std::vector<uint8_t>(1000, 'x'), false);
    passive.socket->send(std::vector<uint8_t>(1000, 'x'), false);
    const uint64_t inodes[] = {inner_a->inode(), inner_b->inode()};
    if (::write(report, inodes, sizeof inodes) != sizeof inodes) ::_exit(6);
    while (true) ::pause();
  }
};

TEST_F(CleanupTest, KillLeavesNothing) {
  const std::set<std::string> devices_before = devices_here();
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    live_until_killed(report[1]);
  }
  ::close(report[1]);
  uint64_t inodes[2] = {};
  ASSERT_EQ(::read(report[0], inodes, sizeof inodes), static_cast<ssize_t>(sizeof inodes));
  ::close(report[0]);
  const std::set<uint64_t> during = namespaces_of_all_processes();
  EXPECT_TRUE(during.contains(inodes[0])) << "the scan must be able to see it";
  EXPECT_TRUE(during.contains(inodes[1]));

  ASSERT_TRUE(offloads_on(*a_, "watched").ok()) << "the device is there while the process lives";

  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, status " << status;

  // The devices go only when the kernel has freed the namespace, so this also shows that no
  // orphaned connection keeps it alive out of sight of /proc.
  EXPECT_TRUE(testing::eventually(
      [&] { return offloads_on(*a_, "watched").status().code() == absl::StatusCode::kNotFound; },
      std::chrono::seconds(2)))
      << "the namespace is still alive";
  const std::set<uint64_t> after = namespaces_of_all_processes();
  EXPECT_FALSE(after.contains(inodes[0]));
  EXPECT_FALSE(after.contains(inodes[1]));
  EXPECT_EQ(devices_here(), devices_before);
}

}  // namespace
}  // namespace tcproctor::server
