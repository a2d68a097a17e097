// SPDX-License-Identifier: Apache-2.0
// TCP options of the script -> of a segment to inject, or of a pattern to await.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "conformance/runner/numbers.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::conformance {

// The options as they go into the header `tcp` of what `from` sends, in order; what the script
// leaves open stays absent. With a `pattern` they are what is awaited: ranges and how the options
// are compared go there.
void build_options(const Flow& flow, v1::End from, const Options& options, v1::TcpHeader& tcp,
                   v1::SegmentPattern* pattern = nullptr);

// `min` and `max` belong to the range.
void add_range(v1::SegmentPattern& pattern, v1::SegmentField field, uint32_t min, uint32_t max);

// The packet with what it takes from other flows as it is now: their timestamps (`last(NAME)`), the
// newest cookie (`FO last`). To be called before the packet is built. NOT_FOUND: there is no such
// flow; FAILED_PRECONDITION: no cookie yet.
absl::StatusOr<Packet> resolved(Flows& flows, v1::End from, Packet packet);

}  // namespace tcproctor::conformance
