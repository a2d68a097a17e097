// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_printer.h"

#include "absl/strings/str_format.h"
#include "conformance/script/flags.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

const RawField* find(const Packet& packet, std::string_view key) {
  for (const RawField& field : packet.fields) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

// [ect0], [tos 0x04,flowlabel 0x1], [ttl 64]
std::string foreign_ip_fields(const Packet& packet) {
  const RawField* ecn = find(packet, "ecn");
  const RawField* dscp = find(packet, "dscp");
  const RawField* ttl = find(packet, "ttl");
  const RawField* label = find(packet, "flow_label");
  std::string out;
  if (dscp != nullptr && ecn != nullptr) {
    out = absl::StrFormat("tos %#04x", dscp->number.value * 4 + ecn->number.value);
  } else if (ecn != nullptr) {
    static constexpr std::string_view kMarks[] = {"noecn", "ect1", "ect0", "ce"};
    out =
        ecn->number.max.has_value() ? "ect01" : kMarks[static_cast<size_t>(ecn->number.value & 3)];
  }
  if (ttl != nullptr) out = cat("ttl ", ttl->number.value);
  if (label != nullptr) {
    append(out, out.empty() ? "" : ",", absl::StrFormat("flowlabel %#x", label->number.value));
  }
  return out.empty() ? "" : cat("[", out, "] ");
}

std::string foreign_flags(const TcpPacket& packet) {
  constexpr uint32_t kCounter = 0x1c0;
  if (!packet.accurate_ecn) return flag_letters(packet.flags);
  const std::string letters = flag_letters(packet.flags & ~(kCounter | kAck));
  const uint32_t digit = ((packet.flags & 0x40) != 0 ? 1U : 0) |
                         ((packet.flags & 0x80) != 0 ? 2U : 0) |
                         ((packet.flags & 0x100) != 0 ? 4U : 0);
  // Behind the dot the dialect takes no more letters, so that the digit without ACK comes first.
  return cat(letters == "-" ? "" : letters, (packet.flags & kAck) != 0 ? "." : "", digit);
}

std::string foreign_range(const Number& start, uint32_t length) {
  return cat(start.value, ":", start.value + length, "(", length, ")");
}

std::string foreign_octets(const Option& option) {
  if (!option.symbol.empty()) return cat(" ", option.symbol);
  return option.data.empty() ? "" : cat(" ", to_hex(option.data));
}

std::string foreign_option_text(const Option& option) {
  switch (option.kind) {
    case Option::Kind::kEnd:
      return "eol";
    case Option::Kind::kNop:
      return "nop";
    case Option::Kind::kMss:
      return cat("mss ", option.number.value);
    case Option::Kind::kWindowScale:
      return cat("wscale ", option.number.value);
    case Option::Kind::kSackPermitted:
      return "sackOK";
    case Option::Kind::kSack:
      return cat("sack ", join(option.blocks, " ", [](std::string& out, const auto& block) {
                   append(out, block.first.value, ":", block.second.value);
                 }));
    case Option::Kind::kTimestamps:
      return cat("TS val ", option.value.value, " ecr ", option.echo.value);
    case Option::Kind::kMd5:
      return cat("md5", foreign_octets(option));
    case Option::Kind::kFastOpen:
      return cat("FO", foreign_octets(option));
    case Option::Kind::kFastOpenExperimental:
      return cat("FOEXP", foreign_octets(option));
    case Option::Kind::kAccEcn:
      return cat("ECN ", join(option.counters, " ", [](std::string& out, const auto& counter) {
                   append(out, counter.first, " ", counter.second);
                 }));
    default:
      return "";
  }
}

std::string foreign_tcp(const TcpPacket& packet) {
  std::string out =
      cat(foreign_flags(packet), " ", foreign_range(packet.sequence, packet.length.value_or(0)));
  if (packet.acknowledgment.has_value()) append(out, " ack ", packet.acknowledgment->value);
  if (packet.window.has_value()) append(out, " win ", packet.window->value);
  if (packet.urgent.has_value()) append(out, " urg ", packet.urgent->value);
  if (packet.options.mode == Options::Mode::kAny) return cat(out, " <...>");
  if (packet.options.list.empty()) return out;
  return cat(out, " <",
             join(packet.options.list, ",",
                  [](std::string& text, const Option& option) {
                    append(text, foreign_option_text(option));
                  }),
             ">");
}

std::string foreign_icmp(const IcmpPacket& packet) {
  std::string out = cat("icmp ", packet.name);
  if (packet.mtu.has_value()) append(out, " mtu ", *packet.mtu);
  if (packet.quoted_sequence.has_value()) {
    append(out, " [", foreign_range(*packet.quoted_sequence, packet.quoted_length.value_or(0)),
           "]");
  }
  return out;
}

std::string foreign_items(const std::vector<Expression>& list) {
  return join(list, ", ", [](std::string& out, const Expression& item) {
    if (!item.member.empty()) {
      append(out, item.member, item.member_size.empty() ? "" : cat("(", item.member_size, ")"),
             "=");
    }
    append(out, print_expression(item));
  });
}

std::string foreign_time(const TimeSpec& time) {
  if (time.kind == TimeSpec::Kind::kNone) return "";
  if (time.kind == TimeSpec::Kind::kAny) return "* ";
  const char* sign = time.kind == TimeSpec::Kind::kRelative ? "+" : "";
  std::string out = cat(sign, print_seconds(time.at));
  if (time.latest.has_value()) append(out, "~", sign, print_seconds(*time.latest));
  if (time.ends.has_value()) append(out, "...", print_seconds(*time.ends));
  return cat(out, " ");
}

}  // namespace

std::string print_expression(const Expression& expression) {
  using Kind = Expression::Kind;
  switch (expression.kind) {
    case Kind::kEllipsis:
      return "...";
    case Kind::kNumber:
      if (!expression.function.empty())
        return cat(expression.function, "(", expression.number, ")");
      return expression.hexadecimal ? absl::StrFormat("0x%x", expression.number)
                                    : cat(expression.number);
    case Kind::kWord:
      return expression.text;
    case Kind::kText:
    case Kind::kFollows: {
      // Kept as it was written: what a backslash means is not looked at before it runs.
      std::string out = cat("\"", expression.text, "\"");
      if (!expression.function.empty()) out = cat(expression.function, "(", out, ")");
      return expression.kind == Kind::kFollows ? cat(out, "...") : out;
    }
    case Kind::kOr:
      return join(expression.items, "|", [](std::string& out, const Expression& item) {
        append(out, print_expression(item));
      });
    case Kind::kList:
      return cat("[", foreign_items(expression.items), "]");
    case Kind::kStruct:
      break;
  }
  return cat("{", foreign_items(expression.items), "}");
}

std::string print_system_call(const SystemCall& call) {
  std::string out =
      cat(call.name, "(", foreign_items(call.arguments), ") = ", print_expression(call.result));
  if (!call.error.empty()) append(out, " ", call.error, " (", call.error_text, ")");
  if (!call.note_text.empty()) append(out, " (", call.note_text, ")");
  return out;
}

std::string print_foreign_packet(const Packet& packet) {
  std::string out = foreign_ip_fields(packet);
  if (const RawField* port = find(packet, "sport"); port != nullptr) {
    append(out, port->number.value, " > ", find(packet, "dport")->number.value, " ");
  }
  if (const auto* message = std::get_if<IcmpPacket>(&packet.body))
    return out + foreign_icmp(*message);
  return out + foreign_tcp(std::get<TcpPacket>(packet.body));
}

std::string print_foreign_statement(const Statement& statement) {
  const std::string out = foreign_time(statement.time);
  if (const auto* inject = std::get_if<InjectStatement>(&statement.body)) {
    return cat(out, "< ", print_foreign_packet(inject->packet));
  }
  if (const auto* expect = std::get_if<ExpectStatement>(&statement.body)) {
    return cat(out, "> ", print_foreign_packet(expect->alternatives.front()));
  }
  if (const auto* call = std::get_if<SystemCall>(&statement.body)) {
    return out + print_system_call(*call);
  }
  if (const auto* code = std::get_if<CodeStatement>(&statement.body)) {
    return cat(out, "%{", code->text, "}%");
  }
  return cat(out, "`", std::get<ShellStatement>(statement.body).command, "`");
}

std::string print_packetdrill(const Case& script) {
  std::string out;
  for (const ScriptFlag& flag : script.flags) {
    append(out, "--", flag.name, flag.value.empty() ? "" : cat("=", flag.value), "\n");
  }
  for (const Statement& statement : script.clauses.front().statements) {
    append(out, print_foreign_statement(statement), "\n");
  }
  return out;
}

}  // namespace tcproctor::conformance
