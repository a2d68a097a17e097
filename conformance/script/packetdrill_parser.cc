// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_parser.h"

#include <algorithm>
#include <set>
#include <utility>

#include "conformance/script/diagnostic.h"
#include "conformance/script/packetdrill_code.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/parser.h"
#include "conformance/script/printer.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// What a flag's value has to be.
enum class FlagKind { kNone, kNumber, kWord };
struct KnownFlag {
  std::string_view name;
  FlagKind kind;
};
constexpr KnownFlag kFlags[] = {
    {"ip_version", FlagKind::kWord},
    {"local_ip", FlagKind::kWord},
    {"remote_ip", FlagKind::kWord},
    {"gateway_ip", FlagKind::kWord},
    {"netmask_ip", FlagKind::kWord},
    {"mtu", FlagKind::kNumber},
    {"mss", FlagKind::kNumber},
    {"tolerance_usecs", FlagKind::kNumber},
    {"tcp_ts_tick_usecs", FlagKind::kNumber},
    {"tcp_ts_ecr_scaled", FlagKind::kNone},
    {"strict_segments", FlagKind::kNone},
    {"send_omit_free", FlagKind::kNone},
    {"bind_port", FlagKind::kNumber},
    {"connect_port", FlagKind::kNumber},
    {"define", FlagKind::kWord},
};

class ScriptParser {
 public:
  ScriptParser(std::string_view source, const std::string& file) : lexer_(source) {
    case_.source = std::string(source);
    case_.file = file;
  }
  absl::StatusOr<Case> parse();

 private:
  void script();
  void flag();
  void event();
  TimeSpec time();
  absl::Duration moment(std::string_view what);
  void check_time(const TimeSpec& time, Position position, bool outbound);
  void check_order(const Statement& statement);
  void code(Statement& statement);
  Clause& clause() { return case_.clauses.front(); }

  ForeignLexer lexer_;
  Case case_;
  std::set<std::string> given_;                     // names that code has assigned
  absl::Duration earliest_ = absl::ZeroDuration();  // that the next event can be at
};

std::string stem(const std::string& file) {
  const size_t slash = file.find_last_of('/');
  std::string name = slash == std::string::npos ? file : file.substr(slash + 1);
  if (name.ends_with(".pkt")) name.resize(name.size() - 4);
  for (char& c : name) {
    if (c == ' ' || c == '\t' || c == ',' || c == '*' || c == '?') c = '_';
  }
  return name.empty() ? "script" : name;
}

absl::StatusOr<Case> ScriptParser::parse() {
  case_.dialect = Dialect::kPacketdrill;
  case_.head.id = stem(case_.file);
  case_.head.title = case_.file;
  case_.head.targets = all_targets();
  case_.head.needs = {"sockets"};
  case_.clauses.emplace_back();
  clause().name = "script";
  clause().position = {1, 1};
  try {
    script();
  } catch (const ScriptError& error) {
    return diagnostics_status(case_.file, case_.source, {{error.position, error.message}});
  }
  return std::move(case_);
}

void ScriptParser::script() {
  while (lexer_.at(ForeignKind::kFlag)) flag();
  // A command without a time may begin and end a script.
  const auto command = [&] {
    if (!lexer_.at(ForeignKind::kShell)) return;
    Statement statement;
    statement.position = lexer_.peek().position;
    statement.body = ShellStatement{lexer_.next().text};
    clause().statements.push_back(std::move(statement));
  };
  command();
  if (lexer_.at(ForeignKind::kEnd)) lexer_.fail_here("the script has no events");
  const size_t first = clause().statements.size();
  while (!lexer_.at(ForeignKind::kEnd) && !lexer_.at(ForeignKind::kShell)) event();
  if (clause().statements.size() == first) lexer_.fail_here("the script has no events");
  const Statement& begin = clause().statements[first];
  const bool begins = begin.time.kind != TimeSpec::Kind::kAny;
  if (!begins || begin.time.at != absl::ZeroDuration()) {
    lexer_.fail(begin.position, "the first event must be at time 0");
  }
  command();
  if (!lexer_.at(ForeignKind::kEnd)) {
    lexer_.fail_here(cat("expected the end of the file after the last command, found ",
                         ForeignLexer::describe(lexer_.peek())));
  }
}

void ScriptParser::flag() {
  const ForeignToken token = lexer_.next();
  const KnownFlag* known = nullptr;
  for (const KnownFlag& candidate : kFlags) {
    if (candidate.name == token.text) known = &candidate;
  }
  if (known == nullptr) {
    lexer_.fail(token.position,
                cat("unknown flag \"--", token.text, "\": one of ",
                    join(std::span<const KnownFlag>(kFlags), ", ",
                         [](std::string& out, const KnownFlag& one) { append(out, one.name); })));
  }
  uint64_t number = 0;
  const bool good = known->kind == FlagKind::kNone     ? token.value.empty()
                    : known->kind == FlagKind::kNumber ? parse_number(token.value, number)
                                                       : !token.value.empty();
  if (!good) {
    lexer_.fail(token.position, cat("--", token.text,
                                    known->kind == FlagKind::kNone     ? " takes no value"
                                    : known->kind == FlagKind::kNumber ? " needs a number"
                                                                       : " needs a value"));
  }
  if (token.text == "ip_version") {
    if (token.value != "ipv4" && token.value != "ipv6" && token.value != "ipv4-mapped-ipv6") {
      lexer_.fail(token.position, "--ip_version must be ipv4, ipv6 or ipv4-mapped-ipv6");
    }
    case_.head.ipv6 = token.value == "ipv6";
  }
  if (token.text == "define") {
    const auto [name, value] = split_once(token.value, '=');
    if (foreign_definition(name, false).empty() || value.empty()) {
      lexer_.fail(token.position, "--define takes NAME=VALUE of a name that scripts use");
    }
  }
  case_.flags.push_back({token.position, token.text, token.value});
}

absl::Duration ScriptParser::moment(std::string_view what) {
  const ForeignToken token = lexer_.next();
  const bool number = token.kind == ForeignKind::kInteger || token.kind == ForeignKind::kFloat;
  if (!number) {
    lexer_.fail(token.position, cat("expected ", what, ", found ", ForeignLexer::describe(token)));
  }
  if (token.text.front() == '-') lexer_.fail(token.position, "a time must not be negative");
  const auto duration = parse_duration(cat("0", token.text));
  if (!duration.has_value()) lexer_.fail(token.position, cat(token.text, " is not a time"));
  return *duration;
}

TimeSpec ScriptParser::time() {
  TimeSpec spec;
  if (lexer_.take_symbol("*")) {
    spec.kind = TimeSpec::Kind::kAny;
    return spec;
  }
  const bool relative = lexer_.take_symbol("+");
  spec.kind = relative ? TimeSpec::Kind::kRelative : TimeSpec::Kind::kAbsolute;
  const Position position = lexer_.peek().position;
  spec.at = moment("a time");
  if (lexer_.take_symbol("~")) {
    if (relative) lexer_.expect_symbol("+", "before the end of a range of relative times");
    spec.latest = moment("the end of the range of times");
    if (*spec.latest < spec.at) lexer_.fail(position, "the range of times is upside down");
  } else if (lexer_.take_symbol("...")) {
    spec.ends = moment("the time at which the call ends");
    if (*spec.ends < spec.at) lexer_.fail(position, "the call ends before it starts");
  }
  return spec;
}

void ScriptParser::check_time(const TimeSpec& time, Position position, bool outbound) {
  if (outbound) return;
  if (time.kind == TimeSpec::Kind::kAny) {
    lexer_.fail(position, "the time \"*\" is for outbound packets");
  }
  if (time.latest.has_value()) lexer_.fail(position, "a range of times is for outbound packets");
}

// Time does not run backwards: what is at an absolute time cannot come after what is later.
void ScriptParser::check_order(const Statement& statement) {
  const TimeSpec& time = statement.time;
  if (time.kind == TimeSpec::Kind::kAny) return;
  const bool absolute = time.kind == TimeSpec::Kind::kAbsolute;
  if (absolute && time.latest.value_or(time.at) < earliest_) {
    lexer_.fail(statement.position, cat("an impossible time: the event before this is at ",
                                        print_duration(earliest_), " or later"));
  }
  earliest_ = absolute ? std::max(earliest_, time.at) : earliest_ + time.at;
}

void ScriptParser::code(Statement& statement) {
  const ForeignToken token = lexer_.next();
  statement.body = CodeStatement{token.text};
  for (const auto& [name, position] : code_names(parse_code(token.text, token.position), given_)) {
    if (find_socket_field(name) == nullptr && !code_constant(name).has_value()) {
      lexer_.fail(position, cat("unknown name \"", name, "\""));
    }
  }
}

void ScriptParser::event() {
  Statement statement;
  statement.position = lexer_.peek().position;
  statement.time = time();
  check_order(statement);
  const Position position = lexer_.peek().position;
  const bool outbound = lexer_.at_symbol(">");
  if (!lexer_.at(ForeignKind::kWord) && statement.time.ends.has_value()) {
    lexer_.fail(position, "only a system call goes on until another time");
  }
  if (outbound || lexer_.at_symbol("<")) {
    lexer_.next();
    check_time(statement.time, statement.position, outbound);
    Packet packet = parse_foreign_packet(lexer_, outbound);
    if (outbound) {
      ExpectStatement expect;
      expect.alternatives.push_back(std::move(packet));
      statement.body = std::move(expect);
    } else {
      statement.body = InjectStatement{v1::END_UNSPECIFIED, std::move(packet)};
    }
  } else {
    check_time(statement.time, statement.position, false);
    if (lexer_.at(ForeignKind::kShell)) {
      statement.body = ShellStatement{lexer_.next().text};
    } else if (lexer_.at(ForeignKind::kCode)) {
      code(statement);
    } else {
      statement.body = parse_system_call(lexer_);
    }
  }
  clause().statements.push_back(std::move(statement));
}

}  // namespace

Dialect dialect_of(std::string_view source) {
  for (const std::string& line : split(source, '\n')) {
    if (trim(line).starts_with("//:")) return Dialect::kCase;
  }
  return Dialect::kPacketdrill;
}

absl::StatusOr<Case> parse_packetdrill(std::string_view source, const std::string& file) {
  return ScriptParser(source, file).parse();
}

}  // namespace tcproctor::conformance
