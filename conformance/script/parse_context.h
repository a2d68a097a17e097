// SPDX-License-Identifier: Apache-2.0
// What the parts of the parser share: looking at the next token, and numbers, times and values.
// Private to conformance/script.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/script/ast.h"
#include "conformance/script/diagnostic.h"
#include "conformance/script/lexer.h"

namespace tcproctor::conformance {

class ParseContext {
 public:
  explicit ParseContext(std::string_view source) : lexer_(source) {}

  Lexer& lexer() { return lexer_; }

  [[noreturn]] void fail(Position position, std::string message) const {
    throw ScriptError{position, std::move(message)};
  }
  [[noreturn]] void fail_here(std::string message) {
    throw ScriptError{lexer_.peek().position, std::move(message)};
  }

  bool at_symbol(std::string_view symbol) {
    return lexer_.peek().kind == TokenKind::kSymbol && lexer_.peek().text == symbol;
  }
  bool at_word(std::string_view word) {
    return lexer_.peek().kind == TokenKind::kWord && lexer_.peek().text == word;
  }
  bool at(TokenKind kind) { return lexer_.peek().kind == kind; }
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  void expect_symbol(std::string_view symbol, std::string_view after);
  Token expect(TokenKind kind, std::string_view what);
  void skip_newlines();
  bool at_line_end() { return at(TokenKind::kNewline) || at(TokenKind::kEnd); }

  // A whole number between min and max. `what` names it in the message.
  uint64_t unsigned_number(std::string_view what, uint64_t min, uint64_t max);
  absl::Duration duration(std::string_view what);
  // [@][-]N, *, RCV.NXT+N, with ~M behind if `range`.
  Number number(std::string_view what, bool range);
  // Whether a sum of variables begins here: RCV.NXT, RCV.WND, SND.NXT.
  bool at_variable() { return at_word("RCV") || at_word("SND"); }
  // A number whose values must be 0..max.
  Number field_number(std::string_view what, uint64_t max);
  v1::End end(std::string_view after);
  // "text" or hex "0d 0a". The next token must begin one.
  std::string octets(std::string_view what);
  // Pairs of hexadecimal digits, blanks allowed between them.
  std::string hex_octets(std::string_view digits, Position position) const;
  bool at_octets() { return at(TokenKind::kString) || at_word("hex"); }
  // word{.word}
  std::string dotted(std::string_view what);
  Value value();

  // Text of a token for "found …" in messages.
  static std::string describe(const Token& token);
  static absl::Duration to_duration(const Token& token);

 private:
  void variables(Number& number);
  Value numeric_value(Position position);
  Value map_value(Position position);
  Value word_value(Position position);

  Lexer lexer_;
};

// The parts of the parser.
Head parse_head(std::string_view source, std::vector<Diagnostic>& diagnostics, int& last_head_line);
Packet parse_packet(ParseContext& context);
// After "{".
std::vector<RawField> parse_fields(ParseContext& context);
std::vector<Value> parse_results(ParseContext& context);
CallStatement parse_call(ParseContext& context, CallStatement call);

}  // namespace tcproctor::conformance
