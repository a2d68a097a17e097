// SPDX-License-Identifier: Apache-2.0
// One Drive stream: commands in order, results, and the passing of session time. The same on both
// clocks: whatever waits is driven by RunUntil, which moves a virtual clock and waits on a real
// one. Where Endpoint and Wire are on different machines, two streams that look like one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tcproctor/v1/drive.grpc.pb.h"

namespace tcproctor::conformance {

// A session to be made, and the daemon that makes it.
struct DriveHalf {
  std::shared_ptr<grpc::Channel> channel;
  v1::CreateSessionRequest request;
};

// Not thread-safe: one case on one thread.
class Drive {
 public:
  // Makes a session that ends with this object. `watchdog`: the longest the stream may live in real
  // time.
  static absl::StatusOr<std::unique_ptr<Drive>> create(
      const std::shared_ptr<grpc::Channel>& channel, const v1::CreateSessionRequest& request,
      absl::Duration watchdog);
  // Two sessions: in the endpoint's one end is a TCP, in the wire's that end is remote. Commands go
  // to the one whose they are. Times are those of the wire's session; see clock_error().
  static absl::StatusOr<std::unique_ptr<Drive>> create_apart(const DriveHalf& endpoint,
                                                             const DriveHalf& wire,
                                                             absl::Duration watchdog);
  ~Drive();
  Drive(const Drive&) = delete;
  Drive& operator=(const Drive&) = delete;

  // The wire's, with the TCP as the endpoint's daemon describes it.
  const v1::Session& session() const { return session_; }
  // Where the TCP is; the same where there is one daemon.
  const v1::Session& endpoint_session() const { return endpoint_ ? endpoint_->session : session_; }
  // By how much a time told by the endpoint's daemon may be off; zero where there is one daemon.
  absl::Duration clock_error() const { return clock_error_; }
  bool virtual_clock() const { return session_.clock() == v1::CLOCK_VIRTUAL; }
  // Session time of the newest report.
  absl::Duration now() const { return now_; }

  // Sends the command and lets time pass until its result is there. A misused command is the status
  // the daemon gave; see broken() for a stream that failed.
  absl::StatusOr<v1::Report> call(v1::Command command);

  // The log after that entry, and the connections as List tells them when it has been read. One
  // command, but where there are two daemons.
  absl::StatusOr<v1::ReadLogResponse> observe(uint64_t after, const v1::ListRequest& list);
  // What observe() will be asked once the next thing is done. On a virtual clock, where the daemon
  // takes a command only when the one before is done, the question is sent along with that one.
  void will_observe(uint64_t after, const v1::ListRequest& list);
  // Whether a command was sent since the last observe(). If not, and on a virtual clock, nothing is
  // new.
  bool acted() const { return observed_ != next_operation_; }

  // The same in two halves, for calls that go on beside others. `send` returns the number of the
  // operation.
  uint64_t send(v1::Command command);
  absl::StatusOr<v1::Report> finish(uint64_t operation);

  // Reads what was reported up to now; then says whether the operation's result is there.
  absl::StatusOr<bool> finished(uint64_t operation);
  // Lets time pass until the result is there, at most `limit` of session time. True: it is there.
  absl::StatusOr<bool> run_until_finished(uint64_t operation, absl::Duration limit);
  // The operation is given up and its result forgotten.
  absl::Status cancel(uint64_t operation);

  absl::Status run_for(absl::Duration duration);
  // On a virtual clock it may return before that time; what is called next comes after it.
  absl::Status run_to(absl::Duration time);

  // Session time at which the first command after mark() reached the session; nothing before that.
  void mark();
  std::optional<absl::Duration> began() const { return began_; }

  // Spans of session time for which the daemon says that what was due had to wait for the
  // processor; the caller removes what it uses.
  struct Stall {
    absl::Duration from;
    absl::Duration to;
  };
  std::vector<Stall>& stalls() { return stalls_; }

  // Events reported so far that nobody has taken; the caller removes what it uses.
  std::deque<v1::ConnectionEvent>& events() { return events_; }

  // Every change of state reported so far, in order, whoever took the event.
  const std::vector<v1::ConnectionEvent>& state_changes() const { return state_changes_; }

  // Not OK once the stream itself has failed; commands after that fail with the same.
  const absl::Status& broken() const { return broken_; }

 private:
  // One stream with its session.
  struct Line {
    std::unique_ptr<v1::Drive::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::Command, v1::Report>> stream;
    v1::Session session;
    absl::Duration ahead = absl::ZeroDuration();  // what to add to its times
    absl::Time injected = absl::InfinitePast();   // when something was last sent towards the TCP
  };

  Drive() = default;
  absl::Status open(const DriveHalf& half, std::unique_ptr<Line>& line);
  static void close(Line& line);
  absl::Status compare_clocks();
  absl::StatusOr<absl::Duration> ask_time(Line& line);
  Line& line_for(const v1::Command& command);
  Line& line_of(uint64_t operation);
  uint64_t send_on(Line& line, v1::Command command);
  absl::StatusOr<v1::Report> await(Line& line, uint64_t operation);
  void translate(const Line& line, v1::Report& report) const;
  absl::Status read_one(Line& line);
  absl::StatusOr<v1::Report> take(uint64_t operation);
  void drop(uint64_t operation);
  absl::Status run(v1::RunUntilRequest request);
  const absl::Status& fail_stream(Line& line);

  std::unique_ptr<Line> wire_;      // the only one, unless there is
  std::unique_ptr<Line> endpoint_;  // one for the calls to the TCP
  absl::Duration watchdog_;
  v1::Session session_;
  absl::Duration clock_error_ = absl::ZeroDuration();
  absl::Duration now_ = absl::ZeroDuration();
  uint64_t next_operation_ = 1;
  uint64_t observed_ = 0;                // next_operation_ at the last observe()
  std::optional<v1::Command> question_;  // of will_observe(), not sent yet
  uint64_t asked_ = 0;                   // its operation, where no command has followed it
  uint64_t waits_ = 0;                   // the last operation that waits for something to happen
  std::set<uint64_t> to_endpoint_;       // operations that went there and are not over
  std::set<uint64_t> registered_;
  std::map<uint64_t, v1::Report> results_;
  std::set<uint64_t> forgotten_;
  // Operations whose results nobody waits for; a failure ends what comes next.
  std::set<uint64_t> unawaited_;
  std::deque<v1::ConnectionEvent> events_;
  std::vector<v1::ConnectionEvent> state_changes_;
  uint64_t marked_ = 0;  // the operation that began() is about
  std::optional<absl::Duration> began_;
  std::vector<Stall> stalls_;
  absl::Status broken_;
};

}  // namespace tcproctor::conformance
