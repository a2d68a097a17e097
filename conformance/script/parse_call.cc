// SPDX-License-Identifier: Apache-2.0
// User calls: NAME(arguments) = results.
#include "conformance/script/parse_context.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

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
