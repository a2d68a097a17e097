// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_code.h"

#include <algorithm>
#include <array>
#include <utility>

#include "conformance/script/lexer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Deeper nesting than any script has; it bounds the parser's stack.
constexpr int kMaxCodeDepth = 50;
// More operators than any statement has: a chain of them is as deep a tree as it is long.
constexpr int kMaxOperators = 1000;

bool is_name(char c) {
  return is_letter(c) || is_decimal(c) || c == '_';
}

class CodeParser {
 public:
  CodeParser(std::string_view text, Position start) : text_(text), at_(start) {}
  std::vector<CodeLine> parse();

 private:
  enum class Kind { kEnd, kLineEnd, kNumber, kText, kName, kSymbol };
  struct Token {
    Kind kind = Kind::kEnd;
    std::string text;
    Position position;
    size_t begin = 0;
  };

  [[noreturn]] void fail(std::string message) const {
    throw ScriptError{token_.position, std::move(message)};
  }
  std::string found() const {
    if (token_.kind == Kind::kEnd) return "the end of the code";
    return token_.kind == Kind::kLineEnd ? "the end of the line" : cat("\"", token_.text, "\"");
  }
  void advance();
  void skip_blanks();
  void next();
  bool at(std::string_view text) const {
    return (token_.kind == Kind::kSymbol || token_.kind == Kind::kName) && token_.text == text;
  }
  bool take(std::string_view text) {
    if (!at(text)) return false;
    next();
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) fail(cat("expected \"", text, "\", found ", found()));
  }
  CodeLine line();
  CodeNodePtr node(std::string operation, Position position, std::vector<CodeNodePtr> operands);
  CodeNodePtr expression();
  CodeNodePtr conjunction();
  CodeNodePtr negation();
  CodeNodePtr comparison();
  CodeNodePtr binary(size_t level);
  CodeNodePtr unary();
  CodeNodePtr primary();

  std::string_view text_;
  size_t offset_ = 0;
  Position at_;
  int brackets_ = 0;
  int depth_ = 0;
  int operators_ = 0;  // of the statement so far
  Token token_;
  size_t previous_end_ = 0;  // of the token taken last
};

void CodeParser::advance() {
  if (text_[offset_] == '\n') {
    ++at_.line;
    at_.column = 1;
  } else {
    ++at_.column;
  }
  ++offset_;
}

void CodeParser::skip_blanks() {
  while (offset_ < text_.size()) {
    const char c = text_[offset_];
    const bool newline = c == '\n' && brackets_ > 0;
    if (c == ' ' || c == '\t' || c == '\r' || newline) {
      advance();
    } else if (c == '#') {
      while (offset_ < text_.size() && text_[offset_] != '\n') advance();
    } else if (c == '\\' && text_.substr(offset_ + 1).starts_with('\n')) {
      advance();
      advance();
    } else {
      return;
    }
  }
}

void CodeParser::next() {
  previous_end_ = offset_;
  skip_blanks();
  token_ = {Kind::kEnd, "", at_, offset_};
  if (offset_ >= text_.size()) return;
  const char c = text_[offset_];
  const auto take_while = [&](auto&& wanted) {
    while (offset_ < text_.size() && wanted(text_[offset_])) {
      token_.text += text_[offset_];
      advance();
    }
  };
  if (c == '\n' || c == ';') {
    token_.kind = Kind::kLineEnd;
    advance();
  } else if (is_decimal(c)) {
    token_.kind = Kind::kNumber;
    take_while([](char d) { return is_name(d) || d == '.'; });
  } else if (is_name(c)) {
    token_.kind = Kind::kName;
    take_while(is_name);
  } else if (c == '\'' || c == '"') {
    token_.kind = Kind::kText;
    advance();
    take_while([&](char d) { return d != c && d != '\n'; });
    if (offset_ >= text_.size() || text_[offset_] != c) fail("this text is never closed");
    advance();
  } else {
    token_.kind = Kind::kSymbol;
    size_t length = 1;
    for (const std::string_view symbol : {"<<", ">>", "<=", ">=", "==", "!=", "+=", "//", "**"}) {
      if (text_.substr(offset_).starts_with(symbol)) length = 2;
    }
    for (; length > 0; --length) {
      token_.text += text_[offset_];
      advance();
    }
  }
}

std::vector<CodeLine> CodeParser::parse() {
  std::vector<CodeLine> lines;
  next();
  while (token_.kind != Kind::kEnd) {
    if (token_.kind == Kind::kLineEnd) {
      next();
      continue;
    }
    const size_t begin = token_.begin;
    CodeLine parsed = line();
    parsed.source = std::string(trim(text_.substr(begin, previous_end_ - begin)));
    lines.push_back(std::move(parsed));
    if (token_.kind != Kind::kEnd && token_.kind != Kind::kLineEnd) {
      fail(cat("expected the end of the statement, found ", found()));
    }
  }
  return lines;
}

CodeLine CodeParser::line() {
  CodeLine line;
  line.position = token_.position;
  operators_ = 0;
  if (take("assert")) {
    line.kind = CodeLine::Kind::kAssert;
    line.expression = expression();
    if (take(",")) line.message = expression();
    return line;
  }
  if (at("print")) {
    next();
    line.kind = CodeLine::Kind::kPrint;
    line.expression = expression();
    return line;
  }
  line.expression = expression();
  if (line.expression->operation == "name" && (at("=") || at("+="))) {
    line.kind = at("=") ? CodeLine::Kind::kAssign : CodeLine::Kind::kAdd;
    line.name = line.expression->text;
    next();
    line.expression = expression();
  }
  return line;
}

CodeNodePtr CodeParser::node(std::string operation, Position position,
                             std::vector<CodeNodePtr> operands) {
  if (++operators_ > kMaxOperators) fail("this statement has too many operators");
  auto made = std::make_shared<CodeNode>();
  made->operation = std::move(operation);
  made->position = position;
  made->operands = std::move(operands);
  return made;
}

CodeNodePtr CodeParser::expression() {
  if (++depth_ > kMaxCodeDepth) fail("this code is nested too deeply");
  CodeNodePtr left = conjunction();
  while (at("or")) {
    const Position position = token_.position;
    next();
    left = node("or", position, {left, conjunction()});
  }
  --depth_;
  return left;
}

CodeNodePtr CodeParser::conjunction() {
  CodeNodePtr left = negation();
  while (at("and")) {
    const Position position = token_.position;
    next();
    left = node("and", position, {left, negation()});
  }
  return left;
}

CodeNodePtr CodeParser::negation() {
  if (++depth_ > kMaxCodeDepth) fail("this code is nested too deeply");
  const Position position = token_.position;
  CodeNodePtr made = take("not") ? node("not", position, {negation()}) : comparison();
  --depth_;
  return made;
}

CodeNodePtr CodeParser::comparison() {
  const Position position = token_.position;
  std::vector<CodeNodePtr> operands = {binary(0)};
  std::vector<std::string> comparisons;
  while (at("==") || at("!=") || at("<") || at("<=") || at(">") || at(">=")) {
    comparisons.push_back(token_.text);
    next();
    operands.push_back(binary(0));
  }
  if (comparisons.empty()) return operands.front();
  auto made = std::make_shared<CodeNode>();
  made->operation = "compare";
  made->position = position;
  made->operands = std::move(operands);
  made->comparisons = std::move(comparisons);
  return made;
}

// Weakest first.
CodeNodePtr CodeParser::binary(size_t level) {
  static const std::array<std::vector<std::string_view>, 6> kLevels = {
      {{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%"}}};
  if (level == kLevels.size()) return unary();
  CodeNodePtr left = binary(level + 1);
  while (token_.kind == Kind::kSymbol) {
    const auto& signs = kLevels[level];
    if (std::find(signs.begin(), signs.end(), token_.text) == signs.end()) break;
    const std::string sign = token_.text;
    const Position position = token_.position;
    next();
    left = node(sign, position, {left, binary(level + 1)});
  }
  return left;
}

CodeNodePtr CodeParser::unary() {
  if (++depth_ > kMaxCodeDepth) fail("this code is nested too deeply");
  const Position position = token_.position;
  CodeNodePtr made;
  if (take("-")) {
    made = node("negate", position, {unary()});
  } else if (take("~")) {
    made = node("invert", position, {unary()});
  } else {
    made = primary();
  }
  --depth_;
  return made;
}

CodeNodePtr CodeParser::primary() {
  const Position position = token_.position;
  auto made = std::make_shared<CodeNode>();
  made->position = position;
  if (token_.kind == Kind::kNumber) {
    made->operation = "number";
    int64_t whole = 0;
    double fraction = 0;
    const bool hexadecimal = token_.text.starts_with("0x");
    if (parse_number(hexadecimal ? std::string_view(token_.text).substr(2) : token_.text, whole,
                     hexadecimal ? 16 : 10)) {
      made->value = whole;
    } else if (!hexadecimal && parse_number(token_.text, fraction)) {
      made->value = fraction;
    } else {
      fail(cat(found(), " is not a number"));
    }
    next();
    return made;
  }
  if (token_.kind == Kind::kText || token_.kind == Kind::kName) {
    made->operation = token_.kind == Kind::kText ? "text" : "name";
    made->text = token_.text;
    next();
    if (made->operation == "name" && at("(")) {
      fail(cat("\"", made->text,
               "\" cannot be called: only assert, print and expressions are known"));
    }
    return made;
  }
  if (!at("(")) fail(cat("expected a value, found ", found()));
  ++brackets_;
  next();
  std::vector<CodeNodePtr> items = {expression()};
  bool tuple = false;
  while (at(",")) {
    tuple = true;
    next();
    if (!at(")")) items.push_back(expression());
  }
  if (!at(")")) fail(cat("expected \")\", found ", found()));
  --brackets_;
  next();
  return tuple ? node("tuple", position, std::move(items)) : items.front();
}

void collect_names(const CodeNode& node, std::vector<std::pair<std::string, Position>>& names) {
  if (node.operation == "name") names.emplace_back(node.text, node.position);
  for (const CodeNodePtr& operand : node.operands) collect_names(*operand, names);
}

}  // namespace

std::vector<CodeLine> parse_code(std::string_view text, Position start) {
  return CodeParser(text, start).parse();
}

std::vector<std::pair<std::string, Position>> code_names(const std::vector<CodeLine>& lines,
                                                         std::set<std::string>& given) {
  std::vector<std::pair<std::string, Position>> unknown;
  for (const CodeLine& line : lines) {
    std::vector<std::pair<std::string, Position>> names;
    collect_names(*line.expression, names);
    if (line.message) collect_names(*line.message, names);
    if (line.kind == CodeLine::Kind::kAdd) names.emplace_back(line.name, line.position);
    for (auto& name : names) {
      if (given.count(name.first) == 0) unknown.push_back(std::move(name));
    }
    if (!line.name.empty()) given.insert(line.name);
  }
  return unknown;
}

}  // namespace tcproctor::conformance
