// SPDX-License-Identifier: Apache-2.0
#include "server/wire/craft.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "server/wire/decode.h"
#include "server/wire/signature.h"
#include "server/wire/test_util.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::server {
namespace {

std::string hex(const std::string& packet) {
  return absl::BytesToHexString(packet);
}

absl::StatusOr<Crafted> craft_text(const std::string& text) {
  return craft(from_text<v1::Segment>(text), test_context(), "segment");
}

TEST(Craft, DefaultsAreThoseOfTheContract) {
  const std::string packet = packet_of("tcp {}");
  packet::TcpSegment segment;
  ASSERT_EQ(packet::parse_tcp_packet(octets(packet), packet::ChecksumPolicy::kVerify, segment),
            packet::ParseResult::kOk);
  EXPECT_EQ(segment.source.to_string(), "192.0.2.1");
  EXPECT_EQ(segment.destination.to_string(), "192.0.2.2");
  EXPECT_EQ(segment.ttl, 64);
  EXPECT_EQ(segment.header.window, 65535);
  EXPECT_EQ(segment.header.flags, 0);
  EXPECT_EQ(segment.header.data_offset, 5);
  EXPECT_EQ(hex(packet.substr(4, 4)), "00074000") << "identification of the wire, DF";
}

// S004-syn of the seeds, byte for byte.
TEST(Craft, CapturedSyn) {
  const std::string packet = packet_of(R"(
    ipv4 { source: "172.16.12.1" destination: "172.16.12.2" identification: 32631 ttl: 255 dscp: 48
           dont_fragment: false }
    tcp { source_port: 49898 destination_port: 23 sequence_number: 1450082649 flags: 2 window: 4128
          options { mss { octets: 1460 } } })");
  EXPECT_EQ(hex(packet),
            "45c0002c7f770000ff06cb70ac100c01ac100c02"
            "c2ea0017566e81590000000060021020"
            "7d190000020405b4");
}

TEST(Craft, EveryFieldOfIpv4AsGiven) {
  const std::string packet = packet_of(R"(
    ipv4 { source: "10.0.0.1" destination: "10.0.0.2" version: 5 header_length: 3 dscp: 63 ecn: 3
           total_length: 9 identification: 65535 dont_fragment: false more_fragments: true
           fragment_offset: 8191 ttl: 1 protocol: 17 checksum: 4660 options: "\x01" }
    payload: "xyz")");
  EXPECT_EQ(hex(packet),
            "53ff0009ffff3fff011112340a0000010a00000201000000"
            "78797a");
}

TEST(Craft, EveryFieldOfIpv6AsGiven) {
  const std::string packet = packet_of(R"(
    ipv6 { source: "2001:db8::a" destination: "2001:db8::b" version: 7 dscp: 1 ecn: 1
           flow_label: 1048575 payload_length: 1 next_header: 59 hop_limit: 3 })");
  EXPECT_EQ(hex(packet),
            "705fffff00013b03"
            "20010db800000000000000000000000a20010db800000000000000000000000b");
}

TEST(Craft, EveryFieldOfTcpAsGiven) {
  const std::string packet = packet_of(R"(
    tcp { source_port: 1 destination_port: 2 sequence_number: 3 acknowledgment_number: 4
          data_offset: 15 reserved: 5 flags: 0x1a5 window: 6 checksum: 7 urgent_pointer: 8 })");
  EXPECT_EQ(hex(packet.substr(20)),
            "00010002000000030000000"
            "4fba5000600070008");
}

TEST(Craft, ChecksumCoversOddPayloadAndIpv6) {
  for (const std::string network : {"ipv4 {}", "ipv6 {}"}) {
    const std::string packet =
        packet_of(network + "tcp { source_port: 9 flags: 16 } payload: 'odd'");
    packet::TcpSegment segment;
    EXPECT_EQ(packet::parse_tcp_packet(octets(packet), packet::ChecksumPolicy::kVerify, segment),
              packet::ParseResult::kOk)
        << network;
    EXPECT_EQ(segment.payload.size(), 3u);
  }
}

TEST(Craft, OptionsInOrderAndPaddedWithZeroes) {
  const std::string packet = packet_of(R"(tcp { options { mss { octets: 512 } }
      options { no_operation: true } options { window_scale { shift: 200 } }
      options { sack_permitted: true } options { timestamps { value: 1 echo_reply: 2 } }
      options { user_timeout { minutes: true timeout: 5 } }
      options { other { kind: 254 data: 'a' length: 99 } } options { end_of_options: true } })");
  EXPECT_EQ(hex(packet.substr(40)),
            "02040200"
            "01"
            "0303c8"
            "0402"
            "080a0000000100000002"
            "1c048005"
            "fe6361"
            "00");
  EXPECT_EQ(static_cast<uint8_t>(packet[32]) >> 4, (20 + 28) / 4);
}

TEST(Craft, SackCookieAndDigest) {
  const std::string packet = packet_of(R"(tcp { options { sack { blocks { left: 1 right: 2 } } }
      options { fast_open_cookie: 'abcd' } options { md5_digest: '0123456789abcdef' } })");
  EXPECT_EQ(hex(packet.substr(40)),
            "050a0000000100000002"
            "220661626364"
            "131230313233343536373839616263646566"
            "0000");
}

// That the MACs are those of RFC 2385 and RFC 9235 is shown beside stack/tcp/authentication.
TEST(Craft, SignaturesAreComputedAndVerified) {
  const std::string head = R"(ipv4 { source: '192.0.2.1' destination: '192.0.2.2' } payload: 'abc'
      tcp { source_port: 1000 destination_port: 80 sequence_number: 7 flags: 16 options { )";
  const auto option = [&](const std::string& text) { return packet_of(head + text + " } }"); };
  const auto wrong = [&](const std::string& wanted, const std::string& packet) {
    const auto pattern = from_text<v1::TcpHeader>("options { " + wanted + " }");
    return signature_difference(pattern, octets(packet));
  };
  const std::string md5 = "md5_signature { key: 'secret' }";
  EXPECT_EQ(wrong(md5, option(md5)), "");
  EXPECT_EQ(wrong("md5_signature { key: 'other' }", option(md5)),
            "md5: the digest is not right for the key");
  EXPECT_EQ(wrong(md5, packet_of(head + "no_operation: true } }")),
            "md5: none, expected the digest for the key");
  std::string changed = option(md5);
  changed.back() ^= 1;
  EXPECT_EQ(wrong(md5, changed), "md5: the digest is not right for the key");

  // Beside another option, which the MAC covers or not.
  const auto ao = [](const std::string& rest) {
    return "ao_signature { key_id: 61 rnext_key_id: 84 " + rest +
           " } } options { mss { octets: 9 }";
  };
  const std::string right = ao("key: 'secret' source_isn: 6 destination_isn: 9");
  EXPECT_EQ(wrong(right, option(right)), "");
  for (const std::string rest :
       {"key: 'secret' source_isn: 6 destination_isn: 9 algorithm: AO_ALGORITHM_AES_CMAC",
        "key: 'secret' source_isn: 6 destination_isn: 9 options_uncovered: true",
        "key: 'secret' source_isn: 6 destination_isn: 9 sequence_number_extension: 1",
        "key: 'secret' source_isn: 6 destination_isn: 8",
        "key: 'secret' source_isn: 7 destination_isn: 9",
        "key: 'secreT' source_isn: 6 destination_isn: 9"}) {
    EXPECT_EQ(wrong(ao(rest), option(right)), "ao: the MAC is not right for the key") << rest;
    EXPECT_EQ(wrong(ao(rest), option(ao(rest))), "") << rest;
  }
  EXPECT_EQ(wrong("ao_signature {}", packet_of(head + "no_operation: true } }")), "")
      << "without a key the options alone are compared";
  EXPECT_EQ(wrong(right, option(md5)), "ao: none, expected the MAC for the key");
}

TEST(Craft, TheSignatureOfASynIsMadeWithItsOwnNumber) {
  const auto packet = packet_of(R"(ipv6 {} tcp { sequence_number: 7 flags: 2
      options { ao_signature { key_id: 1 rnext_key_id: 2 key: 'k' } } })");
  const auto pattern = [](const std::string& isn) {
    return from_text<v1::TcpHeader>("options { ao_signature { key: 'k' " + isn + " } }");
  };
  EXPECT_EQ(signature_difference(pattern(""), octets(packet)), "");
  EXPECT_EQ(signature_difference(pattern("source_isn: 7"), octets(packet)), "");
  EXPECT_NE(signature_difference(pattern("source_isn: 8"), octets(packet)), "");
}

TEST(Craft, RawOptionsAndRawPackets) {
  EXPECT_EQ(hex(packet_of("tcp { raw_options: '\\x02' }").substr(40)), "02000000");
  const absl::StatusOr<Crafted> raw = craft_text("raw: '\\x60abc'");
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(raw->packet, "`abc");
  EXPECT_EQ(raw->family, packet::IpFamily::kV6);
}

TEST(Craft, FamilyIsTheFirstBothEndsHave) {
  CraftContext context = test_context();
  const std::vector<packet::IpAddress> only_v6 = {addresses_of_b()[1]};
  context.destination = only_v6;
  const absl::StatusOr<Crafted> crafted =
      craft(from_text<v1::Segment>("tcp {}"), context, "segment");
  ASSERT_TRUE(crafted.ok()) << crafted.status();
  EXPECT_EQ(crafted->family, packet::IpFamily::kV6);
  expect_error(craft(from_text<v1::Segment>("ipv4 {} tcp {}"), context, "segment").status(),
               absl::StatusCode::kInvalidArgument, "segment.ipv4.destination: is required");
}

TEST(Craft, IcmpQuotesALoggedSegment) {
  const std::string logged = packet_of("tcp { source_port: 80 destination_port: 81 } payload: 'x'");
  CraftContext context = test_context();
  context.logged = [&](uint64_t number) {
    return number == 3 ? octets(logged) : std::span<const uint8_t>();
  };
  const absl::StatusOr<Crafted> icmp = craft(
      from_text<v1::Segment>("icmp { type: 3 code: 4 mtu: 576 quoted_number: 3 }"), context, "s");
  ASSERT_TRUE(icmp.ok()) << icmp.status();
  EXPECT_EQ(icmp->packet.size(), 20u + 8 + 28);
  EXPECT_EQ(icmp->packet.substr(28), logged.substr(0, 28));
  EXPECT_EQ(hex(icmp->packet.substr(24, 4)), "00000240");
  Decoded decoded;
  decode(octets(icmp->packet), decoded);
  EXPECT_TRUE(decoded.transport_checksum_valid);
  EXPECT_EQ(decoded.segment.icmp().mtu(), 576u);
  expect_error(
      craft(from_text<v1::Segment>("icmp { type: 3 quoted_number: 4 }"), context, "s").status(),
      absl::StatusCode::kInvalidArgument, "s.icmp.quoted_number: no segment 4");
}

TEST(Craft, IcmpQuotesABuiltSegmentOfItsReceiver) {
  for (const std::string network : {"ipv4 {}", "ipv6 {}"}) {
    const std::string packet =
        packet_of(network +
                  "icmp { type: 1 pointer: 9 quoted_octets: 20"
                  " quoted_segment { tcp { source_port: 5 destination_port: 6 window: 11 } } }");
    Decoded decoded;
    decode(octets(packet), decoded);
    EXPECT_TRUE(decoded.transport_checksum_valid) << network;
    if (network == "ipv4 {}") continue;  // type 1 is no error there
    const v1::IcmpMessage& icmp = decoded.segment.icmp();
    EXPECT_EQ(icmp.quoted_octets(), 20u);
    EXPECT_EQ(icmp.quoted_segment().ipv6().source(), "2001:db8::2");
    EXPECT_EQ(icmp.quoted_segment().ipv6().destination(), "2001:db8::1");
    EXPECT_EQ(icmp.quoted_segment().tcp().window(), 11u);
  }
}

TEST(Craft, IcmpQuotesRawOctetsAndWrongChecksum) {
  const std::string packet = packet_of("icmp { type: 8 code: 1 checksum: 5 quoted_raw: 'ab' }");
  EXPECT_EQ(hex(packet.substr(20)),
            "0801000500000000"
            "6162");
  EXPECT_EQ(packet[9], 1);
}

struct BadSegment {
  const char* text;
  const char* error;
};

TEST(Craft, EveryErrorNamesItsField) {
  const std::vector<BadSegment> cases = {
      {"", "segment.tcp: is missing"},
      {"payload: 'x'", "segment.tcp: is missing"},
      {"ipv4 {}", "segment.tcp: is missing"},
      {"raw: 'x' tcp {}", "segment.raw: stands instead"},
      {"raw: 'x' ipv4 {}", "segment.raw: stands instead"},
      {"raw: 'x' payload: ''", "segment.raw: stands instead"},
      {"raw: ''", "segment.raw: is empty"},
      {"tcp { source_port: 70000 }", "segment.tcp.source_port: 70000 is above 65535"},
      {"tcp { destination_port: 65536 }", "segment.tcp.destination_port: 65536 is above"},
      {"tcp { data_offset: 16 }", "segment.tcp.data_offset: 16 is above 15"},
      {"tcp { reserved: 8 }", "segment.tcp.reserved: 8 is above 7"},
      {"tcp { flags: 512 }", "segment.tcp.flags: 512 is above 511"},
      {"tcp { window: 65536 }", "segment.tcp.window"},
      {"tcp { checksum: 65536 }", "segment.tcp.checksum"},
      {"tcp { urgent_pointer: 65536 }", "segment.tcp.urgent_pointer"},
      {"tcp { raw_options: 'x' options { no_operation: true } }",
       "segment.tcp.raw_options: stands"},
      {"tcp { raw_options: '01234567890123456789012345678901234567890' }",
       "segment.tcp.raw_options: 41 octets are above 40"},
      {"tcp { options {} }", "segment.tcp.options[0].option: is empty"},
      {"tcp { options { mss {} } }", "segment.tcp.options[0].mss.octets: is required"},
      {"tcp { options { mss { octets: 65536 } } }", "segment.tcp.options[0].mss.octets"},
      {"tcp { options { window_scale {} } }", "options[0].window_scale.shift: is required"},
      {"tcp { options { window_scale { shift: 256 } } }", "options[0].window_scale.shift"},
      {"tcp { options { sack { blocks {} blocks {} blocks {} blocks {} blocks {} } } }",
       "options[0].sack.blocks: 5 is above 4"},
      {"tcp { options { user_timeout { timeout: 32768 } } }", "options[0].user_timeout.timeout"},
      {"tcp { options { fast_open_cookie: '01234567890123456' } }", "options[0].fast_open_cookie"},
      {"tcp { options { md5_digest: 'x' } }", "options[0].md5_digest: has 1 octets instead of 16"},
      {"tcp { options { md5_signature {} } }", "options[0].md5_signature.key: has 0 octets"},
      {"tcp { options { any_fast_open_cookie: true } }", "options[0].any_fast_open_cookie: is for"},
      {"tcp { options { ao_signature { key: 'k' } } }",
       "options[0].ao_signature.key_id: is required"},
      {"tcp { options { ao_signature { key_id: 1 rnext_key_id: 256 key: 'k' } } }",
       "options[0].ao_signature.rnext_key_id: 256 is above 255"},
      {"tcp { options { ao_signature { key_id: 1 rnext_key_id: 2 } } }",
       "options[0].ao_signature.key: has 0 octets"},
      {"tcp { options { other { kind: 256 } } }", "options[0].other.kind"},
      {"tcp { options { other { kind: 2 length: 256 } } }", "options[0].other.length"},
      {"tcp { options { other { kind: 1 data: 'x' } } }", "options[0].other.data"},
      {"tcp { options { md5_digest: '0123456789abcdef' } options { md5_digest: '0123456789abcdef' }"
       " options { sack {} } options { timestamps {} } }",
       "segment.tcp.options: are more than 40 octets together: use a raw packet"},
      {"ipv4 { source: 'x' } tcp {}", "segment.ipv4.source: \"x\" is no IPv4 address"},
      {"ipv4 { destination: '::1' } tcp {}", "segment.ipv4.destination: \"::1\" is no IPv4"},
      {"ipv4 { version: 16 } tcp {}", "segment.ipv4.version"},
      {"ipv4 { header_length: 16 } tcp {}", "segment.ipv4.header_length"},
      {"ipv4 { dscp: 64 } tcp {}", "segment.ipv4.dscp"},
      {"ipv4 { ecn: 4 } tcp {}", "segment.ipv4.ecn"},
      {"ipv4 { total_length: 65536 } tcp {}", "segment.ipv4.total_length"},
      {"ipv4 { identification: 65536 } tcp {}", "segment.ipv4.identification"},
      {"ipv4 { fragment_offset: 8192 } tcp {}", "segment.ipv4.fragment_offset"},
      {"ipv4 { ttl: 256 } tcp {}", "segment.ipv4.ttl"},
      {"ipv4 { protocol: 256 } tcp {}", "segment.ipv4.protocol"},
      {"ipv4 { checksum: 65536 } tcp {}", "segment.ipv4.checksum"},
      {"ipv4 { options: '01234567890123456789012345678901234567890' } tcp {}",
       "segment.ipv4.options: 41 octets are above 40"},
      {"ipv6 { source: '1.2.3.4' } tcp {}", "segment.ipv6.source: \"1.2.3.4\" is no IPv6"},
      {"ipv6 { destination: '' } tcp {}", "segment.ipv6.destination"},
      {"ipv6 { version: 16 } tcp {}", "segment.ipv6.version"},
      {"ipv6 { dscp: 64 } tcp {}", "segment.ipv6.dscp"},
      {"ipv6 { ecn: 4 } tcp {}", "segment.ipv6.ecn"},
      {"ipv6 { flow_label: 1048576 } tcp {}", "segment.ipv6.flow_label"},
      {"ipv6 { payload_length: 65536 } tcp {}", "segment.ipv6.payload_length"},
      {"ipv6 { next_header: 256 } tcp {}", "segment.ipv6.next_header"},
      {"ipv6 { hop_limit: 256 } tcp {}", "segment.ipv6.hop_limit"},
      {"icmp {}", "segment.icmp.type: is required"},
      {"icmp { type: 256 }", "segment.icmp.type"},
      {"icmp { type: 3 code: 256 }", "segment.icmp.code"},
      {"icmp { type: 3 checksum: 65536 }", "segment.icmp.checksum"},
      {"icmp { type: 3 mtu: 65536 }", "segment.icmp.mtu"},
      {"icmp { type: 3 pointer: 256 }", "segment.icmp.pointer"},
      {"ipv6 {} icmp { type: 3 pointer: 256 mtu: 1 }", "segment.icmp.pointer: lies where"},
      {"icmp { type: 3 quoted_octets: 65536 }", "segment.icmp.quoted_octets"},
      {"icmp { type: 3 quoted_octets: 1 quoted_raw: 'x' }", "segment.icmp.quoted_octets: cuts"},
      {"icmp { type: 3 quoted_number: 0 }", "segment.icmp.quoted_number: 0 names no segment"},
      {"icmp { type: 3 quoted_number: 1 }", "segment.icmp.quoted_number: no segment 1"},
      {"icmp { type: 3 quoted_segment { tcp { window: 65536 } } }",
       "segment.icmp.quoted_segment.tcp.window"},
      {"icmp { type: 3 } payload: 'x'", "segment.payload: follows a TCP header"},
  };
  for (const BadSegment& bad : cases) {
    SCOPED_TRACE(bad.text);
    expect_error(craft_text(bad.text).status(), absl::StatusCode::kInvalidArgument, bad.error);
  }
}

TEST(Craft, SizesAtTheirLimits) {
  v1::Segment segment = from_text<v1::Segment>("tcp {}");
  segment.set_payload(std::string(kMaxPayload, 'x'));
  EXPECT_TRUE(craft(segment, test_context(), "segment").ok());
  segment.set_payload(std::string(kMaxPayload + 1, 'x'));
  expect_error(craft(segment, test_context(), "segment").status(),
               absl::StatusCode::kInvalidArgument, "segment.payload: 65001 octets are above 65000");
  v1::Segment raw;
  raw.set_raw(std::string(kMaxIpPacket + 1, 'x'));
  expect_error(craft(raw, test_context(), "segment").status(), absl::StatusCode::kInvalidArgument,
               "segment.raw: 65576 octets");
  v1::Segment quoting;
  quoting.mutable_icmp()->set_type(3);
  quoting.mutable_icmp()->set_quoted_raw(std::string(65001, 'x'));
  expect_error(craft(quoting, test_context(), "segment").status(),
               absl::StatusCode::kInvalidArgument, "segment.icmp.quoted_raw: 65001");
  quoting.mutable_icmp()->set_quoted_octets(65535);
  quoting.mutable_icmp()->mutable_quoted_segment()->set_raw(std::string(65500, 'E'));
  expect_error(craft(quoting, test_context(), "segment").status(),
               absl::StatusCode::kInvalidArgument, "segment.icmp.quoted_octets: the quotation");
}

TEST(Craft, QuotationsEndSomewhere) {
  v1::Segment segment = from_text<v1::Segment>("tcp {}");
  for (int depth = 0; depth < 5; ++depth) {
    v1::Segment outer;
    outer.mutable_icmp()->set_type(3);
    *outer.mutable_icmp()->mutable_quoted_segment() = segment;
    segment = outer;
  }
  expect_error(craft(segment, test_context(), "segment").status(),
               absl::StatusCode::kInvalidArgument, "nested more than 4 deep");
}

}  // namespace
}  // namespace tcproctor::server
