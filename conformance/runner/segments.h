// SPDX-License-Identifier: Apache-2.0
// Packets of the script -> segments to inject and patterns to await, in absolute numbers.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "conformance/runner/numbers.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::conformance {

// A segment in the name of `from`. Octets that the script gives are noted in the flow.
// `quoted`: number of the segment an ICMP error quotes unless the script says otherwise; 0 = none.
absl::StatusOr<v1::Segment> build_segment(Flow& flow, v1::End from, const Packet& packet,
                                          uint64_t quoted);

// What a segment that `from` sends must look like.
absl::StatusOr<v1::SegmentPattern> build_pattern(const Flow& flow, v1::End from,
                                                 const Packet& packet);

// Any segment of the flow that `from` sends, right or wrong.
v1::SegmentPattern flow_pattern(const Flow& flow, v1::End from);

// The first field in which a logged segment differs from what the script says; empty if none does.
std::string field_difference(const std::vector<RawField>& fields, const v1::LogEntry& entry);

}  // namespace tcproctor::conformance
