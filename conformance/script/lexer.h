// SPDX-License-Identifier: Apache-2.0
// Cuts a case into tokens, on demand: the parser says where a free-form word (an address, a prefix)
// is due, because "198.18.0.0/15" is not made of the language's other tokens.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// Thrown inside the parser only; parse() turns it into a Diagnostic.
struct ScriptError {
  Position position;
  std::string message;
};

// Behind the last character that is no blank: the end of the file as a line that can be shown.
Position end_of(std::string_view source);

enum class TokenKind {
  kEnd,      // of the file
  kNewline,  // of a line
  kWord,     // letters, digits, _ and inner -; begins with a letter or _
  kNumber,   // digits with an optional fraction, or 0x…; `unit` holds letters that follow at once
  kString,   // "…" with \n \r \t \\ \" \xHH; text is unescaped
  kSymbol,   // ... or one character
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::string unit;
  Position position;
  size_t begin = 0;  // offset in the source
};

class Lexer {
 public:
  explicit Lexer(std::string_view source);

  // The next token, left where it is.
  const Token& peek();
  Token next();

  // Characters up to a blank, the end of the line or one of `stops`. Must not be called after a
  // peek() whose token was not taken.
  Token word_until(std::string_view stops);

  // The rest of the line, trimmed, comments removed; from the token last peeked if there is one.
  std::string rest_of_line();

  // Goes on after the end of the line (to report more than one error).
  void skip_line();

 private:
  void skip_blanks();
  void skip_block_comment();
  Token scan();
  Token scan_number(Token token);
  Token scan_string(Token token);
  void advance();
  bool starts(std::string_view text) const { return source_.substr(offset_).starts_with(text); }
  char at(size_t ahead) const {
    return offset_ + ahead < source_.size() ? source_[offset_ + ahead] : '\0';
  }
  // At the end of the file it is the end of the last line that has something in it: a line that can
  // be shown.
  Position here() const { return offset_ < source_.size() ? Position{line_, column_} : end_; }

  std::string_view source_;
  Position end_;  // behind the last character that is no blank
  size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
  bool peeked_ = false;
  Token ahead_;
};

}  // namespace tcproctor::conformance
