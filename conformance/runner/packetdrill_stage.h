// SPDX-License-Identifier: Apache-2.0
// One session of a script of packetdrill's dialect while its events are carried out, by
// packetdrill's rules (LANGUAGE.md, "packetdrill's dialect"): which socket a packet belongs to, how
// the script's numbers and those on the wire go together, when something is on time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conformance/runner/drive.h"
#include "conformance/runner/numbers.h"
#include "conformance/runner/packetdrill_shell.h"
#include "conformance/runner/performer.h"
#include "conformance/script/packetdrill_code.h"

namespace tcproctor::conformance {

class PacketdrillStage final : public Performer {
 public:
  // Of the script's server, whichever side it is on.
  static constexpr uint32_t kPort = 8080;

  static absl::StatusOr<std::unique_ptr<Performer>> begin(const Case& script,
                                                          const StageOptions& options);

  void open_clause(const std::string& name) override;
  Result run(const Statement& statement) override;
  Result close_clause() override;
  bool has_capability(const std::string& name) const override;
  std::vector<StateEdge> edges() const override { return {}; }
  const v1::Session& session() const override { return drive_->session(); }
  const std::vector<v1::LogEntry>& segments() const override { return entries_; }
  std::vector<LadderItem> ladder() const override { return ladder_; }
  std::string end_description(v1::End end) const override;
  const Lateness& lateness() const override { return lateness_; }
  absl::Duration patience() const override { return head_.patience; }

 private:
  // A socket of the script. Packets belong to the newest one ("under test").
  struct Socket {
    enum class State {
      kNew,
      kListening,
      kConnecting,  // connect() was called; no SYN seen yet
      kSynSent,
      kSynReceived,  // an inbound SYN made it
      kDissolved,    // connect() with AF_UNSPEC; may connect anew
      kOther,
    };
    State state = State::kNew;
    int descriptor = -1;  // the daemon's; -1: not accepted yet
    Flow flow;            // A is the script, B the TCP
    // The script's own initial numbers, which only its SYNs are counted from.
    uint32_t script_isn_a = 0;
    uint32_t script_isn_b = 0;
    bool in_line = true;        // nothing urgent was sent to it
    bool payload_known = true;  // what it sends was handed over by calls that tell
    // TS val of outbound packets: the script's -> the wire's.
    std::map<uint32_t, uint32_t> timestamps;
    std::optional<std::pair<uint32_t, uint32_t>> first_timestamp;
    std::optional<std::pair<uint32_t, uint32_t>> flow_label;
  };
  // What is wrong with a call's answer; empty: nothing.
  using Judge = std::string (PacketdrillStage::*)(const SystemCall& call,
                                                  const v1::SocketCallResponse& response);
  struct Prepared {
    v1::SocketCallRequest request;
    std::string octets;             // handed over
    Socket* socket = nullptr;       // of the first argument
    bool makes_descriptor = false;  // any non-negative result is right
    Judge judge = nullptr;
  };
  // A blocking call that has not been judged yet.
  struct Pending {
    uint64_t operation = 0;
    SystemCall call;
    Prepared prepared;
    Position position;
    absl::Duration began;
    absl::Duration ends;
  };
  // Linux's timer wheel may be off by an eighth.
  static constexpr double kRelativeTolerance = 0.125;

  struct Moment {
    absl::Duration earliest, latest;
    std::optional<absl::Duration> tolerance;  // nothing: any time
  };

  PacketdrillStage(const Case& script, Head head, const StageOptions& options,
                   std::unique_ptr<Drive> drive);

  // packetdrill_stage.cc
  Result prepare();
  Result dispatch(const Statement& statement);
  Moment moment_of(const Statement& statement);
  Result reach(absl::Duration time);
  // Takes over what went over the wire since; in the ladder it stands before what is added next.
  Result read_log();
  void take_stalls();
  // Scripts are bound to what Linux chose where the RFCs leave a choice.
  bool linux_layout() const { return session().b().kind() == v1::END_KIND_KERNEL; }
  bool has_flag(std::string_view name) const;
  std::string flag(std::string_view name) const;
  uint32_t flag_number(std::string_view name, uint32_t otherwise) const;
  absl::StatusOr<v1::SocketCallResponse> socket_call(v1::SocketCallRequest request);
  Result shell(const ShellStatement& statement, bool before_start);
  Result shell_action(const ShellAction& action, bool before_start);
  Result settings(const std::vector<ShellSetting>& wanted);
  static Result taken(const absl::StatusOr<v1::Report>& report, const std::string& what);
  Result system_call(v1::SocketCallRequest request, const std::string& what);
  Result counter(const ShellCounter& counter);
  absl::StatusOr<std::map<std::string, int64_t>> counters();
  Result code(const Statement& statement, const CodeStatement& code);

  // packetdrill_wire.cc
  Socket& add_socket(Socket::State state);
  void reset(Socket& socket, Socket::State state) const;
  bool is_of_another(const Socket& socket, const v1::LogEntry& entry) const;
  Result inject(const Packet& packet);
  Result expect(const Statement& statement, const Packet& packet);
  Result collect(Socket& socket, const Packet& packet, absl::Duration deadline,
                 std::vector<v1::LogEntry>& parts);
  bool passes_over(const v1::LogEntry& entry);
  static void note_awaited_syn(Socket& socket, const TcpPacket& packet);
  static std::string describe(const Socket& socket, const std::vector<v1::LogEntry>& parts);
  absl::StatusOr<Packet> to_wire(Socket& socket, const Packet& packet);
  void add_to_train(v1::Segment segment, v1::InjectRequest& request) const;
  absl::StatusOr<std::optional<v1::LogEntry>> next_segment(Socket& socket, absl::Duration deadline);
  Result silence();
  Result check_time(const Moment& moment, const v1::LogEntry& entry);
  Problem mismatch(const Packet& packet, Socket& socket, const std::vector<v1::LogEntry>& parts,
                   std::vector<std::string> differences);

  // packetdrill_compare.cc: what came, against what was to come
  std::vector<std::string> differences(Socket& socket, const Packet& packet,
                                       const std::vector<v1::LogEntry>& parts);
  void compare_parts(const Socket& socket, const std::vector<v1::LogEntry>& parts,
                     std::vector<std::string>& differences) const;
  void compare_header(const Socket& socket, const TcpPacket& packet,
                      const std::vector<v1::LogEntry>& parts, size_t length,
                      std::vector<std::string>& differences) const;
  void compare_payload(const Socket& socket, bool syn, const std::vector<v1::LogEntry>& parts,
                       const std::string& octets, std::vector<std::string>& differences) const;
  void compare_options(Socket& socket, const TcpPacket& packet, const v1::TcpHeader& came,
                       std::vector<std::string>& differences);
  void compare_ip(Socket& socket, const Packet& packet, const v1::Segment& came,
                  std::vector<std::string>& differences);

  // packetdrill_calls.cc: making them, and what they change
  Result call(const Statement& statement, const SystemCall& call);
  Result start_blocking(const Statement& statement, const SystemCall& call, Prepared prepared);
  Result settle(bool wait);
  void acknowledge_at_once(int descriptor);
  void effects(const SystemCall& call, Prepared& prepared, const v1::SocketCallResponse& response);

  // packetdrill_build.cc: requests
  absl::StatusOr<Prepared> build(const SystemCall& call);
  void build_transfer(const SystemCall& call, Prepared& prepared);
  void build_message(const SystemCall& call, Prepared& prepared);
  void build_option(const SystemCall& call, Prepared& prepared);
  void build_wait(const SystemCall& call, Prepared& prepared);
  void build_file(const SystemCall& call, Prepared& prepared);
  void connects(Prepared& prepared);
  void hand_over(Prepared& prepared, size_t size);
  int descriptor(const Expression& expression);
  Socket* socket_of(const Expression& expression);
  int64_t number(const Expression& expression) const;
  std::string definition(const std::string& name) const;

  // packetdrill_judge.cc: results
  Result judge(const SystemCall& call, Prepared& prepared, const v1::SocketCallResponse& response);
  std::string judge_option(const SystemCall& call, const v1::SocketCallResponse& response);
  std::string judge_ioctl(const SystemCall& call, const v1::SocketCallResponse& response);
  std::string judge_poll(const SystemCall& call, const v1::SocketCallResponse& response);
  std::string judge_epoll(const SystemCall& call, const v1::SocketCallResponse& response);
  std::string judge_message(const SystemCall& call, const v1::SocketCallResponse& response);
  std::string judge_control(const Expression& expected, const v1::ControlMessage& came);
  std::string judge_read(const SystemCall& call, const v1::SocketCallResponse& response);

  const Case& script_;
  const Head head_;
  const StageOptions options_;
  std::unique_ptr<Drive> drive_;
  bool mapped_ = false;  // sockets of AF_INET6 over IPv4
  absl::Duration tolerance_;
  std::string congestion_control_;
  std::deque<Socket> sockets_;
  Socket* under_test_ = nullptr;
  std::map<int64_t, int> descriptors_;       // the script's -> the daemon's
  std::map<std::string, uint32_t> files_;    // name -> octets
  std::map<std::string, int64_t> baseline_;  // counters
  std::map<std::string, CodeValue> memory_;  // of %{ }%
  std::optional<Pending> pending_;
  std::vector<v1::LogEntry> entries_;
  std::vector<LadderItem> ladder_;
  uint64_t log_position_ = 0;
  uint64_t cursor_ = 0;  // segments up to this number were looked at
  // ACKs that may come besides: of a packet that was cut into pieces each may be acknowledged.
  uint32_t spare_acks_ = 0;
  uint32_t next_port_ = 0;
  bool started_ = false;
  absl::Duration start_ = absl::ZeroDuration();
  absl::Duration previous_ = absl::ZeroDuration();  // when the last event was due
  absl::Duration now_ = absl::ZeroDuration();       // when the last event was over
  bool previous_inbound_ = false;
  std::optional<absl::Duration> wall_;  // wall clock minus session time
  Lateness lateness_;
};

}  // namespace tcproctor::conformance
