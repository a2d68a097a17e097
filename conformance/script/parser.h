// SPDX-License-Identifier: Apache-2.0
// Text of a case, or of a script of packetdrill's dialect (which has no line "//: …"), -> syntax
// tree. The languages are described in LANGUAGE.md.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// `file` is how the case is named in messages. INVALID_ARGUMENT: one block per error (at most 20),
// each "file:line:column: message", the line and a caret. Syntax only: names and meaning are looked
// at by check().
absl::StatusOr<Case> parse(std::string_view source, const std::string& file);

// "300ms", "2h", "0.5" (seconds) -> duration. nullopt: not one.
std::optional<absl::Duration> parse_duration(std::string_view text);

}  // namespace tcproctor::conformance
