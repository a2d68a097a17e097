// SPDX-License-Identifier: Apache-2.0
// What can be known to be wrong with a case before it runs: names that do not exist, ends that
// cannot do what is asked, calls with wrong arguments, fields the contract does not have.
#pragma once

#include "absl/status/status.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// INVALID_ARGUMENT: one block per error, in the form of parse().
absl::Status check(const Case& test_case);

}  // namespace tcproctor::conformance
