// SPDX-License-Identifier: Apache-2.0
// Arguments and results of the system calls of packetdrill's dialect, as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// A call that cannot be built: the script asks for what is not there.
struct Unbuildable {
  std::string why;
};

const Expression& argument(const SystemCall& call, size_t index);
// {fd=3}: by name; null: there is none of that name.
const Expression* member(const Expression& structure, std::string_view name);

std::string little_endian(int64_t value, size_t octets);
int64_t from_little_endian(std::string_view octets);

// What the backslashes in a text mean: \n \t \r \0 \xHH, else the character itself.
std::string unescaped(const std::string& text);

}  // namespace tcproctor::conformance
