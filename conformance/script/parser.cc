// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "conformance/script/names.h"
#include "conformance/script/packetdrill_parser.h"
#include "conformance/script/parameters.h"
#include "conformance/script/parse_context.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr std::string_view kForeignOnly =
    " are for scripts of packetdrill's dialect, without a head";

constexpr size_t kMaxErrors = 20;

class Parser {
 public:
  Parser(std::string_view source, std::string file, Procedures procedures)
      : context_(source), procedures_(std::move(procedures)) {
    case_.file = std::move(file);
    case_.source = std::string(source);
  }
  absl::StatusOr<Case> parse();
  // Of a file that has nothing else.
  absl::StatusOr<Procedures> parse_procedures();

 private:
  void body();
  void line();
  void procedure();
  void statement_line(std::vector<Statement>& into);
  bool call_procedure(Statement& called, std::vector<Statement>& into);
  std::string procedure_name();
  void clause(Position position);
  std::vector<std::string> name_list();
  TimeSpec time();
  void end_of_statement();
  Clause& open_clause();

  void statement(Statement& statement);
  void named_end(Statement& statement, v1::End end, const Token& word);
  void keyword(Statement& statement, const Token& word);
  bool wire_keyword(Statement& statement, const Token& word);
  bool flow_keyword(Statement& statement, const Token& word);
  bool hold_keyword(Statement& statement, const Token& word);
  bool task_keyword(Statement& statement, const Token& word);
  JoinStatement join_task(std::string assigned);
  ExpectStatement expectation(v1::End from, bool maybe);
  FlowEnd flow_end(std::string_view name);
  FlowStatement flow();
  FloodStatement flood();
  FillStatement fill();
  ImpairStatement impair();
  ClaimStatement claim(v1::End end);
  CallStatement call(CallStatement call, const Token& name);
  CallStatement ended_call(CallStatement made);

  ParseContext context_;
  Procedures procedures_;
  Case case_;
  std::vector<Diagnostic> diagnostics_;
  int first_statement_line_ = 0;
  bool line_ended_ = false;
};

absl::StatusOr<Case> Parser::parse() {
  int last_head_line = 0;
  case_.head = parse_head(case_.source, diagnostics_, last_head_line);
  body();
  if (first_statement_line_ > 0 && first_statement_line_ < last_head_line) {
    diagnostics_.push_back({{last_head_line, 1}, "the head ends where the first statement begins"});
  }
  if (case_.clauses.empty() && diagnostics_.empty()) {
    diagnostics_.push_back({{1, 1}, "the case has no statements"});
  }
  const bool covers = std::any_of(case_.clauses.begin(), case_.clauses.end(),
                                  [](const Clause& clause) { return !clause.covers.empty(); });
  if (case_.head.covers.empty() && !case_.head.covers_nothing && !covers) {
    diagnostics_.push_back({{1, 1},
                            "the head lacks \"//: covers: …\" (\"nothing\" is an answer), and no "
                            "clause has it"});
  }
  const absl::Status status = diagnostics_status(case_.file, case_.source, diagnostics_);
  if (!status.ok()) return status;
  return std::move(case_);
}

absl::StatusOr<Procedures> Parser::parse_procedures() {
  body();
  if (!case_.clauses.empty() && diagnostics_.empty()) {
    diagnostics_.push_back({case_.clauses[0].position, "only procedures can stand here"});
  }
  const absl::Status status = diagnostics_status(case_.file, case_.source, diagnostics_);
  if (!status.ok()) return status;
  return std::move(procedures_);
}

void Parser::body() {
  while (diagnostics_.size() < kMaxErrors) {
    try {
      context_.skip_newlines();
      if (context_.at(TokenKind::kEnd)) return;
      if (first_statement_line_ == 0) {
        first_statement_line_ = context_.lexer().peek().position.line;
      }
      line_ended_ = false;
      line();
      end_of_statement();
    } catch (const ScriptError& error) {
      diagnostics_.push_back({error.position, error.message});
      context_.lexer().skip_line();
    }
  }
}

void Parser::end_of_statement() {
  if (line_ended_ || context_.at_line_end()) return;
  context_.fail_here(
      cat("expected the end of the line, found ", ParseContext::describe(context_.lexer().peek())));
}

Clause& Parser::open_clause() {
  if (case_.clauses.empty()) {
    Clause clause;
    clause.position = context_.lexer().peek().position;
    clause.name = "setup";
    case_.clauses.push_back(std::move(clause));
  }
  return case_.clauses.back();
}

void Parser::line() {
  const Position position = context_.lexer().peek().position;
  if (context_.take_word("clause")) return clause(position);
  if (context_.take_word("procedure")) return procedure();
  statement_line(open_clause().statements);
}

// A statement, or what the procedure consists of that is called.
void Parser::statement_line(std::vector<Statement>& into) {
  Statement parsed;
  parsed.position = context_.lexer().peek().position;
  parsed.time = time();
  if (context_.take_symbol("(")) {
    parsed.flow = context_.expect(TokenKind::kWord, "the name of a flow").text;
    context_.expect_symbol(")", "the name of a flow");
  }
  if (call_procedure(parsed, into)) return;
  statement(parsed);
  into.push_back(std::move(parsed));
}

// Words up to the end of the line: "reach FIN-WAIT-1".
std::string Parser::procedure_name() {
  std::string name = context_.expect(TokenKind::kWord, "the name of a procedure").text;
  while (!context_.at_line_end()) {
    append(name, " ", context_.expect(TokenKind::kWord, "the name of a procedure").text);
  }
  return name;
}

// procedure NAME, statements, end
void Parser::procedure() {
  const Position position = context_.lexer().peek().position;
  const std::string name = procedure_name();
  std::vector<Statement> statements;
  while (true) {
    context_.skip_newlines();
    if (context_.at(TokenKind::kEnd)) context_.fail(position, "this procedure has no \"end\"");
    if (context_.take_word("end")) break;
    line_ended_ = false;
    statement_line(statements);
    end_of_statement();
  }
  line_ended_ = false;
  if (!procedures_.emplace(name, std::move(statements)).second) {
    context_.fail(position, cat("there is a procedure \"", name, "\" already"));
  }
}

// The first word tells a procedure's family ("reach"); no statement begins with one.
bool Parser::call_procedure(Statement& called, std::vector<Statement>& into) {
  if (!context_.at(TokenKind::kWord)) return false;
  const std::string first = cat(context_.lexer().peek().text, " ");
  const auto family = procedures_.lower_bound(first);
  if (family == procedures_.end() || !family->first.starts_with(first)) return false;
  const std::string name = procedure_name();
  const auto found = procedures_.find(name);
  if (found == procedures_.end()) {
    context_.fail(called.position, cat("there is no procedure \"", name, "\""));
  }
  if (called.time.kind != TimeSpec::Kind::kNone) {
    context_.fail(called.position, "a procedure has no time of its own");
  }
  for (Statement statement : found->second) {
    statement.position = called.position;
    if (statement.procedure.empty()) statement.procedure = name;
    if (statement.flow.empty()) statement.flow = called.flow;
    into.push_back(std::move(statement));
  }
  return true;
}

std::vector<std::string> Parser::name_list() {
  std::vector<std::string> names;
  do {
    names.push_back(context_.dotted("a name"));
  } while (context_.take_symbol(","));
  return names;
}

void Parser::clause(Position position) {
  Clause clause;
  clause.position = position;
  clause.name = context_.expect(TokenKind::kString, "the clause's name in quotes").text;
  for (const Clause& other : case_.clauses) {
    if (other.name == clause.name) {
      context_.fail(position, cat("there is a clause \"", clause.name, "\" already"));
    }
  }
  while (!context_.at_line_end()) {
    if (context_.take_word("fresh")) {
      clause.fresh = true;
    } else if (context_.take_word("slow")) {
      clause.slow = true;
    } else if (context_.take_word("covers")) {
      do {
        clause.covers.push_back(context_.lexer().word_until(",").text);
      } while (context_.take_symbol(","));
    } else if (context_.take_word("requires")) {
      clause.needs = name_list();
    } else if (context_.take_word("targets")) {
      const Position at = context_.lexer().peek().position;
      clause.targets = name_list();
      for (const std::string& target : clause.targets) {
        if (!is_target(target)) {
          context_.fail(at,
                        cat("unknown target \"", target, "\": one of ", join(all_targets(), ", ")));
        }
      }
    } else {
      context_.fail_here(cat("expected fresh, slow, covers, requires or targets, found ",
                             ParseContext::describe(context_.lexer().peek())));
    }
  }
  case_.clauses.push_back(std::move(clause));
}

TimeSpec Parser::time() {
  TimeSpec spec;
  if (context_.take_symbol("*")) {
    spec.kind = TimeSpec::Kind::kAny;
    return spec;
  }
  const bool relative = context_.take_symbol("+");
  if (!relative && !context_.at(TokenKind::kNumber)) return spec;
  spec.kind = relative ? TimeSpec::Kind::kRelative : TimeSpec::Kind::kAbsolute;
  const Position position = context_.lexer().peek().position;
  spec.at = context_.duration("a time");
  if (context_.take_symbol("~")) {
    context_.take_symbol("+");
    spec.latest = context_.duration("the end of the range of times");
    if (*spec.latest < spec.at) context_.fail(position, "the range of times is upside down");
  } else if (context_.take_symbol("...")) {
    context_.take_symbol("+");
    spec.ends = context_.duration("the time at which the call ends");
    if (*spec.ends < spec.at) context_.fail(position, "the call ends before it starts");
  }
  return spec;
}

void Parser::statement(Statement& statement) {
  if (context_.take_symbol("<")) {
    statement.body = InjectStatement{v1::END_UNSPECIFIED, parse_packet(context_)};
    return;
  }
  if (context_.take_symbol(">")) {
    statement.body = expectation(v1::END_UNSPECIFIED, false);
    return;
  }
  if (context_.at_symbol("%{") || context_.at_symbol("`")) {
    context_.fail_here(
        cat(context_.at_symbol("`") ? "shell commands" : "%{ } assertions", kForeignOnly));
  }
  const Token word = context_.expect(TokenKind::kWord, "a statement");
  const auto end = parse_end(word.text);
  if (end.has_value() && !context_.at_symbol("=") && !context_.at_symbol("(")) {
    named_end(statement, *end, word);
  } else {
    keyword(statement, word);
  }
}

void Parser::named_end(Statement& statement, v1::End end, const Token& word) {
  if (context_.take_symbol("<")) {
    statement.body = InjectStatement{end, parse_packet(context_)};
  } else if (context_.take_symbol(">")) {
    statement.body = expectation(end, false);
  } else if (context_.take_word("silence")) {
    statement.body = SilenceStatement{end, context_.duration("how long it is silent")};
  } else if (context_.take_word("is")) {
    statement.body = claim(end);
  } else if (context_.take_symbol(".")) {
    CallStatement made;
    made.end = end;
    statement.body = call(made, context_.expect(TokenKind::kWord, "a call"));
  } else {
    context_.fail_here(cat("expected <, >, silence, is or .CALL after \"", word.text, "\", found ",
                           ParseContext::describe(context_.lexer().peek())));
  }
}

CallStatement Parser::call(CallStatement call, const Token& name) {
  call.name = name.text;
  if (!context_.at_symbol("(")) {
    context_.fail(name.position, cat("expected a statement, found \"", name.text, "\""));
  }
  if (is_lower(name.text.front())) {
    context_.fail(name.position, cat("system calls", kForeignOnly));
  }
  return parse_call(context_, std::move(call));
}

void Parser::keyword(Statement& statement, const Token& word) {
  CallStatement made;
  if (context_.take_symbol("=")) {
    if (context_.take_word("join")) {
      statement.body = join_task(word.text);
      return;
    }
    made.assigned = word.text;
    statement.body = ended_call(std::move(made));
    return;
  }
  if (context_.at_symbol("(")) {
    statement.body = call(made, word);
    return;
  }
  if (word.text == "no") {
    made.negated = true;
    statement.body = call(made, context_.expect(TokenKind::kWord, "EVENT"));
    return;
  }
  if (hold_keyword(statement, word) || wire_keyword(statement, word) ||
      flow_keyword(statement, word) || task_keyword(statement, word)) {
    return;
  }
  context_.fail(word.position, cat("expected a statement, found \"", word.text, "\""));
}

// [END.]CALL(…)
CallStatement Parser::ended_call(CallStatement made) {
  Token name = context_.expect(TokenKind::kWord, "a call");
  const auto end = parse_end(name.text);
  if (end.has_value()) {
    context_.expect_symbol(".", "the end that makes the call");
    made.end = *end;
    name = context_.expect(TokenKind::kWord, "a call");
  }
  return call(std::move(made), name);
}

JoinStatement Parser::join_task(std::string assigned) {
  JoinStatement join;
  join.assigned = std::move(assigned);
  join.task = context_.expect(TokenKind::kWord, "the name of a started call").text;
  if (context_.take_symbol("=")) join.results = parse_results(context_);
  return join;
}

bool Parser::task_keyword(Statement& statement, const Token& word) {
  const std::string_view what = "the name of a started call";
  if (word.text == "start") {
    CallStatement made;
    made.task = context_.expect(TokenKind::kWord, "a name for the call").text;
    context_.expect_symbol("=", "the name of the call");
    statement.body = ended_call(std::move(made));
  } else if (word.text == "join") {
    statement.body = join_task("");
  } else if (word.text == "pending") {
    statement.body = PendingStatement{context_.expect(TokenKind::kWord, what).text};
  } else if (word.text == "cancel") {
    statement.body = CancelStatement{context_.expect(TokenKind::kWord, what).text};
  } else {
    return false;
  }
  return true;
}

bool Parser::hold_keyword(Statement& statement, const Token& word) {
  using Verb = HoldStatement::Verb;
  static const std::pair<std::string_view, Verb> kVerbs[] = {{"hold", Verb::kHold},
                                                             {"unhold", Verb::kUnhold},
                                                             {"release", Verb::kRelease},
                                                             {"drop", Verb::kDrop}};
  for (const auto& [name, verb] : kVerbs) {
    if (word.text != name) continue;
    HoldStatement hold{verb, context_.end(name), HoldStatement::Which::kAll};
    if (verb == Verb::kRelease || verb == Verb::kDrop) {
      if (context_.take_word("first")) {
        hold.which = HoldStatement::Which::kFirst;
      } else if (context_.take_word("last")) {
        hold.which = HoldStatement::Which::kLast;
      }
    }
    statement.body = hold;
    return true;
  }
  return false;
}

bool Parser::wire_keyword(Statement& statement, const Token& word) {
  if (word.text == "maybe") {
    v1::End from = v1::END_UNSPECIFIED;
    if (!context_.at_symbol(">")) from = context_.end("maybe");
    context_.expect_symbol(">", "maybe");
    statement.body = expectation(from, true);
  } else if (word.text == "silence") {
    statement.body =
        SilenceStatement{v1::END_UNSPECIFIED, context_.duration("how long it is silent")};
  } else if (word.text == "wait") {
    statement.body = WaitStatement{context_.duration("how long to wait")};
  } else if (word.text == "note") {
    statement.body = NoteStatement{context_.expect(TokenKind::kString, "a text in quotes").text};
  } else if (word.text == "sent") {
    context_.expect_symbol("{", "sent");
    statement.body = SentStatement{parse_fields(context_)};
  } else if (word.text == "flood") {
    statement.body = flood();
  } else if (word.text == "fill") {
    statement.body = fill();
  } else if (word.text == "impair") {
    statement.body = impair();
  } else {
    return false;
  }
  return true;
}

bool Parser::flow_keyword(Statement& statement, const Token& word) {
  if (word.text == "flow") {
    statement.body = flow();
  } else if (word.text == "fresh") {
    if (!context_.take_word("flow")) context_.fail_here("expected \"flow NAME\" after \"fresh\"");
    FreshFlowStatement fresh;
    fresh.name = context_.expect(TokenKind::kWord, "the name of a flow").text;
    if (!context_.at_line_end()) fresh.end = context_.end("the flow");
    statement.body = fresh;
  } else if (word.text == "forget") {
    statement.body = ForgetStatement{context_.end("forget")};
  } else if (word.text == "isn") {
    IsnStatement isn;
    isn.end = context_.end("isn");
    context_.expect_symbol("=", "the end");
    isn.value = static_cast<uint32_t>(context_.unsigned_number(
        "the initial sequence number", 0, std::numeric_limits<uint32_t>::max()));
    statement.body = isn;
  } else {
    return false;
  }
  return true;
}

ExpectStatement Parser::expectation(v1::End from, bool maybe) {
  ExpectStatement expect;
  expect.from = from;
  expect.maybe = maybe;
  expect.alternatives.push_back(parse_packet(context_));
  while (true) {
    if (context_.take_symbol("|")) {
      context_.skip_newlines();
      expect.alternatives.push_back(parse_packet(context_));
      continue;
    }
    if (line_ended_ || !context_.at(TokenKind::kNewline)) return expect;
    // An alternative may stand in the next line, which then begins with "|".
    context_.skip_newlines();
    line_ended_ = true;
    if (!context_.at_symbol("|")) return expect;
    line_ended_ = false;
  }
}

// A:5001, A:198.18.0.1:5001 or A:[2001:db8::9]:5001
FlowEnd Parser::flow_end(std::string_view name) {
  const Token token = context_.lexer().word_until("");
  std::string_view text = token.text;
  const auto wrong = [&]() {
    context_.fail(token.position, cat("expected ", name, ":PORT, ", name, ":ADDRESS:PORT or ", name,
                                      ":[IPV6]:PORT, found \"", token.text, "\""));
  };
  if (text.size() < 3 || !text.starts_with(name) || text[1] != ':') wrong();
  text.remove_prefix(2);
  FlowEnd end;
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string_view address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
      address = address.substr(1, address.size() - 2);
    }
    end.address = std::string(address);
    text.remove_prefix(colon + 1);
  }
  if (!parse_number(text, end.port) || end.port > 65535) wrong();
  return end;
}

FlowStatement Parser::flow() {
  FlowStatement flow;
  flow.name = context_.expect(TokenKind::kWord, "the name of the flow").text;
  flow.a = flow_end("A");
  flow.b = flow_end("B");
  return flow;
}

FloodStatement Parser::flood() {
  FloodStatement flood;
  flood.count = context_.unsigned_number("how many SYNs", 1, 10'000'000);
  if (!context_.take_word("from")) context_.fail_here("expected \"from PREFIX\"");
  flood.prefix = context_.lexer().word_until("").text;
  if (flood.prefix.find('/') == std::string::npos) {
    context_.fail_here("expected a prefix such as 198.18.0.0/15");
  }
  if (context_.take_word("rate")) {
    flood.rate = static_cast<uint32_t>(
        context_.unsigned_number("SYNs per second (0: no limit)", 0, 10'000'000));
  }
  return flood;
}

FillStatement Parser::fill() {
  FillStatement fill;
  if (!context_.take_word("window")) context_.fail_here("expected \"window\" after \"fill\"");
  if (context_.take_word("with")) {
    fill.fin = context_.take_word("FIN");
    if (!fill.fin) context_.fail_here("expected \"FIN\" after \"with\"");
  }
  if (context_.take_word("ack")) {
    fill.acknowledgment = context_.number("the acknowledgment number", false);
  }
  return fill;
}

ImpairStatement Parser::impair() {
  ImpairStatement impair;
  impair.from = context_.end("impair");
  while (!context_.at_line_end()) {
    const std::string key = context_.expect(TokenKind::kWord, "what to impair, e.g. loss").text;
    context_.expect_symbol("=", cat("\"", key, "\""));
    const Token value = context_.expect(TokenKind::kNumber, "a number or a time");
    impair.settings.emplace_back(key, cat(value.text, value.unit));
    context_.take_symbol(",");
  }
  return impair;
}

ClaimStatement Parser::claim(v1::End end) {
  ClaimStatement claim;
  claim.end = end;
  context_.expect_symbol("[", "\"is\"");
  const Token state = context_.expect(TokenKind::kWord, "a state");
  if (!parse_state(state.text).has_value()) {
    context_.fail(state.position, cat("\"", state.text, "\" is not a state of TCP"));
  }
  claim.state = state.text;
  context_.expect_symbol("]", "the state");
  return claim;
}

}  // namespace

absl::StatusOr<std::vector<Case>> parse_all(std::string_view source, const std::string& file,
                                            const Procedures& procedures) {
  if (dialect_of(source) == Dialect::kPacketdrill) {
    absl::StatusOr<Case> script = parse_packetdrill(source, file);
    if (!script.ok()) return script.status();
    return std::vector<Case>{*std::move(script)};
  }
  std::vector<Diagnostic> diagnostics;
  const std::vector<Variant> variants = expand_parameters(source, diagnostics);
  const absl::Status status = diagnostics_status(file, source, diagnostics);
  if (!status.ok()) return status;
  std::vector<Case> cases;
  for (const Variant& variant : variants) {
    absl::StatusOr<Case> parsed = Parser(variant.source, file, procedures).parse();
    if (!parsed.ok()) return parsed.status();
    parsed->head.id += variant.id_suffix;
    if (!cases.empty() && parsed->head.id == cases.back().head.id) {
      return diagnostics_status(
          file, source,
          {{{1, 1}, "the id of the case must hold a parameter that tells the cases apart"}});
    }
    cases.push_back(*std::move(parsed));
  }
  return cases;
}

absl::StatusOr<Case> parse(std::string_view source, const std::string& file) {
  absl::StatusOr<std::vector<Case>> cases = parse_all(source, file, {});
  if (!cases.ok()) return cases.status();
  return std::move(cases->front());
}

absl::StatusOr<Procedures> parse_procedures(std::string_view source, const std::string& file) {
  return Parser(source, file, {}).parse_procedures();
}

}  // namespace tcproctor::conformance
