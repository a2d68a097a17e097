// SPDX-License-Identifier: Apache-2.0
// Debian's Abseil is built as C++14, so its string_view is a type of its own that std::string_view
// does not convert to; this is the bridge for StrCat and its like.
#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace tcproctor::packet {

inline absl::string_view absl_view(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace tcproctor::packet
