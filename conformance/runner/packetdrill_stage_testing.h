// SPDX-License-Identifier: Apache-2.0
// For tests: a script of packetdrill's dialect against a daemon whose TCP is made of lambdas.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/runner/case_run_testing.h"
#include "conformance/script/packetdrill_parser.h"

namespace tcproctor::conformance {

// A segment of the TCP that goes back where `asked` came from.
inline v1::Segment reply(const v1::Segment& asked, uint32_t flags, uint32_t sequence,
                         const std::string& payload = "") {
  v1::Segment segment;
  v1::TcpHeader& tcp = *segment.mutable_tcp();
  tcp.set_source_port(asked.tcp().destination_port());
  tcp.set_destination_port(asked.tcp().source_port());
  tcp.set_flags(flags);
  tcp.set_sequence_number(sequence);
  tcp.set_acknowledgment_number(asked.tcp().sequence_number() +
                                static_cast<uint32_t>(asked.payload().size()) +
                                ((asked.tcp().flags() & (kSyn | kFin)) != 0 ? 1 : 0));
  tcp.set_window(1000);
  segment.set_payload(payload);
  return segment;
}

// A TCP that answers SYN and data, and sends what is written, in segments of `mss`.
class FakeTcp {
 public:
  explicit FakeTcp(size_t mss = 1000) : mss_(mss) {}

  // As `candidate` of a FakeDaemon, whose life this object must outlast.
  FakeCandidate candidate() {
    FakeCandidate made;
    made.capabilities = {"sockets"};
    made.on_segment = [this](FakeSession& session, const v1::Segment& segment) {
      take(session, segment);
    };
    made.on_command = [this](FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
      if (!command.has_socket_call()) return std::nullopt;
      v1::Report report;
      calls.push_back(command.socket_call());
      if (blocks(command.socket_call())) {
        report.set_registered(true);
      } else {
        *report.mutable_socket_call() = answer(session, command.socket_call());
      }
      return report;
    };
    made.on_waiting = [this](FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
      if (!command.has_socket_call() || blocks(command.socket_call())) return std::nullopt;
      v1::Report report;
      *report.mutable_socket_call() = answer(session, command.socket_call());
      return report;
    };
    return made;
  }

  bool reads_block = false;  // until there is something to read
  // Instead of the usual answer; nothing: that one. May be empty.
  std::function<std::optional<v1::SocketCallResponse>(FakeSession&, const v1::SocketCallRequest&)>
      on_call;
  std::function<void(v1::Segment&)> spoil;  // what is sent; may be empty
  std::vector<v1::SocketCallRequest> calls;

 private:
  void take(FakeSession& session, const v1::Segment& segment) {
    last_ = segment;
    const uint32_t flags = segment.tcp().flags();
    if ((flags & kSyn) != 0) {
      session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kSyn | kAck, kIsnB));
    } else if (!segment.payload().empty()) {
      unread_ += segment.payload();
      session.put(v1::END_B, v1::ORIGIN_END, reply(segment, kAck, kIsnB + 1 + sent_));
    }
  }

  bool blocks(const v1::SocketCallRequest& request) const {
    return reads_block && request.has_read() && unread_.empty();
  }

  v1::SocketCallResponse answer(FakeSession& session, const v1::SocketCallRequest& request) {
    if (on_call) {
      std::optional<v1::SocketCallResponse> own = on_call(session, request);
      if (own.has_value()) return *own;
    }
    v1::SocketCallResponse response;
    if (request.has_socket() || request.has_accept()) response.set_result(next_descriptor_++);
    if (request.has_accept()) response.mutable_address()->set_port(last_.tcp().source_port());
    if (request.has_write()) {
      send(session, request.write().data());
      response.set_result(static_cast<int64_t>(request.write().data().size()));
    }
    if (request.has_read()) {
      response.set_data(std::exchange(unread_, ""));
      response.set_result(static_cast<int64_t>(response.data().size()));
    }
    return response;
  }

  void send(FakeSession& session, const std::string& data) {
    for (size_t at = 0; at < data.size(); at += mss_) {
      const bool last = at + mss_ >= data.size();
      v1::Segment segment =
          reply(last_, kAck | (last ? kPsh : 0), kIsnB + 1 + sent_, data.substr(at, mss_));
      sent_ += static_cast<uint32_t>(segment.payload().size());
      if (spoil) spoil(segment);
      session.put(v1::END_B, v1::ORIGIN_END, segment);
    }
  }

  const size_t mss_;
  v1::Segment last_;
  uint32_t sent_ = 0;
  int next_descriptor_ = 3;
  std::string unread_;
};

// The candidate, but that commands which `is_asked` picks get this answer.
inline FakeCandidate answering(FakeCandidate candidate,
                               std::function<bool(const v1::Command&)> is_asked,
                               const v1::Report& answer) {
  candidate.on_command = [inner = candidate.on_command, is_asked = std::move(is_asked), answer](
                             FakeSession& session,
                             const v1::Command& command) -> std::optional<v1::Report> {
    return is_asked(command) ? answer : inner(session, command);
  };
  return candidate;
}

inline v1::Report refusal(grpc::StatusCode code, const std::string& message) {
  v1::Report report;
  report.set_error_code(code);
  report.set_error_message(message);
  return report;
}

inline v1::SocketCallResponse failed(int error, const std::string& name) {
  v1::SocketCallResponse response;
  response.set_result(-1);
  response.set_error(error);
  response.set_error_name(name);
  return response;
}

inline Ran run_script(const std::string& script, FakeCandidate candidate, ForeignChecks checks = {},
                      std::string_view target = kTargetVirtual,
                      absl::Duration watchdog = absl::Minutes(1)) {
  Ran ran;
  const absl::StatusOr<Case> parsed = parse_packetdrill(script, "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  if (!parsed.ok()) return ran;
  ran.daemon = std::make_unique<FakeDaemon>(std::move(candidate));
  CaseRunOptions options;
  options.channel = ran.daemon->channel();
  options.target = std::string(target);
  options.seed = 7;
  options.foreign = checks;
  options.watchdog = watchdog;
  ran.outcome = run_case(*parsed, options);
  return ran;
}

inline constexpr char kAccepted[] = R"(
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000
+0 > S. 0:0(0) ack 1
+.1 < . 1:1(0) ack 1 win 1000
+0 accept(3, ..., ...) = 4
)";

// Behind it.
inline constexpr char kReads[] =
    "+0 < P. 1:101(100) ack 1 win 1000\n+0 > . 1:1(0) ack 101\n+0 read(4, ..., 500) = 100\n";

}  // namespace tcproctor::conformance
