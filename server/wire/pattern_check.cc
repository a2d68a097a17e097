// SPDX-License-Identifier: Apache-2.0
// check_pattern: whether a pattern says something, and whether anything can match it. Every
// contradiction is found by comparing two fields, and the error names both.
#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/wire/field_check.h"
#include "server/wire/matcher.h"
#include "server/wire/option_match.h"
#include "server/wire/pattern_field.h"
#include "server/wire/segment_check.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/tcp_flags.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kMaxPayloadLength = 65535;

bool has_kind(const v1::TcpHeader& tcp, uint32_t kind) {
  return std::ranges::any_of(
      tcp.options(), [kind](const v1::TcpOption& option) { return option_kind(option) == kind; });
}

void check_flags(FieldCheck& check, const v1::SegmentPattern& pattern) {
  if (!pattern.has_flags_mask()) return;
  check.at_most("flags_mask", pattern.flags_mask(), packet::kAllFlags);
  const v1::TcpHeader& tcp = pattern.fields().tcp();
  check.require(tcp.has_flags(), "flags_mask",
                "says which bits of fields.tcp.flags count, but "
                "fields.tcp.flags is absent");
  check.require((tcp.flags() & ~pattern.flags_mask()) == 0, "flags_mask",
                absl::StrCat(pattern.flags_mask(), " contradicts fields.tcp.flags ", tcp.flags(),
                             ", which has bits outside the mask"));
}

// An interval of a pattern that is known for other reasons than its range: an equal value.
std::optional<uint32_t> fixed_value(const v1::SegmentPattern& pattern, v1::SegmentField field) {
  if (field == v1::SEGMENT_FIELD_PAYLOAD_LENGTH && pattern.has_payload_length()) {
    return pattern.payload_length();
  }
  return pattern_field_value(pattern.fields(), field);
}

// Whether the pattern rules out the option a range speaks of; says by which field.
std::string option_ruled_out(const v1::SegmentPattern& pattern, uint8_t kind) {
  const v1::OptionMatch mode = effective_option_match(pattern);
  if (mode == v1::OPTION_MATCH_NONE) return "option_match NONE";
  if (std::ranges::find(pattern.absent_options(), uint32_t{kind}) !=
      pattern.absent_options().end()) {
    return "absent_options";
  }
  const bool complete = mode == v1::OPTION_MATCH_EXACT || mode == v1::OPTION_MATCH_SET;
  if (complete && !has_kind(pattern.fields().tcp(), kind)) return "fields.tcp.options without it";
  return "";
}

bool disjoint(const PatternField& field, const v1::FieldRange& a, const v1::FieldRange& b) {
  return !range_holds(field, a.min(), a.max(), b.min()) &&
         !range_holds(field, b.min(), b.max(), a.min());
}

void check_range(FieldCheck& check, const v1::SegmentPattern& pattern, int index) {
  const v1::FieldRange& range = pattern.ranges(index);
  const std::string name = absl::StrCat("ranges[", index, "]");
  const PatternField* field = find_pattern_field(range.field());
  if (field == nullptr) {
    check.fail(name + ".field", "names no field");
    return;
  }
  check.at_most(name + ".min", range.min(), field->max);
  check.at_most(name + ".max", range.max(), field->max);
  if (!field->modular && range.min() > range.max()) {
    check.fail(name + ".min", absl::StrCat(range.min(), " is above ", name, ".max ", range.max(),
                                           " (", field->name, ")"));
  }
  if (field->tcp && pattern.fields().has_icmp()) {
    check.fail(name, absl::StrCat(field->name, " contradicts fields.icmp"));
  }
  const std::optional<uint32_t> fixed = fixed_value(pattern, range.field());
  if (fixed && !range_holds(*field, range.min(), range.max(), *fixed)) {
    check.fail(name, absl::StrCat(field->name, " ", range.min(), "..", range.max(),
                                  " contradicts the value ", *fixed, " it must be equal to"));
  }
  if (field->option_kind != 0) {
    const std::string ruled_out = option_ruled_out(pattern, field->option_kind);
    if (!ruled_out.empty()) {
      check.fail(name, absl::StrCat(field->name, " contradicts ", ruled_out));
    }
  }
  for (int other = 0; other < index; ++other) {
    if (pattern.ranges(other).field() == range.field() &&
        disjoint(*field, pattern.ranges(other), range)) {
      check.fail(name,
                 absl::StrCat(field->name, " has nothing in common with ranges[", other, "]"));
    }
  }
}

void check_options(FieldCheck& check, const v1::SegmentPattern& pattern) {
  const v1::TcpHeader& tcp = pattern.fields().tcp();
  const v1::OptionMatch mode = pattern.option_match();
  check.require(v1::OptionMatch_IsValid(mode), "option_match", "names no way to compare");
  check.require(
      mode != v1::OPTION_MATCH_NONE || (tcp.options().empty() && tcp.raw_options().empty()),
      "option_match", "NONE contradicts the options in fields.tcp");
  check.require(!tcp.has_raw_options() || mode == v1::OPTION_MATCH_UNSPECIFIED ||
                    mode == v1::OPTION_MATCH_NONE,
                "option_match",
                "compares options one by one, fields.tcp.raw_options all octets: "
                "give one of them");
  for (int i = 0; i < pattern.absent_options_size(); ++i) {
    const std::string name = absl::StrCat("absent_options[", i, "]");
    const uint32_t kind = pattern.absent_options(i);
    check.at_most(name, kind, 255);
    if (has_kind(tcp, kind)) {
      check.fail(name,
                 absl::StrCat("kind ", kind, " contradicts fields.tcp.options, which has it"));
    }
  }
}

void check_payload(FieldCheck& check, const v1::SegmentPattern& pattern) {
  if (!pattern.has_payload_length()) return;
  check.at_most("payload_length", pattern.payload_length(), kMaxPayloadLength);
  const size_t size = pattern.fields().payload().size();
  check.require(
      !pattern.fields().has_payload() || size == pattern.payload_length(), "payload_length",
      absl::StrCat(pattern.payload_length(), " contradicts fields.payload of ", size, " octets"));
}

// Fields that speak of TCP, beside an ICMP message.
void check_transport(FieldCheck& check, const v1::SegmentPattern& pattern) {
  if (!pattern.fields().has_icmp()) return;
  check.require(!pattern.has_payload_length(), "payload_length", "contradicts fields.icmp");
  check.require(pattern.option_match() == v1::OPTION_MATCH_UNSPECIFIED, "option_match",
                "contradicts fields.icmp");
  check.require(pattern.absent_options().empty(), "absent_options", "contradicts fields.icmp");
}

absl::Status check_at(const v1::SegmentPattern& pattern, absl::string_view path, int depth) {
  FieldCheck check(path);
  check.add(check_segment(pattern.fields(), SegmentUse::kPattern, check.join("fields")));
  check_flags(check, pattern);
  if (check.ok()) check_options(check, pattern);
  check_payload(check, pattern);
  check_transport(check, pattern);
  for (int i = 0; i < pattern.ranges_size() && check.ok(); ++i) check_range(check, pattern, i);
  if (depth >= kMaxPatternDepth && !pattern.any_of().empty()) {
    check.fail("any_of", absl::StrCat("is nested more than ", kMaxPatternDepth, " deep"));
    return check.status();
  }
  for (int i = 0; i < pattern.any_of_size() && check.ok(); ++i) {
    check.add(check_at(pattern.any_of(i), check.join(absl::StrCat("any_of[", i, "]")), depth + 1));
  }
  return check.status();
}

}  // namespace

absl::Status check_pattern(const v1::SegmentPattern& pattern, absl::string_view path) {
  return check_at(pattern, path, 0);
}

}  // namespace tcproctor::server
