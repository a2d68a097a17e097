// SPDX-License-Identifier: Apache-2.0
// For tests: sessions without gRPC, driven as a client of Drive would.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/session/drive_stream.h"
#include "server/session/registry.h"
#include "server/session/worker.h"
#include "stack/run/loop_pool.h"

namespace tcproctor::server {

inline google::protobuf::Duration seconds_proto(double seconds) {
  google::protobuf::Duration proto;
  proto.set_seconds(static_cast<int64_t>(seconds));
  proto.set_nanos(static_cast<int32_t>((seconds - static_cast<double>(proto.seconds())) * 1e9));
  return proto;
}

inline double to_seconds(const google::protobuf::Duration& proto) {
  return static_cast<double>(proto.seconds()) + proto.nanos() / 1e9;
}

// What a daemon has, without its server.
class TestDaemon {
 public:
  explicit TestDaemon(size_t max_sessions = Registry::kDefaultMaxSessions)
      : pool_(*run::LoopPool::create(1)), worker_(2), registry_(*pool_, worker_, max_sessions) {}
  ~TestDaemon() {
    registry_.shut_down();
    worker_.stop();  // what is being made is posted to the loops
    pool_->stop();
  }

  Registry& registry() { return registry_; }

  absl::StatusOr<std::shared_ptr<Session>> create(const v1::CreateSessionRequest& request,
                                                  bool hold_lease = false,
                                                  const Caller& maker = {}) {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<absl::StatusOr<std::shared_ptr<Session>>> result;
    registry_.create(request, maker, hold_lease, [&](absl::StatusOr<Registry::Created> created) {
      const std::lock_guard lock(mutex);
      if (created.ok()) {
        result = created->session;
      } else {
        result = created.status();
      }
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return result.has_value(); });
    return *result;
  }

 private:
  std::unique_ptr<run::LoopPool> pool_;
  Worker worker_;
  Registry registry_;
};

// One Drive stream; commands are numbered 1, 2, 3 …
class DriveClient {
 public:
  explicit DriveClient(std::shared_ptr<Session> session) : session_(std::move(session)) {
    on_loop([this] {
      stream_ = std::make_shared<DriveStream>(
          session_, [this](const v1::Report& report) { take(report); },
          [this](const absl::Status& why) {
            const std::lock_guard lock(mutex_);
            ended_ = why;
            changed_.notify_all();
          });
      stream_->start(next_++);
    });
  }
  ~DriveClient() {
    on_loop([this] { stream_->stop(); });
  }

  Session& session() { return *session_; }

  // Sends a command and returns its number.
  uint64_t start(v1::Command command) {
    const uint64_t number = next_++;
    command.set_operation(number);
    session_->post([stream = stream_, command](Session&) { stream->on_command(command); });
    return number;
  }
  // The result of an operation, `registered` left aside. Fails the test after a minute: a busy
  // machine under ThreadSanitizer needs half of it for the slowest call.
  v1::Report await(uint64_t number) {
    std::unique_lock lock(mutex_);
    v1::Report found;
    const bool came = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      for (const v1::Report& report : reports_) {
        if (report.operation() == number && !report.registered()) {
          found = report;
          return true;
        }
      }
      return false;
    });
    EXPECT_TRUE(came) << "operation " << number << " was never answered";
    return found;
  }
  v1::Report call(v1::Command command) { return await(start(std::move(command))); }
  // The same, for calls that must not be misuse.
  v1::Report good(v1::Command command) {
    v1::Report report = call(std::move(command));
    EXPECT_EQ(report.error_code(), 0) << report.error_message();
    return report;
  }

  std::vector<v1::Report> reports() {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  bool answered(uint64_t number) {
    for (const v1::Report& report : reports()) {
      if (report.operation() == number && !report.registered()) return true;
    }
    return false;
  }
  absl::Status await_end() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return ended_.has_value(); });
    return ended_.value_or(absl::OkStatus());
  }

  // --- shorthands ---
  v1::OpenResponse listen(v1::End end, uint32_t port) {
    v1::Command command;
    command.mutable_open()->set_end(end);
    command.mutable_open()->mutable_local()->set_port(port);
    return good(command).open();
  }
  v1::Command connect_command(v1::End end, const std::string& address, uint32_t port) {
    v1::Command command;
    command.mutable_open()->set_end(end);
    command.mutable_open()->set_active(true);
    command.mutable_open()->mutable_remote()->set_address(address);
    command.mutable_open()->mutable_remote()->set_port(port);
    return command;
  }
  v1::OpenResponse connect(v1::End end, const std::string& address, uint32_t port) {
    return good(connect_command(end, address, port)).open();
  }
  v1::AcceptResponse accept(uint64_t listener, double timeout = 0) {
    v1::Command command;
    command.mutable_accept()->mutable_listener()->set_id(listener);
    *command.mutable_accept()->mutable_timeout() = seconds_proto(timeout);
    return good(command).accept();
  }
  v1::SendResponse send(uint64_t connection, const std::string& data) {
    v1::Command command;
    command.mutable_send()->mutable_connection()->set_id(connection);
    command.mutable_send()->set_data(data);
    return good(command).send();
  }
  v1::ReceiveResponse receive(uint64_t connection, double timeout = 0) {
    v1::Command command;
    command.mutable_receive()->mutable_connection()->set_id(connection);
    *command.mutable_receive()->mutable_timeout() = seconds_proto(timeout);
    return good(command).receive();
  }
  v1::Outcome close(uint64_t connection) {
    v1::Command command;
    command.mutable_close()->mutable_connection()->set_id(connection);
    return good(command).call().outcome();
  }
  v1::ConnectionStatus status(uint64_t connection) {
    v1::Command command;
    command.mutable_status()->mutable_connection()->set_id(connection);
    return good(command).status();
  }
  v1::TcpState state(uint64_t connection) { return status(connection).state(); }
  v1::WaitStateResponse wait_state(uint64_t connection, v1::TcpState state, double timeout) {
    v1::Command command;
    command.mutable_wait_state()->mutable_connection()->set_id(connection);
    command.mutable_wait_state()->add_states(state);
    *command.mutable_wait_state()->mutable_timeout() = seconds_proto(timeout);
    return good(command).wait_state();
  }
  v1::RunUntilResponse run_for(double seconds) {
    v1::Command command;
    *command.mutable_run_until()->mutable_duration() = seconds_proto(seconds);
    return good(command).run_until();
  }

 private:
  void on_loop(const std::function<void()>& work) {
    std::mutex mutex;
    std::condition_variable done;
    bool finished = false;
    session_->post([&](Session&) {
      work();
      const std::lock_guard lock(mutex);
      finished = true;
      done.notify_all();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return finished; });
  }
  void take(const v1::Report& report) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report);
    changed_.notify_all();
  }

  std::shared_ptr<Session> session_;
  std::shared_ptr<DriveStream> stream_;
  uint64_t next_ = 1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::Report> reports_;
  std::optional<absl::Status> ended_;
};

// Two ends of our stack in memory under a virtual clock.
inline v1::CreateSessionRequest virtual_pair(uint64_t seed = 1) {
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_stack();
  request.set_clock(v1::CLOCK_VIRTUAL);
  request.set_seed(seed);
  return request;
}

}  // namespace tcproctor::server
