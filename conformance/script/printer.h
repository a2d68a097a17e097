// SPDX-License-Identifier: Apache-2.0
// Syntax tree -> canonical text: one statement per line, one blank, times in seconds or the largest
// unit that is exact. parse(print(c)) is the same tree as c (positions apart).
#pragma once

#include <string>

#include "conformance/script/ast.h"

namespace tcproctor::conformance {

std::string print(const Case& test_case);
std::string print_statement(const Statement& statement);  // without the end of the line
std::string print_packet(const Packet& packet);
std::string print_options(const Options& options);  // "<mss 1460,nop>"; empty if none are written
std::string print_value(const Value& value);
// "0.3", without needless zeroes.
std::string print_seconds(absl::Duration duration);
// "300ms", "2h", "0s".
std::string print_duration(absl::Duration duration);
// A text in quotes with everything but printable ASCII escaped.
std::string quoted(const std::string& text);

}  // namespace tcproctor::conformance
