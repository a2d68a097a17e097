// SPDX-License-Identifier: Apache-2.0
// Where the sources of the stack name a requirement or a row of the event matrix; found at build
// time.
#pragma once

#include <span>
#include <string_view>

namespace tcproctor::conformance {

struct CodePlace {
  std::string_view id;
  std::string_view place;  // "stack/tcp/timeouts.cc:42"
};

// Sorted by id.
std::span<const CodePlace> code_places();

}  // namespace tcproctor::conformance
