// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/forward.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <thread>

namespace tcproctor::cli {
namespace {

constexpr size_t kForwardChunk = 64 << 10;
// How long a call waits before it asks whether it is to stop.
constexpr absl::Duration kPatience = absl::Milliseconds(500);

// One flow. Each direction has a thread; what they share is whether the flow is broken.
class Flow {
 public:
  Flow(const client::Connection& connection, const LocalSocket& socket,
       const std::atomic<bool>& stop)
      : connection_(connection), socket_(socket), stop_(stop) {}

  Forwarded run() {
    std::thread up([this] { to_connection(); });
    to_socket();
    up.join();
    if (broken_) socket_.reset_on_close();
    const absl::StatusOr<v1::Outcome> released =
        broken_ || stop_ ? connection_.abort() : connection_.release();
    if (result_.status.ok()) result_.status = released.status();
    return result_;
  }

 private:
  bool over() const { return stop_ || broken_; }

  // The socket to the connection: the only writer of result_.to_connection.
  void to_connection() {
    std::array<char, kForwardChunk> buffer;
    while (!over()) {
      pollfd wait = {.fd = socket_.fd(), .events = POLLIN, .revents = 0};
      if (poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) <= 0) continue;
      const ssize_t count = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        broken_ = true;
        return;
      }
      if (count == 0) {
        connection_.close().IgnoreError();  // the other direction tells what became of it
        return;
      }
      if (!send_all({buffer.data(), static_cast<size_t>(count)})) return;
    }
  }

  bool send_all(std::string_view data) {
    while (!data.empty() && !over()) {
      const absl::StatusOr<v1::SendResponse> sent = connection_.send(data, {.timeout = kPatience});
      if (!sent.ok() ||
          (sent->outcome() != v1::OUTCOME_OK && sent->outcome() != v1::OUTCOME_WOULD_BLOCK)) {
        return false;  // the other direction finds out why
      }
      result_.to_connection += sent->accepted();
      data.remove_prefix(static_cast<size_t>(sent->accepted()));
    }
    return data.empty();
  }

  // The connection to the socket: the only writer of the rest of result_.
  void to_socket() {
    while (!over()) {
      const absl::StatusOr<v1::ReceiveResponse> got =
          connection_.receive({.max_bytes = kForwardChunk, .timeout = kPatience});
      if (!got.ok()) {
        result_.status = got.status();
        broken_ = true;
        return;
      }
      if (got->outcome() == v1::OUTCOME_WOULD_BLOCK) continue;
      if (got->outcome() == v1::OUTCOME_END_OF_STREAM) {
        shutdown(socket_.fd(), SHUT_WR);
        return;
      }
      if (got->outcome() != v1::OUTCOME_OK) {
        result_.outcome = got->outcome();
        broken_ = true;
        return;
      }
      if (!write_all(got->data())) {
        broken_ = true;
        return;
      }
    }
  }

  bool write_all(std::string_view data) {
    while (!data.empty()) {
      const ssize_t count = ::send(socket_.fd(), data.data(), data.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      result_.to_socket += static_cast<uint64_t>(count);
      data.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  const client::Connection& connection_;
  const LocalSocket& socket_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> broken_ = false;
  Forwarded result_;
};

}  // namespace

Forwarded forward(const client::Connection& connection, LocalSocket socket,
                  const std::atomic<bool>& stop) {
  const LocalSocket mine = std::move(socket);
  return Flow(connection, mine, stop).run();
}

}  // namespace tcproctor::cli
