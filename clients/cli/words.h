// SPDX-License-Identifier: Apache-2.0
// A typed line as words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tcproctor::cli {

// Split at blanks; "…" and '…' keep what they hold together, a backslash outside of '…' takes the
// next character as it is. INVALID_ARGUMENT: a quote that does not end.
absl::StatusOr<std::vector<std::string>> split_words(std::string_view line);

}  // namespace tcproctor::cli
