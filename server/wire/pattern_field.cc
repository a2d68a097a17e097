// SPDX-License-Identifier: Apache-2.0
#include "server/wire/pattern_field.h"

#include <algorithm>
#include <array>

namespace tcproctor::server {
namespace {

constexpr uint32_t kMax32 = 0xFFFFFFFF;
constexpr uint8_t kMss = 2;
constexpr uint8_t kTimestamps = 8;

constexpr std::array kFields = {
    PatternField{v1::SEGMENT_FIELD_SEQUENCE_NUMBER, "sequence_number", kMax32, true, true, 0},
    PatternField{v1::SEGMENT_FIELD_ACKNOWLEDGMENT_NUMBER, "acknowledgment_number", kMax32, true,
                 true, 0},
    PatternField{v1::SEGMENT_FIELD_WINDOW, "window", 65535, false, true, 0},
    PatternField{v1::SEGMENT_FIELD_URGENT_POINTER, "urgent_pointer", 65535, false, true, 0},
    PatternField{v1::SEGMENT_FIELD_PAYLOAD_LENGTH, "payload_length", 65535, false, true, 0},
    PatternField{v1::SEGMENT_FIELD_TTL, "ttl", 255, false, false, 0},
    PatternField{v1::SEGMENT_FIELD_MSS, "mss", 65535, false, true, kMss},
    PatternField{v1::SEGMENT_FIELD_TIMESTAMP_VALUE, "timestamp_value", kMax32, true, true,
                 kTimestamps},
    PatternField{v1::SEGMENT_FIELD_TIMESTAMP_ECHO_REPLY, "timestamp_echo_reply", kMax32, true, true,
                 kTimestamps},
    PatternField{v1::SEGMENT_FIELD_SOURCE_PORT, "source_port", 65535, false, true, 0},
    PatternField{v1::SEGMENT_FIELD_DESTINATION_PORT, "destination_port", 65535, false, true, 0},
};

std::optional<uint32_t> present(bool has, uint32_t value) {
  if (!has) return std::nullopt;
  return value;
}

const v1::TcpOption* find_option(const v1::TcpHeader& tcp, v1::TcpOption::OptionCase kind) {
  const auto found = std::ranges::find(tcp.options(), kind, &v1::TcpOption::option_case);
  return found == tcp.options().end() ? nullptr : &*found;
}

}  // namespace

const PatternField* find_pattern_field(v1::SegmentField field) {
  const auto found = std::ranges::find(kFields, field, &PatternField::field);
  return found == kFields.end() ? nullptr : &*found;
}

std::optional<uint32_t> pattern_field_value(const v1::Segment& segment, v1::SegmentField field) {
  const v1::TcpHeader& tcp = segment.tcp();
  switch (field) {
    case v1::SEGMENT_FIELD_SEQUENCE_NUMBER:
      return present(tcp.has_sequence_number(), tcp.sequence_number());
    case v1::SEGMENT_FIELD_ACKNOWLEDGMENT_NUMBER:
      return present(tcp.has_acknowledgment_number(), tcp.acknowledgment_number());
    case v1::SEGMENT_FIELD_WINDOW:
      return present(tcp.has_window(), tcp.window());
    case v1::SEGMENT_FIELD_URGENT_POINTER:
      return present(tcp.has_urgent_pointer(), tcp.urgent_pointer());
    case v1::SEGMENT_FIELD_PAYLOAD_LENGTH:
      return present(segment.has_payload(), static_cast<uint32_t>(segment.payload().size()));
    case v1::SEGMENT_FIELD_TTL:
      if (segment.has_ipv6()) {
        return present(segment.ipv6().has_hop_limit(), segment.ipv6().hop_limit());
      }
      return present(segment.ipv4().has_ttl(), segment.ipv4().ttl());
    case v1::SEGMENT_FIELD_MSS: {
      const v1::TcpOption* option = find_option(tcp, v1::TcpOption::kMss);
      if (option == nullptr) return std::nullopt;
      return present(option->mss().has_octets(), option->mss().octets());
    }
    case v1::SEGMENT_FIELD_TIMESTAMP_VALUE: {
      const v1::TcpOption* option = find_option(tcp, v1::TcpOption::kTimestamps);
      if (option == nullptr) return std::nullopt;
      return present(option->timestamps().has_value(), option->timestamps().value());
    }
    case v1::SEGMENT_FIELD_TIMESTAMP_ECHO_REPLY: {
      const v1::TcpOption* option = find_option(tcp, v1::TcpOption::kTimestamps);
      if (option == nullptr) return std::nullopt;
      return present(option->timestamps().has_echo_reply(), option->timestamps().echo_reply());
    }
    case v1::SEGMENT_FIELD_SOURCE_PORT:
      return present(tcp.has_source_port(), tcp.source_port());
    case v1::SEGMENT_FIELD_DESTINATION_PORT:
      return present(tcp.has_destination_port(), tcp.destination_port());
    default:
      return std::nullopt;
  }
}

bool range_holds(const PatternField& field, uint32_t min, uint32_t max, uint32_t value) {
  if (field.modular) return value - min <= max - min;
  return min <= value && value <= max;
}

}  // namespace tcproctor::server
