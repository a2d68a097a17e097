// SPDX-License-Identifier: Apache-2.0
// Time, flows and what is observed after every statement.
#include "conformance/runner/stage.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "conformance/runner/logged_segment.h"
#include "conformance/runner/state_edges.h"
#include "conformance/runner/target.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Ports of the flow "main" unless the script says otherwise.
constexpr uint32_t kDefaultPortA = 40000;
constexpr uint32_t kDefaultPortB = 8080;

// On a virtual clock everything happens at exact moments; this only absorbs rounding.
constexpr absl::Duration kVirtualTolerance = absl::Milliseconds(1);

const v1::EndInfo& info_of(const v1::Session& session, v1::End end) {
  return end == v1::END_A ? session.a() : session.b();
}

// Whether the statement does something to the candidate.
bool acts(const Statement& statement) {
  const auto* call = std::get_if<CallStatement>(&statement.body);
  if (call != nullptr) {
    return call->name != "STATE" && call->name != "STATUS" && call->name != "EVENT" &&
           call->name != "EMBRYONIC";
  }
  return !std::holds_alternative<PendingStatement>(statement.body);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Stage>> Stage::begin(const Head& head, const StageOptions& options) {
  absl::StatusOr<std::unique_ptr<Drive>> drive =
      begin_session(head, options.target, options.seed, options.mutant, options.channel,
                    options.apart, options.watchdog);
  if (!drive.ok()) return drive.status();
  return std::unique_ptr<Stage>(new Stage(head, options, *std::move(drive)));
}

Stage::Stage(const Head& head, StageOptions options, std::unique_ptr<Drive> drive)
    : head_(head),
      options_(std::move(options)),
      drive_(std::move(drive)),
      flows_(options_.seed, head.isn) {
  start_ = event_time_ = due_ = drive_->now();
  define_flow("main", {"", kDefaultPortA}, {"", kDefaultPortB});
}

v1::SocketAddress Stage::flow_address(v1::End end, const FlowEnd& given) const {
  v1::SocketAddress address;
  address.set_port(given.port);
  address.set_address(given.address);
  if (!given.address.empty()) return address;
  for (const std::string& candidate : info_of(session(), end).addresses()) {
    const std::string plain = split_once(candidate, '/').first;
    if ((plain.find(':') != std::string::npos) == head_.ipv6) {
      address.set_address(plain);
      break;
    }
  }
  return address;
}

void Stage::define_flow(const std::string& name, const FlowEnd& a, const FlowEnd& b) {
  flows_.define(name, flow_address(v1::END_A, a), flow_address(v1::END_B, b),
                !is_real(head_, v1::END_A), !is_real(head_, v1::END_B), log_position_);
}

Flow& Stage::flow_of(const Statement& statement) {
  return flow(statement.flow);
}

v1::End Stage::end_or_examined(v1::End end) const {
  return end == v1::END_UNSPECIFIED ? examined_end(head_) : end;
}

absl::Duration Stage::tolerance() const {
  if (drive_->virtual_clock()) return kVirtualTolerance;
  return head_.tolerance + drive_->clock_error();
}

v1::ConnectionRef Stage::reference(const Connection& connection) const {
  v1::ConnectionRef reference;
  reference.set_session(session().id());
  reference.set_id(connection.id);
  reference.set_end(connection.end);
  return reference;
}

std::string Stage::end_description(v1::End end) const {
  switch (info_of(session(), end).kind()) {
    case v1::END_KIND_STACK:
      return "stack";
    case v1::END_KIND_KERNEL:
      return "kernel";
    default:
      return "scripted";
  }
}

bool Stage::has_capability(const std::string& name) const {
  const auto [prefix, rest] = split_once(name, '.');
  const auto named = parse_end(prefix);
  const std::string& capability = named.has_value() ? rest : name;
  for (const v1::End end : kEnds) {
    if (!is_real(head_, end) || (named.has_value() && *named != end)) continue;
    const auto& have = info_of(session(), end).capabilities();
    if (std::find(have.begin(), have.end(), capability) == have.end()) return false;
  }
  return true;
}

void Stage::open_clause(const std::string& name) {
  LadderItem item;
  item.kind = LadderItem::Kind::kClause;
  item.text = name;
  add_item(std::move(item));
}

// Waits for the time of a statement.
Result Stage::reach(const TimeSpec& time) {
  if (time.kind != TimeSpec::Kind::kRelative && time.kind != TimeSpec::Kind::kAbsolute) return {};
  const absl::Duration base = time.kind == TimeSpec::Kind::kAbsolute ? start_ : event_time_;
  const absl::Duration target = base + time.at;
  due_ = std::max(due_, target);
  const absl::Status status = drive_->run_to(target);
  return status.ok() ? Result() : Result(refused(status));
}

void Stage::take_stalls() {
  for (const Drive::Stall& stall : std::exchange(drive_->stalls(), {})) {
    lateness_.note(stall.from, stall.to, "the daemon had to wait for the processor");
  }
}

// Notes by how much the statement that was carried out was late, and when the next one is due. What
// is awaited or read in the log may be read at any time; what only looks at the candidate lets the
// time pass that it took, and no more.
void Stage::keep_pace(const Statement& statement) {
  if (drive_->virtual_clock()) {
    due_ = drive_->now();
    return;
  }
  take_stalls();
  if (std::holds_alternative<ExpectStatement>(statement.body) ||
      std::holds_alternative<SilenceStatement>(statement.body)) {
    due_ = std::max(due_, event_time_);
    return;
  }
  const std::optional<absl::Duration> began = drive_->began();
  if (!began.has_value()) return;
  lateness_.note(due_, *began, "between two statements");
  due_ = acts(statement) ? drive_->now() : due_ + (drive_->now() - *began);
}

Result Stage::run(const Statement& statement) {
  line_ = statement.position.line;
  Result result = settle_timed_tasks(false);
  if (!result.has_value()) result = resolve_names(statement);
  const bool awaits = std::holds_alternative<ExpectStatement>(statement.body);
  if (!result.has_value() && !awaits) result = reach(statement.time);
  drive_->mark();
  drive_->will_observe(log_position_, to_list());
  if (!result.has_value()) result = dispatch(statement);
  if (!drive_->broken().ok()) {
    return result.has_value() ? result : Result(broken(drive_->broken().ToString()));
  }
  keep_pace(statement);
  Result observed = observe();
  return result.has_value() ? result : observed;
}

Result Stage::dispatch(const Statement& statement) {
  const auto& body = statement.body;
  if (const auto* s = std::get_if<InjectStatement>(&body)) return inject(statement, *s);
  if (const auto* s = std::get_if<ExpectStatement>(&body)) return expect(statement, *s);
  if (const auto* s = std::get_if<SilenceStatement>(&body)) return silence(*s);
  if (const auto* s = std::get_if<HoldStatement>(&body)) return hold(*s);
  if (const auto* s = std::get_if<SentStatement>(&body)) return sent(*s);
  if (const auto* s = std::get_if<FloodStatement>(&body)) return flood(statement, *s);
  if (const auto* s = std::get_if<FillStatement>(&body)) return fill(statement, *s);
  if (const auto* s = std::get_if<ImpairStatement>(&body)) return impair(*s);
  if (const auto* s = std::get_if<CallStatement>(&body)) return call(statement, *s);
  if (const auto* s = std::get_if<JoinStatement>(&body)) return join_task(*s);
  if (const auto* s = std::get_if<PendingStatement>(&body)) return pending(*s);
  if (const auto* s = std::get_if<CancelStatement>(&body)) return cancel(*s);
  if (const auto* s = std::get_if<FlowStatement>(&body)) {
    define_flow(s->name, s->a, s->b);
  } else if (const auto* fresh = std::get_if<FreshFlowStatement>(&body)) {
    for (const v1::End end : kEnds) {
      if (fresh->end == v1::END_UNSPECIFIED || fresh->end == end) {
        flows_.forget(flow(fresh->name), end, log_position_);
      }
    }
  } else if (const auto* forget = std::get_if<ForgetStatement>(&body)) {
    flows_.forget(flow_of(statement), forget->end, log_position_);
  } else if (const auto* isn = std::get_if<IsnStatement>(&body)) {
    flow_of(statement).side(isn->end).isn = isn->value;
  } else if (const auto* claim = std::get_if<ClaimStatement>(&body)) {
    LadderItem item;
    item.kind = LadderItem::Kind::kClaim;
    item.end = claim->end;
    item.flow = statement.flow;
    item.state = *parse_state(claim->state);
    add_item(std::move(item));
  } else if (const auto* wait = std::get_if<WaitStatement>(&body)) {
    LadderItem item;
    item.kind = LadderItem::Kind::kTime;
    item.text = print_duration(wait->duration);
    add_item(std::move(item));
    const absl::Status status = drive_->run_for(wait->duration);
    if (!status.ok()) return refused(status);
    event_time_ = drive_->now();
  } else if (const auto* note = std::get_if<NoteStatement>(&body)) {
    LadderItem item;
    item.text = note->text;
    add_item(std::move(item));
  }
  return {};
}

// Of which connections the state is asked for.
v1::ListRequest Stage::to_list() const {
  v1::ListRequest list;
  list.set_end(examined_end(head_));
  list.set_closed_after(ended_up_to_);
  return list;
}

Result Stage::observe() {
  if (!drive_->virtual_clock() || drive_->acted()) {
    absl::StatusOr<v1::ReadLogResponse> observed = drive_->observe(log_position_, to_list());
    if (!observed.ok()) return refused(observed.status());
    for (const v1::LogEntry& entry : observed->entries()) log_entry(entry);
    keep_ended(observed->list());
    list_ = std::move(*observed->mutable_list());
  }
  observe_states(list_);
  return {};
}

// Connections that have ended need to be told once. A listener's end does not: it is told no more.
void Stage::keep_ended(const v1::ListResponse& list) {
  uint64_t up_to = ended_up_to_;
  uint64_t first_alive = std::numeric_limits<uint64_t>::max();
  for (const v1::ConnectionStatus& status : list.connections()) {
    up_to = std::max(up_to, status.connection());
    if (status.state() == v1::TCP_STATE_CLOSED) {
      ended_[status.connection()] = status;
    } else if (status.state() != v1::TCP_STATE_LISTEN) {
      first_alive = std::min(first_alive, status.connection());
    }
  }
  ended_up_to_ = std::min(up_to, first_alive - 1);
}

void Stage::log_entry(const v1::LogEntry& entry) {
  log_position_ = std::max(log_position_, entry.number());
  flows_.learn(entry);
  entries_.push_back(entry);
  if (entry.origin() == v1::ORIGIN_END) last_segment_[entry.from()] = entry.number();
  if (entry.fate() == v1::FATE_HELD) held_[entry.from()].push_back(entry.number());
  LadderItem item;
  item.kind = LadderItem::Kind::kSegment;
  item.end = entry.from();
  item.number = entry.number();
  item.origin = entry.origin();
  item.fate = entry.fate();
  item.forged = entry.origin() == v1::ORIGIN_INJECTED && is_real(head_, entry.from());
  item.state_a = entry.state_a();
  item.state_b = entry.state_b();
  item.time = from_proto(entry.time());
  const Flow* owner = flows_.owner(entry);
  if (owner != nullptr) item.flow = owner->name == "main" ? "" : owner->name;
  item.of_no_flow = owner == nullptr && entry.segment().has_tcp();
  item.segment = segment_text(owner, entry);
  add_item(std::move(item));
}

v1::TcpState Stage::resolve_state(const Flow& flow, v1::End end, const v1::ListResponse& list) {
  const v1::ConnectionStatus* newest = nullptr;
  bool listening = false;
  const auto consider = [&](const v1::ConnectionStatus& status) {
    if (status.end() != end) return;
    if (status.state() == v1::TCP_STATE_LISTEN) {
      listening |= status.pair().local().port() == flow.side(end).address.port();
    } else if (flow.owns(status) &&
               (newest == nullptr || status.incarnation() >= newest->incarnation())) {
      newest = &status;
    }
  };
  for (const auto& [id, status] : ended_) consider(status);
  for (const v1::ConnectionStatus& status : list.connections()) consider(status);
  if (newest != nullptr && newest->state() != v1::TCP_STATE_CLOSED) return newest->state();
  if (!listening) return v1::TCP_STATE_CLOSED;
  // Where a listener is left, a half-open connection that went is LISTEN again (RFC 9293 §3.5.3); a
  // synchronized one is CLOSED.
  const auto last = last_state_.find({flow.name, end});
  const bool embryonic = last == last_state_.end() || last->second == v1::TCP_STATE_LISTEN ||
                         last->second == v1::TCP_STATE_SYN_RECEIVED;
  if (embryonic) return v1::TCP_STATE_LISTEN;
  return newest != nullptr ? v1::TCP_STATE_CLOSED : v1::TCP_STATE_LISTEN;
}

void Stage::observe_states(const v1::ListResponse& list) {
  for (const v1::ConnectionStatus& status : list.connections()) {
    if (status.state() == v1::TCP_STATE_LISTEN || pairs_.count(status.connection()) != 0) continue;
    pairs_.emplace(status.connection(),
                   cat(end_name(status.end()), " ", status.pair().ShortDebugString()));
  }
  for (const Flow* flow : flows_.all()) {
    for (const v1::End end : kEnds) {
      if (!is_real(head_, end)) continue;
      const v1::TcpState state = resolve_state(*flow, end, list);
      last_state_[{flow->name, end}] = state;
      LadderItem item;
      item.kind = LadderItem::Kind::kState;
      item.end = end;
      item.flow = flow->name == "main" ? "" : flow->name;
      item.state = state;
      add_item(std::move(item));
    }
  }
}

Result Stage::close_clause() {
  Result result = settle_timed_tasks(true);
  take_stalls();
  return result;
}

void Stage::add_item(LadderItem item) {
  if (item.kind != LadderItem::Kind::kSegment) {
    item.time = drive_->now();
    item.line = line_;
  }
  ladder_.push_back(std::move(item));
}

std::vector<LadderItem> Stage::ladder() const {
  std::vector<LadderItem> items = ladder_;
  for (LadderItem& item : items) {
    const auto answered = lines_.find(item.number);
    if (item.kind == LadderItem::Kind::kSegment && answered != lines_.end()) {
      item.line = answered->second;
    }
  }
  return items;
}

std::vector<StateEdge> Stage::edges() const {
  return state_edges(drive_->state_changes(), pairs_, [&](v1::End end) {
    const bool kernel = info_of(session(), end).kind() == v1::END_KIND_KERNEL;
    if (kernel) return std::string(kTargetKernel);
    return std::string(drive_->virtual_clock() ? kTargetVirtual : kTargetStack);
  });
}

}  // namespace tcproctor::conformance
