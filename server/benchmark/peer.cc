// SPDX-License-Identifier: Apache-2.0
#include "server/benchmark/peer.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/benchmark/contestant.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server::benchmark {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kWarmUp = std::chrono::milliseconds(100);

absl::Status failed(const char* what) {
  const absl::string_view reason = errno == EAGAIN ? "nothing moved for 2 s" : std::strerror(errno);
  return absl::DeadlineExceededError(absl::StrCat("peer: ", what, ": ", reason));
}

sockaddr_in contestant(uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, kContestantAddress, &to.sin_addr);
  return to;
}

absl::StatusOr<UniqueFd> connect_to(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed("socket");
  // The machine's default may be anything.
  if (setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0) return failed("CUBIC");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit = {.tv_sec = 2, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const sockaddr_in to = contestant(port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return failed("connect");
  }
  return fd;
}

// What the contestant acknowledged.
uint64_t acknowledged(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  return info.tcpi_bytes_acked;
}

// Calls `step` until the time is over, and says how much `total` grew per second in the part that
// counts. `step` is false when it failed.
absl::StatusOr<double> rate(std::chrono::milliseconds length, absl::FunctionRef<void()> on_start,
                            absl::FunctionRef<bool()> step, absl::FunctionRef<uint64_t()> total) {
  const auto warm = Clock::now() + kWarmUp;
  while (Clock::now() < warm) {
    if (!step()) return failed("warming up");
  }
  on_start();
  const auto start = Clock::now();
  const uint64_t before = total();
  while (Clock::now() < start + length) {
    if (!step()) return failed("measuring");
  }
  const std::chrono::duration<double> seconds = Clock::now() - start;
  return static_cast<double>(total() - before) / seconds.count();
}

absl::StatusOr<double> bulk_in(std::chrono::milliseconds length,
                               absl::FunctionRef<void()> on_start) {
  absl::StatusOr<UniqueFd> fd = connect_to(kDiscardPort);
  if (!fd.ok()) return fd.status();
  const std::vector<uint8_t> buffer(kChunk);
  const absl::StatusOr<double> octets = rate(
      length, on_start, [&] { return send(fd->get(), buffer.data(), kChunk, MSG_NOSIGNAL) > 0; },
      [&] { return acknowledged(fd->get()); });
  if (!octets.ok()) return octets;
  return *octets * 8e-9;
}

absl::StatusOr<double> bulk_out(std::chrono::milliseconds length,
                                absl::FunctionRef<void()> on_start) {
  absl::StatusOr<UniqueFd> fd = connect_to(kChargenPort);
  if (!fd.ok()) return fd.status();
  std::vector<uint8_t> buffer(kChunk);
  uint64_t received = 0;
  const absl::StatusOr<double> octets = rate(
      length, on_start,
      [&] {
        const ssize_t got = recv(fd->get(), buffer.data(), kChunk, 0);
        received += got > 0 ? static_cast<uint64_t>(got) : 0;
        return got > 0;
      },
      [&] { return received; });
  if (!octets.ok()) return octets;
  return *octets * 8e-9;
}

// Connections that are opened, closed on our side, read to their end and replaced by the next.
class ConnectionMill {
 public:
  static constexpr size_t kInFlight = 64;

  absl::Status start() {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) return failed("epoll_create1");
    for (size_t i = 0; i < kInFlight; ++i) {
      if (!open()) return failed("connect");
    }
    return absl::OkStatus();
  }

  bool step() {
    std::array<epoll_event, kInFlight> events;
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), 2000);
    if (count == 0) errno = EAGAIN;
    for (int i = 0; i < count; ++i) {
      if (!serve(events[static_cast<size_t>(i)])) return false;
    }
    return count > 0;
  }

  uint64_t done() const { return done_; }

 private:
  bool open() {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_in to = contestant(kClosePort);
    if (!fd.valid() || (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
                        errno != EINPROGRESS)) {
      return false;
    }
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.fd = fd.get();
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.release(), &event) == 0;
  }

  bool serve(epoll_event event) {
    UniqueFd fd(event.data.fd);
    if ((event.events & EPOLLOUT) != 0) {  // connected
      if (shutdown(fd.get(), SHUT_WR) != 0) return false;
      event.events = EPOLLIN;
      return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd.release(), &event) == 0;
    }
    uint8_t octet;
    if (recv(fd.get(), &octet, 1, 0) != 0) return false;
    fd.reset();
    ++done_;
    return open();
  }

  UniqueFd epoll_;
  uint64_t done_ = 0;
};

absl::StatusOr<double> connect_close(std::chrono::milliseconds length,
                                     absl::FunctionRef<void()> on_start) {
  ConnectionMill mill;
  if (absl::Status status = mill.start(); !status.ok()) return status;
  return rate(
      length, on_start, [&] { return mill.step(); }, [&] { return mill.done(); });
}

absl::StatusOr<double> ping_pong(std::chrono::milliseconds length,
                                 absl::FunctionRef<void()> on_start) {
  absl::StatusOr<UniqueFd> fd = connect_to(kEchoPort);
  if (!fd.ok()) return fd.status();
  std::vector<double> times;
  const auto end = Clock::now() + kWarmUp + length;
  bool counting = false;
  while (Clock::now() < end) {
    if (!counting && Clock::now() > end - length) {
      counting = true;
      on_start();
    }
    uint8_t octet = 'x';
    const auto sent = Clock::now();
    if (send(fd->get(), &octet, 1, MSG_NOSIGNAL) != 1 || recv(fd->get(), &octet, 1, 0) != 1) {
      return failed("ping-pong");
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - sent;
    if (counting) times.push_back(took.count());
  }
  if (times.empty()) return absl::DeadlineExceededError("peer: no round trip in the time given");
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

}  // namespace

absl::StatusOr<double> measure(Quantity quantity, std::chrono::milliseconds length,
                               absl::FunctionRef<void()> on_start) {
  switch (quantity) {
    case Quantity::kBulkIn:
      return bulk_in(length, on_start);
    case Quantity::kBulkOut:
      return bulk_out(length, on_start);
    case Quantity::kConnect:
      return connect_close(length, on_start);
    case Quantity::kPingPong:
      return ping_pong(length, on_start);
  }
  return absl::InternalError("no such quantity");
}

}  // namespace tcproctor::server::benchmark
