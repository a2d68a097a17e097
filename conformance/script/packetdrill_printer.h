// SPDX-License-Identifier: Apache-2.0
// Syntax tree -> packetdrill's dialect, one event per line.
#pragma once

#include <string>

#include "conformance/script/ast.h"

namespace tcproctor::conformance {

std::string print_packetdrill(const Case& script);
std::string print_foreign_statement(const Statement& statement);
// Without "<" or ">".
std::string print_foreign_packet(const Packet& packet);
std::string print_system_call(const SystemCall& call);
std::string print_expression(const Expression& expression);

}  // namespace tcproctor::conformance
