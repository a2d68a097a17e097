// SPDX-License-Identifier: Apache-2.0
// The options of a segment against those of a pattern.
#pragma once

#include <string>

#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

// Whether one option of a segment is what one of a pattern asks for; wildcards as in matcher.h.
bool option_fits(const v1::TcpOption& pattern, const v1::TcpOption& option);

// The mode in force: UNSPECIFIED resolved. UNSPECIFIED = not compared.
v1::OptionMatch effective_option_match(const v1::SegmentPattern& pattern);

// What is different, in words; empty: they match. Trailing EOL counts as padding in every mode.
std::string option_difference(const v1::TcpHeader& pattern, v1::OptionMatch mode,
                              const v1::TcpHeader& got);

}  // namespace tcproctor::server
