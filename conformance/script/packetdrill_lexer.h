// SPDX-License-Identifier: Apache-2.0
// Cuts a script of packetdrill's dialect into tokens. It differs from our own lexer where the
// dialect does: lines mean nothing, numbers may begin with "." or "-", words with a digit, and code
// and shell commands are tokens of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "conformance/script/ast.h"
#include "conformance/script/lexer.h"

namespace tcproctor::conformance {

enum class ForeignKind {
  kEnd,          // of the file
  kWord,         // letters, digits and _; may begin with a digit: hexadecimal octets
  kInteger,      // -5, 12
  kHexadecimal,  // 0x1f
  kFloat,        // 0.5, .5
  kText,         // "…", as it is written between the quotes
  kShell,        // `…`
  kCode,         // %{ … }%, without them
  kFlag,         // --name=value; text is the name, value the rest up to a blank
  kSymbol,       // ... or one character
};

struct ForeignToken {
  ForeignKind kind = ForeignKind::kEnd;
  std::string text;
  std::string value;   // kFlag
  int64_t number = 0;  // kInteger, kHexadecimal
  Position position;   // kCode: of the text, behind "%{"
};

class ForeignLexer {
 public:
  // `source` must outlive the lexer.
  explicit ForeignLexer(std::string_view source);

  const ForeignToken& peek();
  ForeignToken next();
  bool at(ForeignKind kind) { return peek().kind == kind; }
  bool at_symbol(std::string_view symbol) {
    return peek().kind == ForeignKind::kSymbol && peek().text == symbol;
  }
  bool at_word(std::string_view word) {
    return peek().kind == ForeignKind::kWord && peek().text == word;
  }
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  void expect_symbol(std::string_view symbol, std::string_view where);
  ForeignToken expect(ForeignKind kind, std::string_view what);
  int64_t integer(std::string_view what, int64_t min, int64_t max);
  [[noreturn]] void fail(Position position, std::string message) const {
    throw ScriptError{position, std::move(message)};
  }
  [[noreturn]] void fail_here(std::string message) { fail(peek().position, std::move(message)); }
  // For "found …" in messages.
  static std::string describe(const ForeignToken& token);

 private:
  ForeignToken scan();
  void skip_blanks();
  void number(ForeignToken& token);
  void delimited(ForeignToken& token, std::string_view end, bool escapes, std::string_view what);
  void flag(ForeignToken& token);
  void advance(size_t count);
  bool starts(std::string_view text) const { return source_.substr(offset_).starts_with(text); }
  char at_offset(size_t ahead) const {
    return offset_ + ahead < source_.size() ? source_[offset_ + ahead] : '\0';
  }

  std::string_view source_;
  Position end_;  // where the end of the file is reported: behind the last character
  size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
  bool peeked_ = false;
  ForeignToken ahead_;
};

}  // namespace tcproctor::conformance
