// SPDX-License-Identifier: Apache-2.0
// A file with cases or a script -> syntax trees.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"
#include "conformance/script/parser.h"

namespace tcproctor::conformance {

// The case of each combination of parameters; it may call the procedures that all cases may call.
// INVALID_ARGUMENT: it cannot be read, or what is wrong with it (parser.h).
absl::StatusOr<std::vector<Case>> read_script(const std::string& file);

// The procedures that every case may call.
absl::StatusOr<Procedures> built_in_procedures();

}  // namespace tcproctor::conformance
