// SPDX-License-Identifier: Apache-2.0
// v1::TcpOption: ranges, octets both ways, and text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/wire/segment_check.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

inline constexpr size_t kMaxOptionOctets = 40;

// INVALID_ARGUMENT names the option below `path` (a TcpHeader): a value out of range, a digest that
// has not 16 octets, a oneof left empty, more than 40 octets together.
absl::Status check_tcp_options(const v1::TcpHeader& header, SegmentUse use, absl::string_view path);

// Kind octet; the option must have passed check_tcp_options, as below.
uint8_t option_kind(const v1::TcpOption& option);

// Appends its octets. Values that are absent are 0.
void append_option(const v1::TcpOption& option, std::string& octets);

// Fills options, or raw_options where one is malformed. Returns what is malformed, empty if
// nothing.
std::string decode_tcp_options(std::span<const uint8_t> octets, v1::TcpHeader& header);

// In packetdrill's words: "mss 1460", "nop", "TS val 1 ecr 0"; an absent value is "*".
std::string option_text(const v1::TcpOption& option);

}  // namespace tcproctor::server
