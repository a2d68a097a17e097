// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/printer.h"

#include <array>

#include "absl/strings/str_format.h"
#include "conformance/script/fields.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::string hex(const std::string& octets) {
  return cat("hex \"", to_hex(octets), "\"");
}

std::string number(const Number& number) {
  if (number.any) return "*";
  if (!number.variables.empty()) {
    static constexpr std::array<std::string_view, 3> kNames = {"RCV.NXT", "RCV.WND", "SND.NXT"};
    std::string sum = join(number.variables, "+", [](std::string& text, Variable variable) {
      append(text, kNames[static_cast<size_t>(variable)]);
    });
    if (number.value != 0) append(sum, number.value > 0 ? "+" : "", number.value);
    return sum;
  }
  std::string out = cat(number.absolute ? "@" : "", number.value);
  if (number.max.has_value()) append(out, "~", *number.max);
  return out;
}

std::string timestamp_bound(const TimestampNumber& number, int64_t value) {
  if (!number.last) return cat(value);
  std::string last = number.flow.empty() ? "last" : cat("last(", number.flow, ")");
  if (value == 0) return last;
  return cat(last, value > 0 ? "+" : "", value);
}

std::string timestamp(const TimestampNumber& number) {
  if (number.any) return "*";
  std::string out = timestamp_bound(number, number.value);
  if (number.max.has_value()) append(out, "~", timestamp_bound(number, *number.max));
  return out;
}

std::string ao(const Option& option) {
  const std::string ids = cat("ao ", number(option.key_id), " ", number(option.rnext_key_id));
  if (option.number.any) return ids + " *";
  std::string out =
      cat(ids, " key ", quoted(option.key), option.cmac ? " cmac" : "", option.bare ? " bare" : "");
  if (option.extension != 0) append(out, " sne ", option.extension);
  return out;
}

std::string option(const Option& option) {
  switch (option.kind) {
    case Option::Kind::kEnd:
      return "eol";
    case Option::Kind::kNop:
      return "nop";
    case Option::Kind::kMss:
      return cat("mss ", number(option.number));
    case Option::Kind::kWindowScale:
      return cat("wscale ", number(option.number));
    case Option::Kind::kSackPermitted:
      return "sackOK";
    case Option::Kind::kSack: {
      std::string out = "sack";
      for (const auto& [left, right] : option.blocks) {
        append(out, " ", number(left), ":", number(right));
      }
      return out;
    }
    case Option::Kind::kTimestamps:
      return cat("TS val ", timestamp(option.value), " ecr ", timestamp(option.echo));
    case Option::Kind::kUserTimeout:
      return cat("uto ", print_duration(option.timeout));
    case Option::Kind::kFastOpen:
      if (option.number.any) return "FO *";
      if (option.last) return "FO last";
      return option.data.empty() ? "FO" : cat("FO ", hex(option.data));
    case Option::Kind::kMd5:
      if (option.number.any) return "md5 *";
      return option.key.empty() ? cat("md5 ", hex(option.data))
                                : cat("md5 key ", quoted(option.key));
    case Option::Kind::kAo:
      return ao(option);
    case Option::Kind::kFastOpenExperimental:  // of packetdrill's dialect
    case Option::Kind::kAccEcn:
    case Option::Kind::kRaw:
      break;
  }
  std::string out = cat("kind ", option.raw_kind);
  if (option.raw_length.has_value()) append(out, " len ", *option.raw_length);
  if (!option.data.empty()) append(out, " ", hex(option.data));
  return out;
}

std::string options(const Options& options) {
  const std::string list = join(
      options.list, ",", [](std::string& out, const Option& one) { append(out, option(one)); });
  switch (options.mode) {
    case Options::Mode::kUnwritten:
      return "";
    case Options::Mode::kNone:
      return " <>";
    case Options::Mode::kExact:
      return cat(" <", list, ">");
    case Options::Mode::kAny:
      return " <...>";
    case Options::Mode::kContains:
      return cat(" <... ", list, ">");
    case Options::Mode::kSet:
      return cat(" <{", list, "}>");
    case Options::Mode::kOctets:
      break;
  }
  return cat(" <octets ", hex(options.octets), ">");
}

std::string flags(const TcpPacket& packet) {
  const uint32_t ignored = 0x1ff & ~packet.flags_mask;
  if (ignored == 0) return flag_letters(packet.flags);
  const uint32_t compared = packet.flags & packet.flags_mask;
  return cat(compared == 0 ? "" : flag_letters(compared), "[", flag_letters(ignored), "]");
}

std::string tcp(const TcpPacket& packet) {
  Number end = packet.sequence;
  if (packet.length.has_value()) {
    end.value += *packet.length;
    if (end.absolute) end.value &= 0xffff'ffff;
  } else {
    end.any = true;
  }
  std::string out = flags(packet);
  if (packet.has_sequence) {
    const bool start_only = !packet.sequence.variables.empty();
    append(out, " ", number(packet.sequence), start_only ? "" : cat(":", number(end)), "(",
           packet.length.has_value() ? cat(*packet.length) : "*", ")");
  }
  if (packet.acknowledgment.has_value()) {
    append(out, " ack ", number(*packet.acknowledgment));
  }
  if (packet.window.has_value()) append(out, " win ", number(*packet.window));
  if (packet.urgent.has_value()) append(out, " urg ", number(*packet.urgent));
  append(out, options(packet.options));
  if (packet.payload.has_value()) append(out, " ", quoted(*packet.payload));
  return out;
}

std::string icmp(const IcmpPacket& packet) {
  std::string out = "icmp ";
  if (packet.name.empty()) {
    append(out, packet.type, "/", packet.code);
  } else {
    append(out, packet.name);
  }
  if (packet.mtu.has_value()) append(out, " mtu ", *packet.mtu);
  if (packet.pointer.has_value()) append(out, " pointer ", *packet.pointer);
  if (packet.quoted_sequence.has_value()) {
    append(out, " quoting ", number(*packet.quoted_sequence));
  }
  if (packet.quoted_octets.has_value()) append(out, " octets ", *packet.quoted_octets);
  return out;
}

std::string fields(const std::vector<RawField>& fields) {
  return cat("{",
             join(fields, ", ",
                  [](std::string& out, const RawField& field) {
                    const FieldName* known = find_field(field.key);
                    const bool octets = known != nullptr && known->kind == FieldKind::kOctets;
                    append(out, field.key, " ",
                           octets               ? to_hex(field.text)
                           : field.text.empty() ? number(field.number)
                                                : field.text);
                  }),
             "}");
}

std::string time(const TimeSpec& time) {
  if (time.kind == TimeSpec::Kind::kNone) return "";
  if (time.kind == TimeSpec::Kind::kAny) return "* ";
  const char* sign = time.kind == TimeSpec::Kind::kRelative ? "+" : "";
  std::string out = cat(sign, print_seconds(time.at));
  if (time.latest.has_value()) append(out, "~", sign, print_seconds(*time.latest));
  if (time.ends.has_value()) append(out, "...", print_seconds(*time.ends));
  return cat(out, " ");
}

std::string value(const Value& printed);

std::string map(const std::vector<MapEntry>& entries) {
  return cat("{",
             join(entries, ", ",
                  [](std::string& out, const auto& entry) {
                    append(out, entry.name, ": ", value(entry.value));
                  }),
             "}");
}

std::string value(const Value& printed) {
  const std::string suffix = printed.map.empty() ? "" : cat(" ", map(printed.map));
  switch (printed.kind) {
    case Value::Kind::kWord:
      return printed.text;
    case Value::Kind::kNumber:
      return number(printed.number);
    case Value::Kind::kDuration:
      return printed.from == printed.to
                 ? print_duration(printed.from)
                 : cat(print_duration(printed.from), "~", print_duration(printed.to));
    case Value::Kind::kText:
      return quoted(printed.text) + suffix;
    case Value::Kind::kStream:
      return cat("bytes(", number(printed.number), ")", suffix);
    case Value::Kind::kMap:
      return map(printed.map);
    case Value::Kind::kAny:
      break;
  }
  return "*";
}

std::string results(const std::vector<Value>& results) {
  std::string out;
  for (const Value& one : results) {
    append(out, out.empty() ? " = " : " | ", value(one));
  }
  return out;
}

std::string flow_end(std::string_view name, const FlowEnd& end) {
  if (end.address.empty()) return cat(name, ":", end.port);
  const bool v6 = end.address.find(':') != std::string::npos;
  return cat(name, ":", v6 ? "[" : "", end.address, v6 ? "]" : "", ":", end.port);
}

std::string prefix(v1::End end) {
  return end == v1::END_UNSPECIFIED ? "" : cat(end_name(end), " ");
}

struct BodyPrinter {
  std::string operator()(const InjectStatement& s) const {
    return cat(prefix(s.towards), "< ", print_packet(s.packet));
  }
  std::string operator()(const ExpectStatement& s) const {
    return cat(s.maybe ? "maybe " : "", prefix(s.from), "> ",
               join(s.alternatives, " | ",
                    [](std::string& out, const Packet& p) { append(out, print_packet(p)); }));
  }
  std::string operator()(const SilenceStatement& s) const {
    return cat(prefix(s.from), "silence ", print_duration(s.duration));
  }
  std::string operator()(const HoldStatement& s) const {
    static constexpr std::array<std::string_view, 4> kVerbs = {"hold", "unhold", "release", "drop"};
    static constexpr std::array<std::string_view, 3> kWhich = {"", " first", " last"};
    return cat(kVerbs[static_cast<size_t>(s.verb)], " ", end_name(s.from),
               kWhich[static_cast<size_t>(s.which)]);
  }
  std::string operator()(const ClaimStatement& s) const {
    return cat(end_name(s.end), " is [", s.state, "]");
  }
  std::string operator()(const FlowStatement& s) const {
    return cat("flow ", s.name, " ", flow_end("A", s.a), " ", flow_end("B", s.b));
  }
  std::string operator()(const FreshFlowStatement& s) const {
    return cat("fresh flow ", s.name,
               s.end == v1::END_UNSPECIFIED ? "" : cat(" ", end_name(s.end)));
  }
  std::string operator()(const ForgetStatement& s) const { return cat("forget ", end_name(s.end)); }
  std::string operator()(const IsnStatement& s) const {
    return cat("isn ", end_name(s.end), " = ", s.value);
  }
  std::string operator()(const WaitStatement& s) const {
    return cat("wait ", print_duration(s.duration));
  }
  std::string operator()(const NoteStatement& s) const { return cat("note ", quoted(s.text)); }
  std::string operator()(const SentStatement& s) const { return cat("sent ", fields(s.fields)); }
  std::string operator()(const FloodStatement& s) const {
    return cat("flood ", s.count, " from ", s.prefix, " rate ", s.rate);
  }
  std::string operator()(const FillStatement& s) const {
    return cat("fill window", s.fin ? " with FIN" : "",
               s.acknowledgment.has_value() ? cat(" ack ", number(*s.acknowledgment)) : "");
  }
  std::string operator()(const ImpairStatement& s) const {
    return cat("impair ", end_name(s.from), " ",
               join(s.settings, ", ", [](std::string& out, const auto& setting) {
                 append(out, setting.first, "=", setting.second);
               }));
  }
  std::string operator()(const CallStatement& s) const {
    std::string out = s.assigned.empty() ? "" : cat(s.assigned, " = ");
    if (!s.task.empty()) out = cat("start ", s.task, " = ");
    if (s.negated) append(out, "no ");
    if (s.end != v1::END_UNSPECIFIED) append(out, end_name(s.end), ".");
    append(out, s.name, "(",
           join(s.arguments, ", ",
                [](std::string& text, const Argument& argument) {
                  if (!argument.name.empty()) {
                    append(text, argument.name, "=");
                  }
                  append(text, value(argument.value));
                }),
           ")");
    return out + results(s.results);
  }
  std::string operator()(const JoinStatement& s) const {
    return cat(s.assigned.empty() ? "" : cat(s.assigned, " = "), "join ", s.task,
               results(s.results));
  }
  std::string operator()(const PendingStatement& s) const { return cat("pending ", s.task); }
  std::string operator()(const CancelStatement& s) const { return cat("cancel ", s.task); }
  std::string operator()(const SystemCall& s) const { return print_system_call(s); }
  std::string operator()(const CodeStatement& s) const { return cat("%{", s.text, "}%"); }
  std::string operator()(const ShellStatement& s) const { return cat("`", s.command, "`"); }
};

void key(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) append(out, "//: ", name, ": ", text, "\n");
}

std::string head(const Head& head) {
  std::string out;
  key(out, "id", head.id);
  key(out, "title", head.title);
  key(out, "rule", head.rule);
  key(out, "covers", head.covers_nothing ? "nothing" : join(head.covers, ", "));
  key(out, "level", head.level);
  key(out, "examines",
      head.examines == Examines::kA      ? "A"
      : head.examines == Examines::kBoth ? "both"
                                         : "B");
  key(out, "targets", join(head.targets, ", "));
  key(out, "requires", join(head.needs, ", "));
  for (const Setting& setting : head.settings) {
    key(out, setting.target.empty() ? "set" : cat("set ", setting.target),
        cat(setting.key, " = ", setting.value));
  }
  for (const auto& [end, value] : head.isn) {
    key(out, "isn", cat(end_name(end), " = ", value));
  }
  for (const auto& [end, addresses] : head.addresses) {
    for (const std::string& address : addresses) {
      key(out, "addresses", cat(end_name(end), " ", address));
    }
  }
  key(out, "family", head.ipv6 ? "ipv6" : "ipv4");
  key(out, "tolerance", print_duration(head.tolerance));
  key(out, "patience", print_duration(head.patience));
  key(out, "slow", head.slow ? "yes" : "no");
  return out;
}

std::string clause_line(const Clause& clause) {
  std::string out = cat("clause ", quoted(clause.name));
  if (clause.fresh) append(out, " fresh");
  if (clause.slow) append(out, " slow");
  if (!clause.covers.empty()) append(out, " covers ", join(clause.covers, ", "));
  if (!clause.needs.empty()) {
    append(out, " requires ", join(clause.needs, ", "));
  }
  if (!clause.targets.empty()) {
    append(out, " targets ", join(clause.targets, ", "));
  }
  return out;
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          out += c;
        } else {
          append(out, "\\x", to_hex(std::string_view(&c, 1)));
        }
    }
  }
  return out + "\"";
}

std::string print_seconds(absl::Duration duration) {
  const std::string text = absl::StrFormat("%.9f", absl::ToDoubleSeconds(duration));
  std::string_view trimmed = text;
  while (trimmed.back() == '0') trimmed.remove_suffix(1);
  if (trimmed.back() == '.') trimmed.remove_suffix(1);
  return std::string(trimmed);
}

std::string print_duration(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return cat("-", print_duration(-duration));
  static constexpr std::array<std::string_view, 5> kNames = {"h", "min", "s", "ms", "us"};
  const std::array<absl::Duration, 5> lengths = {absl::Hours(1), absl::Minutes(1), absl::Seconds(1),
                                                 absl::Milliseconds(1), absl::Microseconds(1)};
  if (duration == absl::ZeroDuration()) return "0s";
  for (size_t i = 0; i < lengths.size(); ++i) {
    absl::Duration rest;
    const int64_t count = absl::IDivDuration(duration, lengths[i], &rest);
    if (rest == absl::ZeroDuration()) return cat(count, kNames[i]);
  }
  return cat(print_seconds(duration), "s");
}

std::string print_options(const Options& written) {
  return std::string(trim(options(written)));
}

std::string print_value(const Value& written) {
  return value(written);
}

std::string print_packet(const Packet& packet) {
  std::string out;
  if (const auto* segment = std::get_if<TcpPacket>(&packet.body)) {
    out = tcp(*segment);
  } else if (const auto* message = std::get_if<IcmpPacket>(&packet.body)) {
    out = icmp(*message);
  } else if (const auto* octets = std::get_if<OctetPacket>(&packet.body)) {
    out = cat("octets ", hex(octets->octets));
  } else {
    out = "*";
  }
  if (!packet.fields.empty()) append(out, " ", fields(packet.fields));
  return out;
}

std::string print_statement(const Statement& statement) {
  std::string out = time(statement.time);
  if (!statement.flow.empty()) append(out, "(", statement.flow, ") ");
  return out + std::visit(BodyPrinter{}, statement.body);
}

std::string print(const Case& test_case) {
  if (test_case.dialect == Dialect::kPacketdrill) return print_packetdrill(test_case);
  std::string out = head(test_case.head);
  for (const Clause& clause : test_case.clauses) {
    append(out, "\n", clause_line(clause), "\n");
    for (const Statement& statement : clause.statements) {
      append(out, print_statement(statement), "\n");
    }
  }
  return out;
}

}  // namespace tcproctor::conformance
