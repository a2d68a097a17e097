// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/packetdrill_values.h"

#include <algorithm>

#include "conformance/script/text.h"

namespace tcproctor::conformance {

const Expression& argument(const SystemCall& call, size_t index) {
  return call.arguments.at(index);
}

const Expression* member(const Expression& structure, std::string_view name) {
  for (const Expression& item : structure.items) {
    if (item.member == name) return &item;
  }
  return nullptr;
}

std::string little_endian(int64_t value, size_t octets) {
  std::string out;
  for (size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

int64_t from_little_endian(std::string_view octets) {
  uint64_t value = 0;
  for (size_t i = std::min<size_t>(octets.size(), 8); i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(octets[i - 1]);
  }
  return octets.size() == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    uint8_t octet = 0;
    if (c == 'x' && i + 2 < text.size() && parse_number(text.substr(i + 1, 2), octet, 16)) {
      out += static_cast<char>(octet);
      i += 2;
      continue;
    }
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? '\0' : c;
  }
  return out;
}

}  // namespace tcproctor::conformance
