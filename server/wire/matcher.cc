// SPDX-License-Identifier: Apache-2.0
#include "server/wire/matcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "server/wire/option_match.h"
#include "server/wire/pattern_field.h"
#include "server/wire/signature.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/address.h"
#include "stack/packet/tcp_flags.h"

namespace tcproctor::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Differences = std::vector<std::string>;
using Logged = std::function<std::span<const uint8_t>(uint64_t number)>;

absl::string_view as_text(std::span<const uint8_t> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

std::string hex(absl::string_view octets) {
  return octets.empty() ? "nothing" : absl::StrCat("0x", absl::BytesToHexString(octets));
}

void expected(absl::string_view field, absl::string_view want, absl::string_view got,
              Differences& differences) {
  differences.push_back(absl::StrCat(field, ": expected ", want, ", got ", got));
}

std::string value_text(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (!reflection.HasField(message, &field)) return "none";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    default: {
      const std::string text = reflection.GetString(message, &field);
      return field.type() == FieldDescriptor::TYPE_BYTES ? hex(text) : text;
    }
  }
}

// Every scalar field that the pattern has must be there and equal. Messages (options, quotations)
// and the fields of a oneof are compared by those who know them.
void compare_scalars(const Message& want, const Message& got, Differences& differences) {
  const google::protobuf::Descriptor& descriptor = *want.GetDescriptor();
  const Reflection& reflection = *want.GetReflection();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    const bool scalar = !field.is_repeated() && field.real_containing_oneof() == nullptr &&
                        field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
    if (!scalar || !reflection.HasField(want, &field)) continue;
    if (field.name() == "flags" || field.name() == "raw_options") continue;
    const std::string wanted = value_text(want, field);
    const std::string there = value_text(got, field);
    if (wanted != there) expected(field.name(), wanted, there, differences);
  }
}

void compare_flags(const v1::TcpHeader& want, const v1::TcpHeader& got, uint32_t mask,
                   Differences& differences) {
  if (!want.has_flags() || (got.has_flags() && (want.flags() & mask) == (got.flags() & mask)))
    return;
  const auto text = [](uint32_t flags) {
    return packet::flags_to_text(static_cast<uint16_t>(flags));
  };
  std::string wanted = text(want.flags() & mask);
  if (mask != packet::kAllFlags) absl::StrAppend(&wanted, " of ", text(mask));
  expected("flags", wanted, got.has_flags() ? text(got.flags()) : "none", differences);
}

absl::string_view network_name(const v1::Segment& segment) {
  return segment.has_ipv4() ? "IPv4" : segment.has_ipv6() ? "IPv6" : "neither IPv4 nor IPv6";
}

void compare_network(const v1::Segment& want, const v1::Segment& got, Differences& differences) {
  if (want.network_case() == v1::Segment::NETWORK_NOT_SET) return;
  if (want.network_case() != got.network_case()) {
    expected("network", network_name(want), network_name(got), differences);
  } else if (want.has_ipv4()) {
    compare_scalars(want.ipv4(), got.ipv4(), differences);
  } else {
    compare_scalars(want.ipv6(), got.ipv6(), differences);
  }
}

absl::string_view transport_name(const v1::Segment& segment) {
  return segment.has_tcp() ? "TCP" : segment.has_icmp() ? "ICMP" : "neither TCP nor ICMP";
}

// The quotation of an ICMP error; only its present fields.
void compare_quoted_segment(const v1::Segment& want, const v1::IcmpMessage& got,
                            Differences& differences) {
  if (!got.has_quoted_segment()) {
    expected("quoted_segment", "a packet", got.has_quoted_raw() ? hex(got.quoted_raw()) : "none",
             differences);
    return;
  }
  const v1::Segment& quoted = got.quoted_segment();
  Differences inner;
  compare_network(want, quoted, inner);
  if (want.has_tcp() && !quoted.has_tcp()) {
    expected("transport", "TCP", transport_name(quoted), inner);
  } else if (want.has_tcp()) {
    compare_scalars(want.tcp(), quoted.tcp(), inner);
    compare_flags(want.tcp(), quoted.tcp(), packet::kAllFlags, inner);
  }
  for (const std::string& difference : inner) differences.push_back("quoted " + difference);
}

void compare_icmp(const v1::IcmpMessage& want, absl::string_view logged, const Decoded& decoded,
                  Differences& differences) {
  const v1::IcmpMessage& got = decoded.segment.icmp();
  compare_scalars(want, got, differences);
  const absl::string_view body = as_text(decoded.icmp_body);
  if (want.has_quoted_raw() && want.quoted_raw() != body) {
    expected("quoted_raw", hex(want.quoted_raw()), hex(body), differences);
  }
  if (want.has_quoted_number() && (body.empty() || logged.substr(0, body.size()) != body)) {
    expected("quoted_number", absl::StrCat("a quotation of segment ", want.quoted_number()),
             hex(body), differences);
  }
  if (want.has_quoted_segment()) {
    compare_quoted_segment(want.quoted_segment(), got, differences);
  }
}

std::string payload_text(const std::string& payload) {
  constexpr size_t kShown = 32;
  return absl::StrCat(payload.size(), " octets ", hex(absl::string_view(payload).substr(0, kShown)),
                      payload.size() > kShown ? "…" : "");
}

void compare_payload(const v1::SegmentPattern& pattern, const v1::Segment& got,
                     Differences& differences) {
  if (pattern.fields().has_payload() && pattern.fields().payload() != got.payload()) {
    expected("payload", payload_text(pattern.fields().payload()), payload_text(got.payload()),
             differences);
  } else if (pattern.has_payload_length() && pattern.payload_length() != got.payload().size()) {
    expected("payload_length", absl::StrCat(pattern.payload_length()),
             absl::StrCat(got.payload().size()), differences);
  }
}

void compare_ranges(const v1::SegmentPattern& pattern, const v1::Segment& got,
                    Differences& differences) {
  for (const v1::FieldRange& range : pattern.ranges()) {
    const PatternField& field = *find_pattern_field(range.field());
    std::optional<uint32_t> value = pattern_field_value(got, range.field());
    if (!value && range.field() == v1::SEGMENT_FIELD_PAYLOAD_LENGTH && got.has_tcp()) value = 0;
    if (value && range_holds(field, range.min(), range.max(), *value)) continue;
    expected(field.name, absl::StrCat(range.min(), "..", range.max()),
             value ? absl::StrCat(*value) : "none", differences);
  }
}

void compare_options(const v1::SegmentPattern& pattern, const Decoded& decoded,
                     Differences& differences) {
  const v1::TcpHeader& want = pattern.fields().tcp();
  const v1::TcpHeader& got = decoded.segment.tcp();
  if (want.has_raw_options() && want.raw_options() != as_text(decoded.option_octets)) {
    expected("raw_options", hex(want.raw_options()), hex(as_text(decoded.option_octets)),
             differences);
  }
  const std::string difference = option_difference(want, effective_option_match(pattern), got);
  if (!difference.empty()) differences.push_back(difference);
  for (const uint32_t kind : pattern.absent_options()) {
    const auto found = std::ranges::find_if(
        got.options(), [kind](const v1::TcpOption& option) { return option_kind(option) == kind; });
    if (found == got.options().end()) continue;
    expected("options", absl::StrCat("none of kind ", kind), option_text(*found), differences);
  }
}

void compare_checksums(const Decoded& decoded, Differences& differences) {
  const v1::Segment& segment = decoded.segment;
  if (!decoded.ip_checksum_valid) differences.push_back("IPv4 header checksum: is wrong");
  if (!decoded.transport_checksum_valid) {
    differences.push_back(absl::StrCat(segment.has_icmp() ? "ICMP" : "TCP", " checksum: is wrong"));
  }
}

bool speaks_of_tcp(const v1::SegmentPattern& pattern) {
  return pattern.fields().has_tcp() || pattern.has_payload_length() ||
         !pattern.absent_options().empty() ||
         pattern.option_match() != v1::OPTION_MATCH_UNSPECIFIED ||
         std::ranges::any_of(pattern.ranges(), [](const v1::FieldRange& range) {
           return find_pattern_field(range.field())->tcp;
         });
}

void compare_transport(const v1::SegmentPattern& pattern, absl::string_view quoted,
                       const Decoded& decoded, Differences& differences) {
  const v1::Segment& got = decoded.segment;
  if (speaks_of_tcp(pattern)) {
    if (!got.has_tcp()) {
      expected("transport", "TCP", transport_name(got), differences);
      return;
    }
    const v1::TcpHeader& want = pattern.fields().tcp();
    compare_flags(want, got.tcp(),
                  pattern.has_flags_mask() ? pattern.flags_mask() : packet::kAllFlags, differences);
    compare_scalars(want, got.tcp(), differences);
    compare_options(pattern, decoded, differences);
  } else if (pattern.fields().has_icmp()) {
    if (!got.has_icmp()) {
      expected("transport", "ICMP", transport_name(got), differences);
      return;
    }
    compare_icmp(pattern.fields().icmp(), quoted, decoded, differences);
  }
}

// "2001:DB8::0:1" and "2001:db8::1" are the same address.
template <typename Header>
void canonical_addresses(Header& header) {
  if (header.has_source()) {
    header.set_source(packet::IpAddress::parse(header.source())->to_string());
  }
  if (header.has_destination()) {
    header.set_destination(packet::IpAddress::parse(header.destination())->to_string());
  }
}

void canonical_addresses(v1::Segment& segment) {
  if (segment.has_ipv4()) canonical_addresses(*segment.mutable_ipv4());
  if (segment.has_ipv6()) canonical_addresses(*segment.mutable_ipv6());
  if (segment.icmp().has_quoted_segment()) {
    canonical_addresses(*segment.mutable_icmp()->mutable_quoted_segment());
  }
}

}  // namespace

absl::StatusOr<Matcher> Matcher::compile(const v1::SegmentPattern& pattern, absl::string_view path,
                                         const Logged& logged) {
  if (absl::Status status = check_pattern(pattern, path); !status.ok()) return status;
  Matcher matcher;
  auto copy = std::make_shared<v1::SegmentPattern>(pattern);
  canonical_addresses(*copy->mutable_fields());
  const v1::IcmpMessage& icmp = copy->fields().icmp();
  if (icmp.has_quoted_number()) {
    const std::span<const uint8_t> packet =
        logged ? logged(icmp.quoted_number()) : std::span<const uint8_t>();
    if (packet.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ".fields.icmp.quoted_number: no segment ", icmp.quoted_number(),
                       " in the session's log"));
    }
    matcher.quoted_ = std::string(as_text(packet));
  }
  for (int i = 0; i < pattern.any_of_size(); ++i) {
    absl::StatusOr<Matcher> alternative =
        compile(pattern.any_of(i), absl::StrCat(path, ".any_of[", i, "]"), logged);
    if (!alternative.ok()) return alternative;
    // Where an alternative says nothing about checksums, the outer pattern decides.
    if (!pattern.any_of(i).has_checksums_valid()) alternative->checksums_ = false;
    matcher.any_of_.push_back(*std::move(alternative));
  }
  matcher.checksums_ = !pattern.has_checksums_valid() || pattern.checksums_valid();
  copy->clear_any_of();
  matcher.pattern_ = std::move(copy);
  return matcher;
}

std::vector<std::string> Matcher::differences(std::span<const uint8_t> packet,
                                              const Decoded& decoded) const {
  Differences differences;
  const v1::SegmentPattern& pattern = *pattern_;
  if (pattern.fields().has_raw() && pattern.fields().raw() != as_text(packet)) {
    expected("raw", hex(pattern.fields().raw()), hex(as_text(packet)), differences);
  }
  compare_network(pattern.fields(), decoded.segment, differences);
  compare_transport(pattern, quoted_, decoded, differences);
  std::string signature = signature_difference(pattern.fields().tcp(), packet);
  if (!signature.empty()) differences.push_back(std::move(signature));
  compare_payload(pattern, decoded.segment, differences);
  compare_ranges(pattern, decoded.segment, differences);
  if (checksums_) compare_checksums(decoded, differences);
  if (any_of_.empty()) return differences;
  Differences alternatives;
  for (size_t i = 0; i < any_of_.size(); ++i) {
    const Differences of_this = any_of_[i].differences(packet, decoded);
    if (of_this.empty()) return differences;
    alternatives.push_back(absl::StrCat("any_of[", i, "]: ", absl::StrJoin(of_this, "; ")));
  }
  std::ranges::move(alternatives, std::back_inserter(differences));
  return differences;
}

std::vector<std::string> Matcher::differences(std::span<const uint8_t> packet) const {
  Decoded decoded;
  decode(packet, decoded);
  return differences(packet, decoded);
}

bool Matcher::matches(std::span<const uint8_t> packet) const {
  return differences(packet).empty();
}

}  // namespace tcproctor::server
