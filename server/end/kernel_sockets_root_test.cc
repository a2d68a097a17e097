// SPDX-License-Identifier: Apache-2.0
// Socket calls in a namespace of their own, over its loopback. Needs CAP_SYS_ADMIN.
#include "server/end/kernel_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace tcproctor::server {
namespace {

using Request = v1::SocketCallRequest;
using Response = v1::SocketCallResponse;

class KernelSocketsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
    ASSERT_TRUE(ns.ok()) << "this test needs root: " << ns.status();
    absl::StatusOr<std::unique_ptr<run::EventLoop>> loop = run::EventLoop::create();
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
    sockets_ = std::make_unique<KernelSockets>(*std::move(ns), *loop_, [] {});
  }

  std::unique_ptr<SocketOperation> begin(const Request& request) {
    absl::StatusOr<std::unique_ptr<SocketOperation>> begun = sockets_->begin(request);
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun.ok() ? *std::move(begun) : nullptr;
  }

  static Response finish(SocketOperation& operation) {
    for (int i = 0; i < 5000; ++i) {
      if (std::optional<Response> response = operation.poll()) return *std::move(response);
      absl::SleepFor(absl::Milliseconds(1));
    }
    ADD_FAILURE() << "the call does not end";
    return {};
  }
  Response call(const Request& request) { return finish(*begin(request)); }

  int socket(int type = SOCK_STREAM) {
    Request request;
    request.mutable_socket()->set_domain(AF_INET);
    request.mutable_socket()->set_type(type);
    return static_cast<int>(call(request).result());
  }
  int listener() {
    const int fd = socket();
    Request request;
    request.mutable_bind()->set_fd(fd);
    request.mutable_bind()->mutable_address()->set_port(8080);
    EXPECT_EQ(call(request).result(), 0);
    request.mutable_listen()->set_fd(fd);
    request.mutable_listen()->set_backlog(5);
    EXPECT_EQ(call(request).result(), 0);
    return fd;
  }
  static Request accept_on(int fd) {
    Request request;
    request.mutable_accept()->set_fd(fd);
    return request;
  }
  Response connect(int fd) {
    Request request;
    request.mutable_connect()->set_fd(fd);
    request.mutable_connect()->mutable_address()->set_address("127.0.0.1");
    request.mutable_connect()->mutable_address()->set_port(8080);
    return call(request);
  }
  Response read(int fd, uint32_t size = 100) {
    Request request;
    request.mutable_read()->set_fd(fd);
    request.mutable_read()->set_size(size);
    return call(request);
  }
  Response close(int fd) {
    Request request;
    request.mutable_close()->set_fd(fd);
    return call(request);
  }

  std::unique_ptr<run::EventLoop> loop_;
  std::unique_ptr<KernelSockets> sockets_;
};

TEST_F(KernelSocketsTest, ABlockingAcceptEndsWhenSomebodyConnects) {
  const int listening = listener();
  EXPECT_EQ(listening, 3);
  const std::unique_ptr<SocketOperation> accepting = begin(accept_on(listening));
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(accepting->poll().has_value());
  const int client = socket();
  EXPECT_EQ(client, 4);
  EXPECT_EQ(connect(client).result(), 0);
  const Response accepted = finish(*accepting);
  EXPECT_EQ(accepted.result(), 5);
  EXPECT_EQ(accepted.address().address(), "127.0.0.1");

  Request write;
  write.mutable_write()->set_fd(client);
  write.mutable_write()->set_data("hello");
  EXPECT_EQ(call(write).result(), 5);
  EXPECT_EQ(read(5).data(), "hello");
  EXPECT_EQ(close(client).result(), 0);
  EXPECT_EQ(read(5).result(), 0);
  // The number is free again.
  EXPECT_EQ(socket(), client);
}

TEST_F(KernelSocketsTest, ErrnoIsData) {
  signal(SIGPIPE, SIG_IGN);  // as in the daemon
  const int fd = socket();
  EXPECT_EQ(connect(fd).error_name(), "ECONNREFUSED");
  const Response unconnected = read(socket());
  EXPECT_EQ(unconnected.result(), -1);
  EXPECT_EQ(unconnected.error(), ENOTCONN);
  EXPECT_EQ(read(77).error_name(), "EBADF");
  EXPECT_EQ(close(77).error_name(), "EBADF");
  Request null;
  null.mutable_write()->set_fd(fd);
  null.mutable_write()->set_null_size(10);
  EXPECT_EQ(call(null).result(), -1);
}

TEST_F(KernelSocketsTest, ACallThatIsGivenUpEndsAtOnce) {
  const int listening = listener();
  std::unique_ptr<SocketOperation> accepting = begin(accept_on(listening));
  absl::SleepFor(absl::Milliseconds(5));
  const absl::Time start = absl::Now();
  accepting.reset();
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
}

TEST_F(KernelSocketsTest, PollAndEpollTellWhatIsReady) {
  const int listening = listener();
  Request make;
  make.mutable_epoll_create()->set_size(1);
  const auto epoll = static_cast<int>(call(make).result());
  Request add;
  add.mutable_epoll_control()->set_fd(epoll);
  add.mutable_epoll_control()->set_operation(EPOLL_CTL_ADD);
  add.mutable_epoll_control()->set_target(listening);
  add.mutable_epoll_control()->set_events(EPOLLIN);
  add.mutable_epoll_control()->set_data(42);
  EXPECT_EQ(call(add).result(), 0);
  Request wait;
  wait.mutable_epoll_wait()->set_fd(epoll);
  wait.mutable_epoll_wait()->set_max_events(1);
  EXPECT_EQ(call(wait).result(), 0);
  EXPECT_EQ(connect(socket()).result(), 0);
  wait.mutable_epoll_wait()->set_timeout_ms(1000);
  const Response ready = call(wait);
  ASSERT_EQ(ready.events_size(), 1);
  EXPECT_EQ(ready.events(0).data(), 42u);
  Request poll;
  poll.mutable_poll()->add_descriptors()->set_fd(listening);
  poll.mutable_poll()->mutable_descriptors(0)->set_events(POLLIN);
  EXPECT_EQ(call(poll).polled(0).revents(), static_cast<uint32_t>(POLLIN));
}

TEST_F(KernelSocketsTest, OptionsSettingsAndCounters) {
  const int fd = socket();
  Request set;
  set.mutable_set_option()->set_fd(fd);
  set.mutable_set_option()->set_level(IPPROTO_TCP);
  set.mutable_set_option()->set_option(TCP_NODELAY);
  set.mutable_set_option()->set_value(std::string("\1\0\0\0", 4));
  EXPECT_EQ(call(set).result(), 0);
  Request get;
  get.mutable_get_option()->set_fd(fd);
  get.mutable_get_option()->set_level(IPPROTO_TCP);
  get.mutable_get_option()->set_option(TCP_NODELAY);
  get.mutable_get_option()->set_length(4);
  EXPECT_EQ(call(get).data(), std::string("\1\0\0\0", 4));
  Request setting;
  setting.mutable_setting()->set_name("net.ipv4.tcp_sack");
  setting.mutable_setting()->set_value("0");
  EXPECT_EQ(call(setting).result(), 0);
  setting.mutable_setting()->set_name("net.ipv4.tcp_no_such_thing");
  EXPECT_EQ(call(setting).error_name(), "ENOENT");
  Request counters;
  counters.mutable_counters();
  EXPECT_EQ(call(counters).counters().count("TcpExtSyncookiesSent"), 1u);
}

TEST_F(KernelSocketsTest, ParametersOfModulesAreComparedOnly) {
  std::ifstream file("/sys/module/tcp_cubic/parameters/fast_convergence");
  std::string is;
  ASSERT_TRUE(std::getline(file, is)) << "this kernel's cubic has no such parameter";
  Request setting;
  setting.mutable_setting()->set_name("module.tcp_cubic.fast_convergence");
  setting.mutable_setting()->set_value(is);
  EXPECT_EQ(call(setting).result(), 0);
  setting.mutable_setting()->set_value(is + "1");
  EXPECT_EQ(call(setting).error_name(), "EPERM");
  setting.mutable_setting()->set_name("module.tcp_cubic.no_such_thing");
  EXPECT_EQ(call(setting).error_name(), "ENOENT");
  for (const char* wrong : {"module.", "module.tcp_cubic", "module.a/b.c", "module.a.b.c"}) {
    setting.mutable_setting()->set_name(wrong);
    EXPECT_EQ(call(setting).error_name(), "EINVAL") << wrong;
  }
}

TEST_F(KernelSocketsTest, QueueAndMetrics) {
  // There is no device but the loopback, which is left alone.
  Request queue;
  queue.mutable_queue()->set_kind("pfifo");
  queue.mutable_queue()->set_limit(0);
  EXPECT_EQ(call(queue).result(), 0);
  EXPECT_GE(socket(), 3);
  Request flush;
  flush.mutable_flush_metrics();
  EXPECT_EQ(call(flush).result(), 0);
}

TEST_F(KernelSocketsTest, ReadingIntoNullIsRefusedByTheKernel) {
  const int listening = listener();
  const int client = socket();
  ASSERT_EQ(connect(client).result(), 0);
  const int server = static_cast<int>(call(accept_on(listening)).result());
  Request write;
  write.mutable_write()->set_fd(client);
  write.mutable_write()->set_data("hello");
  ASSERT_EQ(call(write).result(), 5);
  Request read;
  read.mutable_read()->set_fd(server);
  read.mutable_read()->set_size(5);
  read.mutable_read()->set_null_buffer(true);
  EXPECT_EQ(call(read).error_name(), "EFAULT");
  read.mutable_read()->set_flags(0);
  EXPECT_EQ(call(read).error_name(), "EFAULT");
  read.mutable_read()->set_null_buffer(false);
  EXPECT_EQ(call(read).data(), "hello");
}

TEST(DescriptorTableTest, WhatIsLentStaysUntilMuchWasLentAfterIt) {
  DescriptorTable table;
  const char* const first = table.lend("first");
  for (int i = 0; i < 1000; ++i) table.lend(std::string(1000, 'x'));
  EXPECT_STREQ(first, "first");
  EXPECT_EQ(table.lent(), 1'000'005u);
  table.lend(std::string(DescriptorTable::kMaxLent, 'y'));
  EXPECT_EQ(table.lent(), DescriptorTable::kMaxLent);
}

TEST_F(KernelSocketsTest, MisuseIsRefused) {
  Request packet;
  packet.mutable_socket()->set_domain(AF_PACKET);
  EXPECT_EQ(sockets_->begin(packet).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sockets_->begin({}).status().code(), absl::StatusCode::kInvalidArgument);
  Request huge;
  huge.mutable_read()->set_size(1 << 30);
  EXPECT_EQ(sockets_->begin(huge).status().code(), absl::StatusCode::kInvalidArgument);
  Request lock;
  lock.mutable_control()->set_command(F_SETLK);
  EXPECT_EQ(sockets_->begin(lock).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace tcproctor::server
