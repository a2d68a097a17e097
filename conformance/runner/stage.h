// SPDX-License-Identifier: Apache-2.0
// One session of a case while its statements are carried out: the drive, the numbers, the names of
// connections, what was observed. A fresh clause gets a new stage.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "conformance/report/ladder.h"
#include "conformance/runner/drive.h"
#include "conformance/runner/lateness.h"
#include "conformance/runner/numbers.h"
#include "conformance/runner/performer.h"
#include "conformance/runner/problem.h"
#include "conformance/runner/result.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

class Stage final : public Performer {
 public:
  // The session is made; an error is what the daemon said.
  static absl::StatusOr<std::unique_ptr<Stage>> begin(const Head& head,
                                                      const StageOptions& options);

  void open_clause(const std::string& name) override;
  Result run(const Statement& statement) override;
  Result close_clause() override;
  bool has_capability(const std::string& name) const override;
  std::vector<StateEdge> edges() const override;
  const v1::Session& session() const override { return drive_->session(); }
  const std::vector<v1::LogEntry>& segments() const override { return entries_; }
  std::vector<LadderItem> ladder() const override;
  std::string end_description(v1::End end) const override;
  const Lateness& lateness() const override { return lateness_; }
  absl::Duration patience() const override { return head_.patience; }

 private:
  struct Connection {
    uint64_t id = 0;
    v1::End end = v1::END_UNSPECIFIED;
    std::string flow;
  };
  // A call that goes on beside the script.
  struct Task {
    uint64_t operation = 0;
    CallStatement call;
    std::string flow;
    std::string sent;  // SEND: the octets handed over
    // `+0...0.5`: when it has to end, in session time.
    std::optional<absl::Duration> ends;
  };
  struct Maybe {
    std::string flow;
    v1::End end = v1::END_UNSPECIFIED;
    std::vector<Packet> alternatives;
    int line = 0;
  };
  // When an awaited segment has to be there.
  struct Window {
    std::optional<absl::Duration> earliest;
    absl::Duration deadline;
  };
  // What an Expect came to.
  struct Sight {
    enum class Kind { kMatched, kMismatched, kNothing };
    Kind kind = Kind::kNothing;
    v1::LogEntry entry;
    std::vector<std::string> differences;
  };

  Stage(const Head& head, StageOptions options, std::unique_ptr<Drive> drive);

  // stage.cc: time, flows, observation
  Result dispatch(const Statement& statement);
  Result reach(const TimeSpec& time);
  void keep_pace(const Statement& statement);
  void take_stalls();
  Result observe();
  v1::ListRequest to_list() const;
  void keep_ended(const v1::ListResponse& list);
  void observe_states(const v1::ListResponse& list);
  void log_entry(const v1::LogEntry& entry);
  v1::TcpState resolve_state(const Flow& flow, v1::End end, const v1::ListResponse& list);
  v1::SocketAddress flow_address(v1::End end, const FlowEnd& given) const;
  void define_flow(const std::string& name, const FlowEnd& a, const FlowEnd& b);
  Flow& flow_of(const Statement& statement);
  Flow& flow(const std::string& name) { return *flows_.find(name.empty() ? "main" : name); }
  v1::End end_or_examined(v1::End end) const;
  absl::Duration tolerance() const;
  void add_item(LadderItem item);
  v1::ConnectionRef reference(const Connection& connection) const;

  // stage_wire.cc
  Result inject(const Statement& statement, const InjectStatement& inject);
  Result expect(const Statement& statement, const ExpectStatement& expect);
  Result silence(const SilenceStatement& silence);
  Result hold(const HoldStatement& hold);
  Result release(const HoldStatement& hold);
  Result sent(const SentStatement& sent);
  Result flood(const Statement& statement, const FloodStatement& flood);
  Result impair(const ImpairStatement& impair);

  // stage_fill.cc
  Result fill(const Statement& statement, const FillStatement& fill);
  Result fill_once(Flow& flow, v1::End from, const FillStatement& fill);
  Result acknowledged(Flow& flow, v1::End from, uint32_t edge);

  // stage_wire.cc
  Window window(const TimeSpec& time) const;
  bool crowded() { return flooded_ || flows_.all().size() > 1; }
  absl::StatusOr<Sight> look(Flow& flow, v1::End end, const v1::SegmentPattern& pattern,
                             v1::ExpectMode mode, uint64_t after, absl::Duration deadline);
  absl::StatusOr<Sight> next_segment(Flow& flow, v1::End end, const v1::SegmentPattern& pattern,
                                     absl::Duration deadline);
  absl::StatusOr<v1::SegmentPattern> pattern_of(const Flow& flow, v1::End end,
                                                const std::vector<Packet>& alternatives);
  absl::StatusOr<bool> consume_maybe(Flow& flow, v1::End end, const v1::LogEntry& entry);
  void consume(Flow& flow, v1::End end, const v1::LogEntry& entry, int line);
  std::optional<absl::Duration> came_late(Flow& flow, v1::End end,
                                          const v1::SegmentPattern& pattern,
                                          absl::Duration deadline);
  Problem unexpected(Flow& flow, v1::End end, const std::vector<Packet>& alternatives,
                     const Sight& sight);

  // stage_calls.cc
  Result call(const Statement& statement, const CallStatement& call);
  Result build_call(const CallStatement& call, const std::string& flow_name, bool waits,
                    v1::Command& command, std::string& octets);
  Result build_open(const CallStatement& call, const std::string& flow_name, bool waits,
                    v1::OpenRequest& request);
  Result build_send(const CallStatement& call, v1::SendRequest& request);
  Result build_receive(const CallStatement& call, bool waits, v1::ReceiveRequest& request);
  v1::SocketAddress socket_argument(const std::string& text, v1::End end, const Flow& flow) const;
  Result judge(const CallStatement& call, const std::string& flow_name, const std::string& octets,
               const v1::Report& report);
  Result judge_outcome(const CallStatement& call, v1::Outcome outcome);
  Result judge_send(const CallStatement& call, const std::string& octets,
                    const v1::SendResponse& response);
  Result judge_receive(const CallStatement& call, const v1::ReceiveResponse& response);
  void name_connection(const std::string& name, uint64_t id, const v1::FourTuple& pair, v1::End end,
                       const std::string& flow_name);
  Result join_task(const JoinStatement& join);
  Result pending(const PendingStatement& pending);
  Result cancel(const CancelStatement& cancel);
  Result settle_timed_tasks(bool all);
  Result finish_task(const std::string& name);
  Result resolve_names(const Statement& statement);
  Connection* connection(const CallStatement& call);
  Result unknown_connection(const CallStatement& call) const;
  void show_call(const CallStatement& call, v1::End end, const std::string& flow_name);

  // stage_status.cc
  Result state(const Statement& statement, const CallStatement& call);
  Result state_of_pair(Flow& flow, v1::End end, const CallStatement& call);
  Result status(const Statement& statement, const CallStatement& call);
  Result event(const CallStatement& call);
  Result embryonic(const Statement& statement, const CallStatement& call);
  Result set_options(const CallStatement& call);
  absl::StatusOr<v1::ListResponse> list();
  // Repeats `attempt` (true: done) until the patience has passed; a virtual clock moves in small
  // steps, a real one waits.
  absl::StatusOr<bool> poll(const std::function<absl::StatusOr<bool>()>& attempt);

  const Head& head_;
  const StageOptions options_;
  std::unique_ptr<Drive> drive_;
  Flows flows_;
  std::map<std::string, Connection> connections_;
  std::map<std::string, Task> tasks_;
  std::deque<Maybe> maybes_;
  std::set<uint64_t> consumed_;  // numbers of segments that a maybe or > took
  std::map<v1::End, std::deque<uint64_t>> held_;
  std::map<v1::End, uint64_t> last_awaited_;  // number of the segment that > or maybe took last
  std::map<v1::End, uint64_t> last_segment_;  // newest segment that the end itself sent
  std::map<std::pair<std::string, v1::End>, v1::TcpState> last_state_;
  std::map<uint64_t, std::string> pairs_;  // sockets of the connections listed so far, by id
  std::map<uint64_t, v1::ConnectionStatus> ended_;  // those that were told to be in CLOSED, by id
  uint64_t ended_up_to_ = 0;                        // up to this id all have ended
  v1::ListResponse list_;                           // as observed last
  std::vector<v1::LogEntry> entries_;
  std::vector<LadderItem> ladder_;
  int line_ = 0;                   // of the statement that is being carried out
  std::map<uint64_t, int> lines_;  // which line a segment comes from or answers, by its number
  uint64_t log_position_ = 0;
  uint64_t last_injected_ = 0;
  bool flooded_ = false;
  absl::Duration start_ = absl::ZeroDuration();       // session time at which the case began
  absl::Duration event_time_ = absl::ZeroDuration();  // of the previous event
  // When the next statement can be carried out: the script lets no time pass from then on.
  absl::Duration due_ = absl::ZeroDuration();
  Lateness lateness_;
  int anonymous_tasks_ = 0;
};

}  // namespace tcproctor::conformance
