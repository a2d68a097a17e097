// SPDX-License-Identifier: Apache-2.0
// The header fields a script can name in braces: `{ttl 64, checksum 0x1234}`. The only list of
// them. Values are in host order and absolute.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tcproctor::conformance {

enum class FieldKind { kNumber, kAddress, kOctets };

struct FieldName {
  std::string_view name;
  FieldKind kind;
  uint64_t max;              // kNumber
  std::string_view message;  // of segment.proto: "ip" = Ipv4Header or Ipv6Header, "tcp" = TcpHeader
  std::string_view v4;       // the field's name in TcpHeader or Ipv4Header
  std::string_view v6;       // in Ipv6Header; empty: IPv6 has no such field
};

inline constexpr std::array<FieldName, 25> kFieldNames = {{
    {"src", FieldKind::kAddress, 0, "ip", "source", "source"},
    {"dst", FieldKind::kAddress, 0, "ip", "destination", "destination"},
    {"version", FieldKind::kNumber, 15, "ip", "version", "version"},
    {"header_length", FieldKind::kNumber, 15, "ip", "header_length", ""},
    {"dscp", FieldKind::kNumber, 63, "ip", "dscp", "dscp"},
    {"ecn", FieldKind::kNumber, 3, "ip", "ecn", "ecn"},
    {"total_length", FieldKind::kNumber, 65535, "ip", "total_length", "payload_length"},
    {"ipid", FieldKind::kNumber, 65535, "ip", "identification", ""},
    {"df", FieldKind::kNumber, 1, "ip", "dont_fragment", ""},
    {"mf", FieldKind::kNumber, 1, "ip", "more_fragments", ""},
    {"fragment_offset", FieldKind::kNumber, 8191, "ip", "fragment_offset", ""},
    {"ttl", FieldKind::kNumber, 255, "ip", "ttl", "hop_limit"},
    {"protocol", FieldKind::kNumber, 255, "ip", "protocol", "next_header"},
    {"ip_checksum", FieldKind::kNumber, 65535, "ip", "checksum", ""},
    {"ip_options", FieldKind::kOctets, 0, "ip", "options", ""},
    {"flow_label", FieldKind::kNumber, 0xfffff, "ip", "", "flow_label"},
    {"sport", FieldKind::kNumber, 65535, "tcp", "source_port", "source_port"},
    {"dport", FieldKind::kNumber, 65535, "tcp", "destination_port", "destination_port"},
    {"seq", FieldKind::kNumber, 0xffffffff, "tcp", "sequence_number", "sequence_number"},
    {"offset", FieldKind::kNumber, 15, "tcp", "data_offset", "data_offset"},
    {"reserved", FieldKind::kNumber, 7, "tcp", "reserved", "reserved"},
    {"window", FieldKind::kNumber, 65535, "tcp", "window", "window"},
    {"checksum", FieldKind::kNumber, 65535, "tcp", "checksum", "checksum"},
    {"urgent_pointer", FieldKind::kNumber, 65535, "tcp", "urgent_pointer", "urgent_pointer"},
    {"raw_options", FieldKind::kOctets, 0, "tcp", "raw_options", "raw_options"},
}};

inline const FieldName* find_field(std::string_view name) {
  for (const FieldName& field : kFieldNames) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

inline std::string field_names() {
  std::string out;
  for (const FieldName& field : kFieldNames) {
    if (!out.empty()) out += ", ";
    out += field.name;
  }
  return out;
}

}  // namespace tcproctor::conformance
