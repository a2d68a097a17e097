// SPDX-License-Identifier: Apache-2.0
// System calls of packetdrill's dialect: name(arguments) = result ERRNO (note).
#include <limits>

#include "conformance/script/packetdrill_parser.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Deeper nesting than any script has; it bounds the parser's stack.
constexpr int kMaxExpressionDepth = 20;

class ExpressionParser {
 public:
  explicit ExpressionParser(ForeignLexer& lexer) : lexer_(lexer) {}
  Expression expression();

 private:
  Expression single();
  Expression number();
  Expression word();
  Expression text();
  void function(Expression& expression);
  std::vector<Expression> items(std::string_view close, bool members);
  void member_name(Expression& item);
  void check_structure(const Expression& structure);

  ForeignLexer& lexer_;
  int depth_ = 0;
};

Expression ExpressionParser::number() {
  Expression made;
  made.kind = Expression::Kind::kNumber;
  made.hexadecimal = lexer_.at(ForeignKind::kHexadecimal);
  made.position = lexer_.peek().position;
  made.number = lexer_.next().number;
  return made;
}

// inet_addr("192.0.2.1"), inet6_addr("::1"), htons(8080)
void ExpressionParser::function(Expression& expression) {
  expression.function = std::move(expression.text);
  expression.text.clear();
  lexer_.expect_symbol("(", "after the name of a function");
  if (expression.function == "htons") {
    expression.kind = Expression::Kind::kNumber;
    expression.number = lexer_.integer("a port", 0, 65535);
  } else {
    expression.kind = Expression::Kind::kText;
    expression.text = lexer_.expect(ForeignKind::kText, "an address in quotes").text;
  }
  lexer_.expect_symbol(")", "after the argument");
}

Expression ExpressionParser::word() {
  Expression made;
  made.kind = Expression::Kind::kWord;
  const ForeignToken token = lexer_.next();
  made.position = token.position;
  made.text = token.text;
  const bool called = made.text == "htons" || made.text == "inet_addr" || made.text == "inet6_addr";
  if (called) {
    function(made);
  } else if (!foreign_constant(made.text).has_value() &&
             foreign_definition(made.text, false).empty()) {
    lexer_.fail(token.position, cat("unknown name \"", made.text, "\""));
  }
  return made;
}

// "…" "…" are one text.
Expression ExpressionParser::text() {
  Expression made;
  made.kind = Expression::Kind::kText;
  made.position = lexer_.peek().position;
  while (lexer_.at(ForeignKind::kText)) made.text += lexer_.next().text;
  if (lexer_.take_symbol("...")) made.kind = Expression::Kind::kFollows;
  return made;
}

// `name = ` or `name(size) = ` before a member.
void ExpressionParser::member_name(Expression& item) {
  item.position = lexer_.peek().position;
  item.member = lexer_.next().text;
  if (lexer_.take_symbol("(")) {
    if (lexer_.take_symbol("...")) {
      item.member_size = "...";
    } else {
      item.member_size = cat(lexer_.integer("how many", 0, 65535));
    }
    lexer_.expect_symbol(")", "after the size");
  }
  lexer_.expect_symbol("=", cat("after \"", item.member, "\""));
}

bool is_member(std::string_view name) {
  for (const std::string_view structure : foreign_structures()) {
    for (const std::string& member : split(structure, ' ')) {
      const std::string_view plain = std::string_view(member).substr(
          member[0] == '[' ? 1 : 0, member.find_first_of("(]") == std::string::npos
                                        ? std::string::npos
                                        : member.find_first_of("(]") - (member[0] == '[' ? 1 : 0));
      if (plain == name) return true;
    }
  }
  return false;
}

std::vector<Expression> ExpressionParser::items(std::string_view close, bool members) {
  std::vector<Expression> out;
  if (lexer_.take_symbol(close)) return out;
  do {
    Expression named;
    if (members && lexer_.at(ForeignKind::kWord) && is_member(lexer_.peek().text)) {
      member_name(named);
    }
    Expression item = expression();
    if (!named.member.empty()) {
      item.position = named.position;
      item.member = std::move(named.member);
      item.member_size = std::move(named.member_size);
    }
    out.push_back(std::move(item));
  } while (lexer_.take_symbol(","));
  lexer_.expect_symbol(close, "or \",\"");
  return out;
}

// The members must be those of one of the known structures, in order.
void ExpressionParser::check_structure(const Expression& structure) {
  if (structure.items.empty()) lexer_.fail(structure.position, "a structure without members");
  if (structure.items.front().member.empty()) {
    for (const Expression& item : structure.items) {
      if (!item.member.empty()) {
        lexer_.fail(item.position, "a structure has names for all of its members or for none");
      }
    }
    return;
  }
  for (const std::string_view known : foreign_structures()) {
    size_t used = 0;
    bool fits = true;
    for (std::string member : split(known, ' ')) {
      const bool optional = member.front() == '[';
      if (optional) member = member.substr(1, member.size() - 2);
      const bool sized = member.ends_with("()");
      if (sized) member.resize(member.size() - 2);
      if (used < structure.items.size() && structure.items[used].member == member &&
          sized != structure.items[used].member_size.empty()) {
        ++used;
      } else if (!optional) {
        fits = false;
      }
    }
    if (fits && used == structure.items.size()) return;
  }
  lexer_.fail(structure.position, cat("no structure has the members ",
                                      join(structure.items, ", ",
                                           [](std::string& out, const Expression& item) {
                                             append(out, item.member,
                                                    item.member_size.empty() ? "" : "()");
                                           }),
                                      "; known are: ", join(foreign_structures(), "; ")));
}

Expression ExpressionParser::single() {
  Expression made;
  made.position = lexer_.peek().position;
  switch (lexer_.peek().kind) {
    case ForeignKind::kInteger:
    case ForeignKind::kHexadecimal:
      return number();
    case ForeignKind::kWord:
      return word();
    case ForeignKind::kText:
      return text();
    default:
      break;
  }
  if (lexer_.take_symbol("...")) return made;
  if (lexer_.take_symbol("[")) {
    made.kind = Expression::Kind::kList;
    made.items = items("]", false);
    return made;
  }
  if (lexer_.take_symbol("{")) {
    made.kind = Expression::Kind::kStruct;
    made.items = items("}", true);
    check_structure(made);
    return made;
  }
  lexer_.fail_here(cat("expected a value, found ", ForeignLexer::describe(lexer_.peek())));
}

Expression ExpressionParser::expression() {
  if (++depth_ > kMaxExpressionDepth) lexer_.fail_here("this is nested too deeply");
  Expression made = single();
  if (lexer_.at_symbol("|")) {
    Expression all;
    all.kind = Expression::Kind::kOr;
    all.position = made.position;
    all.items.push_back(std::move(made));
    while (lexer_.take_symbol("|")) all.items.push_back(single());
    made = std::move(all);
  }
  --depth_;
  return made;
}

// (Operation now in progress)
std::string note(ForeignLexer& lexer) {
  if (!lexer.take_symbol("(")) return "";
  std::string text = lexer.expect(ForeignKind::kWord, "a word").text;
  while (lexer.at(ForeignKind::kWord)) append(text, " ", lexer.next().text);
  lexer.expect_symbol(")", "after the note");
  return text;
}

}  // namespace

Expression parse_foreign_expression(ForeignLexer& lexer) {
  return ExpressionParser(lexer).expression();
}

SystemCall parse_system_call(ForeignLexer& lexer) {
  SystemCall call;
  const ForeignToken name =
      lexer.expect(ForeignKind::kWord, "a packet, a system call, code or a command");
  call.name = name.text;
  const ForeignCall* known = find_foreign_call(call.name);
  if (known == nullptr) {
    lexer.fail(name.position,
               cat("unknown system call \"", call.name, "\": one of ", foreign_call_names()));
  }
  lexer.expect_symbol("(", "after the name of a system call");
  if (!lexer.take_symbol(")")) {
    do {
      call.arguments.push_back(parse_foreign_expression(lexer));
    } while (lexer.take_symbol(","));
    lexer.expect_symbol(")", "or \",\" after an argument");
  }
  const size_t count = call.arguments.size();
  if (known->arguments == 0 ? count != 2 && count != 3 : count != known->arguments) {
    lexer.fail(name.position,
               cat(call.name, "() takes ", known->arguments == 0 ? "2 or 3" : cat(known->arguments),
                   " arguments, not ", count));
  }
  lexer.expect_symbol("=", "and the result after a system call");
  call.result = parse_foreign_expression(lexer);
  if (lexer.at(ForeignKind::kWord)) {
    const ForeignToken error = lexer.next();
    if (error.text.front() != 'E' || !foreign_constant(error.text).has_value()) {
      lexer.fail(error.position, cat("\"", error.text, "\" is no errno"));
    }
    call.error = error.text;
    if (!lexer.at_symbol("(")) {
      lexer.fail_here("expected the text of the error in brackets, as in EAGAIN (Resource …)");
    }
    call.error_text = note(lexer);
  }
  call.note_text = note(lexer);
  return call;
}

}  // namespace tcproctor::conformance
