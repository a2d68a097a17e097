// SPDX-License-Identifier: Apache-2.0
// User calls: NAME(arguments) = results. A name in lower case is a system call of packetdrill
// proper, kept as it is written.
#include "conformance/script/parse_context.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// The arguments of a system call, cut at the commas outside all brackets.
std::vector<Argument> opaque_arguments(ParseContext& context) {
  std::vector<Argument> arguments;
  std::string text;
  int depth = 0;
  const auto flush = [&] {
    Value value;
    value.kind = Value::Kind::kOpaque;
    value.text = std::string(trim(text));
    if (!value.text.empty()) arguments.push_back({"", std::move(value)});
    text.clear();
  };
  while (true) {
    const Token token = context.lexer().next();
    if (token.kind == TokenKind::kEnd) {
      context.fail(token.position, "this call is never closed: expected \")\"");
    }
    if (token.kind == TokenKind::kSymbol) {
      const char c = token.text.front();
      if (depth == 0 && c == ')') {
        flush();
        return arguments;
      }
      if (depth == 0 && c == ',') {
        flush();
        continue;
      }
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
    }
    if (token.kind == TokenKind::kString) {
      append(text, "\"", token.text, "\"");
    } else if (token.kind != TokenKind::kNewline) {
      const bool words = !text.empty() && (is_letter(text.back()) || is_decimal(text.back())) &&
                         token.kind != TokenKind::kSymbol;
      append(text, words ? " " : "", token.text, token.unit);
    }
  }
}

CallStatement parse_system_call(ParseContext& context, CallStatement call) {
  call.arguments = opaque_arguments(context);
  if (context.take_symbol("=")) {
    Value value;
    value.kind = Value::Kind::kOpaque;
    value.position = context.lexer().peek().position;
    value.text = context.lexer().rest_of_line();
    if (value.text.empty()) context.fail(value.position, "expected a result after \"=\"");
    call.results.push_back(std::move(value));
  }
  return call;
}

// The value that begins with a word already taken.
Value value_from_word(ParseContext& context, const Token& word) {
  Value value;
  value.position = word.position;
  value.text = word.text;
  if (value.text == "bytes" && context.take_symbol("(")) {
    value.kind = Value::Kind::kStream;
    value.text.clear();
    value.number = context.number("a count of octets", false);
    context.expect_symbol(")", "the count of octets");
    return value;
  }
  while (context.take_symbol(".")) {
    append(value.text, ".", context.expect(TokenKind::kWord, "a name").text);
  }
  while (context.at(TokenKind::kWord)) {
    append(value.text, " ", context.lexer().next().text);
  }
  return value;
}

Argument parse_argument(ParseContext& context) {
  Argument argument;
  if (!context.at(TokenKind::kWord) || context.at_octets()) {
    argument.value = context.value();
    return argument;
  }
  const Token word = context.lexer().next();
  if (context.take_symbol("=")) {
    argument.name = word.text;
    if (word.text == "local" || word.text == "remote") {
      // 23, A:40000, 198.18.0.1:80
      const Token socket = context.lexer().word_until(",)");
      if (socket.text.empty()) context.fail(socket.position, "expected a port or END:PORT");
      argument.value.position = socket.position;
      argument.value.text = socket.text;
    } else {
      argument.value = context.value();
    }
  } else {
    argument.value = value_from_word(context, word);
  }
  return argument;
}
}  // namespace

std::vector<Value> parse_results(ParseContext& context) {
  std::vector<Value> results;
  do {
    Value value = context.value();
    const bool stream = value.kind == Value::Kind::kText || value.kind == Value::Kind::kStream;
    // "text" {urgent: true}: what else is known of the octets received.
    if (stream && context.at_symbol("{")) value.map = context.value().map;
    results.push_back(std::move(value));
  } while (context.take_symbol("|"));
  return results;
}

CallStatement parse_call(ParseContext& context, CallStatement call) {
  context.expect_symbol("(", cat("\"", call.name, "\""));
  if (is_lower(call.name.front())) {
    return parse_system_call(context, std::move(call));
  }
  context.skip_newlines();
  while (!context.take_symbol(")")) {
    if (!call.arguments.empty()) {
      context.expect_symbol(",", "an argument (or \")\" to end)");
      context.skip_newlines();
    }
    call.arguments.push_back(parse_argument(context));
    context.skip_newlines();
  }
  if (context.take_symbol("=")) call.results = parse_results(context);
  return call;
}

}  // namespace tcproctor::conformance
