// SPDX-License-Identifier: Apache-2.0
// Session, time, shell commands and code.
#include "conformance/runner/packetdrill_stage.h"

#include <algorithm>
#include <utility>

#include "conformance/runner/logged_segment.h"
#include "conformance/runner/target.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// What the scripts were written for, unless they say otherwise: their cookies depend on them. One
// prefix holds both.
struct Addresses {
  std::string_view remote, local, prefix;
};
constexpr Addresses kAddresses4 = {"192.0.2.1", "192.168.0.1", "/8"};
constexpr Addresses kAddresses6 = {"fd3d:fa7b:d17d::1", "fd3d:0a0b:17d6::1", "/16"};
constexpr uint32_t kMtu4 = 1500;
// For the same MSS of 1460.
constexpr uint32_t kMtu6 = 1520;

// Finer than HZ=250 and a shared machine allow is not asked of anybody.
constexpr absl::Duration kTolerance = absl::Milliseconds(14);
constexpr int32_t kTcpInfo = 11;  // TCP_INFO
constexpr int32_t kMemInfo = 55;  // SO_MEMINFO
constexpr uint32_t kInfoOctets = 512;

const std::string* find_flag(const Case& script, std::string_view name) {
  for (const ScriptFlag& flag : script.flags) {
    if (flag.name == name) return &flag.value;
  }
  return nullptr;
}

// The commands before time 0.
std::vector<ShellAction> first_commands(const Case& script) {
  std::vector<ShellAction> actions;
  for (const Statement& statement : script.clauses.front().statements) {
    const auto* shell = std::get_if<ShellStatement>(&statement.body);
    if (shell == nullptr || statement.time.kind != TimeSpec::Kind::kNone) break;
    actions = recognise_shell(shell->command);
  }
  return actions;
}

// The session a script needs, in the words of a case's head.
Head head_of(const Case& script) {
  Head head = script.head;
  const Addresses& defaults = head.ipv6 ? kAddresses6 : kAddresses4;
  const auto address = [&](std::string_view flag, std::string_view otherwise) {
    const std::string* given = find_flag(script, flag);
    return cat(given == nullptr ? otherwise : *given, defaults.prefix);
  };
  head.addresses[v1::END_A] = {address("remote_ip", defaults.remote)};
  head.addresses[v1::END_B] = {address("local_ip", defaults.local)};
  std::string mtu = cat(head.ipv6 ? kMtu6 : kMtu4);
  if (const std::string* given = find_flag(script, "mtu"); given != nullptr) mtu = *given;
  bool offloads = true;
  for (const ShellAction& action : first_commands(script)) {
    if (const auto* set = std::get_if<ShellMtu>(&action)) mtu = cat(set->mtu);
    if (std::holds_alternative<ShellNoOffloads>(action)) offloads = false;
  }
  head.settings.push_back({{1, 1}, "", "wire.mtu", mtu});
  // As packetdrill's: scripts count on how Linux cuts and pushes what it hands to such a device.
  head.settings.push_back({{1, 1}, "kernel", "wire.link", "tun"});
  head.settings.push_back({{1, 1}, "kernel", "wire.offloads", offloads ? "true" : "false"});
  // And on a namespace that nobody has made better for an examination.
  head.settings.push_back({{1, 1}, "kernel", "kernel.net.ipv4.tcp_invalid_ratelimit", "500"});
  head.settings.push_back({{1, 1}, "kernel", "kernel.net.ipv4.tcp_no_metrics_save", "0"});
  return head;
}

std::optional<uint64_t> field_of(const std::string& octets, const SocketField& field) {
  if (field.offset + field.octets > octets.size()) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = field.octets; i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(octets[field.offset + i - 1]);
  }
  value >>= field.shift;
  return field.bits == 0 ? value : value & ((uint64_t{1} << field.bits) - 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Performer>> PacketdrillStage::begin(const Case& script,
                                                                   const StageOptions& options) {
  Head head = head_of(script);
  absl::StatusOr<std::unique_ptr<Drive>> drive =
      begin_session(head, options.target, options.seed, options.mutant, options.channel,
                    options.apart, options.watchdog);
  if (!drive.ok()) return drive.status();
  return std::unique_ptr<Performer>(
      new PacketdrillStage(script, std::move(head), options, *std::move(drive)));
}

PacketdrillStage::PacketdrillStage(const Case& script, Head head, const StageOptions& options,
                                   std::unique_ptr<Drive> drive)
    : script_(script), head_(std::move(head)), options_(options), drive_(std::move(drive)) {
  mapped_ = flag("ip_version") == "ipv4-mapped-ipv6";
  tolerance_ = std::max(kTolerance, absl::Microseconds(flag_number("tolerance_usecs", 0)));
  // Of the script's clients; any will do that nobody else has.
  next_port_ = 40000 + static_cast<uint32_t>(options_.seed % 10000);
}

bool PacketdrillStage::has_flag(std::string_view name) const {
  return find_flag(script_, name) != nullptr;
}

std::string PacketdrillStage::flag(std::string_view name) const {
  const std::string* value = find_flag(script_, name);
  return value == nullptr ? "" : *value;
}

uint32_t PacketdrillStage::flag_number(std::string_view name, uint32_t otherwise) const {
  uint32_t number = otherwise;
  (void)parse_number(flag(name), number);
  return number;
}

std::string PacketdrillStage::end_description(v1::End end) const {
  const v1::EndInfo& info = end == v1::END_A ? session().a() : session().b();
  return info.kind() == v1::END_KIND_STACK    ? "stack"
         : info.kind() == v1::END_KIND_KERNEL ? "kernel"
                                              : "scripted";
}

bool PacketdrillStage::has_capability(const std::string& name) const {
  const auto& have = session().b().capabilities();
  return std::find(have.begin(), have.end(), name) != have.end();
}

void PacketdrillStage::open_clause(const std::string& name) {
  LadderItem item;
  item.kind = LadderItem::Kind::kClause;
  item.text = name;
  ladder_.push_back(std::move(item));
}

absl::StatusOr<v1::SocketCallResponse> PacketdrillStage::socket_call(
    v1::SocketCallRequest request) {
  v1::Command command;
  *command.mutable_socket_call() = std::move(request);
  absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return report.status();
  return std::move(*report->mutable_socket_call());
}

// --- time ---

// When an event is due, in session time, and by how much it may be off.
PacketdrillStage::Moment PacketdrillStage::moment_of(const Statement& statement) {
  const TimeSpec& time = statement.time;
  Moment moment{now_, now_, std::nullopt};
  if (time.kind == TimeSpec::Kind::kAny) return moment;
  const bool inbound = std::holds_alternative<InjectStatement>(statement.body);
  absl::Duration base = start_;
  if (time.kind == TimeSpec::Kind::kRelative) {
    // Successive inbound packets are counted from when they were due, so that errors do not add up.
    base = inbound && previous_inbound_ ? previous_ : now_;
  }
  moment.earliest = base + time.at;
  moment.latest = base + time.latest.value_or(time.at);
  moment.tolerance = std::max(tolerance_, kRelativeTolerance * (moment.earliest - previous_));
  return moment;
}

Result PacketdrillStage::reach(absl::Duration time) {
  const absl::Status status = drive_->run_to(time);
  return status.ok() ? Result() : Result(refused(status));
}

void PacketdrillStage::take_stalls() {
  for (const Drive::Stall& stall : std::exchange(drive_->stalls(), {})) {
    lateness_.note(stall.from, stall.to, "the daemon had to wait for the processor");
  }
}

Result PacketdrillStage::run(const Statement& statement) {
  if (!started_) {
    Result prepared = prepare();
    if (prepared.has_value()) return prepared;
  }
  // Commands before time 0 were carried out; those at the end clean up what the session takes
  // along.
  if (statement.time.kind == TimeSpec::Kind::kNone) return {};
  Result result = settle(false);
  if (!result.has_value()) result = dispatch(statement);
  if (!drive_->broken().ok()) {
    return result.has_value() ? result : Result(broken(drive_->broken().ToString()));
  }
  take_stalls();
  if (result.has_value()) (void)read_log();  // the clause ends here: its ladder is to be whole
  return result;
}

Result PacketdrillStage::dispatch(const Statement& statement) {
  const Moment moment = moment_of(statement);
  const auto* awaited = std::get_if<ExpectStatement>(&statement.body);
  Result result;
  if (awaited != nullptr) {
    result = expect(statement, awaited->alternatives.front());
  } else {
    result = reach(moment.earliest);
    if (result.has_value()) return result;
    drive_->mark();
    if (const auto* inbound = std::get_if<InjectStatement>(&statement.body)) {
      result = inject(inbound->packet);
    } else if (const auto* system_call = std::get_if<SystemCall>(&statement.body)) {
      result = call(statement, *system_call);
    } else if (const auto* block = std::get_if<CodeStatement>(&statement.body)) {
      result = code(statement, *block);
    } else {
      result = shell(std::get<ShellStatement>(statement.body), false);
    }
    if (!drive_->virtual_clock() && drive_->began().has_value()) {
      lateness_.note(moment.earliest, *drive_->began(), "between two events");
    }
    now_ = drive_->now();
  }
  previous_ = moment.earliest;
  previous_inbound_ = std::holds_alternative<InjectStatement>(statement.body);
  return result;
}

Result PacketdrillStage::read_log() {
  v1::Command read;
  read.mutable_read_log()->set_after(log_position_);
  const absl::StatusOr<v1::Report> log = drive_->call(std::move(read));
  if (!log.ok()) return refused(log.status());
  for (const v1::LogEntry& entry : log->log().entries()) {
    log_position_ = std::max(log_position_, entry.number());
    if (entry.has_wall_time()) {
      wall_ = absl::Seconds(entry.wall_time().seconds()) +
              absl::Nanoseconds(entry.wall_time().nanos()) - from_proto(entry.time());
    }
    entries_.push_back(entry);
    const Flow* flow = nullptr;
    for (const Socket& socket : sockets_) {
      if (socket.flow.owns(entry)) flow = &socket.flow;
    }
    LadderItem item;
    item.kind = LadderItem::Kind::kSegment;
    item.end = entry.from();
    item.number = entry.number();
    item.origin = entry.origin();
    item.fate = entry.fate();
    item.state_a = entry.state_a();
    item.state_b = entry.state_b();
    item.time = from_proto(entry.time());
    item.segment = segment_text(flow, entry);
    ladder_.push_back(std::move(item));
  }
  return {};
}

Result PacketdrillStage::close_clause() {
  Result result = settle(true);
  if (!result.has_value() && options_.foreign.silence) result = silence();
  take_stalls();
  if (!drive_->broken().ok()) return result;
  Result logged = read_log();
  return result.has_value() ? result : logged;
}

// --- shell commands ---

Result PacketdrillStage::prepare() {
  started_ = true;
  std::vector<ShellSetting> of_machine;
  std::vector<ShellAction> others;
  for (const ShellAction& action : first_commands(script_)) {
    const auto* set = std::get_if<ShellSetting>(&action);
    if (set != nullptr) {
      of_machine.push_back(*set);
    } else {
      others.push_back(action);
    }
  }
  Result result = settings(of_machine);
  for (const ShellAction& action : others) {
    if (!result.has_value()) result = shell_action(action, true);
  }
  if (result.has_value()) return result;
  const Result logged = read_log();
  start_ = previous_ = now_ = drive_->now();
  return logged;
}

Result PacketdrillStage::shell(const ShellStatement& statement, bool before_start) {
  for (const ShellAction& action : recognise_shell(statement.command)) {
    Result result = shell_action(action, before_start);
    if (result.has_value()) return result;
  }
  return {};
}

// Scripts begin with some twenty: all are on their way before the first answer is awaited.
Result PacketdrillStage::settings(const std::vector<ShellSetting>& wanted) {
  std::vector<std::pair<const ShellSetting*, uint64_t>> sent;
  for (const ShellSetting& setting : wanted) {
    // A namespace may not choose it; a socket may.
    if (setting.name == "net.ipv4.tcp_congestion_control") {
      congestion_control_ = setting.value;
      continue;
    }
    v1::Command command;
    v1::SystemSetting& request = *command.mutable_socket_call()->mutable_setting();
    request.set_name(setting.name);
    request.set_value(setting.value);
    sent.emplace_back(&setting, drive_->send(std::move(command)));
  }
  Result first;
  for (const auto& [setting, operation] : sent) {
    Result result = taken(drive_->finish(operation), cat(setting->name, " = ", setting->value));
    const bool lacks = result.has_value() && result->verdict == v1::VERDICT_SKIP;
    if (lacks && setting->optional) continue;
    if (!first.has_value()) first = std::move(result);
  }
  return first;
}

// What the machine under the end does not take, the script cannot have.
Result PacketdrillStage::taken(const absl::StatusOr<v1::Report>& report, const std::string& what) {
  if (!report.ok()) return refused(report.status());
  if (report->socket_call().error() == 0) return {};
  return missing(
      cat("this machine does not take ", what, ": ", report->socket_call().error_name()));
}

Result PacketdrillStage::system_call(v1::SocketCallRequest request, const std::string& what) {
  v1::Command command;
  *command.mutable_socket_call() = std::move(request);
  return taken(drive_->call(std::move(command)), what);
}

Result PacketdrillStage::shell_action(const ShellAction& action, bool before_start) {
  if (const auto* set = std::get_if<ShellSetting>(&action)) return settings({*set});
  if (const auto* question = std::get_if<ShellCounter>(&action)) return counter(*question);
  if (const auto* file = std::get_if<ShellFile>(&action)) {
    files_[file->name] = file->octets;
    return {};
  }
  if (std::holds_alternative<ShellBaseline>(action)) {
    absl::StatusOr<std::map<std::string, int64_t>> read = counters();
    if (!read.ok()) return refused(read.status());
    baseline_ = *std::move(read);
    return {};
  }
  if (const auto* listener = std::get_if<ShellListener>(&action)) {
    for (const Socket& socket : sockets_) {
      if (socket.state == Socket::State::kListening && listener->port == kPort) return {};
    }
    return violation("nobody listens", {cat("a listener on port ", listener->port)}, "none");
  }
  if (const auto* queue = std::get_if<ShellQueue>(&action)) {
    v1::SocketCallRequest request;
    request.mutable_queue()->set_kind(queue->kind);
    if (queue->limit.has_value()) request.mutable_queue()->set_limit(*queue->limit);
    return system_call(std::move(request), cat("the queueing discipline ", queue->kind));
  }
  if (std::holds_alternative<ShellForget>(action)) {
    v1::SocketCallRequest request;
    request.mutable_flush_metrics();
    return system_call(std::move(request), "that its metrics are forgotten");
  }
  if (std::holds_alternative<ShellMtu>(action) || std::holds_alternative<ShellNoOffloads>(action)) {
    return before_start
               ? Result()
               : Result(missing("host-shell: the MTU and the offloads of a running session"));
  }
  return missing(cat("host-shell: ", std::get<ShellUnknown>(action).command));
}

absl::StatusOr<std::map<std::string, int64_t>> PacketdrillStage::counters() {
  v1::SocketCallRequest request;
  request.mutable_counters();
  const absl::StatusOr<v1::SocketCallResponse> response = socket_call(std::move(request));
  if (!response.ok()) return response.status();
  return std::map<std::string, int64_t>(response->counters().begin(), response->counters().end());
}

Result PacketdrillStage::counter(const ShellCounter& counter) {
  absl::StatusOr<std::map<std::string, int64_t>> read = counters();
  if (!read.ok()) return refused(read.status());
  const auto found = read->find(counter.name);
  if (found == read->end()) return missing(cat("this kernel has no counter ", counter.name));
  const int64_t grown = found->second - baseline_[counter.name];
  if (counter.moves_baseline) baseline_ = *std::move(read);
  if (counter.grown < 0 ? grown > 0 : grown == counter.grown) return {};
  return violation(cat("the counter ", counter.name, " has grown otherwise"),
                   {counter.grown < 0 ? "by more than 0" : cat("by ", counter.grown)},
                   cat("by ", grown));
}

// --- code ---

Result PacketdrillStage::code(const Statement& statement, const CodeStatement& code) {
  if (under_test_ == nullptr) return broken("there is no socket that could tell anything");
  std::map<std::pair<int32_t, int32_t>, std::string> told;  // by level and option
  absl::Status failed;
  const auto ask = [&](int32_t level, int32_t option) -> const std::string& {
    const auto [place, fresh] = told.try_emplace({level, option});
    if (!fresh) return place->second;
    v1::SocketCallRequest request;
    request.mutable_get_option()->set_fd(under_test_->descriptor);
    request.mutable_get_option()->set_level(level);
    request.mutable_get_option()->set_option(option);
    request.mutable_get_option()->set_length(kInfoOctets);
    const absl::StatusOr<v1::SocketCallResponse> response = socket_call(std::move(request));
    if (!response.ok()) {
      failed = response.status();
    } else if (response->error() != 0) {
      failed = absl::InternalError(cat("the socket tells nothing: ", response->error_name()));
    } else {
      place->second = response->data();
    }
    return place->second;
  };
  const auto value = [&](const std::string& name) -> std::optional<int64_t> {
    if (const std::optional<int64_t> constant = code_constant(name)) return constant;
    const SocketField* field = find_socket_field(name);
    if (field == nullptr) return std::nullopt;
    constexpr int32_t kSolSocket = 1, kSolTcp = 6;
    const std::string& octets = field->memory ? ask(kSolSocket, kMemInfo) : ask(kSolTcp, kTcpInfo);
    const std::optional<uint64_t> read = field_of(octets, *field);
    if (!read.has_value()) return std::nullopt;
    return static_cast<int64_t>(*read);
  };
  const CodeResult result = run_code(parse_code(code.text, statement.position), value, memory_);
  if (!failed.ok()) return refused(failed);
  switch (result.kind) {
    case CodeResult::Kind::kHolds:
      return {};
    case CodeResult::Kind::kFails:
      return violation("an assertion does not hold",
                       {result.text.substr(0, result.text.find(": "))}, result.text);
    case CodeResult::Kind::kCannot:
      break;
  }
  return missing(result.text);
}

}  // namespace tcproctor::conformance
