// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/tcp_flags.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "stack/packet/text.h"

namespace tcproctor::packet {
namespace {

struct Flag {
  uint16_t bit;
  char letter;
  std::string_view name;
};

// In the order both spellings have.
constexpr std::array<Flag, 9> kFlags = {{{kFin, 'F', "FIN"},
                                         {kSyn, 'S', "SYN"},
                                         {kRst, 'R', "RST"},
                                         {kPsh, 'P', "PSH"},
                                         {kAck, '.', "ACK"},
                                         {kUrg, 'U', "URG"},
                                         {kEce, 'E', "ECE"},
                                         {kCwr, 'W', "CWR"},
                                         {kAe, 'A', "AE"}}};

// ACE: AE, CWR and ECE read as one number, AE the highest bit.
uint16_t ace_flags(int number) {
  return static_cast<uint16_t>(((number & 4) != 0 ? kAe : 0) | ((number & 2) != 0 ? kCwr : 0) |
                               ((number & 1) != 0 ? kEce : 0));
}

// The bits a letter stands for, and with `covers` those it speaks of; covers 0 for no letter of
// ours.
uint16_t bits_of(char letter, uint16_t& covers) {
  covers = 0;
  if (letter >= '0' && letter <= '7') {
    covers = kAe | kCwr | kEce;
    return ace_flags(letter - '0');
  }
  for (const Flag& flag : kFlags) {
    if (flag.letter == letter) return covers = flag.bit;
  }
  return 0;
}

absl::Status flag_error(char letter, std::string_view text, const char* reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("TCP flag '", std::string(1, letter), "' in '", absl_view(text), "' ", reason));
}

}  // namespace

std::string flags_to_text(uint16_t flags) {
  std::string text;
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) != 0) text += flag.letter;
  }
  return text.empty() ? "-" : text;
}

absl::StatusOr<uint16_t> parse_flags(std::string_view text) {
  if (text == "-") return uint16_t{0};
  if (text.empty()) {
    return absl::InvalidArgumentError("TCP flags are empty; write letters of FSRP.UEWA, or -");
  }
  uint16_t flags = 0, seen = 0;
  for (const char letter : text) {
    uint16_t covers = 0;
    const uint16_t bits = bits_of(letter, covers);
    if (covers == 0) {
      return flag_error(letter, text, "is none of FSRP.UEWA or 0..7");
    }
    if ((seen & covers) != 0) {
      return flag_error(letter, text, "says again what was said before it");
    }
    seen |= covers;
    flags |= bits;
  }
  return flags;
}

std::string flag_names(uint16_t flags) {
  std::string text;
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ",", absl_view(flag.name));
  }
  return text;
}

std::string flags_to_rfc_text(uint16_t flags) {
  return absl::StrCat("<", flag_names(flags), ">");
}

}  // namespace tcproctor::packet
