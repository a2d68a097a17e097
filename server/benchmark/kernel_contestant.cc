// SPDX-License-Identifier: Apache-2.0
// The kernel's TCP: one thread over epoll, as everybody writes it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/benchmark/contestant.h"

namespace tcproctor::server::benchmark {
namespace {

absl::Status failed(const char* what) {
  return absl::InternalError(absl::StrCat("kernel contestant: ", what, ": ", std::strerror(errno)));
}

uint64_t tag(int fd, uint16_t port, bool listener) {
  return static_cast<uint64_t>(fd) << 32 | static_cast<uint64_t>(listener) << 16 | port;
}

absl::StatusOr<int> listen_on(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket");
  // Inherited by what it accepts. The machine's default may be anything.
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0) return failed("CUBIC");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return failed("bind");
  if (listen(fd, kBacklog) != 0) return failed("listen");
  return fd;
}

class KernelServer {
 public:
  absl::Status start() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return failed("epoll_create1");
    for (const uint16_t port : kPorts) {
      const absl::StatusOr<int> fd = listen_on(port);
      if (!fd.ok()) return fd.status();
      watch(*fd, port, true);
    }
    return absl::OkStatus();
  }

  [[noreturn]] void run(bool busy_poll) {
    std::array<epoll_event, 64> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), busy_poll ? 0 : -1);
      for (int i = 0; i < count; ++i) {
        const uint64_t data = events[static_cast<size_t>(i)].data.u64;
        const auto fd = static_cast<int>(data >> 32);
        const auto port = static_cast<uint16_t>(data & 0xffff);
        if ((data >> 16 & 1) != 0) {
          accept_all(fd, port);
        } else {
          serve(fd, port);
        }
      }
    }
  }

 private:
  void watch(int fd, uint16_t port, bool listener) const {
    epoll_event event{};
    event.events = port == kChargenPort && !listener ? EPOLLOUT : EPOLLIN;
    event.data.u64 = tag(fd, port, listener);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all(int listener, uint16_t port) const {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      watch(fd, port, false);
    }
  }

  // Closing takes a descriptor out of epoll.
  void serve(int fd, uint16_t port) {
    if (port == kChargenPort) {
      if (send(fd, buffer_.data(), kChunk, MSG_NOSIGNAL) < 0 && errno != EAGAIN) close(fd);
      return;
    }
    const ssize_t got = recv(fd, buffer_.data(), kChunk, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      close(fd);
    } else if (got > 0 && port == kEchoPort) {
      [[maybe_unused]] const ssize_t sent =
          send(fd, buffer_.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
    }
  }

  int epoll_ = -1;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kChunk);
};

}  // namespace

absl::Status serve_kernel(Place place, absl::FunctionRef<void()> ready) {
  KernelServer server;
  if (absl::Status status = server.start(); !status.ok()) return status;
  ready();
  server.run(place.busy_poll);
}

}  // namespace tcproctor::server::benchmark
