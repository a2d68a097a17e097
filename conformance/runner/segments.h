// SPDX-License-Identifier: Apache-2.0
// Packets of the script -> segments to inject and patterns to await, in absolute numbers.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "conformance/report/segment_text.h"
#include "conformance/runner/numbers.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::conformance {

// A segment in the name of `from`. Octets that the script gives are noted in the flow.
// `quoted`: number of the segment an ICMP error quotes unless the script says otherwise; 0 = none.
absl::StatusOr<v1::Segment> build_segment(Flow& flow, v1::End from, const Packet& packet,
                                          uint64_t quoted);

// The packet with what it takes from other flows as it is now: their timestamps (`last(NAME)`), the
// newest cookie (`FO last`). To be called before the packet is built. NOT_FOUND: there is no such
// flow; FAILED_PRECONDITION: no cookie yet.
absl::StatusOr<Packet> resolved(Flows& flows, v1::End from, Packet packet);

// What a segment that `from` sends must look like.
absl::StatusOr<v1::SegmentPattern> build_pattern(const Flow& flow, v1::End from,
                                                 const Packet& packet);

// The options as they go into a header; what is left open stays absent.
void build_options(const Flow& flow, v1::End from, const Options& options, v1::TcpHeader& tcp);

// Any segment of the flow that `from` sends, right or wrong.
v1::SegmentPattern flow_pattern(const Flow& flow, v1::End from);

// The first field in which a logged segment differs from what the script says; empty if none does.
std::string field_difference(const std::vector<RawField>& fields, const v1::LogEntry& entry);

// A logged segment, field by field. `flow`: whose ISNs its numbers are relative to; null = none.
SegmentText segment_text(const Flow* flow, const v1::LogEntry& entry);

// A logged segment as the script would write it, in relative numbers: what came, for messages.
std::string describe_segment(const Flow* flow, const v1::LogEntry& entry);

}  // namespace tcproctor::conformance
