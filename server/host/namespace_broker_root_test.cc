// SPDX-License-Identifier: Apache-2.0
// The broker as a process. Each test is a child of its own, because a broker is started before
// there are threads and namespaces.
#include "server/host/namespace_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>

#include "server/host/tcp_metrics.h"
#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

class NamespaceBrokerTest : public testing::RootTest {
 protected:
  // Runs `work`, which has expectations, in a child that has a broker and has given CAP_SYS_ADMIN
  // up.
  static void in_daemon(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      EXPECT_TRUE(start_namespace_broker().ok());
      EXPECT_TRUE(keep_only({CAP_NET_ADMIN, CAP_NET_RAW}).ok());
      work();
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "see above";
  }
  // The calling process's only child.
  static pid_t broker() {
    std::ifstream list("/proc/thread-self/children");
    pid_t found = 0;
    list >> found;
    EXPECT_GT(found, 0);
    return found;
  }
  // A process (by its pidfd), or the last holder of the other end of a pipe.
  static bool ends(int fd) {
    pollfd request{fd, POLLIN, 0};
    return ::poll(&request, 1, 5000) == 1;
  }
  static int pidfd_of(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
  static uint64_t namespace_of(int socket) {
    const UniqueFd ns(::ioctl(socket, SIOCGSKNS));
    struct stat info {};
    return ::fstat(ns.get(), &info) == 0 ? info.st_ino : 0;
  }
};

TEST_F(NamespaceBrokerTest, DoesWhatItsDaemonCannot) {
  in_daemon([] {
    EXPECT_EQ(::unshare(CLONE_NEWNET), -1);
    const absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
    ASSERT_TRUE(ns.ok()) << ns.status();
    EXPECT_EQ(::setns((*ns)->fd(), CLONE_NEWNET), -1);
    const absl::StatusOr<UniqueFd> socket = (*ns)->open_socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(namespace_of(socket->get()), (*ns)->inode());
    int error = 0;
    EXPECT_FALSE((*ns)->open_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP, &error).ok());
    EXPECT_EQ(error, EPROTONOSUPPORT);
  });
}

// The daemon has no CAP_NET_BIND_SERVICE; of its own namespace the broker has it.
TEST_F(NamespaceBrokerTest, BindsWhereItsDaemonMayNot) {
  in_daemon([] {
    sockaddr_in low{};
    low.sin_family = AF_INET;
    low.sin_port = htons(1023);
    low.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* address = reinterpret_cast<const sockaddr*>(&low);
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket.get(), address, sizeof low), -1);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(bind_socket(socket.get(), address, sizeof low), 0);
    EXPECT_EQ(bind_socket(socket.get(), address, sizeof low), EINVAL) << "it is bound";
  });
}

// A copy that the broker still had would keep the port.
TEST_F(NamespaceBrokerTest, KeepsNoCopyOfWhatItGave) {
  in_daemon([] {
    const std::unique_ptr<NetworkNamespace> ns = *NetworkNamespace::create();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(80);
    for (int i = 0; i < 500; ++i) {
      const absl::StatusOr<UniqueFd> socket = ns->open_socket(AF_INET, SOCK_STREAM, 0);
      ASSERT_TRUE(socket.ok()) << socket.status();
      ASSERT_EQ(::bind(socket->get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
          << "the " << i << "th: " << strerror(errno);
      ASSERT_EQ(::listen(socket->get(), 1), 0);
    }
  });
}

TEST_F(NamespaceBrokerTest, GivesEachAskerItsOwn) {
  in_daemon([] {
    constexpr int kThreads = 8;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&wrong, t] {
        const auto ns = NetworkNamespace::create();
        if (!ns.ok() ||
            !write_sysctl(**ns, "net.ipv4.tcp_fin_timeout", std::to_string(10 + t)).ok()) {
          ++wrong;
          return;
        }
        for (int i = 0; i < 50; ++i) {
          const auto socket = (*ns)->open_socket(AF_INET6, SOCK_STREAM, 0);
          wrong += !socket.ok() || namespace_of(socket->get()) != (*ns)->inode();
          const auto value = read_sysctl(**ns, "net.ipv4.tcp_fin_timeout");
          wrong += !value.ok() || *value != std::to_string(10 + t);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  });
}

TEST_F(NamespaceBrokerTest, MoreSettingsThanOneRequestHolds) {
  in_daemon([] {
    const std::unique_ptr<NetworkNamespace> ns = *NetworkNamespace::create();
    std::vector<std::string> names(2 * BrokerRequest::kMaxNames, "net.ipv4.tcp_sack");
    names.push_back("net.ipv4.no_such_thing");
    names.push_back("net.ipv4.tcp_fin_timeout");
    const auto values = read_sysctls(*ns, names);
    ASSERT_TRUE(values.ok()) << values.status();
    ASSERT_EQ(values->size(), names.size());
    EXPECT_EQ(values->front().value(), "1");
    EXPECT_TRUE(absl::IsNotFound(values->at(names.size() - 2).status()));
    EXPECT_EQ(values->back().value(), "60");
  });
}

TEST_F(NamespaceBrokerTest, ItsEndIsSaid) {
  in_daemon([] {
    const std::unique_ptr<NetworkNamespace> ns = *NetworkNamespace::create();
    ASSERT_EQ(::kill(broker(), SIGKILL), 0);
    ASSERT_GT(::waitpid(-1, nullptr, 0), 0);
    for (const absl::Status& status :
         {NetworkNamespace::create().status(), ns->open_socket(AF_INET, SOCK_STREAM, 0).status(),
          write_sysctl(*ns, "net.ipv4.tcp_sack", "0"), forget_tcp_metrics(*ns)}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
      EXPECT_THAT(std::string(status.message()), HasSubstr("namespace broker ended"));
    }
  });
}

// Stopped, it has the request before it dies.
TEST_F(NamespaceBrokerTest, ItsEndInTheMidstOfARequestIsSaid) {
  in_daemon([] {
    const pid_t pid = broker();
    ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    std::thread executioner([pid] {
      ::usleep(50'000);
      ::kill(pid, SIGKILL);
    });
    EXPECT_EQ(NetworkNamespace::create().status().code(), absl::StatusCode::kUnavailable);
    executioner.join();
  });
}

TEST_F(NamespaceBrokerTest, EndsWithItsDaemonAndNotBefore) {
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    if (!start_namespace_broker().ok()) ::_exit(1);
    const pid_t pid = broker();
    if (::write(report[1], &pid, sizeof pid) != sizeof pid) ::_exit(2);
    ::close(report[1]);
    while (true) ::pause();
  }
  ::close(report[1]);
  pid_t pid = 0;
  ASSERT_EQ(::read(report[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  EXPECT_TRUE(ends(report[0])) << "it holds what is the daemon's";
  const UniqueFd pidfd(pidfd_of(pid));
  ASSERT_TRUE(pidfd.valid());
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) EXPECT_EQ(::kill(pid, signal), 0);
  pollfd request{pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&request, 1, 100), 0) << "it ended before its daemon";
  ASSERT_EQ(::kill(daemon, SIGKILL), 0);
  EXPECT_TRUE(ends(pidfd.get()));
  ::waitpid(daemon, nullptr, 0);
}

// --- what it refuses ---

class BrokerTasksTest : public testing::RootTest {
 protected:
  // With `descriptor` as what came along.
  static absl::Status answer(const BrokerRequest& request, int descriptor) {
    BrokerReply reply;
    std::vector<UniqueFd> opened;
    std::thread([&] { reply = perform(request, descriptor, opened); }).join();
    EXPECT_TRUE(opened.empty());
    if (!reply.status().ok()) return reply.status();
    return absl::ErrnoToStatus(reply.errors[0], "");
  }
  static BrokerRequest request_for(BrokerTask task, absl::string_view name = "") {
    BrokerRequest request;
    request.task = task;
    if (!name.empty()) {
      EXPECT_TRUE(request.add_name(name));
    }
    return request;
  }
  const std::unique_ptr<NetworkNamespace> ns_ = *NetworkNamespace::current();
};

TEST_F(BrokerTasksTest, OnlySocketsOfASession) {
  BrokerRequest request = request_for(BrokerTask::kOpenSocket);
  request.type = SOCK_DGRAM;
  for (const int domain : {AF_UNIX, AF_VSOCK, AF_ALG, AF_XDP, -1}) {
    request.domain = domain;
    EXPECT_TRUE(absl::IsInvalidArgument(answer(request, ns_->fd()))) << domain;
  }
  request.domain = AF_NETLINK;
  request.protocol = NETLINK_AUDIT;
  EXPECT_TRUE(absl::IsInvalidArgument(answer(request, ns_->fd())));
}

TEST_F(BrokerTasksTest, OnlySettingsAndCounters) {
  for (const char* name : {"net.ipv4/../../kernel/core_pattern", "kernel.core_pattern", "net..x",
                           "/etc/passwd", "net.ipv4.tcp_sack\nx"}) {
    EXPECT_FALSE(answer(request_for(BrokerTask::kOpenSettings, name), ns_->fd()).ok()) << name;
    EXPECT_FALSE(answer(request_for(BrokerTask::kOpenCounters, name), ns_->fd()).ok()) << name;
  }
  EXPECT_FALSE(answer(request_for(BrokerTask::kOpenCounters, "tcp"), ns_->fd()).ok());
}

TEST_F(BrokerTasksTest, NothingOfAWrongForm) {
  const auto refused = [](const BrokerRequest& request, int descriptor) {
    return absl::IsInvalidArgument(answer(request, descriptor));
  };
  EXPECT_TRUE(refused(request_for(static_cast<BrokerTask>(0)), ns_->fd()));
  EXPECT_TRUE(refused(request_for(static_cast<BrokerTask>(99)), ns_->fd()));
  EXPECT_TRUE(refused(request_for(BrokerTask::kMakeNamespace), ns_->fd()));
  EXPECT_TRUE(refused(request_for(BrokerTask::kOpenTun), -1));
  EXPECT_TRUE(refused(request_for(BrokerTask::kOpenSettings), ns_->fd()));
  const UniqueFd no_namespace(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(refused(request_for(BrokerTask::kOpenTun), no_namespace.get()));
  // Of another kind than a network's.
  const UniqueFd other(::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(refused(request_for(BrokerTask::kOpenTun), other.get()));

  BrokerRequest request = request_for(BrokerTask::kOpenSettings, "net.ipv4.tcp_sack");
  request.names[0].fill('x');
  EXPECT_TRUE(refused(request, ns_->fd())) << "a name without end";
  request = request_for(BrokerTask::kOpenSettings, "net.ipv4.tcp_sack");
  request.count = BrokerRequest::kMaxNames + 1;
  EXPECT_TRUE(refused(request, ns_->fd()));
  EXPECT_FALSE(BrokerRequest().add_name(std::string(BrokerRequest::kMaxNameBytes, 'x')));

  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  request = request_for(BrokerTask::kBind);
  request.address.ss_family = AF_UNIX;
  request.address_length = sizeof(sockaddr_un);
  EXPECT_TRUE(refused(request, socket.get()));
  request.address.ss_family = AF_INET;
  request.address_length = sizeof request.address + 1;
  EXPECT_TRUE(refused(request, socket.get()));
}

}  // namespace
}  // namespace tcproctor::server
