// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/event.h"

#include <array>

namespace tcproctor::tcp {

Cause parse_cause(std::string_view cause) {
  static constexpr std::array<std::string_view, 8> kChecks = {
      "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"};
  const size_t colon = cause.find(": ");
  if (!cause.starts_with("RFC ") || colon == std::string_view::npos) return {.reason = cause};
  Cause parts{.section = cause.substr(0, colon), .reason = cause.substr(colon + 2)};
  const size_t space = parts.section.rfind(' ');
  for (size_t i = 0; i < kChecks.size(); ++i) {
    if (parts.section.substr(space + 1) != kChecks[i]) continue;
    parts.section = parts.section.substr(0, space);
    parts.check = static_cast<uint8_t>(i + 1);
    break;
  }
  return parts;
}

}  // namespace tcproctor::tcp
