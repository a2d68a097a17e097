// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/text.h"

namespace tcproctor::conformance {

std::string to_hex(std::string_view octets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    out += kDigits[octet >> 4];
    out += kDigits[octet & 15];
  }
  return out;
}

std::string from_hex(std::string_view digits) {
  std::string out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    uint8_t octet = 0;
    parse_number(digits.substr(i, 2), octet, 16);
    out += static_cast<char>(octet);
  }
  return out;
}

}  // namespace tcproctor::conformance
