// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/diagnostic.h"

#include <algorithm>

#include "conformance/script/text.h"

namespace tcproctor::conformance {

std::string_view source_line(std::string_view source, int line) {
  for (int current = 1; current < line; ++current) {
    const size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (!source.empty() && source.back() == '\r') source.remove_suffix(1);
  return source;
}

std::string format_diagnostic(const std::string& file, std::string_view source,
                              const Diagnostic& diagnostic) {
  const Position& at = diagnostic.position;
  std::string line(source_line(source, at.line));
  // A tab takes one column of the position; show it as one blank so that the caret stands right.
  std::replace(line.begin(), line.end(), '\t', ' ');
  const size_t indent = at.column > 0 ? static_cast<size_t>(at.column) - 1 : 0;
  return cat(file, ":", at.line, ":", at.column, ": ", diagnostic.message, "\n  ", line, "\n  ",
             std::string(std::min(indent, line.size()), ' '), "^");
}

absl::Status diagnostics_status(const std::string& file, std::string_view source,
                                const std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.empty()) return absl::OkStatus();
  std::string all;
  for (const Diagnostic& diagnostic : diagnostics) {
    append(all, all.empty() ? "" : "\n", format_diagnostic(file, source, diagnostic));
  }
  return absl::InvalidArgumentError(all);
}

}  // namespace tcproctor::conformance
