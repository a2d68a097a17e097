// SPDX-License-Identifier: Apache-2.0
// Whether a v1::Segment can be crafted, or be part of a pattern: ranges of all fields, and fields
// that exclude each other.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

enum class SegmentUse : uint8_t {
  kCraft,    // what has no default must be there
  kPattern,  // anything may be absent
};

// INVALID_ARGUMENT names the field below `path`. That addresses, MTU and pointer suit a family is
// only checked where the segment says which it is.
absl::Status check_segment(const v1::Segment& segment, SegmentUse use, absl::string_view path);

}  // namespace tcproctor::server
