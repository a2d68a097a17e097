// SPDX-License-Identifier: Apache-2.0
// Scripts of packetdrill's dialect -> the same syntax tree as our cases. LANGUAGE.md,
// "packetdrill's dialect".
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"
#include "conformance/script/packetdrill_lexer.h"

namespace tcproctor::conformance {

// Which language a file is written in: ours, if any line begins with "//:".
Dialect dialect_of(std::string_view source);

// INVALID_ARGUMENT: the first error, "file:line:column: message" with the line and a caret.
absl::StatusOr<Case> parse_packetdrill(std::string_view source, const std::string& file);

// The parts of the parser; private to conformance/script.
// Behind "<" or ">".
Packet parse_foreign_packet(ForeignLexer& lexer, bool outbound);
Expression parse_foreign_expression(ForeignLexer& lexer);
// Behind the time.
SystemCall parse_system_call(ForeignLexer& lexer);

}  // namespace tcproctor::conformance
