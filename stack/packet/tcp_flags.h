// SPDX-License-Identifier: Apache-2.0
// The control bits of the TCP header (RFC 9293 §3.1; AE: RFC 7560) and their two spellings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tcproctor::packet {

inline constexpr uint16_t kFin = 0x001;
inline constexpr uint16_t kSyn = 0x002;
inline constexpr uint16_t kRst = 0x004;
inline constexpr uint16_t kPsh = 0x008;
inline constexpr uint16_t kAck = 0x010;
inline constexpr uint16_t kUrg = 0x020;
inline constexpr uint16_t kEce = 0x040;
inline constexpr uint16_t kCwr = 0x080;
inline constexpr uint16_t kAe = 0x100;  // formerly NS; the last of RFC 9293's four reserved bits
inline constexpr uint16_t kAllFlags = 0x1FF;

// packetdrill's letters: F S R P . U E W A in this order ('.' is ACK, 'A' is AE, 'W' is CWR), "-"
// for none: "S.", "FP.".
std::string flags_to_text(uint16_t flags);

// Reads packetdrill's letters in any order, or "-" alone. A digit 0..7 is the ACE field (AE, CWR
// and ECE as one number, as its AccECN scripts write it). INVALID_ARGUMENT names the first letter
// that is no flag or came twice, and says which letters there are; an empty text is an error too.
absl::StatusOr<uint16_t> parse_flags(std::string_view text);

// Names separated by commas, without brackets: "SYN,ACK"; empty for none.
std::string flag_names(uint16_t flags);

// As RFC 9293 writes them: "<SYN,ACK>"; "<>" for none.
std::string flags_to_rfc_text(uint16_t flags);

}  // namespace tcproctor::packet
