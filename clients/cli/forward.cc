// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/forward.h"

#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tcproctor::cli {
namespace {

constexpr size_t kChunk = 256 << 10;  // octets in one call
// How long a call waits before it asks whether it is to stop.
constexpr absl::Duration kFlowTurn = absl::Milliseconds(200);

// One flow. Each direction has a thread; what they share is whether the flow is broken, and why.
class Flow {
 public:
  Flow(const client::Connection& connection, const LocalSocket& socket,
       const std::atomic<bool>& stop)
      : connection_(connection), socket_(socket), stop_(stop) {}

  Forwarded run() {
    std::thread up([this] { to_connection(); });
    to_socket();
    up.join();
    const bool orderly = sent_all_ && received_all_;
    if (!orderly) {
      fail(v1::OUTCOME_CONNECTION_ABORTED, absl::OkStatus());  // unless there is a reason already
      socket_.reset_on_close();
    }
    const absl::Status given_up =
        orderly ? connection_.release().status() : connection_.abort().status();
    const absl::MutexLock lock(&mutex_);
    // That a broken connection is gone already is nothing new.
    if (orderly) result_.status.Update(given_up);
    result_.to_connection = sent_;
    result_.to_socket = received_;
    return result_;
  }

 private:
  bool over() const { return stop_ || broken_; }

  // The first reason counts: the other direction then fails of this one.
  void fail(v1::Outcome outcome, const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    if (broken_) return;
    broken_ = true;
    result_.outcome = outcome;
    result_.status = status;
  }

  void to_connection() {
    while (!over()) {
      const absl::StatusOr<std::optional<std::string>> data = socket_.receive(kChunk, kFlowTurn);
      if (!data.ok()) return fail(v1::OUTCOME_OK, data.status());
      if (!data->has_value()) continue;
      if ((*data)->empty()) {
        const absl::StatusOr<v1::Outcome> closed = connection_.close();
        if (!closed.ok()) fail(v1::OUTCOME_OK, closed.status());
        sent_all_ = closed.ok();
        return;
      }
      send_all(**data);
    }
  }

  void send_all(std::string_view data) {
    while (!data.empty() && !over()) {
      const absl::StatusOr<v1::SendResponse> sent = connection_.send(data, {.timeout = kFlowTurn});
      if (!sent.ok()) return fail(v1::OUTCOME_OK, sent.status());
      sent_ += sent->accepted();
      data.remove_prefix(static_cast<size_t>(sent->accepted()));
      if (sent->outcome() != v1::OUTCOME_OK && sent->outcome() != v1::OUTCOME_WOULD_BLOCK)
        return fail(sent->outcome(), absl::OkStatus());
    }
  }

  void to_socket() {
    while (!over()) {
      const absl::StatusOr<v1::ReceiveResponse> got =
          connection_.receive({.max_bytes = kChunk, .timeout = kFlowTurn});
      if (!got.ok()) return fail(v1::OUTCOME_OK, got.status());
      if (got->outcome() == v1::OUTCOME_WOULD_BLOCK) continue;
      if (got->outcome() == v1::OUTCOME_END_OF_STREAM) {
        socket_.end_stream();
        received_all_ = true;
        return;
      }
      if (got->outcome() != v1::OUTCOME_OK) return fail(got->outcome(), absl::OkStatus());
      write_all(got->data());
    }
  }

  void write_all(std::string_view data) {
    while (!data.empty() && !over()) {
      const absl::StatusOr<size_t> count = socket_.send(data, kFlowTurn);
      if (!count.ok()) return fail(v1::OUTCOME_OK, count.status());
      received_ += *count;
      data.remove_prefix(*count);
    }
  }

  const client::Connection& connection_;
  const LocalSocket& socket_;
  const std::atomic<bool>& stop_;
  // Of the thread to_connection().
  uint64_t sent_ = 0;
  bool sent_all_ = false;  // the socket's stream has ended, and CLOSE was called
  // Of to_socket().
  uint64_t received_ = 0;
  bool received_all_ = false;
  std::atomic<bool> broken_ = false;
  absl::Mutex mutex_;
  Forwarded result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Forwarded forward(const client::Connection& connection, const LocalSocket& socket,
                  const std::atomic<bool>& stop) {
  return Flow(connection, socket, stop).run();
}

}  // namespace tcproctor::cli
