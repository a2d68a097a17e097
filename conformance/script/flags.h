// SPDX-License-Identifier: Apache-2.0
// The letters of the TCP flags in a script, and the ICMP errors by name. Shared by parser, printer
// and reports.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tcproctor::conformance {

struct FlagLetter {
  char letter;
  uint32_t bit;
  std::string_view name;
};

// In the order in which they are printed; the dot (ACK) comes last.
inline constexpr std::array<FlagLetter, 9> kFlagLetters = {{
    {'S', 0x02, "SYN"},
    {'F', 0x01, "FIN"},
    {'R', 0x04, "RST"},
    {'P', 0x08, "PSH"},
    {'U', 0x20, "URG"},
    {'E', 0x40, "ECE"},
    {'W', 0x80, "CWR"},
    {'A', 0x100, "AE"},
    {'.', 0x10, "ACK"},
}};

inline constexpr uint32_t kFin = 0x01;
inline constexpr uint32_t kSyn = 0x02;
inline constexpr uint32_t kRst = 0x04;
inline constexpr uint32_t kPsh = 0x08;
inline constexpr uint32_t kAck = 0x10;

inline std::optional<uint32_t> flag_bit(char letter) {
  for (const FlagLetter& flag : kFlagLetters) {
    if (flag.letter == letter) return flag.bit;
  }
  return std::nullopt;
}

// "S.", "FP.", "-" for none.
inline std::string flag_letters(uint32_t flags) {
  std::string out;
  for (const FlagLetter& flag : kFlagLetters) {
    if ((flags & flag.bit) != 0) out += flag.letter;
  }
  return out.empty() ? "-" : out;
}

// "SYN,ACK", as ladders write it; empty for none.
inline std::string flag_names(uint32_t flags) {
  std::string out;
  for (const FlagLetter& flag : kFlagLetters) {
    if ((flags & flag.bit) == 0) continue;
    if (!out.empty()) out += ',';
    out += flag.name;
  }
  return out;
}

// ICMP (RFC 792, 1122, 1812) and ICMPv6 (RFC 4443) messages by one name. -1 = no such message
// there.
struct IcmpName {
  std::string_view name;
  int type4, code4, type6, code6;
};

inline constexpr std::array<IcmpName, 11> kIcmpNames = {{
    {"unreachable net", 3, 0, 1, 0},
    {"unreachable host", 3, 1, 1, 3},
    {"unreachable protocol", 3, 2, 4, 1},
    {"unreachable port", 3, 3, 1, 4},
    {"unreachable frag_needed", 3, 4, 2, 0},
    {"unreachable source_route", 3, 5, -1, -1},
    {"unreachable admin", 3, 13, 1, 1},
    {"source_quench", 4, 0, -1, -1},
    {"time_exceeded ttl", 11, 0, 3, 0},
    {"time_exceeded reassembly", 11, 1, 3, 1},
    {"parameter_problem", 12, 0, 4, 0},
}};

inline const IcmpName* find_icmp(std::string_view name) {
  for (const IcmpName& candidate : kIcmpNames) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

}  // namespace tcproctor::conformance
