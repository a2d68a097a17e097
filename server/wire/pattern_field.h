// SPDX-License-Identifier: Apache-2.0
// The fields of a segment that a v1::FieldRange can speak of, each described once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

struct PatternField {
  v1::SegmentField field = v1::SEGMENT_FIELD_UNSPECIFIED;
  absl::string_view name;
  uint32_t max = 0;
  bool modular = false;     // compared modulo 2^32
  bool tcp = false;         // of the TCP header: contradicts an ICMP message
  uint8_t option_kind = 0;  // of which option; 0: none
};

// Null for a value that is none of the enum, or UNSPECIFIED.
const PatternField* find_pattern_field(v1::SegmentField field);

// The value in a segment, decoded or of a pattern; nothing when it is not there.
std::optional<uint32_t> pattern_field_value(const v1::Segment& segment, v1::SegmentField field);

// Whether min..max holds the value; modular fields walk upwards from min modulo 2^32.
bool range_holds(const PatternField& field, uint32_t min, uint32_t max, uint32_t value);

}  // namespace tcproctor::server
