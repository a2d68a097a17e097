// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/ip.h"

#include <gtest/gtest.h>

#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

Ipv4Header good_v4() {
  Ipv4Header header;
  header.identification = 7;
  header.source = ip_of("192.0.2.1");
  header.destination = ip_of("192.0.2.2");
  return header;
}

Ipv6Header good_v6() {
  Ipv6Header header;
  header.source = ip_of("2001:db8::1");
  header.destination = ip_of("2001:db8::2");
  return header;
}

Bytes packet_of(const Ipv4Header& header, size_t payload_bytes) {
  Bytes out(header.encoded_size() + payload_bytes, 0xDA);
  EXPECT_EQ(write_ipv4(header, out), header.encoded_size());
  return out;
}

Bytes packet_of(const Ipv6Header& header, std::string_view payload) {
  Bytes out(kIpv6HeaderBytes);
  EXPECT_EQ(write_ipv6(header, out), kIpv6HeaderBytes);
  const Bytes rest = from_hex(payload);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

// --- IPv4 ---

TEST(Ipv4, EveryFieldHasItsOwnBits) {
  const auto octets = [](auto change) {
    Ipv4Header header;
    header.version = header.header_length = header.ttl = header.protocol = 0;
    change(header);
    return packet_of(header, 0);
  };
  const auto with = [](const char* words) { return from_hex(words); };
  using H = Ipv4Header;
  const char* zero = "00000000 00000000 00000000 00000000 00000000";
  EXPECT_EQ(octets([](H&) {}), with(zero));
  EXPECT_EQ(octets([](H& h) { h.version = 15; }),
            with("f0000000 00000000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.header_length = 15; }),
            with("0f000000 00000000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.dscp = 63; }),
            with("00fc0000 00000000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.ecn = 3; }), with("00030000 00000000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.total_length = 0xFFFF; }),
            with("0000ffff 00000000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.identification = 0xFFFF; }),
            with("00000000 ffff0000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.reserved_flag = true; }),
            with("00000000 00008000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.dont_fragment = true; }),
            with("00000000 00004000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.more_fragments = true; }),
            with("00000000 00002000 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.fragment_offset = 0xFFFF; }),
            with("00000000 00001fff 00000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.ttl = 255; }),
            with("00000000 00000000 ff000000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.protocol = 255; }),
            with("00000000 00000000 00ff0000 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.checksum = 0xFFFF; }),
            with("00000000 00000000 0000ffff 00000000 00000000"));
  EXPECT_EQ(octets([](H& h) { h.source = ip_of("255.255.255.255"); }),
            with("00000000 00000000 00000000 ffffffff 00000000"));
  EXPECT_EQ(octets([](H& h) { h.destination = ip_of("255.255.255.255"); }),
            with("00000000 00000000 00000000 00000000 ffffffff"));
}

TEST(Ipv4, RoundTripOfAnyFinishedHeader) {
  Random random;
  for (int round = 0; round < 20000; ++round) {
    Ipv4Header header = {.dscp = random.up_to<uint8_t>(63),
                         .ecn = random.up_to<uint8_t>(3),
                         .identification = random.up_to<uint16_t>(0xFFFF),
                         .reserved_flag = random.coin(),
                         .dont_fragment = random.coin(),
                         .more_fragments = random.coin(),
                         .fragment_offset = random.up_to<uint16_t>(0x1FFF),
                         .ttl = random.up_to<uint8_t>(255),
                         .protocol = random.up_to<uint8_t>(255),
                         .source = random.address(IpFamily::kV4),
                         .destination = random.address(IpFamily::kV4),
                         .options = InlineBytes<40>(random.bytes(random.up_to(10) * 4))};
    const size_t payload_bytes = random.up_to(200);
    ASSERT_TRUE(finish_ipv4(header, payload_bytes));
    const Bytes packet = packet_of(header, payload_bytes);
    Ipv4Header read;
    std::span<const uint8_t> payload;
    ASSERT_EQ(parse_ipv4(packet, read, payload), ParseResult::kOk) << "round " << round;
    ASSERT_EQ(read, header);
    ASSERT_EQ(payload.size(), payload_bytes);
  }
}

TEST(Ipv4, OptionsArePaddedToAWord) {
  Ipv4Header header = good_v4();
  header.options = InlineBytes<40>(from_hex("940400000101"));  // router alert and two NOPs
  ASSERT_TRUE(finish_ipv4(header, 0));
  EXPECT_EQ(header.header_length, 7);
  const Bytes packet = packet_of(header, 0);
  EXPECT_EQ(packet.size(), 28u);
  Ipv4Header read;
  std::span<const uint8_t> payload;
  ASSERT_EQ(parse_ipv4(packet, read, payload), ParseResult::kOk);
  EXPECT_EQ(to_bytes(read.options.span()), from_hex("9404000001010000"));
}

// Each wrong field of a crafted header, and how the parser names it. Checksums are right for the
// crafted header, so that it is not the checksum that is seen.
TEST(Ipv4, CraftedWrong) {
  const auto result_of = [](auto change, size_t payload_bytes = 8) {
    Ipv4Header header = good_v4();
    EXPECT_TRUE(finish_ipv4(header, payload_bytes));
    change(header);
    header.checksum = 0;
    header.checksum = internet_checksum(packet_of(header, 0));
    Ipv4Header read;
    std::span<const uint8_t> payload;
    const Bytes packet = packet_of(header, payload_bytes);
    const ParseResult result = parse_ipv4(packet, read, payload);
    EXPECT_EQ(read, header);  // the fixed fields are filled whatever is wrong
    return result;
  };
  using H = Ipv4Header;
  EXPECT_EQ(result_of([](H&) {}), ParseResult::kOk);
  for (uint8_t version = 0; version < 16; ++version) {
    EXPECT_EQ(result_of([&](H& h) { h.version = version; }),
              version == 4 ? ParseResult::kOk : ParseResult::kBadVersion);
  }
  for (uint8_t words = 0; words < 5; ++words) {
    EXPECT_EQ(result_of([&](H& h) { h.header_length = words; }), ParseResult::kBadHeaderLength);
  }
  EXPECT_EQ(result_of([](H& h) { h.header_length = 8; }), ParseResult::kBadHeaderLength);
  EXPECT_EQ(result_of([](H& h) { h.total_length = 19; }), ParseResult::kBadTotalLength);
  EXPECT_EQ(result_of([](H& h) { h.total_length = 0; }), ParseResult::kBadTotalLength);
  EXPECT_EQ(result_of([](H& h) { h.total_length = 29; }), ParseResult::kBadTotalLength);
  EXPECT_EQ(result_of([](H& h) { h.total_length = 27; }), ParseResult::kOk);
  EXPECT_EQ(result_of([](H& h) { h.reserved_flag = true; }), ParseResult::kOk);
}

TEST(Ipv4, WrongChecksumLeavesEverythingReadable) {
  Ipv4Header header = good_v4();
  ASSERT_TRUE(finish_ipv4(header, 3));
  header.checksum ^= 1;
  const Bytes packet = packet_of(header, 3);
  Ipv4Header read;
  std::span<const uint8_t> payload;
  EXPECT_EQ(parse_ipv4(packet, read, payload), ParseResult::kBadIpChecksum);
  EXPECT_EQ(read, header);
  EXPECT_EQ(payload.size(), 3u);
}

TEST(Ipv4, FragmentsAreRecognised) {
  const auto result_of = [](bool more, uint16_t offset) {
    Ipv4Header header = good_v4();
    header.more_fragments = more;
    header.fragment_offset = offset;
    EXPECT_TRUE(finish_ipv4(header, 8));
    const Bytes packet = packet_of(header, 8);
    IpPacket ip;
    const ParseResult result = parse_ip(packet, ip);
    EXPECT_EQ(ip.source, header.source);
    EXPECT_EQ(ip.payload.size(), 8u);
    return result;
  };
  EXPECT_EQ(result_of(false, 0), ParseResult::kOk);
  EXPECT_EQ(result_of(true, 0), ParseResult::kFragment);
  EXPECT_EQ(result_of(false, 1), ParseResult::kFragment);
  EXPECT_EQ(result_of(true, 0x1FFF), ParseResult::kFragment);
}

TEST(Ipv4, TruncatedAtEveryLength) {
  Ipv4Header header = good_v4();
  header.options = InlineBytes<40>(Bytes(40, 1));
  ASSERT_TRUE(finish_ipv4(header, 10));
  const Bytes packet = packet_of(header, 10);
  for (size_t length = 0; length < packet.size(); ++length) {
    const Bytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(length));
    Ipv4Header read;
    std::span<const uint8_t> payload;
    EXPECT_EQ(parse_ipv4(cut, read, payload), length < 20   ? ParseResult::kTruncated
                                              : length < 60 ? ParseResult::kBadHeaderLength
                                                            : ParseResult::kBadTotalLength)
        << length;
  }
}

TEST(Ipv4, FinishRefusesWhatIsTooLong) {
  Ipv4Header header = good_v4();
  EXPECT_TRUE(finish_ipv4(header, 65515));
  const Ipv4Header before = header;
  EXPECT_FALSE(finish_ipv4(header, 65516));
  EXPECT_FALSE(finish_ipv4(header, SIZE_MAX));
  EXPECT_EQ(header, before);
}

TEST(Ipv4, WriteNeedsItsRoom) {
  Bytes out(19);
  EXPECT_EQ(write_ipv4(good_v4(), out), 0u);
}

// --- IPv6 ---

TEST(Ipv6, EveryFieldHasItsOwnBits) {
  const auto first_octets = [](auto change) {
    Ipv6Header header;
    header.version = header.next_header = header.hop_limit = 0;
    change(header);
    Bytes out(40);
    EXPECT_EQ(write_ipv6(header, out), 40u);
    return Bytes(out.begin(), out.begin() + 8);
  };
  using H = Ipv6Header;
  EXPECT_EQ(first_octets([](H& h) { h.version = 15; }), from_hex("f0000000 00000000"));
  EXPECT_EQ(first_octets([](H& h) { h.dscp = 255; }), from_hex("0fc00000 00000000"));
  EXPECT_EQ(first_octets([](H& h) { h.ecn = 255; }), from_hex("00300000 00000000"));
  EXPECT_EQ(first_octets([](H& h) { h.flow_label = 0xFFFFFFFF; }), from_hex("000fffff 00000000"));
  EXPECT_EQ(first_octets([](H& h) { h.payload_length = 0xFFFF; }), from_hex("00000000 ffff0000"));
  EXPECT_EQ(first_octets([](H& h) { h.next_header = 255; }), from_hex("00000000 0000ff00"));
  EXPECT_EQ(first_octets([](H& h) { h.hop_limit = 255; }), from_hex("00000000 000000ff"));
}

TEST(Ipv6, RoundTrip) {
  Random random;
  for (int round = 0; round < 20000; ++round) {
    Ipv6Header header = {.dscp = random.up_to<uint8_t>(63),
                         .ecn = random.up_to<uint8_t>(3),
                         .flow_label = random.up_to(0xFFFFF),
                         .hop_limit = random.up_to<uint8_t>(255),
                         .source = random.address(IpFamily::kV6),
                         .destination = random.address(IpFamily::kV6)};
    ASSERT_TRUE(finish_ipv6(header, 4));
    const Bytes packet = packet_of(header, "01020304");
    Ipv6Header read;
    Ipv6Extensions extensions;
    std::span<const uint8_t> payload;
    ASSERT_EQ(parse_ipv6(packet, read, extensions, payload), ParseResult::kOk);
    ASSERT_EQ(read, header);
    ASSERT_EQ(to_bytes(payload), from_hex("01020304"));
    ASSERT_EQ(extensions.protocol, kProtocolTcp);
    ASSERT_EQ(extensions.count, 0);
  }
}

struct Chain {
  uint8_t first;
  const char* octets;
  ParseResult result;
  uint8_t protocol;
  uint16_t bytes;  // of the extension headers that were read
};

class Ipv6Chain : public testing::TestWithParam<Chain> {};

TEST_P(Ipv6Chain, IsWalked) {
  const Chain& chain = GetParam();
  Ipv6Header header = good_v6();
  header.next_header = chain.first;
  const Bytes octets = from_hex(chain.octets);
  ASSERT_TRUE(finish_ipv6(header, octets.size()));
  const Bytes packet = packet_of(header, chain.octets);
  Ipv6Header read;
  Ipv6Extensions extensions;
  std::span<const uint8_t> payload;
  EXPECT_EQ(parse_ipv6(packet, read, extensions, payload), chain.result);
  EXPECT_EQ(extensions.protocol, chain.protocol);
  EXPECT_EQ(extensions.bytes, chain.bytes);
  EXPECT_EQ(payload.size(), chain.result == ParseResult::kOk ? octets.size() - chain.bytes : 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Chains, Ipv6Chain,
    testing::Values(
        Chain{6, "aabb", ParseResult::kOk, 6, 0},
        // hop-by-hop of 8 octets, then destination options of 16, then TCP
        Chain{0, "3c00050200000100 0601010c00000000 0000000000000000 aabb", ParseResult::kOk, 6,
              24},
        Chain{43, "0600000000000000 aa", ParseResult::kOk, 6, 8},  // routing, no segments left
        Chain{43, "0602000100000000 0000000000000000 0000000000000000",
              ParseResult::kBadExtensionHeader, 6, 24},  // one segment left
        Chain{51, "0604000000000000 0000000000000000 0000000000000000 aa", ParseResult::kOk, 6,
              24},                                                   // AH counts words less two
        Chain{44, "0600000000000001 aabb", ParseResult::kOk, 6, 8},  // atomic fragment
        Chain{44, "0600000100000001 aabb", ParseResult::kOk, 6, 8},  // first fragment
        // After a fragment header that says so nothing can be read: 60 is the end of the chain.
        Chain{44, "3c00000800000001 aabb", ParseResult::kOk, 60, 8},
        Chain{59, "", ParseResult::kOk, 59, 0},          // no next header
        Chain{50, "00000000", ParseResult::kOk, 50, 0},  // ESP ends the chain
        Chain{0, "", ParseResult::kBadExtensionHeader, 0, 0},
        Chain{0, "06000502000001", ParseResult::kBadExtensionHeader, 0, 0},
        Chain{0, "0601050200000100", ParseResult::kBadExtensionHeader, 0, 0},
        Chain{60, "06ff050200000100", ParseResult::kBadExtensionHeader, 60, 0},
        // nine headers, one more than are followed
        Chain{60,
              "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000"
              "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000"
              "0600000000000000",
              ParseResult::kBadExtensionHeader, 60, 64}));

TEST(Ipv6, FragmentsAreRecognised) {
  const auto parse_fragment = [](const char* octets, Ipv6Extensions& extensions) {
    EXPECT_EQ(parse_ipv6_extensions(44, from_hex(octets), extensions), ParseResult::kOk);
    Ipv6Header header = good_v6();
    header.next_header = 44;
    EXPECT_TRUE(finish_ipv6(header, 8));
    IpPacket ip;
    return parse_ip(packet_of(header, octets), ip);
  };
  Ipv6Extensions extensions;
  EXPECT_EQ(parse_fragment("0600000912345678", extensions), ParseResult::kFragment);
  EXPECT_TRUE(extensions.fragmented);
  EXPECT_TRUE(extensions.more_fragments);
  EXPECT_EQ(extensions.fragment_offset, 1);
  EXPECT_EQ(extensions.identification, 0x12345678u);
  EXPECT_EQ(extensions.kinds[0], 44);
  EXPECT_EQ(parse_fragment("0600000012345678", extensions), ParseResult::kOk);  // RFC 6946
  EXPECT_FALSE(extensions.fragmented);
}

// A multicast listener report of a Linux host: hop-by-hop options in front of ICMPv6.
TEST(Ipv6, CapturedHopByHop) {
  const Bytes packet = from_hex(
      "6000000000380001 00000000000000000000000000000000 ff020000000000000000000000000016"
      "3a00050200000100 8f006d6300000002 04000000ff02000000000000000000 01ff00000b"
      "04000000ff020000000000000000 0001ff000002");
  ASSERT_EQ(packet.size(), 96u);
  IpPacket ip;
  ASSERT_EQ(parse_ip(packet, ip), ParseResult::kOk);
  EXPECT_EQ(ip.protocol, kProtocolIcmpV6);
  EXPECT_EQ(ip.header_bytes, 48u);
  EXPECT_EQ(ip.ttl, 1);
  EXPECT_EQ(ip.payload.size(), 48u);
  EXPECT_EQ(transport_checksum(ip.source, ip.destination, kProtocolIcmpV6, ip.payload), 0);
}

TEST(Ipv6, CraftedWrong) {
  Ipv6Header header = good_v6();
  ASSERT_TRUE(finish_ipv6(header, 2));
  Ipv6Header read;
  Ipv6Extensions extensions;
  std::span<const uint8_t> payload;
  for (uint8_t version = 0; version < 16; ++version) {
    header.version = version;
    EXPECT_EQ(parse_ipv6(packet_of(header, "0102"), read, extensions, payload),
              version == 6 ? ParseResult::kOk : ParseResult::kBadVersion);
    EXPECT_EQ(read, header);
  }
  header.version = 6;
  header.payload_length = 3;
  EXPECT_EQ(parse_ipv6(packet_of(header, "0102"), read, extensions, payload),
            ParseResult::kBadTotalLength);
  EXPECT_EQ(read, header);
  EXPECT_TRUE(payload.empty());
}

TEST(Ipv6, TruncatedAtEveryLength) {
  Ipv6Header header = good_v6();
  header.next_header = 0;
  const char* octets = "3c00050200000100 0601010c00000000 0000000000000000 aabb";
  ASSERT_TRUE(finish_ipv6(header, from_hex(octets).size()));
  const Bytes packet = packet_of(header, octets);
  for (size_t length = 0; length < packet.size(); ++length) {
    const Bytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(length));
    Ipv6Header read;
    Ipv6Extensions extensions;
    std::span<const uint8_t> payload;
    EXPECT_EQ(parse_ipv6(cut, read, extensions, payload),
              length < 40 ? ParseResult::kTruncated : ParseResult::kBadTotalLength);
  }
}

TEST(Ipv6, FinishRefusesJumbograms) {
  Ipv6Header header = good_v6();
  EXPECT_TRUE(finish_ipv6(header, 65535));
  EXPECT_FALSE(finish_ipv6(header, 65536));
  EXPECT_EQ(header.payload_length, 65535);
}

TEST(Ipv6, WriteNeedsItsRoom) {
  Bytes out(39);
  EXPECT_EQ(write_ipv6(good_v6(), out), 0u);
}

// --- either ---

TEST(Ip, RefusesOtherVersions) {
  IpPacket ip;
  EXPECT_EQ(parse_ip({}, ip), ParseResult::kTruncated);
  EXPECT_EQ(parse_ip(Bytes(60, 0x55), ip), ParseResult::kBadVersion);
}

TEST(Ip, WritesBothFamilies) {
  Bytes out(64);
  EXPECT_EQ(write_ip({.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")}, 6, 5, out),
            20u);
  EXPECT_EQ(
      write_ip({.source = ip_of("2001:db8::1"), .destination = ip_of("2001:db8::2")}, 6, 5, out),
      40u);
  EXPECT_EQ(write_ip({.source = ip_of("192.0.2.1"), .destination = ip_of("::1")}, 6, 5, out), 0u);
  EXPECT_EQ(
      write_ip({.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")}, 6, 65516, out),
      0u);
  EXPECT_EQ(write_ip({.source = ip_of("::1"), .destination = ip_of("::1")}, 6, 65536, out), 0u);
  EXPECT_EQ(write_ip({.source = ip_of("::1"), .destination = ip_of("::1")}, 6, 0,
                     std::span(out).first(39)),
            0u);
}

TEST(Ip, SurvivesAnyOctets) {
  Random random;
  for (int round = 0; round < 100000; ++round) {
    Bytes packet = random.bytes(random.up_to(120));
    if (!packet.empty()) {
      const int v4 = 0x40 + packet[0] % 16;
      packet[0] = static_cast<uint8_t>(random.coin() ? 0x60 : v4);
    }
    if (packet.size() > 6 && random.coin()) {
      // Lengths and next headers that lead deeper.
      packet[4] = 0;
      packet[5] = static_cast<uint8_t>(packet.size() < 40 ? 0 : packet.size() - 40);
      constexpr uint8_t kKinds[] = {0, 43, 44, 51, 60};
      packet[6] = kKinds[random.up_to(4)];
    }
    IpPacket ip;
    const ParseResult result = parse_ip(packet, ip);
    ASSERT_LE(ip.payload.size(), packet.size()) << to_string(result);
  }
}

}  // namespace
}  // namespace tcproctor::packet
