// SPDX-License-Identifier: Apache-2.0
#include "server/host/namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

uint64_t inode_of_this_thread() {
  struct stat info {};
  return ::stat("/proc/thread-self/ns/net", &info) == 0 ? info.st_ino : 0;
}

class NamespaceTest : public testing::RootTest {};

TEST_F(NamespaceTest, IsFreshAndTheCallerStaysWhereItWas) {
  const uint64_t home = inode_of_this_thread();
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  EXPECT_NE((*a)->inode(), home);
  EXPECT_NE((*a)->inode(), (*b)->inode());
  EXPECT_EQ(inode_of_this_thread(), home);
  uint64_t inside = 0;
  ASSERT_TRUE(testing::run_in(**a, [&] {
                inside = inode_of_this_thread();
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(inside, (*a)->inode());
  EXPECT_EQ(inode_of_this_thread(), home);
  EXPECT_EQ((*NetworkNamespace::current())->inode(), home);
}

TEST_F(NamespaceTest, HasOnlyItsLoopbackAndThatIsUp) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  ASSERT_TRUE(ns.ok()) << ns.status();
  std::string devices;
  short flags = 0;
  ASSERT_TRUE(testing::run_in(**ns, [&] {
                std::ifstream file("/proc/thread-self/net/dev");
                std::string line;
                while (std::getline(file, line)) {
                  if (line.find(':') != std::string::npos)
                    devices += line.substr(0, line.find(':')) + ";";
                }
                ifreq request{};
                std::strcpy(request.ifr_name, "lo");
                const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM, 0));
                ::ioctl(socket.get(), SIOCGIFFLAGS, &request);
                flags = request.ifr_flags;
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(devices, ::testing::EndsWith("lo;"));
  EXPECT_EQ(std::count(devices.begin(), devices.end(), ';'), 1) << devices;
  EXPECT_TRUE(flags & IFF_UP);
}

TEST_F(NamespaceTest, KeepsTheLimitsOfTheSharedHashTable) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  ASSERT_TRUE(ns.ok()) << ns.status();
  // In a namespace with the shared table this reads negative: "as the machine's".
  EXPECT_EQ(*read_sysctl(**ns, "net.ipv4.tcp_ehash_entries"), "8192");
  absl::StatusOr<std::string> buckets = read_sysctl(**ns, "net.ipv4.tcp_max_tw_buckets");
  ASSERT_TRUE(buckets.ok());
  EXPECT_GT(std::stol(*buckets), 4096);
}

TEST_F(NamespaceTest, AnotherProcessEntersThroughThePath) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  ASSERT_TRUE(ns.ok()) << ns.status();
  const std::string path = (*ns)->path();
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    struct stat info {};
    const bool good = fd >= 0 && ::setns(fd, CLONE_NEWNET) == 0 && ::fstat(fd, &info) == 0 &&
                      info.st_ino == (*ns)->inode() && inode_of_this_thread() == (*ns)->inode();
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(NamespaceTest, ASocketStaysInside) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  ASSERT_TRUE(ns.ok()) << ns.status();
  absl::StatusOr<UniqueFd> socket = (*ns)->open_socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const int namespace_fd = ::ioctl(socket->get(), SIOCGSKNS);
  ASSERT_GE(namespace_fd, 0);
  const UniqueFd holder(namespace_fd);
  struct stat info {};
  ASSERT_EQ(::fstat(holder.get(), &info), 0);
  EXPECT_EQ(info.st_ino, (*ns)->inode());
  EXPECT_FALSE((*ns)->open_socket(AF_INET, 9999, 0).ok());
}

// A daemon that is not root, as in a container, lacks CAP_NET_BIND_SERVICE.
TEST_F(NamespaceTest, NoPortIsPrivileged) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  ASSERT_TRUE(ns.ok()) << ns.status();
  const absl::Status status = testing::run_in(**ns, []() -> absl::Status {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capset, &header, none) != 0) return absl::ErrnoToStatus(errno, "capset");
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in telnet{.sin_family = AF_INET, .sin_port = htons(23)};
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&telnet), sizeof telnet) != 0) {
      return absl::ErrnoToStatus(errno, "bind");
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(NamespaceTest, IsCheap) {
  constexpr int kCount = 50;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) ASSERT_TRUE(NetworkNamespace::create().ok());
  const std::chrono::duration<double, std::milli> each =
      (std::chrono::steady_clock::now() - begin) / kCount;
  std::printf("a namespace made and dropped: %.2f ms\n", each.count());
  EXPECT_LT(each.count(), 20) << "a run makes hundreds of them";
}

}  // namespace
}  // namespace tcproctor::server
