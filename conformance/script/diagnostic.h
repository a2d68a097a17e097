// SPDX-License-Identifier: Apache-2.0
// What is wrong with a case file, and where: "file:line:column: message", the line and a caret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

struct Diagnostic {
  Position position;
  std::string message;
};

// The line (counted from 1) of `source`, without its end; empty if there is none.
std::string_view source_line(std::string_view source, int line);

std::string format_diagnostic(const std::string& file, std::string_view source,
                              const Diagnostic& diagnostic);

// OK if there is none, else INVALID_ARGUMENT with all of them.
absl::Status diagnostics_status(const std::string& file, std::string_view source,
                                const std::vector<Diagnostic>& diagnostics);

}  // namespace tcproctor::conformance
