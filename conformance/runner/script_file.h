// SPDX-License-Identifier: Apache-2.0
// A file with a case or a script -> syntax tree.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// INVALID_ARGUMENT: it cannot be read, or what is wrong with it (parser.h).
absl::StatusOr<Case> read_script(const std::string& file);

}  // namespace tcproctor::conformance
