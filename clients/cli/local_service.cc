// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/local_service.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::cli {
namespace {

constexpr size_t kServiceChunk = 64 << 10;

// A service has one end of a pair of sockets, its thread owns it.
absl::StatusOr<LocalSocket> start_service(std::function<void(const LocalSocket&)> service) {
  std::array<int, 2> pair = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return absl::ResourceExhaustedError(absl::StrCat("socketpair: ", std::strerror(errno)));
  LocalSocket theirs(pair[0]);
  // It ends with the other end of the pair and touches nothing but what it owns.
  std::thread([service = std::move(service), mine = LocalSocket(pair[1])] {
    service(mine);
  }).detach();
  return theirs;
}

// Sends what `next` puts into the buffer, as long as it puts something, and throws away what comes.
// Returns when `next` gives nothing or nobody wants more.
void send_and_discard(const LocalSocket& socket,
                      const std::function<size_t(std::array<char, kServiceChunk>&)>& next) {
  std::array<char, kServiceChunk> out;
  std::array<char, kServiceChunk> in;
  size_t size = next(out);
  size_t done = 0;
  pollfd wait = {.fd = socket.fd(), .events = POLLIN | POLLOUT, .revents = 0};
  while (size > 0) {
    if (poll(&wait, 1, -1) < 0) continue;
    if ((wait.revents & POLLIN) != 0 && recv(socket.fd(), in.data(), in.size(), 0) <= 0) {
      wait.events = POLLOUT;
    }
    if ((wait.revents & POLLOUT) == 0) {
      if ((wait.revents & (POLLERR | POLLHUP)) != 0) return;
      continue;
    }
    const ssize_t count =
        send(socket.fd(), out.data() + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) return;
    if (count > 0) done += static_cast<size_t>(count);
    if (done < size) continue;
    size = next(out);
    done = 0;
  }
}

void discard(const LocalSocket& socket) {
  std::array<char, kServiceChunk> in;
  while (recv(socket.fd(), in.data(), in.size(), 0) > 0) {
  }
}

}  // namespace

absl::StatusOr<LocalSocket> file_source(const std::string& path) {
  auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
  if (!*file) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  return start_service([file](const LocalSocket& socket) {
    send_and_discard(socket, [&file](std::array<char, kServiceChunk>& out) {
      file->read(out.data(), static_cast<std::streamsize>(out.size()));
      return static_cast<size_t>(file->gcount());
    });
    shutdown(socket.fd(), SHUT_WR);
    discard(socket);
  });
}

absl::StatusOr<LocalSocket> file_sink(const std::string& path) {
  auto file = std::make_shared<std::ofstream>(path, std::ios::binary | std::ios::trunc);
  if (!*file) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be written"));
  return start_service([file](const LocalSocket& socket) {
    std::array<char, kServiceChunk> in;
    for (ssize_t count = 0; (count = recv(socket.fd(), in.data(), in.size(), 0)) > 0;) {
      // Whoever goes on sending then is told by an error.
      if (!file->write(in.data(), count)) return;
    }
    // Whoever waits for the end of this stream finds everything in the file.
    file->close();
  });
}

}  // namespace tcproctor::cli
