// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_lexer.h"

#include <utility>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

bool is_foreign_word(char c) {
  return is_letter(c) || is_decimal(c) || c == '_';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

ForeignLexer::ForeignLexer(std::string_view source) : source_(source), end_(end_of(source)) {}

void ForeignLexer::advance(size_t count) {
  for (; count > 0 && offset_ < source_.size(); --count, ++offset_) {
    if (source_[offset_] == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
  }
}

void ForeignLexer::skip_blanks() {
  while (offset_ < source_.size()) {
    const Position start{line_, column_};
    if (is_blank(at_offset(0))) {
      advance(1);
    } else if (starts("//")) {
      while (offset_ < source_.size() && at_offset(0) != '\n') advance(1);
    } else if (starts("/*")) {
      const size_t end = source_.find("*/", offset_ + 2);
      if (end == std::string_view::npos) {
        fail(start, "this comment is never closed: expected \"*/\"");
      }
      advance(end + 2 - offset_);
    } else {
      return;
    }
  }
}

const ForeignToken& ForeignLexer::peek() {
  if (!peeked_) {
    ahead_ = scan();
    peeked_ = true;
  }
  return ahead_;
}

ForeignToken ForeignLexer::next() {
  peek();
  peeked_ = false;
  return std::move(ahead_);
}

// [-]digits, [-][digits].digits, 0xdigits; or, if letters follow at once, a word.
void ForeignLexer::number(ForeignToken& token) {
  size_t length = at_offset(0) == '-' ? 1 : 0;
  if (at_offset(length) == '0' && at_offset(length + 1) == 'x') {
    length += 2;
    while (is_foreign_word(at_offset(length))) ++length;
    token.kind = ForeignKind::kHexadecimal;
    token.text = std::string(source_.substr(offset_, length));
    uint64_t value = 0;
    if (token.text[0] == '-' || !parse_number(std::string_view(token.text).substr(2), value, 16)) {
      fail(token.position, cat("\"", token.text, "\" is not a hexadecimal number of 64 bits"));
    }
    token.number = static_cast<int64_t>(value);
    advance(length);
    return;
  }
  while (is_decimal(at_offset(length))) ++length;
  token.kind = ForeignKind::kInteger;
  if (at_offset(length) == '.' && is_decimal(at_offset(length + 1))) {
    ++length;
    while (is_decimal(at_offset(length))) ++length;
    token.kind = ForeignKind::kFloat;
  } else if (is_foreign_word(at_offset(length)) && at_offset(0) != '-') {
    while (is_foreign_word(at_offset(length))) ++length;
    token.kind = ForeignKind::kWord;
  }
  token.text = std::string(source_.substr(offset_, length));
  if (token.kind == ForeignKind::kInteger && !parse_number(token.text, token.number)) {
    // Too long for a number: hexadecimal octets that happen to have no letters.
    if (token.text[0] == '-') fail(token.position, cat(token.text, " is too large"));
    token.kind = ForeignKind::kWord;
  }
  advance(length);
}

void ForeignLexer::delimited(ForeignToken& token, std::string_view end, bool escapes,
                             std::string_view what) {
  while (!starts(end)) {
    if (offset_ >= source_.size()) {
      fail(token.position, cat(what, " is never closed: expected ", end));
    }
    const size_t count = escapes && at_offset(0) == '\\' && offset_ + 1 < source_.size() ? 2 : 1;
    token.text.append(source_.substr(offset_, count));
    advance(count);
  }
  advance(end.size());
}

void ForeignLexer::flag(ForeignToken& token) {
  token.kind = ForeignKind::kFlag;
  advance(2);
  while (is_foreign_word(at_offset(0))) {
    token.text += at_offset(0);
    advance(1);
  }
  if (at_offset(0) != '=') return;
  advance(1);
  while (offset_ < source_.size() && !is_blank(at_offset(0)) && !starts("//")) {
    token.value += at_offset(0);
    advance(1);
  }
}

ForeignToken ForeignLexer::scan() {
  skip_blanks();
  ForeignToken token;
  token.position = {line_, column_};
  if (offset_ >= source_.size()) {
    token.position = end_;
    return token;
  }
  const char c = at_offset(0);
  const bool signs = c == '-' || c == '.';
  if (starts("--") && is_letter(at_offset(2))) {
    flag(token);
  } else if (is_decimal(c) || (signs && is_decimal(at_offset(1))) ||
             (c == '-' && at_offset(1) == '.' && is_decimal(at_offset(2)))) {
    number(token);
  } else if (is_letter(c) || c == '_') {
    token.kind = ForeignKind::kWord;
    while (is_foreign_word(at_offset(0))) {
      token.text += at_offset(0);
      advance(1);
    }
  } else if (c == '"') {
    token.kind = ForeignKind::kText;
    advance(1);
    delimited(token, "\"", true, "this text");
  } else if (c == '`') {
    token.kind = ForeignKind::kShell;
    advance(1);
    delimited(token, "`", true, "this command");
  } else if (starts("%{")) {
    token.kind = ForeignKind::kCode;
    advance(2);
    delimited(token, "}%", false, "this code");
    token.position.column += 2;
  } else {
    token.kind = ForeignKind::kSymbol;
    const size_t length = starts("...") ? 3 : 1;
    token.text = std::string(source_.substr(offset_, length));
    advance(length);
  }
  return token;
}

std::string ForeignLexer::describe(const ForeignToken& token) {
  switch (token.kind) {
    case ForeignKind::kEnd:
      return "the end of the file";
    case ForeignKind::kText:
      return "a text in quotes";
    case ForeignKind::kShell:
      return "a shell command";
    case ForeignKind::kCode:
      return "code";
    case ForeignKind::kFlag:
      return cat("\"--", token.text, "\"");
    default:
      return cat("\"", token.text, "\"");
  }
}

bool ForeignLexer::take_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  next();
  return true;
}

bool ForeignLexer::take_word(std::string_view word) {
  if (!at_word(word)) return false;
  next();
  return true;
}

void ForeignLexer::expect_symbol(std::string_view symbol, std::string_view where) {
  if (take_symbol(symbol)) return;
  fail_here(cat("expected \"", symbol, "\" ", where, ", found ", describe(peek())));
}

ForeignToken ForeignLexer::expect(ForeignKind kind, std::string_view what) {
  if (!at(kind)) fail_here(cat("expected ", what, ", found ", describe(peek())));
  return next();
}

int64_t ForeignLexer::integer(std::string_view what, int64_t min, int64_t max) {
  const ForeignToken token = expect(ForeignKind::kInteger, cat(what, " (a number)"));
  if (token.number < min || token.number > max) {
    fail(token.position, cat(what, " must be ", min, " to ", max, ", found ", token.text));
  }
  return token.number;
}

}  // namespace tcproctor::conformance
