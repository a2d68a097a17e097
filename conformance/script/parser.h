// SPDX-License-Identifier: Apache-2.0
// Text of a case, or of a script of packetdrill's dialect (which has no line "//: …"), -> syntax
// tree. The languages are described in LANGUAGE.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// Procedures by name ("reach ESTABLISHED").
using Procedures = std::map<std::string, std::vector<Statement>>;

// The cases of a file: one for each combination of its parameters (`//: for`, `//: family`), a
// single one if it has none. `file` is how it is named in messages; `procedures` are those it may
// call besides its own. INVALID_ARGUMENT: one block per error (at most 20), each
// "file:line:column: message", the line and a caret. Syntax only: names and meaning are looked at
// by check().
absl::StatusOr<std::vector<Case>> parse_all(std::string_view source, const std::string& file,
                                            const Procedures& procedures);

// The first of them, of a file that calls no procedures but its own.
absl::StatusOr<Case> parse(std::string_view source, const std::string& file);

// A file of procedures: no head, no clauses.
absl::StatusOr<Procedures> parse_procedures(std::string_view source, const std::string& file);

// "300ms", "2h", "0.5" (seconds) -> duration. nullopt: not one.
std::optional<absl::Duration> parse_duration(std::string_view text);

}  // namespace tcproctor::conformance
