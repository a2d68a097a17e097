// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/lexer.h"

#include <algorithm>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

bool is_word_start(char c) {
  return is_letter(c) || c == '_';
}
bool is_word(char c) {
  return is_word_start(c) || is_decimal(c);
}

int hex_digit(char c) {
  if (is_decimal(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Position end_of(std::string_view source) {
  const size_t last = source.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos) return {1, 1};
  source = source.substr(0, last + 1);
  const size_t newline = source.rfind('\n');
  const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<int>(std::count(source.begin(), source.end(), '\n')) + 1,
          static_cast<int>(source.size() - begin) + 1};
}

Lexer::Lexer(std::string_view source) : source_(source), end_(end_of(source)) {}

void Lexer::advance() {
  if (source_[offset_] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
  ++offset_;
}

void Lexer::skip_block_comment() {
  const Position start = here();
  while (offset_ < source_.size()) {
    if (starts("*/")) {
      advance();
      advance();
      return;
    }
    advance();
  }
  throw ScriptError{start, "this comment is never closed: expected \"*/\""};
}

void Lexer::skip_blanks() {
  while (offset_ < source_.size()) {
    const char c = at(0);
    if (c == ' ' || c == '\t' || c == '\r') {
      advance();
    } else if (starts("//")) {
      while (offset_ < source_.size() && at(0) != '\n') advance();
    } else if (starts("/*")) {
      skip_block_comment();
    } else if (c == '\\' && (at(1) == '\n' || (at(1) == '\r' && at(2) == '\n'))) {
      // A line is continued.
      while (at(0) != '\n') advance();
      advance();
    } else {
      return;
    }
  }
}

const Token& Lexer::peek() {
  if (!peeked_) {
    ahead_ = scan();
    peeked_ = true;
  }
  return ahead_;
}

Token Lexer::next() {
  peek();
  peeked_ = false;
  return std::move(ahead_);
}

Token Lexer::scan() {
  skip_blanks();
  Token token;
  token.position = here();
  token.begin = offset_;
  if (offset_ >= source_.size()) return token;
  const char c = at(0);
  if (c == '\n') {
    token.kind = TokenKind::kNewline;
    advance();
    return token;
  }
  if (is_word_start(c)) {
    token.kind = TokenKind::kWord;
    while (is_word(at(0)) || (at(0) == '-' && is_word(at(1)))) {
      token.text += at(0);
      advance();
    }
    return token;
  }
  if (is_decimal(c)) return scan_number(std::move(token));
  if (c == '"') return scan_string(std::move(token));
  token.kind = TokenKind::kSymbol;
  const size_t length = starts("...") || starts("%{") ? (c == '.' ? 3 : 2) : 1;
  for (size_t i = 0; i < length; ++i) {
    token.text += at(0);
    advance();
  }
  return token;
}

Token Lexer::scan_number(Token token) {
  token.kind = TokenKind::kNumber;
  const auto take = [&] {
    token.text += at(0);
    advance();
  };
  if (at(0) == '0' && (at(1) == 'x' || at(1) == 'X') && hex_digit(at(2)) >= 0) {
    take();
    take();
    while (hex_digit(at(0)) >= 0) take();
    return token;
  }
  while (is_decimal(at(0))) take();
  if (at(0) == '.' && is_decimal(at(1))) {
    take();
    while (is_decimal(at(0))) take();
  }
  while (is_letter(at(0))) {
    token.unit += at(0);
    advance();
  }
  return token;
}

Token Lexer::scan_string(Token token) {
  token.kind = TokenKind::kString;
  advance();
  while (true) {
    const char c = at(0);
    if (offset_ >= source_.size() || c == '\n') {
      throw ScriptError{token.position,
                        "this text is never closed: expected '\"' on the same line"};
    }
    const Position position = here();
    advance();
    if (c == '"') return token;
    if (c != '\\') {
      token.text += c;
      continue;
    }
    const char escape = at(0);
    if (offset_ < source_.size()) advance();
    switch (escape) {
      case 'n':
        token.text += '\n';
        break;
      case 'r':
        token.text += '\r';
        break;
      case 't':
        token.text += '\t';
        break;
      case '0':
        token.text += '\0';
        break;
      case '\\':
        token.text += '\\';
        break;
      case '"':
        token.text += '"';
        break;
      case 'x': {
        const int high = hex_digit(at(0));
        const int low = hex_digit(at(1));
        if (high < 0 || low < 0) throw ScriptError{position, "\\x needs two hexadecimal digits"};
        token.text += static_cast<char>(high * 16 + low);
        advance();
        advance();
        break;
      }
      default:
        throw ScriptError{position, cat("unknown escape \"\\", std::string(1, escape),
                                        "\": one of \\n \\r \\t \\0 \\\\ \\\" \\xHH")};
    }
  }
}

Token Lexer::word_until(std::string_view stops) {
  skip_blanks();
  Token token;
  token.kind = TokenKind::kWord;
  token.position = here();
  token.begin = offset_;
  while (offset_ < source_.size() &&
         std::string_view(" \t\r\n").find(at(0)) == std::string_view::npos &&
         stops.find(at(0)) == std::string_view::npos) {
    token.text += at(0);
    advance();
  }
  return token;
}

std::string Lexer::rest_of_line() {
  std::string out;
  if (peeked_) {
    if (ahead_.kind == TokenKind::kNewline || ahead_.kind == TokenKind::kEnd) return out;
    out = std::string(source_.substr(ahead_.begin, offset_ - ahead_.begin));
    peeked_ = false;
  }
  while (offset_ < source_.size() && at(0) != '\n') {
    if (starts("//")) {
      while (offset_ < source_.size() && at(0) != '\n') advance();
      break;
    }
    if (starts("/*")) {
      skip_block_comment();
      continue;
    }
    out += at(0);
    advance();
  }
  return std::string(trim(out));
}

void Lexer::skip_line() {
  if (peeked_ && ahead_.kind == TokenKind::kNewline) {
    peeked_ = false;
    return;
  }
  peeked_ = false;
  while (offset_ < source_.size() && at(0) != '\n') advance();
  if (offset_ < source_.size()) advance();
}

}  // namespace tcproctor::conformance
