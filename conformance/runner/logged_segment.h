// SPDX-License-Identifier: Apache-2.0
// Segments of the log as people and scripts read them.
#pragma once

#include <string>

#include "conformance/report/segment_text.h"
#include "conformance/runner/numbers.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

// A logged segment, field by field. `flow`: whose ISNs its numbers are relative to; null = none.
SegmentText segment_text(const Flow* flow, const v1::LogEntry& entry);

// A logged segment as the script would write it, in relative numbers: what came, for messages.
std::string describe_segment(const Flow* flow, const v1::LogEntry& entry);

}  // namespace tcproctor::conformance
