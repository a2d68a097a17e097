// SPDX-License-Identifier: Apache-2.0
// The values of %{ }% blocks, as Python has them.
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "conformance/script/packetdrill_code.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

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
      const CodeValue item = operand(i);
      const auto* whole = std::get_if<int64_t>(&item);
      if (whole == nullptr) throw Cannot{"a tuple holds whole numbers only"};
      items.push_back(*whole);
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
