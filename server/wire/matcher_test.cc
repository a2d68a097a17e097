// SPDX-License-Identifier: Apache-2.0
#include "server/wire/matcher.h"

#include <string>
#include <vector>

#include "server/wire/test_util.h"

namespace tcproctor::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Matcher matcher_of(const std::string& text) {
  absl::StatusOr<Matcher> matcher =
      Matcher::compile(from_text<v1::SegmentPattern>(text), "pattern", nullptr);
  EXPECT_TRUE(matcher.ok()) << matcher.status();
  return *std::move(matcher);
}

std::vector<std::string> differences(const std::string& pattern, const std::string& segment) {
  return matcher_of(pattern).differences(octets(packet_of(segment)));
}

TEST(Matcher, AnEmptyPatternMatchesWhatHasRightChecksums) {
  EXPECT_THAT(differences("", "tcp {}"), IsEmpty());
  EXPECT_THAT(differences("", "icmp { type: 8 }"), IsEmpty());
  EXPECT_THAT(differences("", "tcp { checksum: 1 }"), ElementsAre("TCP checksum: is wrong"));
  EXPECT_THAT(differences("", "icmp { type: 8 checksum: 1 }"),
              ElementsAre("ICMP checksum: is wrong"));
  EXPECT_THAT(differences("", "ipv4 { checksum: 1 } tcp {}"),
              ElementsAre("IPv4 header checksum: is wrong"));
  EXPECT_THAT(differences("checksums_valid: false", "tcp { checksum: 1 }"), IsEmpty());
}

TEST(Matcher, FieldsMustBeEqual) {
  const std::string segment =
      "ipv4 { ttl: 9 } tcp { source_port: 1 sequence_number: 5 flags: 18 window: 7 }";
  EXPECT_THAT(
      differences("fields { ipv4 { ttl: 9 } tcp { source_port: 1 window: 7 flags: 18 } }", segment),
      IsEmpty());
  EXPECT_THAT(
      differences("fields { ipv4 { ttl: 8 } tcp { sequence_number: 4 window: 6 } }", segment),
      ElementsAre("ttl: expected 8, got 9", "sequence_number: expected 4, got 5",
                  "window: expected 6, got 7"));
  EXPECT_THAT(differences("fields { ipv6 {} }", segment),
              ElementsAre("network: expected IPv6, got IPv4"));
  EXPECT_THAT(differences("fields { icmp {} }", segment),
              ElementsAre("transport: expected ICMP, got TCP"));
  EXPECT_THAT(differences("fields { tcp {} }", "icmp { type: 8 }"),
              ElementsAre("transport: expected TCP, got ICMP"));
  EXPECT_THAT(
      differences("payload_length: 1", "icmp { type: 8 }"),
      ElementsAre("transport: expected TCP, got ICMP", "payload_length: expected 1, got 0"));
}

TEST(Matcher, AddressesByValue) {
  EXPECT_THAT(differences("fields { ipv6 { source: '2001:DB8:0::1' } }", "ipv6 {} tcp {}"),
              IsEmpty());
  EXPECT_THAT(differences("fields { ipv4 { destination: '192.0.2.3' } }", "tcp {}"),
              ElementsAre("destination: expected 192.0.2.3, got 192.0.2.2"));
}

TEST(Matcher, FlagsUnderAMask) {
  EXPECT_THAT(differences("fields { tcp { flags: 2 } }", "tcp { flags: 18 }"),
              ElementsAre("flags: expected S, got S."));
  EXPECT_THAT(differences("fields { tcp { flags: 2 } } flags_mask: 2", "tcp { flags: 18 }"),
              IsEmpty());
  EXPECT_THAT(differences("fields { tcp { flags: 0 } } flags_mask: 4", "tcp { flags: 4 }"),
              ElementsAre("flags: expected - of R, got R"));
  EXPECT_THAT(differences("fields { tcp { flags: 0 } }", "tcp { flags: 0x100 }"),
              ElementsAre("flags: expected -, got A"));
}

TEST(Matcher, Ranges) {
  const std::string window = "ranges { field: SEGMENT_FIELD_WINDOW min: 100 max: 200 }";
  EXPECT_THAT(differences(window, "tcp { window: 100 }"), IsEmpty());
  EXPECT_THAT(differences(window, "tcp { window: 200 }"), IsEmpty());
  EXPECT_THAT(differences(window, "tcp {}"), ElementsAre("window: expected 100..200, got 65535"));
  EXPECT_THAT(differences(window, "tcp { window: 99 }"), ElementsAre(HasSubstr("got 99")));
}

TEST(Matcher, SequenceRangesWrap) {
  const std::string wrapping =
      "ranges { field: SEGMENT_FIELD_SEQUENCE_NUMBER min: 0xfffffff0 max: 0x10 }";
  EXPECT_THAT(differences(wrapping, "tcp { sequence_number: 0xfffffff0 }"), IsEmpty());
  EXPECT_THAT(differences(wrapping, "tcp { sequence_number: 0 }"), IsEmpty());
  EXPECT_THAT(differences(wrapping, "tcp { sequence_number: 16 }"), IsEmpty());
  EXPECT_EQ(differences(wrapping, "tcp { sequence_number: 17 }").size(), 1u);
  EXPECT_EQ(differences(wrapping, "tcp { sequence_number: 0xffffffef }").size(), 1u);
}

TEST(Matcher, EveryRangeFieldReadsItsOwn) {
  const std::string segment =
      "ipv4 { ttl: 50 } tcp { source_port: 51 destination_port: 52 sequence_number: 53"
      " acknowledgment_number: 54 window: 55 urgent_pointer: 56 options { mss { octets: 57 } }"
      " options { timestamps { value: 58 echo_reply: 59 } } } payload: '123'";
  const std::vector<std::pair<std::string, uint32_t>> fields = {{"TTL", 50},
                                                                {"SOURCE_PORT", 51},
                                                                {"DESTINATION_PORT", 52},
                                                                {"SEQUENCE_NUMBER", 53},
                                                                {"ACKNOWLEDGMENT_NUMBER", 54},
                                                                {"WINDOW", 55},
                                                                {"URGENT_POINTER", 56},
                                                                {"MSS", 57},
                                                                {"TIMESTAMP_VALUE", 58},
                                                                {"TIMESTAMP_ECHO_REPLY", 59},
                                                                {"PAYLOAD_LENGTH", 3}};
  EXPECT_EQ(fields.size() + 1, static_cast<size_t>(v1::SegmentField_ARRAYSIZE));
  for (const auto& [name, value] : fields) {
    const auto range = [&](uint32_t at) {
      return "ranges { field: SEGMENT_FIELD_" + name + " min: " + std::to_string(at) +
             " max: " + std::to_string(at) + " }";
    };
    EXPECT_THAT(differences(range(value), segment), IsEmpty()) << name;
    EXPECT_EQ(differences(range(value + 1), segment).size(), 1u) << name;
  }
  EXPECT_THAT(differences("ranges { field: SEGMENT_FIELD_MSS min: 1 max: 2 }", "tcp {}"),
              ElementsAre("mss: expected 1..2, got none"));
  EXPECT_THAT(differences("ranges { field: SEGMENT_FIELD_TTL min: 64 max: 64 }", "ipv6 {} tcp {}"),
              IsEmpty());
  EXPECT_THAT(differences("ranges { field: SEGMENT_FIELD_PAYLOAD_LENGTH max: 0 }", "tcp {}"),
              IsEmpty());
}

constexpr char kSynOptions[] =
    "tcp { options { mss { octets: 1460 } } options { no_operation: true }"
    " options { window_scale { shift: 7 } } options { timestamps { value: 5 echo_reply: 0 } } }";

TEST(Matcher, OptionsExactly) {
  EXPECT_THAT(differences(std::string("fields { ") + kSynOptions + " }", kSynOptions), IsEmpty());
  EXPECT_THAT(differences("fields { tcp { options { mss { octets: 1460 } } } }", kSynOptions),
              ElementsAre("options: expected <mss 1460>, got "
                          "<mss 1460,nop,wscale 7,TS val 5 ecr 0,eol>"));
  EXPECT_THAT(
      differences("fields { tcp { options { mss {} } options { no_operation: true }"
                  " options { window_scale {} } options { timestamps { echo_reply: 0 } } } }",
                  kSynOptions),
      IsEmpty());
  EXPECT_THAT(differences("option_match: OPTION_MATCH_EXACT", "tcp {}"), IsEmpty());
  EXPECT_EQ(differences("option_match: OPTION_MATCH_EXACT", kSynOptions).size(), 1u);
}

TEST(Matcher, OptionsAsASet) {
  const std::string set =
      "option_match: OPTION_MATCH_SET fields { tcp { options { timestamps {} }"
      " options { window_scale { shift: 7 } } options { mss {} } } }";
  EXPECT_THAT(differences(set, kSynOptions), IsEmpty());
  EXPECT_THAT(differences(set, "tcp { options { mss { octets: 1 } } }"),
              ElementsAre("options: expected in any order <TS val * ecr *,wscale 7,mss *>, got "
                          "<mss 1>"));
  // A wildcard must not take what only it could leave to the other.
  EXPECT_THAT(differences("option_match: OPTION_MATCH_SET fields { tcp { options { mss {} }"
                          " options { mss { octets: 1 } } } }",
                          "tcp { options { mss { octets: 1 } } options { mss { octets: 2 } } }"),
              IsEmpty());
}

TEST(Matcher, OptionsAtLeastNoneAndAbsent) {
  const std::string at_least =
      "option_match: OPTION_MATCH_CONTAINS fields { tcp { options { mss { octets: 1460 } } } }";
  EXPECT_THAT(differences(at_least, kSynOptions), IsEmpty());
  EXPECT_THAT(differences(at_least, "tcp { options { mss { octets: 1 } } }"),
              ElementsAre("options: expected at least <mss 1460>, got <mss 1>"));
  EXPECT_THAT(differences("option_match: OPTION_MATCH_NONE", "tcp {}"), IsEmpty());
  EXPECT_THAT(
      differences("option_match: OPTION_MATCH_NONE", "tcp { options { no_operation: true } }"),
      ElementsAre("options: expected none, got <nop,eol>"));
  EXPECT_THAT(differences("absent_options: 4", kSynOptions), IsEmpty());
  EXPECT_THAT(differences("absent_options: 3", kSynOptions),
              ElementsAre("options: expected none of kind 3, got wscale 7"));
}

TEST(Matcher, OptionsOfEveryKind) {
  const std::string segment =
      "tcp { options { sack { blocks { left: 1 right: 2 } } } options { other { kind: 99 data: 'a' "
      "}"
      " } options { fast_open_cookie: 'abcd' } options { user_timeout { timeout: 3 } } }";
  const auto contains = [&](const std::string& option) {
    return differences(
               "option_match: OPTION_MATCH_CONTAINS fields { tcp { options { " + option + " } } }",
               segment)
        .empty();
  };
  EXPECT_TRUE(contains("sack {}"));
  EXPECT_TRUE(contains("sack { blocks { left: 1 right: 2 } }"));
  EXPECT_FALSE(contains("sack { blocks { left: 1 right: 3 } }"));
  EXPECT_TRUE(contains("other { kind: 99 }"));
  EXPECT_TRUE(contains("other { kind: 99 data: 'a' }"));
  EXPECT_FALSE(contains("other { kind: 99 length: 2 }"));
  EXPECT_TRUE(contains("other { kind: 5 }")) << "any SACK";
  EXPECT_TRUE(contains("other { kind: 28 data: '\\x00\\x03' }")) << "user timeout by its octets";
  EXPECT_FALSE(contains("other { kind: 98 }"));
  EXPECT_TRUE(contains("fast_open_cookie: 'abcd'"));
  EXPECT_FALSE(contains("fast_open_cookie: ''"));
  EXPECT_TRUE(contains("user_timeout { timeout: 3 }"));
  EXPECT_FALSE(contains("user_timeout { minutes: true timeout: 3 }"));
  EXPECT_FALSE(contains("md5_digest: ''"));
  EXPECT_TRUE(contains("any_fast_open_cookie: true"));
}

TEST(Matcher, AnyCookieIsOneOfLawfulLength) {
  const auto fits = [](const std::string& cookie) {
    return differences("fields { tcp { options { any_fast_open_cookie: true } } }",
                       "tcp { options { fast_open_cookie: '" + cookie + "' } }")
        .empty();
  };
  EXPECT_FALSE(fits(""));
  EXPECT_FALSE(fits("ab"));
  EXPECT_TRUE(fits("abcd"));
  EXPECT_FALSE(fits("abcde"));
  EXPECT_TRUE(fits("0123456789abcdef"));
}

TEST(Matcher, SignaturesAreRightForTheirKey) {
  const std::string segment =
      "tcp { flags: 16 options { ao_signature { key_id: 1 rnext_key_id: 2 key: 'k' } } }";
  const auto wrong = [&](const std::string& wanted) {
    return differences("fields { tcp { options { " + wanted + " } } }", segment);
  };
  EXPECT_THAT(wrong("ao_signature { key: 'k' }"), IsEmpty());
  EXPECT_THAT(wrong("ao_signature { key_id: 1 rnext_key_id: 2 }"), IsEmpty());
  EXPECT_THAT(wrong("ao_signature { key: 'l' }"),
              ElementsAre("ao: the MAC is not right for the key"));
  EXPECT_THAT(wrong("ao_signature { key_id: 2 key: 'k' }"),
              ElementsAre(HasSubstr("options: expected <ao 2 * right for the key>")));
  EXPECT_THAT(wrong("md5_signature { key: 'k' }"),
              ElementsAre(HasSubstr("options:"), "md5: none, expected the digest for the key"));
}

TEST(Matcher, MalformedOptionsMatchOnlyTheirOctets) {
  const std::string segment = "tcp { raw_options: '\\x02\\x00\\x01\\x01' }";
  EXPECT_THAT(differences("fields { " + segment + " }", segment), IsEmpty());
  EXPECT_THAT(differences("fields { tcp { options { mss {} } } }", segment),
              ElementsAre("options: expected <mss *>, got malformed 0x02000101"));
  EXPECT_THAT(differences("fields { tcp { raw_options: '' } }", segment),
              ElementsAre("raw_options: expected nothing, got 0x02000101"));
}

TEST(Matcher, Payload) {
  EXPECT_THAT(differences("fields { payload: 'abc' }", "tcp {} payload: 'abc'"), IsEmpty());
  EXPECT_THAT(differences("fields { payload: 'abd' }", "tcp {} payload: 'abc'"),
              ElementsAre("payload: expected 3 octets 0x616264, got 3 octets 0x616263"));
  EXPECT_THAT(differences("fields { payload: '' }", "tcp {} payload: 'a'"),
              ElementsAre(HasSubstr("expected 0 octets nothing")));
  EXPECT_THAT(differences("payload_length: 3", "tcp {} payload: 'abc'"), IsEmpty());
  EXPECT_THAT(differences("payload_length: 0", "tcp {} payload: 'abc'"),
              ElementsAre("payload_length: expected 0, got 3"));
}

TEST(Matcher, IcmpAndItsQuotation) {
  const std::string error =
      "icmp { type: 3 code: 4 mtu: 1000 quoted_segment { tcp { source_port: 5"
      " sequence_number: 9 } } }";
  EXPECT_THAT(
      differences("fields { icmp { type: 3 code: 4 mtu: 1000 quoted_octets: 8"
                  " quoted_segment { ipv4 { source: '192.0.2.2' } tcp { source_port: 5 } } } }",
                  error),
      IsEmpty());
  EXPECT_THAT(differences("fields { icmp { code: 3 mtu: 1 quoted_segment { tcp { source_port: 6"
                          " } } } }",
                          error),
              ElementsAre("code: expected 3, got 4", "mtu: expected 1, got 1000",
                          "quoted source_port: expected 6, got 5"));
  EXPECT_THAT(
      differences("fields { icmp { quoted_raw: 'xy' } }", "icmp { type: 8 quoted_raw: 'xy' }"),
      IsEmpty());
  EXPECT_THAT(
      differences("fields { icmp { quoted_raw: 'xz' } }", "icmp { type: 8 quoted_raw: 'xy' }"),
      ElementsAre("quoted_raw: expected 0x787a, got 0x7879"));
  EXPECT_THAT(
      differences("fields { icmp { quoted_segment {} } }", "icmp { type: 8 quoted_raw: 'x' }"),
      ElementsAre("quoted_segment: expected a packet, got 0x78"));
}

TEST(Matcher, IcmpQuotesALoggedSegment) {
  const std::string logged = packet_of("tcp { source_port: 80 }");
  CraftContext context = test_context();
  context.logged = [&](uint64_t number) {
    return number == 1 ? octets(logged) : std::span<const uint8_t>();
  };
  const absl::StatusOr<Crafted> error =
      craft(from_text<v1::Segment>("icmp { type: 3 quoted_number: 1 }"), context, "s");
  ASSERT_TRUE(error.ok());
  const auto pattern = from_text<v1::SegmentPattern>("fields { icmp { quoted_number: 1 } }");
  const absl::StatusOr<Matcher> matcher = Matcher::compile(pattern, "pattern", context.logged);
  ASSERT_TRUE(matcher.ok()) << matcher.status();
  EXPECT_THAT(matcher->differences(octets(error->packet)), IsEmpty());
  EXPECT_THAT(matcher->differences(octets(packet_of("icmp { type: 3 quoted_raw: 'x' }"))),
              ElementsAre("quoted_number: expected a quotation of segment 1, got 0x78"));
  expect_error(Matcher::compile(pattern, "pattern", nullptr).status(),
               absl::StatusCode::kInvalidArgument,
               "pattern.fields.icmp.quoted_number: no segment 1");
}

TEST(Matcher, AnyOf) {
  const std::string either =
      "any_of { fields { tcp { flags: 16 } } } any_of { fields { tcp { flags: 24 } } }";
  EXPECT_THAT(differences(either, "tcp { flags: 16 }"), IsEmpty());
  EXPECT_THAT(differences(either, "tcp { flags: 24 }"), IsEmpty());
  EXPECT_THAT(
      differences(either, "tcp { flags: 2 }"),
      ElementsAre("any_of[0]: flags: expected ., got S", "any_of[1]: flags: expected P., got S"));
  EXPECT_THAT(differences("fields { tcp { window: 1 } } " + either, "tcp { flags: 16 }"),
              ElementsAre("window: expected 1, got 65535"));
  EXPECT_THAT(differences("checksums_valid: false " + either, "tcp { flags: 16 checksum: 1 }"),
              IsEmpty())
      << "the outer pattern decides";
}

TEST(Matcher, RawPackets) {
  EXPECT_THAT(differences("checksums_valid: false fields { raw: 'xyz' }", "raw: 'xyz'"), IsEmpty());
  EXPECT_THAT(differences("checksums_valid: false fields { raw: 'xyz' }", "raw: 'xyy'"),
              ElementsAre("raw: expected 0x78797a, got 0x787979"));
}

struct BadPattern {
  const char* text;
  const char* error;
};

TEST(Matcher, EveryErrorNamesItsFields) {
  const std::vector<BadPattern> cases = {
      {"fields { tcp { source_port: 70000 } }", "pattern.fields.tcp.source_port: 70000 is above"},
      {"fields { raw: 'x' tcp {} }", "pattern.fields.raw: stands instead"},
      {"flags_mask: 512 fields { tcp { flags: 0 } }", "pattern.flags_mask: 512 is above 511"},
      {"flags_mask: 1", "pattern.flags_mask: says which bits of fields.tcp.flags count, but"},
      {"flags_mask: 2 fields { tcp { flags: 18 } }",
       "pattern.flags_mask: 2 contradicts fields.tcp.flags 18"},
      {"ranges {}", "pattern.ranges[0].field: names no field"},
      {"ranges { field: SEGMENT_FIELD_WINDOW min: 2 max: 1 }",
       "pattern.ranges[0].min: 2 is above ranges[0].max 1 (window)"},
      {"ranges { field: SEGMENT_FIELD_SOURCE_PORT max: 70000 }", "pattern.ranges[0].max: 70000"},
      {"ranges { field: SEGMENT_FIELD_TTL min: 256 max: 256 }", "pattern.ranges[0].min: 256"},
      {"ranges { field: SEGMENT_FIELD_WINDOW min: 1 max: 2 } fields { tcp { window: 3 } }",
       "pattern.ranges[0]: window 1..2 contradicts the value 3"},
      {"ranges { field: SEGMENT_FIELD_SEQUENCE_NUMBER min: 9 max: 2 }"
       " fields { tcp { sequence_number: 5 } }",
       "pattern.ranges[0]: sequence_number 9..2 contradicts the value 5"},
      {"ranges { field: SEGMENT_FIELD_TTL min: 1 max: 2 } fields { ipv6 { hop_limit: 3 } }",
       "pattern.ranges[0]: ttl 1..2 contradicts the value 3"},
      {"ranges { field: SEGMENT_FIELD_MSS min: 1 max: 2 }"
       " fields { tcp { options { mss { octets: 3 } } } }",
       "pattern.ranges[0]: mss 1..2 contradicts the value 3"},
      {"ranges { field: SEGMENT_FIELD_PAYLOAD_LENGTH min: 5 max: 6 } payload_length: 4",
       "pattern.ranges[0]: payload_length 5..6 contradicts the value 4"},
      {"ranges { field: SEGMENT_FIELD_PAYLOAD_LENGTH min: 5 max: 6 } fields { payload: 'a' }",
       "pattern.ranges[0]: payload_length 5..6 contradicts the value 1"},
      {"ranges { field: SEGMENT_FIELD_WINDOW min: 1 max: 2 } fields { icmp {} }",
       "pattern.ranges[0]: window contradicts fields.icmp"},
      {"ranges { field: SEGMENT_FIELD_WINDOW min: 1 max: 2 }"
       " ranges { field: SEGMENT_FIELD_WINDOW min: 3 max: 4 }",
       "pattern.ranges[1]: window has nothing in common with ranges[0]"},
      {"ranges { field: SEGMENT_FIELD_MSS min: 1 max: 2 } absent_options: 2",
       "pattern.ranges[0]: mss contradicts absent_options"},
      {"ranges { field: SEGMENT_FIELD_TIMESTAMP_VALUE max: 2 } option_match: OPTION_MATCH_NONE",
       "pattern.ranges[0]: timestamp_value contradicts option_match NONE"},
      {"ranges { field: SEGMENT_FIELD_MSS max: 2 }"
       " fields { tcp { options { sack_permitted: true } } }",
       "pattern.ranges[0]: mss contradicts fields.tcp.options without it"},
      {"option_match: OPTION_MATCH_NONE fields { tcp { options { sack_permitted: true } } }",
       "pattern.option_match: NONE contradicts the options"},
      {"option_match: OPTION_MATCH_SET fields { tcp { raw_options: 'x' } }",
       "pattern.option_match: compares options one by one"},
      {"option_match: 77", "pattern.option_match: names no way"},
      {"option_match: OPTION_MATCH_NONE fields { icmp {} }",
       "pattern.option_match: contradicts fields.icmp"},
      {"absent_options: 256", "pattern.absent_options[0]: 256 is above 255"},
      {"absent_options: 4 fields { tcp { options { sack_permitted: true } } }",
       "pattern.absent_options[0]: kind 4 contradicts fields.tcp.options"},
      {"absent_options: 4 fields { icmp {} }", "pattern.absent_options: contradicts fields.icmp"},
      {"payload_length: 2 fields { payload: 'abc' }",
       "pattern.payload_length: 2 contradicts fields.payload of 3 octets"},
      {"payload_length: 65536", "pattern.payload_length: 65536 is above 65535"},
      {"payload_length: 2 fields { icmp {} }", "pattern.payload_length: contradicts fields.icmp"},
      {"any_of {} any_of { ranges {} }", "pattern.any_of[1].ranges[0].field: names no field"},
  };
  for (const BadPattern& bad : cases) {
    SCOPED_TRACE(bad.text);
    expect_error(check_pattern(from_text<v1::SegmentPattern>(bad.text), "pattern"),
                 absl::StatusCode::kInvalidArgument, bad.error);
  }
}

TEST(Matcher, WrappingRangesThatMeetDoNotContradict) {
  EXPECT_TRUE(check_pattern(from_text<v1::SegmentPattern>(
                                "ranges { field: SEGMENT_FIELD_SEQUENCE_NUMBER min: 9 max: 2 }"
                                "ranges { field: SEGMENT_FIELD_SEQUENCE_NUMBER min: 1 max: 3 }"),
                            "pattern")
                  .ok());
}

TEST(Matcher, NestingEndsSomewhere) {
  v1::SegmentPattern pattern;
  v1::SegmentPattern* inner = &pattern;
  for (int depth = 0; depth <= kMaxPatternDepth; ++depth) inner = inner->add_any_of();
  expect_error(check_pattern(pattern, "pattern"), absl::StatusCode::kInvalidArgument,
               "is nested more than 16 deep");
}

}  // namespace
}  // namespace tcproctor::server
