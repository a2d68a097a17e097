// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/parse_context.h"

#include <limits>

#include "conformance/script/names.h"
#include "conformance/script/parser.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::optional<absl::Duration> unit_of(std::string_view unit) {
  if (unit.empty() || unit == "s") return absl::Seconds(1);
  if (unit == "us") return absl::Microseconds(1);
  if (unit == "ms") return absl::Milliseconds(1);
  if (unit == "min") return absl::Minutes(1);
  if (unit == "h") return absl::Hours(1);
  return std::nullopt;
}

std::optional<uint64_t> whole(std::string_view text) {
  uint64_t value = 0;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    if (!parse_number(text.substr(2), value, 16)) return std::nullopt;
    return value;
  }
  if (!parse_number(text, value)) return std::nullopt;
  return value;
}

// Digits with an optional fraction, times the unit; exact to the nanosecond.
std::optional<absl::Duration> scaled(std::string_view text, absl::Duration unit) {
  const size_t dot = text.find('.');
  uint64_t seconds = 0;
  if (!parse_number(text.substr(0, dot), seconds) || seconds > 1'000'000'000) {
    return std::nullopt;
  }
  absl::Duration result = static_cast<int64_t>(seconds) * unit;
  if (dot == std::string_view::npos) return result;
  int64_t divisor = 10;
  for (const char digit : text.substr(dot + 1, 9)) {
    result += unit * (digit - '0') / divisor;
    divisor *= 10;
  }
  return result;
}

std::optional<Variable> variable_named(std::string_view name) {
  if (name == "RCV.NXT") return Variable::kRcvNxt;
  if (name == "RCV.WND") return Variable::kRcvWnd;
  if (name == "SND.NXT") return Variable::kSndNxt;
  return std::nullopt;
}

}  // namespace

std::optional<absl::Duration> parse_duration(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789.");
  const std::string_view digits = text.substr(0, end);
  if (digits.empty() || digits.front() == '.' || digits.back() == '.') return std::nullopt;
  const auto unit = unit_of(end == std::string_view::npos ? "" : text.substr(end));
  if (!unit.has_value()) return std::nullopt;
  return scaled(digits, *unit);
}

std::string ParseContext::describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the file";
    case TokenKind::kNewline:
      return "the end of the line";
    case TokenKind::kString:
      return "a text in quotes";
    default:
      return cat("\"", token.text, token.unit, "\"");
  }
}

bool ParseContext::take_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  lexer_.next();
  return true;
}

bool ParseContext::take_word(std::string_view word) {
  if (!at_word(word)) return false;
  lexer_.next();
  return true;
}

void ParseContext::expect_symbol(std::string_view symbol, std::string_view after) {
  if (take_symbol(symbol)) return;
  fail_here(cat("expected \"", symbol, "\" after ", after, ", found ", describe(lexer_.peek())));
}

Token ParseContext::expect(TokenKind kind, std::string_view what) {
  if (!at(kind)) fail_here(cat("expected ", what, ", found ", describe(lexer_.peek())));
  return lexer_.next();
}

void ParseContext::skip_newlines() {
  while (at(TokenKind::kNewline)) lexer_.next();
}

uint64_t ParseContext::unsigned_number(std::string_view what, uint64_t min, uint64_t max) {
  const Token token = expect(TokenKind::kNumber, cat(what, " (a number)"));
  const auto value = whole(token.text);
  if (!value.has_value() || !token.unit.empty() || *value < min || *value > max) {
    fail(token.position,
         cat(what, " must be a whole number from ", min, " to ", max, ", found ", describe(token)));
  }
  return *value;
}

absl::Duration ParseContext::to_duration(const Token& token) {
  const auto unit = unit_of(token.unit);
  if (!unit.has_value()) {
    throw ScriptError{token.position,
                      cat("unknown unit of time \"", token.unit, "\": one of us, ms, s, min, h")};
  }
  const auto result = scaled(token.text, *unit);
  if (!result.has_value()) {
    throw ScriptError{token.position, cat("\"", token.text, "\" is not a time")};
  }
  return *result;
}

absl::Duration ParseContext::duration(std::string_view what) {
  return to_duration(expect(TokenKind::kNumber, cat(what, " (a time such as 300ms)")));
}

// RCV.NXT+RCV.WND-1: names, then what is added to them. "NXT-1" is one word for the lexer.
void ParseContext::variables(Number& number) {
  bool minus = false;
  const auto add = [&](uint64_t amount) {
    number.value += minus ? -static_cast<int64_t>(amount) : static_cast<int64_t>(amount);
  };
  while (true) {
    if (at(TokenKind::kNumber)) {
      add(unsigned_number("the offset", 0, std::numeric_limits<uint32_t>::max()));
    } else {
      const Token side = expect(TokenKind::kWord, "RCV.NXT, RCV.WND or SND.NXT");
      expect_symbol(".", cat("\"", side.text, "\""));
      const Token token = expect(TokenKind::kWord, "NXT or WND");
      const auto [name, offset] = split_once(token.text, '-');
      const auto variable = variable_named(cat(side.text, ".", name));
      if (!variable.has_value()) {
        fail(side.position, cat("unknown variable \"", side.text, ".", name,
                                "\": one of RCV.NXT, RCV.WND, SND.NXT"));
      }
      if (minus) fail(side.position, "a variable cannot be subtracted");
      number.variables.push_back(*variable);
      // "NXT-10-1" is one word too.
      const bool less = name != token.text;
      for (const std::string& part : less ? split(offset, '-') : std::vector<std::string>()) {
        const auto amount = whole(part);
        if (!amount.has_value()) fail(token.position, "expected a number after \"-\"");
        number.value -= static_cast<int64_t>(*amount);
      }
    }
    minus = at_symbol("-");
    if (!take_symbol("+") && !take_symbol("-")) return;
  }
}

Number ParseContext::number(std::string_view what, bool range) {
  Number result;
  if (at_variable()) {
    variables(result);
    return result;
  }
  if (take_symbol("*")) {
    result.any = true;
    return result;
  }
  result.absolute = take_symbol("@");
  const auto one = [&] {
    const bool negative = take_symbol("-");
    const uint64_t value = unsigned_number(what, 0, std::numeric_limits<uint32_t>::max());
    return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  };
  result.value = one();
  if (range && take_symbol("~")) {
    if (result.absolute) take_symbol("@");
    const Position position = lexer_.peek().position;
    result.max = one();
    if (!result.absolute && *result.max < result.value) {
      fail(position,
           cat("the range of ", what, " is upside down: ", result.value, "~", *result.max));
    }
  }
  return result;
}

Number ParseContext::field_number(std::string_view what, uint64_t max) {
  const Position position = lexer_.peek().position;
  const Number result = number(what, true);
  const auto limit = static_cast<int64_t>(max);
  if (result.absolute || !result.variables.empty() || result.value < 0 || result.value > limit ||
      result.max.value_or(0) > limit) {
    fail(position, cat(what, " must be 0 to ", max));
  }
  return result;
}

v1::End ParseContext::end(std::string_view after) {
  const Token token = lexer_.peek();
  const auto result = token.kind == TokenKind::kWord ? parse_end(token.text) : std::nullopt;
  if (!result.has_value()) {
    fail_here(cat("expected an end, A or B, after ", after, ", found ", describe(token)));
  }
  lexer_.next();
  return *result;
}

std::string ParseContext::octets(std::string_view what) {
  if (!take_word("hex")) return expect(TokenKind::kString, what).text;
  const Token token = expect(TokenKind::kString, "hexadecimal digits in quotes after \"hex\"");
  return hex_octets(token.text, token.position);
}

std::string ParseContext::hex_octets(std::string_view digits, Position position) const {
  std::string pairs(digits);
  std::erase_if(pairs, [](char c) { return c == ' ' || c == '\t'; });
  if (pairs.empty() || pairs.size() % 2 != 0 ||
      pairs.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    fail(position, "expected pairs of hexadecimal digits such as 0d0a");
  }
  return from_hex(pairs);
}

std::string ParseContext::dotted(std::string_view what) {
  std::string name = expect(TokenKind::kWord, what).text;
  while (take_symbol(".")) append(name, ".", expect(TokenKind::kWord, what).text);
  return name;
}

Value ParseContext::numeric_value(Position position) {
  Value value;
  value.position = position;
  value.kind = Value::Kind::kNumber;
  value.number.absolute = take_symbol("@");
  bool timed = false;
  const auto one = [&](int64_t& whole_number, absl::Duration& time) {
    const bool negative = take_symbol("-");
    const Token token = expect(TokenKind::kNumber, "a number");
    const bool fraction = token.text.find('.') != std::string::npos;
    if (!token.unit.empty() || fraction) timed = true;
    if (!token.text.starts_with("0x")) time = to_duration(token);
    const auto number = fraction ? std::optional<uint64_t>(0) : whole(token.text);
    if (!number.has_value() || *number > std::numeric_limits<int64_t>::max()) {
      fail(token.position, cat(describe(token), " is too large"));
    }
    whole_number = static_cast<int64_t>(*number);
    if (negative) {
      whole_number = -whole_number;
      time = -time;
    }
  };
  one(value.number.value, value.from);
  value.to = value.from;
  if (take_symbol("~")) {
    int64_t max = 0;
    one(max, value.to);
    value.number.max = max;
    if (value.to < value.from && !value.number.absolute) fail(position, "the range is upside down");
  }
  if (timed) value.kind = Value::Kind::kDuration;
  return value;
}

Value ParseContext::map_value(Position position) {
  Value value;
  value.position = position;
  value.kind = Value::Kind::kMap;
  skip_newlines();
  while (!take_symbol("}")) {
    if (!value.map.empty()) {
      expect_symbol(",", "an entry (or \"}\" to end)");
      skip_newlines();
      if (take_symbol("}")) break;
    }
    const std::string key = dotted("the name of a field");
    expect_symbol(":", cat("\"", key, "\""));
    value.map.push_back({key, this->value()});
    skip_newlines();
  }
  return value;
}

Value ParseContext::word_value(Position position) {
  Value value;
  value.position = position;
  value.text = dotted("a value");
  if (value.text == "bytes" && take_symbol("(")) {
    value.kind = Value::Kind::kStream;
    value.text.clear();
    value.number = number("a count of octets", false);
    expect_symbol(")", "the count of octets");
    return value;
  }
  while (at(TokenKind::kWord)) append(value.text, " ", lexer_.next().text);
  return value;
}

Value ParseContext::value() {
  Value value;
  value.position = lexer_.peek().position;
  if (at_octets()) {
    value.kind = Value::Kind::kText;
    value.text = octets("a text in quotes");
    return value;
  }
  if (take_symbol("*")) {
    value.kind = Value::Kind::kAny;
    return value;
  }
  if (take_symbol("{")) return map_value(value.position);
  if (at(TokenKind::kNumber) || at_symbol("-") || at_symbol("@")) {
    return numeric_value(value.position);
  }
  if (at(TokenKind::kWord)) return word_value(value.position);
  fail_here(cat("expected a value, found ", describe(lexer_.peek())));
}

}  // namespace tcproctor::conformance
