// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/segment_text.h"

#include "conformance/script/flags.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// "SYN,ACK" -> "S."
std::string letters_of(const SegmentText& segment) {
  uint32_t bits = 0;
  for (const std::string& name : split(segment.flags, ',')) {
    for (const FlagLetter& flag : kFlagLetters) bits |= flag.name == name ? flag.bit : 0;
  }
  return flag_letters(bits);
}

// sequence + length: "@1234" stays on the circle, a relative number is a plain one.
std::string sequence_end(const SegmentText& segment) {
  std::string_view text = segment.sequence;
  const bool absolute = text.starts_with("@");
  if (absolute) text.remove_prefix(1);
  int64_t number = 0;
  parse_number(text, number);
  const int64_t end = number + segment.length;
  return absolute ? cat("@", static_cast<uint32_t>(end)) : cat(end);
}

}  // namespace

std::string ladder_form(const SegmentText& segment) {
  if (!segment.tcp) return cat("<", segment.other, ">");
  std::string out = cat("<SEQ=", segment.sequence, ">");
  if (!segment.acknowledgment.empty()) append(out, "<ACK=", segment.acknowledgment, ">");
  if (!segment.flags.empty()) append(out, "<CTL=", segment.flags, ">");
  if (segment.length != 0) append(out, "<DATA=", segment.length, ">");
  if (!segment.flaw.empty()) append(out, "<malformed>");
  return out;
}

std::string script_form(const SegmentText& segment) {
  if (!segment.tcp) return segment.other;
  std::string out = cat(letters_of(segment), " ", segment.sequence, ":", sequence_end(segment), "(",
                        segment.length, ")");
  if (!segment.acknowledgment.empty()) append(out, " ack ", segment.acknowledgment);
  append(out, " win ", segment.window);
  if (!segment.options.empty()) append(out, " ", segment.options);
  if (!segment.flaw.empty()) append(out, " (", segment.flaw, ")");
  return out;
}

}  // namespace tcproctor::conformance
