// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/check.h"

#include <algorithm>
#include <set>

#include "conformance/script/check_call.h"
#include "conformance/script/diagnostic.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.pb.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {
namespace {

class Checker {
 public:
  explicit Checker(const Case& test_case) : case_(test_case), head_(test_case.head) {}
  absl::Status run();

  void operator()(const InjectStatement& s);
  void operator()(const ExpectStatement& s);
  void operator()(const SilenceStatement& s) {
    watched(s.from, "silence");
    earliest_ += s.duration;
  }
  void operator()(const HoldStatement& s);
  void operator()(const ClaimStatement& s);
  void operator()(const FlowStatement& s) { flows_.insert(s.name); }
  void operator()(const FreshFlowStatement& s) { flow(s.name); }
  void operator()(const ForgetStatement&) {}
  void operator()(const IsnStatement& s);
  void operator()(const WaitStatement& s) { earliest_ += s.duration; }
  void operator()(const NoteStatement&) {}
  void operator()(const SentStatement&) {
    if (!injected_) error("nothing was injected before \"sent\"");
  }
  void operator()(const FloodStatement&) { injected_ = true; }
  void operator()(const FillStatement&) {
    if (head_.examines == Examines::kBoth) error("both ends are real: no end can fill a window");
    injected_ = true;
  }
  void operator()(const ImpairStatement& s);
  void operator()(const CallStatement& s);
  void operator()(const JoinStatement& s);
  void operator()(const PendingStatement& s) { task(s.task); }
  void operator()(const CancelStatement& s) {
    task(s.task);
    tasks_.erase(s.task);
  }
  // Not in cases: the parser has refused them.
  void operator()(const SystemCall&) {}
  void operator()(const CodeStatement&) {}
  void operator()(const ShellStatement&) {}

 private:
  bool real(v1::End end) const { return head_.examines == Examines::kBoth || end == examined(); }
  v1::End examined() const { return head_.examines == Examines::kA ? v1::END_A : v1::END_B; }
  void settings();
  void statement(const Statement& statement);
  void timing(const Statement& statement);
  void watched(v1::End end, std::string_view what);
  void injected_packet(const Packet& packet);
  void injected_tcp(const TcpPacket& packet);
  void awaited_packet(const Packet& packet, bool maybe);
  void assign(const std::string& name);
  void flow(const std::string& name);
  void task(const std::string& name);
  void error(std::string message) { error_at(position_, std::move(message)); }
  void error_at(Position position, std::string message) {
    diagnostics_.push_back({position, std::move(message)});
  }

  const Case& case_;
  const Head& head_;
  std::vector<Diagnostic> diagnostics_;
  Position position_;
  // Known in the current part of the case; a fresh clause begins a new one.
  std::set<std::string> names_, flows_, tasks_;
  bool injected_ = false;
  // Of the session, before which the clause cannot be at its next statement.
  absl::Duration earliest_ = absl::ZeroDuration();
};

absl::Status Checker::run() {
  settings();
  flows_ = {"main"};
  for (const Clause& clause : case_.clauses) {
    if (clause.fresh) {
      names_.clear();
      tasks_.clear();
      flows_ = {"main"};
      injected_ = false;
    }
    for (const std::string& target : clause.targets) {
      if (std::find(head_.targets.begin(), head_.targets.end(), target) == head_.targets.end()) {
        error_at(clause.position,
                 cat("the case itself does not run on the target \"", target, "\""));
      }
    }
    earliest_ = absl::ZeroDuration();  // those before may be left out
    for (const Statement& one : clause.statements) statement(one);
  }
  return diagnostics_status(case_.file, case_.source, diagnostics_);
}

void Checker::settings() {
  for (const Setting& setting : head_.settings) {
    const auto [prefix, name] = split_once(setting.key, '.');
    v1::StackEnd stack;
    v1::WireSpec wire;
    absl::Status status;
    if (name.empty()) {
      status = absl::InvalidArgumentError("expected stack.FIELD, wire.FIELD or kernel.net.NAME");
    } else if (prefix == "stack") {
      status = set_field(stack, name, setting.value);
    } else if (prefix == "wire") {
      if (name != "link") status = set_field(wire, name, setting.value);
      if (name == "link" && setting.value != "veth" && setting.value != "tun") {
        status = absl::InvalidArgumentError("wire.link is veth or tun");
      }
    } else if (prefix != "kernel" || !name.starts_with("net.")) {
      status = absl::InvalidArgumentError(
          cat("unknown setting \"", setting.key,
              "\": expected stack.FIELD, wire.FIELD or kernel.net.NAME"));
    }
    if (!status.ok()) error_at(setting.position, std::string(status.message()));
  }
}

void Checker::statement(const Statement& statement) {
  position_ = statement.position;
  if (!statement.flow.empty()) flow(statement.flow);
  timing(statement);
  std::visit(*this, statement.body);
}

void Checker::timing(const Statement& statement) {
  const bool awaits = std::holds_alternative<ExpectStatement>(statement.body);
  const bool calls = std::holds_alternative<CallStatement>(statement.body);
  if (statement.time.latest.has_value() && !awaits) {
    error("a range of times is for what is awaited; this is done at one moment");
  }
  if (statement.time.kind == TimeSpec::Kind::kAny && !awaits) {
    error("\"*\" as time is for what is awaited");
  }
  if (statement.time.ends.has_value() && !calls) {
    error("only a call has a time at which it ends");
  }
  const TimeSpec& time = statement.time;
  if (time.kind == TimeSpec::Kind::kRelative) earliest_ += time.at;
  if (time.kind != TimeSpec::Kind::kAbsolute) return;
  if (time.latest.value_or(time.at) < earliest_) {
    error(cat("an impossible time: the event before this is at ", print_duration(earliest_),
              " or later"));
  }
  earliest_ = std::max(earliest_, time.at);
}

void Checker::flow(const std::string& name) {
  if (flows_.count(name) == 0) {
    error(cat("unknown flow \"", name, "\": one of ", join(flows_, ", ")));
  }
}

void Checker::task(const std::string& name) {
  if (tasks_.count(name) == 0) error(cat("no call was started as \"", name, "\""));
}

void Checker::assign(const std::string& name) {
  if (name.empty()) return;
  if (parse_end(name).has_value()) error("A and B are the ends; choose another name");
  names_.insert(name);
}

void Checker::watched(v1::End end, std::string_view what) {
  if (end == v1::END_UNSPECIFIED) {
    if (head_.examines == Examines::kBoth) {
      error(cat("both ends are real: name the end, as in \"A ", what, "\""));
    }
  } else if (!real(end)) {
    error(cat("end ", end_name(end), " is scripted: what it sends is what the case injects",
              " (\"<\")"));
  }
}

void Checker::injected_tcp(const TcpPacket& packet) {
  const auto exact = [&](const Number& number, std::string_view what) {
    if (number.any || number.max.has_value()) {
      error(cat("an injected segment needs one value for ", what));
    }
  };
  if (!packet.has_sequence) {
    error("an injected segment needs sequence numbers, as in 1:11(10)");
    return;
  }
  exact(packet.sequence, "the sequence number");
  if (!packet.length.has_value()) error("an injected segment needs a length");
  if (packet.flags_mask != 0x1ff) error("an injected segment cannot leave flags open");
  if (packet.acknowledgment.has_value()) exact(*packet.acknowledgment, "ack");
  if (packet.window.has_value()) exact(*packet.window, "win");
  if (packet.urgent.has_value()) exact(*packet.urgent, "urg");
  const Options::Mode mode = packet.options.mode;
  if (mode == Options::Mode::kAny || mode == Options::Mode::kContains ||
      mode == Options::Mode::kSet) {
    error("an injected segment needs its options spelled out");
  }
  for (const Option& option : packet.options.list) {
    if (option.number.any || option.number.max.has_value() || option.value.any || option.echo.any ||
        option.value.max.has_value() || option.echo.max.has_value() || option.key_id.any ||
        option.rnext_key_id.any) {
      error("an injected option needs its values spelled out");
    }
  }
}

void Checker::injected_packet(const Packet& packet) {
  for (const RawField& field : packet.fields) {
    if (field.number.any || field.number.max.has_value()) {
      error_at(field.position, "an injected field needs one value");
    }
  }
  if (const auto* tcp = std::get_if<TcpPacket>(&packet.body)) injected_tcp(*tcp);
  if (std::holds_alternative<AnyPacket>(packet.body)) error("\"*\" cannot be injected");
}

void Checker::operator()(const InjectStatement& s) {
  if (s.towards == v1::END_UNSPECIFIED && head_.examines == Examines::kBoth) {
    error("both ends are real: name the end that receives it, as in \"B <\"");
  }
  if (s.towards != v1::END_UNSPECIFIED && !real(s.towards)) {
    error(cat("end ", end_name(s.towards), " is scripted: it receives nothing"));
  }
  injected_packet(s.packet);
  injected_ = true;
}

void Checker::awaited_packet(const Packet& packet, bool maybe) {
  if (std::holds_alternative<OctetPacket>(packet.body)) error("\"octets\" can only be injected");
  if (std::holds_alternative<AnyPacket>(packet.body) && !maybe) {
    error("\"*\" is for \"maybe > *\"");
  }
  if (const auto* tcp = std::get_if<TcpPacket>(&packet.body)) {
    if (std::ranges::any_of(tcp->options.list, &Option::last)) {
      error("\"FO last\" is for injected segments: it repeats what the examined end gave");
    }
  }
  for (const RawField& field : packet.fields) {
    if (field.number.max.has_value() && field.key != "window" && field.key != "ttl" &&
        field.key != "urgent_pointer") {
      error_at(field.position, "only ttl, window and urgent_pointer can be a range");
    }
  }
}

void Checker::operator()(const ExpectStatement& s) {
  watched(s.from, ">");
  for (const Packet& packet : s.alternatives) awaited_packet(packet, s.maybe);
}

void Checker::operator()(const HoldStatement& s) {
  if (!real(s.from)) {
    error(cat("end ", end_name(s.from), " is scripted: it sends nothing of its own"));
  }
}

void Checker::operator()(const ClaimStatement& s) {
  if (real(s.end)) {
    error(cat("end ", end_name(s.end), " is real: its state is observed (STATE), never claimed"));
  }
}

void Checker::operator()(const IsnStatement& s) {
  if (real(s.end)) {
    error(cat("end ", end_name(s.end), " is real: it chooses its ISN itself"));
  }
}

void Checker::operator()(const ImpairStatement& s) {
  v1::ImpairRequest request;
  for (const auto& [key, value] : s.settings) {
    const absl::Status status = set_field(request, key, value);
    if (!status.ok()) error(std::string(status.message()));
  }
}

void Checker::operator()(const CallStatement& s) {
  if (s.end != v1::END_UNSPECIFIED && !real(s.end)) {
    error(cat("end ", end_name(s.end), " is scripted: it has no user calls"));
  }
  for (std::string& message : check_call(s, names_)) error(std::move(message));
  const bool needs_end = s.name == "OPEN" && s.end == v1::END_UNSPECIFIED &&
                         std::none_of(s.arguments.begin(), s.arguments.end(),
                                      [](const Argument& a) { return a.name == "from"; });
  if (needs_end && head_.examines == Examines::kBoth) {
    error("both ends are real: name the end that opens, as in A.OPEN(active)");
  }
  assign(s.assigned);
  if (!s.task.empty()) tasks_.insert(s.task);
}

void Checker::operator()(const JoinStatement& s) {
  task(s.task);
  tasks_.erase(s.task);
  assign(s.assigned);
}

}  // namespace

absl::Status check(const Case& test_case) {
  // Names and arguments of packetdrill's dialect were looked at when it was parsed.
  if (test_case.dialect == Dialect::kPacketdrill) return absl::OkStatus();
  return Checker(test_case).run();
}

}  // namespace tcproctor::conformance
