// SPDX-License-Identifier: Apache-2.0
// Why a statement did not hold, as text.
#pragma once

#include <string>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

// What was expected, with all alternatives, and what came, line by line.
std::string console_evidence(const Failure& failure);

}  // namespace tcproctor::conformance
