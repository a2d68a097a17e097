// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/segment_text.h"

#include "conformance/script/text.h"

namespace tcproctor::conformance {

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
  std::string out = cat(segment.letters, " ", segment.sequence, ":", segment.sequence_end, "(",
                        segment.length, ")");
  if (!segment.acknowledgment.empty()) append(out, " ack ", segment.acknowledgment);
  append(out, " win ", segment.window);
  if (!segment.options.empty()) append(out, " ", segment.options);
  if (!segment.flaw.empty()) append(out, " (", segment.flaw, ")");
  return out;
}

}  // namespace tcproctor::conformance
