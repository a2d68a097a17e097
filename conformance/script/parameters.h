// SPDX-License-Identifier: Apache-2.0
// Files that are several cases: `//: for NAME …: VALUES` and `//: family: ipv4, ipv6`.
// Private to conformance/script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conformance/script/diagnostic.h"

namespace tcproctor::conformance {

// A line of the head begins with it.
inline constexpr std::string_view kHeadMark = "//:";

// The source for one combination of the values: `$name` stands for the value of each parameter.
// Lines stay where they are.
struct Variant {
  std::string source;
  std::string id_suffix;  // "-v6"
};

// At least one, even if there are errors.
std::vector<Variant> expand_parameters(std::string_view source,
                                       std::vector<Diagnostic>& diagnostics);

}  // namespace tcproctor::conformance
