// SPDX-License-Identifier: Apache-2.0
// STATUS(C) = {…}: fields of the contract's messages against what the script says.
#pragma once

#include <string>
#include <vector>

#include "conformance/runner/numbers.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::conformance {

struct StatusMatch {
  std::vector<std::string> differences;  // "snd_wnd: expected 4128, got 0"
  std::vector<std::string> untold;       // fields this TCP does not tell
};

// `wanted` is a map value. `flow` gives sequence numbers their base; null = they are absolute.
// `options` may be null when no options.X is asked for.
StatusMatch match_status(const Value& wanted, const v1::ConnectionStatus& status,
                         const v1::ConnectionOptions* options, const Flow* flow);

// Whether the script asks for options.X.
bool asks_for_options(const Value& wanted);

}  // namespace tcproctor::conformance
