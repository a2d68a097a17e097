// SPDX-License-Identifier: Apache-2.0
// The user calls of the language, their arguments and results. Private to conformance/script.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "conformance/script/ast.h"

namespace tcproctor::conformance {

// What is wrong with the call; `names` are the connections known so far.
std::vector<std::string> check_call(const CallStatement& call, const std::set<std::string>& names);

}  // namespace tcproctor::conformance
