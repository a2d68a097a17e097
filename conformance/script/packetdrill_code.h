// SPDX-License-Identifier: Apache-2.0
// The part of Python that %{ }% blocks are written in: assert, print, assignments and expressions
// over what a socket told. Evaluated here; no Python is ever run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

using CodeValue = std::variant<int64_t, double, std::string, std::vector<int64_t>>;

struct CodeNode;
using CodeNodePtr = std::shared_ptr<const CodeNode>;

struct CodeNode {
  // "number", "text", "name", "tuple", "not", "negate", "invert", "and", "or", "compare", or the
  // sign of a binary operation.
  std::string operation;
  Position position;
  CodeValue value;   // number
  std::string text;  // text, name
  std::vector<CodeNodePtr> operands;
  std::vector<std::string> comparisons;  // compare: one less than operands
};

struct CodeLine {
  enum class Kind { kAssert, kPrint, kAssign, kAdd, kExpression };
  Kind kind = Kind::kExpression;
  Position position;
  std::string source;  // as it is written
  std::string name;    // kAssign, kAdd
  CodeNodePtr expression;
  CodeNodePtr message;  // kAssert; may be null
};

// `start`: where the text begins in its file. Throws ScriptError (lexer.h).
std::vector<CodeLine> parse_code(std::string_view text, Position start);

// The names that the lines read and that no line before them gave: what a socket has to tell.
// `given` grows by what they give.
std::vector<std::pair<std::string, Position>> code_names(const std::vector<CodeLine>& lines,
                                                         std::set<std::string>& given);

// A variable's value; nothing: it is not known here (an older kernel, say).
using CodeVariables = std::function<std::optional<int64_t>(const std::string& name)>;

struct CodeResult {
  enum class Kind { kHolds, kFails, kCannot };
  Kind kind = Kind::kHolds;
  // kFails: the assertion and its message with the values of its names; kCannot: why.
  std::string text;
};

// `memory`: variables that the script itself gave, over all its blocks.
CodeResult run_code(const std::vector<CodeLine>& lines, const CodeVariables& variables,
                    std::map<std::string, CodeValue>& memory);

}  // namespace tcproctor::conformance
