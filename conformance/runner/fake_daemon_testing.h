// SPDX-License-Identifier: Apache-2.0
// For tests: a daemon whose candidate does what the test says. Sessions.GetServerInfo, Drive and
// Wire.Pcap over a real gRPC server on a Unix socket; time is a number.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "conformance/script/reflect.h"
#include "tcproctor/v1/drive.grpc.pb.h"
#include "tcproctor/v1/sessions.grpc.pb.h"
#include "tcproctor/v1/wire.grpc.pb.h"

namespace tcproctor::conformance {

// One session, as the test's candidate sees it.
class FakeSession {
 public:
  v1::CreateSessionRequest created;
  absl::Duration now = absl::ZeroDuration();
  std::vector<v1::LogEntry> log;
  std::vector<v1::ConnectionStatus> connections;
  std::vector<v1::ConnectionEvent> events;  // reported with the next command
  std::vector<absl::Duration> stalls;       // up to now; reported with the next command
  std::set<v1::End> held;

  // Puts a segment of `from` on the wire. `at`: its time; default now.
  uint64_t put(v1::End from, v1::Origin origin, const v1::Segment& segment,
               std::optional<absl::Duration> at = std::nullopt) {
    v1::LogEntry entry;
    entry.set_number(log.size() + 1);
    entry.set_from(from);
    entry.set_origin(origin);
    const bool kept = origin == v1::ORIGIN_END && held.count(from) != 0;
    entry.set_fate(kept ? v1::FATE_HELD : v1::FATE_DELIVERED);
    *entry.mutable_segment() = segment;
    if (!entry.segment().has_ipv4()) {
      const bool a = from == v1::END_A;
      entry.mutable_segment()->mutable_ipv4()->set_source(a ? "192.0.2.1" : "192.0.2.2");
      entry.mutable_segment()->mutable_ipv4()->set_destination(a ? "192.0.2.2" : "192.0.2.1");
    }
    entry.set_ip_checksum_valid(true);
    entry.set_transport_checksum_valid(true);
    entry.set_raw("raw");
    to_proto(at.value_or(now), *entry.mutable_time());
    log.push_back(entry);
    return entry.number();
  }

  // A segment of the candidate at end B on the flow main.
  uint64_t answer(uint32_t flags, uint32_t seq, uint32_t ack, const std::string& payload = "",
                  std::optional<absl::Duration> at = std::nullopt) {
    v1::Segment segment;
    v1::TcpHeader& tcp = *segment.mutable_tcp();
    tcp.set_source_port(8080);
    tcp.set_destination_port(40000);
    tcp.set_flags(flags);
    tcp.set_sequence_number(seq);
    tcp.set_acknowledgment_number(ack);
    tcp.set_window(1000);
    segment.set_payload(payload);
    return put(v1::END_B, v1::ORIGIN_END, segment, at);
  }
};

// What the candidate does. Each may be empty.
struct FakeCandidate {
  std::vector<std::string> capabilities = {"open.passive"};
  std::function<void(FakeSession&, const v1::Segment&)> on_segment;
  // Any other command; nothing = the answer below.
  std::function<std::optional<v1::Report>(FakeSession&, const v1::Command&)> on_command;
  // The answer to a command that on_command has said to be registered; nothing: not yet. Asked
  // again and again while time goes on.
  std::function<std::optional<v1::Report>(FakeSession&, const v1::Command&)> on_waiting;
  v1::Clock clock = v1::CLOCK_VIRTUAL;  // of the sessions
  // Session time that passes before the command is carried out: a late runner. May be empty.
  std::function<absl::Duration(FakeSession&, const v1::Command&)> delay;
  // The stream breaks at the command of that number, or where this says so. May be empty.
  uint64_t breaks_at = 0;
  std::function<bool(const FakeSession&, const v1::Command&)> breaks;
  // Commands that are never answered, nor registered. May be empty.
  std::function<bool(const FakeSession&, const v1::Command&)> hangs;
  // What GetEnvironment answers; nothing: this daemon has no such call.
  std::optional<v1::Environment> environment;
};

// As much of the matcher as the tests of the runner need.
inline std::vector<std::string> fake_differences(const v1::SegmentPattern& pattern,
                                                 const v1::LogEntry& entry) {
  std::vector<std::string> out;
  if (pattern.any_of_size() > 0) {
    for (const v1::SegmentPattern& one : pattern.any_of()) {
      if (fake_differences(one, entry).empty()) return {};
    }
    return {"none of the alternatives"};
  }
  const v1::TcpHeader& want = pattern.fields().tcp();
  const v1::TcpHeader& got = entry.segment().tcp();
  const uint32_t mask = pattern.has_flags_mask() ? pattern.flags_mask() : 0x1ff;
  if (want.has_flags() && (want.flags() & mask) != (got.flags() & mask)) out.push_back("flags");
  if (want.has_sequence_number() && want.sequence_number() != got.sequence_number()) {
    out.push_back("sequence_number");
  }
  if (want.has_acknowledgment_number() &&
      want.acknowledgment_number() != got.acknowledgment_number()) {
    out.push_back("acknowledgment_number");
  }
  if (want.has_source_port() && want.source_port() != got.source_port()) out.push_back("port");
  if (want.has_destination_port() && want.destination_port() != got.destination_port()) {
    out.push_back("port");
  }
  if (pattern.fields().has_payload() && pattern.fields().payload() != entry.segment().payload()) {
    out.push_back("payload");
  }
  if (pattern.has_payload_length() &&
      pattern.payload_length() != entry.segment().payload().size()) {
    out.push_back("payload_length");
  }
  return out;
}

class FakeDaemon final : public v1::Drive::Service {
 public:
  explicit FakeDaemon(FakeCandidate candidate) : candidate_(std::move(candidate)) {
    // Not the in-process transport: it has no room for an event that is not read at once, and this
    // server does not read while it writes.
    static int count = 0;
    const std::string address =
        "unix-abstract:tcproctor-fake-" + std::to_string(getpid()) + "-" + std::to_string(++count);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    builder.RegisterService(&sessions_);
    builder.RegisterService(&wire_);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }
  ~FakeDaemon() override { server_->Shutdown(); }

  // The daemon is killed: streams break, and nobody listens any more.
  void die() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  // Sessions made so far, the newest last; valid as long as the daemon.
  std::vector<std::unique_ptr<FakeSession>>& sessions() { return made_; }
  // Every command so far.
  std::vector<v1::Command>& commands() { return commands_; }

  grpc::Status Drive(grpc::ServerContext*,
                     grpc::ServerReaderWriter<v1::Report, v1::Command>* stream) override {
    v1::Command command;
    FakeSession* session = nullptr;
    Operations waiting;
    while (stream->Read(&command)) {
      const std::lock_guard lock(mutex_);  // the runner has a stream for each target
      commands_.push_back(command);
      if (candidate_.breaks_at != 0 && command.operation() >= candidate_.breaks_at) {
        return {grpc::StatusCode::UNAVAILABLE, "the fake daemon went away"};
      }
      if (command.has_create()) {
        made_.push_back(std::make_unique<FakeSession>());
        session = made_.back().get();
        session->created = command.create();
      }
      if (candidate_.hangs && candidate_.hangs(*session, command)) {
        waiting[command.operation()] = {command, session->now};
        continue;
      }
      if (candidate_.breaks && candidate_.breaks(*session, command)) {
        return {grpc::StatusCode::UNAVAILABLE, "the fake daemon went away"};
      }
      carry_out(*session, command, waiting, *stream);
    }
    return grpc::Status::OK;
  }

 private:
  class Info final : public v1::Sessions::Service {
   public:
    explicit Info(const FakeCandidate& candidate) : candidate_(candidate) {}

   private:
    grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                               v1::ServerInfo* info) override {
      info->set_version("0.0.fake");
      info->set_kernel_release("6.18.44");
      if (candidate_.environment.has_value()) info->add_capabilities("environment");
      return grpc::Status::OK;
    }
    grpc::Status GetEnvironment(grpc::ServerContext*, const v1::GetEnvironmentRequest*,
                                v1::Environment* environment) override {
      *environment = candidate_.environment.value_or(v1::Environment());
      return grpc::Status::OK;
    }

    const FakeCandidate& candidate_;
  };
  class Capture final : public v1::Wire::Service {
    grpc::Status Pcap(grpc::ServerContext*, const v1::PcapRequest*,
                      grpc::ServerWriter<v1::PcapChunk>* writer) override {
      v1::PcapChunk chunk;
      chunk.set_data("pcap");
      writer->Write(chunk);
      return grpc::Status::OK;
    }
  };
  using Stream = grpc::ServerReaderWriter<v1::Report, v1::Command>;
  struct Waiting {
    v1::Command command;
    absl::Duration since;
  };
  using Operations = std::map<uint64_t, Waiting>;

  static v1::Report report_of(const FakeSession& session, uint64_t operation) {
    v1::Report report;
    report.set_operation(operation);
    to_proto(session.now, *report.mutable_now());
    return report;
  }

  void carry_out(FakeSession& session, const v1::Command& command, Operations& waiting,
                 Stream& stream) {
    if (candidate_.delay) session.now += candidate_.delay(session, command);
    for (const absl::Duration stall : std::exchange(session.stalls, {})) {
      v1::Report told = report_of(session, 0);
      to_proto(stall, *told.mutable_stalled());
      stream.Write(told);
    }
    v1::Report report = report_of(session, command.operation());
    if (candidate_.on_command) {
      std::optional<v1::Report> own = candidate_.on_command(session, command);
      if (own.has_value()) {
        own->set_operation(command.operation());
        to_proto(session.now, *own->mutable_now());
        if (own->registered()) waiting[command.operation()] = {command, session.now};
        stream.Write(*own);
        return;
      }
    }
    if (command.has_run_until()) return run_until(session, command, waiting, stream);
    if (answer(session, command, report)) {
      stream.Write(report);
    } else {
      waiting[command.operation()] = {command, session.now};
      v1::Report registered = report_of(session, command.operation());
      registered.set_registered(true);
      stream.Write(registered);
    }
    for (const v1::ConnectionEvent& event : session.events) {
      v1::Report told = report_of(session, 0);
      *told.mutable_event() = event;
      stream.Write(told);
    }
    session.events.clear();
  }

  // True if the answer is there at once.
  bool answer(FakeSession& session, const v1::Command& command, v1::Report& report) {
    switch (command.command_case()) {
      case v1::Command::kCreate:
        fill_session(session, *report.mutable_session());
        break;
      case v1::Command::kOpen:
        report.mutable_open()->set_outcome(v1::OUTCOME_OK);
        report.mutable_open()->set_connection(1);
        break;
      case v1::Command::kAccept:
        report.mutable_accept()->set_outcome(v1::OUTCOME_OK);
        report.mutable_accept()->set_connection(2);
        break;
      case v1::Command::kSend:
        report.mutable_send()->set_outcome(v1::OUTCOME_OK);
        report.mutable_send()->set_accepted(command.send().data().size());
        break;
      case v1::Command::kReadLog:
        report.mutable_log();
        for (const v1::LogEntry& entry : session.log) {
          if (entry.number() > command.read_log().after() &&
              from_proto(entry.time()) <= session.now) {
            *report.mutable_log()->add_entries() = entry;
          }
        }
        if (command.read_log().has_list()) {
          report.mutable_log()->mutable_list()->mutable_connections()->Assign(
              session.connections.begin(), session.connections.end());
        }
        break;
      case v1::Command::kList:
        report.mutable_list()->mutable_connections()->Assign(session.connections.begin(),
                                                             session.connections.end());
        break;
      case v1::Command::kHold:
        if (command.hold().on()) {
          session.held.insert(command.hold().from());
        } else {
          session.held.erase(command.hold().from());
        }
        report.mutable_hold();
        break;
      case v1::Command::kReleaseHeld:
        *report.mutable_release_held()->mutable_numbers() = command.release_held().numbers();
        break;
      case v1::Command::kInject:
        inject(session, command.inject(), *report.mutable_inject());
        break;
      case v1::Command::kExpect:
        return expect(session, command.expect(), report, false);
      case v1::Command::kWaitState:
        return wait_state(session, command.wait_state(), report, false);
      case v1::Command::kCancel:
        report.set_cancelled(true);
        break;
      default:
        report.mutable_call()->set_outcome(v1::OUTCOME_OK);
    }
    return true;
  }

  void fill_session(const FakeSession& session, v1::Session& out) {
    out.set_id("fake");
    out.set_clock(candidate_.clock);
    out.set_seed(session.created.seed());
    const auto end = [&](const v1::EndSpec& spec, const char* address, v1::EndInfo& info) {
      info.set_kind(spec.has_scripted() ? v1::END_KIND_SCRIPTED
                    : spec.has_kernel() ? v1::END_KIND_KERNEL
                                        : v1::END_KIND_STACK);
      info.add_addresses(address);
      for (const std::string& name : candidate_.capabilities) info.add_capabilities(name);
    };
    end(session.created.a(), "192.0.2.1/24", *out.mutable_a());
    end(session.created.b(), "192.0.2.2/24", *out.mutable_b());
  }

  void inject(FakeSession& session, const v1::InjectRequest& request,
              v1::InjectResponse& response) {
    for (const v1::TimedSegment& one : request.train()) {
      response.add_numbers(session.put(request.from(), v1::ORIGIN_INJECTED, one.segment()));
      if (candidate_.on_segment) candidate_.on_segment(session, one.segment());
    }
    response.set_sent(request.train_size() + request.flood().count());
  }

  static bool expect(FakeSession& session, const v1::ExpectRequest& request, v1::Report& report,
                     bool over) {
    v1::ExpectResponse& response = *report.mutable_expect();
    const bool silence = request.mode() == v1::EXPECT_MODE_SILENCE;
    for (const v1::LogEntry& entry : session.log) {
      if (entry.number() <= request.after() || entry.from() != request.from() ||
          entry.origin() != v1::ORIGIN_END || from_proto(entry.time()) > session.now) {
        continue;
      }
      const std::vector<std::string> differences = fake_differences(request.pattern(), entry);
      if (request.mode() == v1::EXPECT_MODE_SKIP && !differences.empty()) continue;
      const bool matched = silence ? false : differences.empty();
      response.set_result(matched ? v1::ExpectResponse::RESULT_MATCHED
                                  : v1::ExpectResponse::RESULT_MISMATCHED);
      *response.mutable_entry() = entry;
      response.mutable_differences()->Assign(differences.begin(), differences.end());
      return true;
    }
    if (!over && from_proto(request.timeout()) > absl::ZeroDuration()) return false;
    response.set_result(silence ? v1::ExpectResponse::RESULT_MATCHED
                                : v1::ExpectResponse::RESULT_TIMED_OUT);
    return true;
  }

  static bool wait_state(FakeSession& session, const v1::WaitStateRequest& request,
                         v1::Report& report, bool over) {
    v1::WaitStateResponse& response = *report.mutable_wait_state();
    for (const v1::ConnectionStatus& status : session.connections) {
      if (status.connection() != request.connection().id()) continue;
      *response.mutable_status() = status;
      for (const int state : request.states()) {
        if (state != status.state()) continue;
        response.set_outcome(v1::OUTCOME_OK);
        return true;
      }
    }
    response.set_outcome(v1::OUTCOME_WOULD_BLOCK);
    return over;
  }

  // True if the answer to what waits is there at last.
  bool answer_late(FakeSession& session, const Waiting& waiting, v1::Report& report) const {
    const v1::Command& command = waiting.command;
    const absl::Duration waited = session.now - waiting.since;
    if (command.has_expect()) {
      return expect(session, command.expect(), report,
                    waited >= from_proto(command.expect().timeout()));
    }
    if (command.has_wait_state()) {
      return wait_state(session, command.wait_state(), report,
                        waited >= from_proto(command.wait_state().timeout()));
    }
    if (!candidate_.on_waiting) return false;
    std::optional<v1::Report> own = candidate_.on_waiting(session, command);
    if (own.has_value()) report.MergeFrom(*own);
    return own.has_value();
  }

  void answer_waiting(FakeSession& session, Operations& waiting, Stream& stream) const {
    std::erase_if(waiting, [&](const auto& one) {
      v1::Report report = report_of(session, one.first);
      const bool answered = answer_late(session, one.second, report);
      if (answered) stream.Write(report);
      return answered;
    });
  }

  // Time goes on in steps of a millisecond until the operation has its answer or the time is over;
  // not at all for one that has been answered.
  void run_until(FakeSession& session, const v1::Command& command, Operations& waiting,
                 Stream& stream) const {
    const v1::RunUntilRequest& request = command.run_until();
    absl::Duration end = session.now + from_proto(request.duration());
    if (request.has_time()) end = from_proto(request.time());
    const uint64_t awaited = request.operations().empty() ? 0 : request.operations(0);
    const auto completed = [&] { return awaited != 0 && !waiting.contains(awaited); };
    answer_waiting(session, waiting, stream);
    while (!completed() && session.now < end) {
      session.now = std::min(end, session.now + absl::Milliseconds(1));
      answer_waiting(session, waiting, stream);
    }
    v1::Report report = report_of(session, command.operation());
    report.mutable_run_until()->set_completed(completed() ? awaited : 0);
    stream.Write(report);
  }

  std::mutex mutex_;
  FakeCandidate candidate_;
  Info sessions_{candidate_};
  Capture wire_;
  std::vector<std::unique_ptr<FakeSession>> made_;
  std::vector<v1::Command> commands_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace tcproctor::conformance
