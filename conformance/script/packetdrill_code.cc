// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_code.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "conformance/script/lexer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Deeper nesting than any script has; it bounds the parser's stack.
constexpr int kMaxCodeDepth = 50;

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

// Why an expression has no value.
struct Cannot {
  std::string why;
};

class Evaluator {
 public:
  Evaluator(const CodeVariables& variables, const std::map<std::string, CodeValue>& memory)
      : variables_(variables), memory_(memory) {}

  CodeValue value(const CodeNode& node) const;
  static bool truth(const CodeValue& value);
  static std::string text(const CodeValue& value);

 private:
  CodeValue named(const std::string& name) const;
  CodeValue binary(const std::string& sign, const CodeValue& left, const CodeValue& right) const;
  static CodeValue whole(const std::string& sign, int64_t left, int64_t right);
  static CodeValue fraction(const std::string& sign, double left, double right);
  static std::string formatted(const std::string& format, const CodeValue& values);
  bool compare(const std::string& sign, const CodeValue& left, const CodeValue& right) const;

  const CodeVariables& variables_;
  const std::map<std::string, CodeValue>& memory_;
};

double number_of(const CodeValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  throw Cannot{"a text stands where a number is due"};
}

bool Evaluator::truth(const CodeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* tuple = std::get_if<std::vector<int64_t>>(&value)) return !tuple->empty();
  return number_of(value) != 0;
}

std::string Evaluator::text(const CodeValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return cat(*whole);
  if (const auto* real = std::get_if<double>(&value)) return absl::StrFormat("%g", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return cat("(", join(std::get<std::vector<int64_t>>(value), ", "), ")");
}

CodeValue Evaluator::named(const std::string& name) const {
  const auto known = memory_.find(name);
  if (known != memory_.end()) return known->second;
  const std::optional<int64_t> told = variables_(name);
  if (!told.has_value()) throw Cannot{cat("nothing here tells ", name)};
  return *told;
}

CodeValue Evaluator::whole(const std::string& sign, int64_t left, int64_t right) {
  const auto a = static_cast<uint64_t>(left);
  const auto b = static_cast<uint64_t>(right);
  if (sign == "+") return static_cast<int64_t>(a + b);
  if (sign == "-") return static_cast<int64_t>(a - b);
  if (sign == "*") return static_cast<int64_t>(a * b);
  if (sign == "&") return left & right;
  if (sign == "|") return left | right;
  if (sign == "^") return left ^ right;
  if (sign == "<<" || sign == ">>") {
    if (right < 0 || right > 63) throw Cannot{"a shift by less than 0 or more than 63 bits"};
    return sign == "<<" ? static_cast<int64_t>(a << b) : left >> right;
  }
  if (right == 0) throw Cannot{"a division by zero"};
  if (sign == "/") return static_cast<double>(left) / static_cast<double>(right);
  if (right == -1) return sign == "%" ? int64_t{0} : static_cast<int64_t>(0 - a);
  // Python rounds down.
  const int64_t rest = left % right;
  const bool down = rest != 0 && (rest < 0) != (right < 0);
  if (sign == "%") return rest + (down ? right : 0);
  return left / right - (down ? 1 : 0);
}

CodeValue Evaluator::fraction(const std::string& sign, double left, double right) {
  if (sign == "+") return left + right;
  if (sign == "-") return left - right;
  if (sign == "*") return left * right;
  if (right == 0) throw Cannot{"a division by zero"};
  if (sign == "/") return left / right;
  if (sign == "//") return std::floor(left / right);
  throw Cannot{cat("\"", sign, "\" is not defined for fractions")};
}

std::string Evaluator::formatted(const std::string& format, const CodeValue& values) {
  std::vector<std::string> items;
  if (const auto* tuple = std::get_if<std::vector<int64_t>>(&values)) {
    for (const int64_t item : *tuple) items.push_back(cat(item));
  } else {
    items.push_back(text(values));
  }
  std::string out;
  size_t used = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
    } else if (format[++i] == '%') {
      out += '%';
    } else if (used < items.size()) {
      out += items[used++];
    } else {
      throw Cannot{"a text has more places than there are values"};
    }
  }
  return out;
}

CodeValue Evaluator::binary(const std::string& sign, const CodeValue& left,
                            const CodeValue& right) const {
  if (const auto* text = std::get_if<std::string>(&left); text != nullptr && sign == "%") {
    return formatted(*text, right);
  }
  const auto* a = std::get_if<int64_t>(&left);
  const auto* b = std::get_if<int64_t>(&right);
  if (a != nullptr && b != nullptr) return whole(sign, *a, *b);
  return fraction(sign, number_of(left), number_of(right));
}

bool Evaluator::compare(const std::string& sign, const CodeValue& left,
                        const CodeValue& right) const {
  const auto* a = std::get_if<int64_t>(&left);
  const auto* b = std::get_if<int64_t>(&right);
  int order = 0;
  if (a != nullptr && b != nullptr) {
    order = *a < *b ? -1 : *a > *b ? 1 : 0;
  } else {
    const double x = number_of(left);
    const double y = number_of(right);
    order = x < y ? -1 : x > y ? 1 : 0;
  }
  if (sign == "==") return order == 0;
  if (sign == "!=") return order != 0;
  if (sign == "<") return order < 0;
  if (sign == "<=") return order <= 0;
  return sign == ">" ? order > 0 : order >= 0;
}

CodeValue Evaluator::value(const CodeNode& node) const {
  const std::string& operation = node.operation;
  const auto operand = [&](size_t index) { return value(*node.operands[index]); };
  if (operation == "number") return node.value;
  if (operation == "text") return node.text;
  if (operation == "name") return named(node.text);
  if (operation == "tuple") {
    std::vector<int64_t> items;
    for (size_t i = 0; i < node.operands.size(); ++i) {
      items.push_back(static_cast<int64_t>(number_of(operand(i))));
    }
    return items;
  }
  if (operation == "not") return static_cast<int64_t>(!truth(operand(0)));
  if (operation == "and" || operation == "or") {
    const CodeValue left = operand(0);
    return truth(left) == (operation == "or") ? left : operand(1);
  }
  if (operation == "negate") return binary("-", int64_t{0}, operand(0));
  if (operation == "invert") return binary("^", int64_t{-1}, operand(0));
  if (operation == "compare") {
    CodeValue left = operand(0);
    for (size_t i = 0; i < node.comparisons.size(); ++i) {
      CodeValue right = operand(i + 1);
      if (!compare(node.comparisons[i], left, right)) return int64_t{0};
      left = std::move(right);
    }
    return int64_t{1};
  }
  return binary(operation, operand(0), operand(1));
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

CodeResult run_code(const std::vector<CodeLine>& lines, const CodeVariables& variables,
                    std::map<std::string, CodeValue>& memory) {
  for (const CodeLine& line : lines) {
    const Evaluator evaluator(variables, memory);
    try {
      CodeValue value = evaluator.value(*line.expression);
      switch (line.kind) {
        case CodeLine::Kind::kAssert: {
          if (Evaluator::truth(value)) break;
          std::string text = line.source;
          if (line.message) {
            append(text, ": ", Evaluator::text(evaluator.value(*line.message)));
          }
          return {CodeResult::Kind::kFails, std::move(text)};
        }
        case CodeLine::Kind::kAssign:
          memory[line.name] = std::move(value);
          break;
        case CodeLine::Kind::kAdd: {
          CodeNode sum;
          sum.operation = "+";
          auto left = std::make_shared<CodeNode>();
          left->operation = "name";
          left->text = line.name;
          sum.operands = {left, line.expression};
          memory[line.name] = evaluator.value(sum);
          break;
        }
        case CodeLine::Kind::kPrint:
        case CodeLine::Kind::kExpression:
          break;
      }
    } catch (const Cannot& cannot) {
      return {CodeResult::Kind::kCannot, cat(line.source, ": ", cannot.why)};
    }
  }
  return {};
}

}  // namespace tcproctor::conformance
