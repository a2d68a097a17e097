// SPDX-License-Identifier: Apache-2.0
#include "server/wire/decode.h"

#include <string>
#include <vector>

#include "server/wire/random.h"
#include "server/wire/test_util.h"

namespace tcproctor::server {
namespace {

Decoded decoded(const std::string& packet) {
  Decoded result;
  decode(octets(packet), result);
  return result;
}

// What is crafted from a decoded packet is the packet again.
TEST(Decode, IsTheInverseOfCraft) {
  const std::vector<std::string> segments = {
      "tcp { source_port: 1 flags: 2 options { mss { octets: 1460 } } }",
      "ipv6 { flow_label: 5 ecn: 2 } tcp { flags: 16 } payload: 'some data'",
      "tcp { options { timestamps { value: 1 echo_reply: 2 } } options { no_operation: true }"
      " options { other { kind: 77 data: 'zz' } } options { sack_permitted: true } }",
      "tcp { options { sack { blocks { left: 7 right: 9 } blocks { left: 20 right: 30 } } } }",
      "tcp { options { user_timeout { timeout: 7 } } options { fast_open_cookie: 'abcd' } }",
      "tcp { raw_options: '\\x02\\x00\\x01\\x01' }",
      "ipv4 { ttl: 3 dscp: 4 ecn: 1 identification: 99 more_fragments: true protocol: 6 }"
      " payload: 'part'",
      "ipv4 { options: '\\x01\\x01\\x01\\x00' } tcp { checksum: 1 urgent_pointer: 9 reserved: 7 }",
      "icmp { type: 3 code: 3 quoted_raw: 'no header' }",
      "ipv6 {} icmp { type: 2 mtu: 1280 quoted_raw: 'no header' }",
      "ipv4 { protocol: 17 } payload: 'datagram'",
  };
  for (const std::string& text : segments) {
    SCOPED_TRACE(text);
    const std::string packet = packet_of(text);
    const Decoded first = decoded(packet);
    const absl::StatusOr<Crafted> again = craft(first.segment, test_context(), "segment");
    ASSERT_TRUE(again.ok()) << again.status() << first.segment.DebugString();
    EXPECT_EQ(again->packet, packet);
  }
}

TEST(Decode, ChecksumsRightAndWrong) {
  EXPECT_TRUE(decoded(packet_of("tcp {}")).ip_checksum_valid);
  EXPECT_TRUE(decoded(packet_of("tcp {}")).transport_checksum_valid);
  EXPECT_FALSE(decoded(packet_of("ipv4 { checksum: 1 } tcp {}")).ip_checksum_valid);
  EXPECT_TRUE(decoded(packet_of("ipv4 { checksum: 1 } tcp {}")).transport_checksum_valid);
  EXPECT_FALSE(decoded(packet_of("tcp { checksum: 1 }")).transport_checksum_valid);
  EXPECT_FALSE(decoded(packet_of("icmp { type: 8 checksum: 1 }")).transport_checksum_valid);
  EXPECT_FALSE(
      decoded(packet_of("ipv6 {} icmp { type: 128 checksum: 1 }")).transport_checksum_valid);
  EXPECT_EQ(decoded(packet_of("tcp { checksum: 1 }")).malformed, "");
}

TEST(Decode, SaysWhatIsMalformed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"ipv4 { version: 5 } tcp {}", "IP version 5"},
      {"ipv4 { header_length: 4 } tcp {}", "IPv4 header length of 4 words"},
      {"ipv4 { header_length: 15 } tcp {}", "IPv4 header length of 15 words"},
      {"ipv4 { total_length: 10 } tcp {}", "IPv4 total length 10 of 40 octets"},
      {"ipv4 { total_length: 41 } tcp {}", "IPv4 total length 41 of 40 octets"},
      {"ipv4 { total_length: 40 } tcp {} payload: 'abc'", "3 octets behind the IPv4 total length"},
      {"ipv6 { payload_length: 21 } tcp {}", "IPv6 payload length 21 of 20 octets"},
      {"ipv6 { payload_length: 20 } tcp {} payload: 'ab'", "2 octets behind the IPv6 payload"},
      {"tcp { data_offset: 4 }", "TCP data offset of 4 words in 20 octets"},
      {"tcp { data_offset: 6 }", "TCP data offset of 6 words in 20 octets"},
      {"tcp { raw_options: '\\x02' }", "TCP options: "},
      {"tcp { raw_options: '\\x01\\x01\\x02\\x09' }", "at octet 2"},
      {"ipv4 { protocol: 6 } payload: 'short'", "TCP header is cut short: 5 octets"},
      {"ipv4 { protocol: 1 } payload: 'short'", "ICMP header is cut short: 5 octets"},
      {"icmp { type: 3 quoted_raw: 'x' }", "the quoted IP header is cut short"},
      {"raw: 'E'", "IPv4 header is cut short: 1 octets"},
      {"raw: '`'", "IPv6 header is cut short: 1 octets"},
      {"raw: 'x'", "IP version 7"},
  };
  for (const auto& [text, malformed] : cases) {
    SCOPED_TRACE(text);
    EXPECT_THAT(decoded(packet_of(text)).malformed, testing::HasSubstr(malformed));
  }
}

TEST(Decode, WhatIsWrongOutsideDoesNotHideTheSegment) {
  const Decoded result = decoded(packet_of("ipv4 { total_length: 99 } tcp { source_port: 8 }"));
  EXPECT_EQ(result.segment.tcp().source_port(), 8u);
  EXPECT_TRUE(result.transport_checksum_valid);
  EXPECT_EQ(decoded(packet_of("tcp { data_offset: 4 window: 3 }")).segment.tcp().window(), 3u);
}

TEST(Decode, QuotedSegmentAsFarAsItGoes) {
  const std::string error =
      "icmp { type: 3 code: 1 quoted_octets: %d quoted_segment { tcp { source_port: 5"
      " destination_port: 6 sequence_number: 7 window: 8 } } }";
  const auto quoted = [&](const std::string& count) {
    std::string text = error;
    return decoded(packet_of(text.replace(text.find("%d"), 2, count))).segment.icmp();
  };
  EXPECT_EQ(quoted("8").quoted_segment().tcp().sequence_number(), 7u);
  EXPECT_FALSE(quoted("8").quoted_segment().tcp().has_window());
  EXPECT_EQ(quoted("8").quoted_octets(), 8u);
  EXPECT_EQ(quoted("8").quoted_segment().ipv4().source(), "192.0.2.2");
  EXPECT_EQ(quoted("4").quoted_segment().tcp().destination_port(), 6u);
  EXPECT_FALSE(quoted("4").quoted_segment().tcp().has_sequence_number());
  EXPECT_FALSE(quoted("0").quoted_segment().tcp().has_source_port());
  EXPECT_EQ(quoted("20").quoted_segment().tcp().window(), 8u);
}

TEST(Decode, ReservedFieldsAndFragments) {
  const Decoded first = decoded(packet_of("ipv4 { more_fragments: true } tcp {}"));
  EXPECT_FALSE(first.segment.has_tcp());
  EXPECT_EQ(first.segment.payload().size(), 20u);
  EXPECT_EQ(first.malformed, "");
  EXPECT_TRUE(first.transport_checksum_valid);
}

// No octets make it crash; run under the sanitizers too.
TEST(Decode, RandomAndTruncatedPackets) {
  const uint64_t seed = 20240611;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  const std::vector<std::string> packets = {
      packet_of("tcp { options { mss { octets: 1 } } options { timestamps {} } } payload: 'abc'"),
      packet_of("ipv6 {} tcp { options { sack { blocks {} } } }"),
      packet_of("icmp { type: 3 code: 4 quoted_segment { tcp {} } }"),
      packet_of("ipv6 {} icmp { type: 2 quoted_segment { tcp {} } }"),
  };
  Decoded result;
  for (const std::string& packet : packets) {
    for (size_t length = 0; length <= packet.size(); ++length) {
      decode(octets(packet).first(length), result);
      if (length < packet.size()) {
        EXPECT_NE(result.malformed, "") << length;
      }
    }
    for (int round = 0; round < 5000; ++round) {
      std::string broken = packet;
      for (int i = 0; i < 3; ++i) {
        broken[random.below(broken.size())] = static_cast<char>(random.next());
      }
      decode(octets(broken), result);
    }
  }
}

}  // namespace
}  // namespace tcproctor::server
