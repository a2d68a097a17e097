// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/icmp.h"

#include <gtest/gtest.h>

#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/tcp_header.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

const IpFields kV4 = {.source = IpAddress::v4(192, 0, 2, 2),
                      .destination = IpAddress::v4(192, 0, 2, 1)};

IpFields v6() {
  return {.source = ip_of("2001:db8::2"), .destination = ip_of("2001:db8::1")};
}

// A segment of ours, from `ip.destination` to `ip.source`, for errors to quote.
Bytes segment_to_quote(const IpFields& ip, size_t payload_bytes = 100) {
  const Bytes payload(payload_bytes, 0x5A);
  const TcpPacketParts parts = {
      .ip = {.source = ip.destination, .destination = ip.source},
      .header = {.source_port = 1025, .destination_port = 80, .sequence_number = 0x12345678},
      .payload = payload};
  Bytes packet(tcp_packet_size(parts));
  EXPECT_EQ(build_tcp_packet(parts, packet), packet.size());
  return packet;
}

Bytes build(const IpFields& ip, const IcmpFields& fields) {
  Bytes out(2000);
  out.resize(build_icmp_packet(ip, fields, out));
  return out;
}

ParseResult parse(std::span<const uint8_t> packet, IcmpMessage& message) {
  IpPacket ip;
  const ParseResult result = parse_ip(packet, ip);
  return result == ParseResult::kOk ? parse_icmp(ip, message) : result;
}

// RFC 9293 §3.9.2.2, every type and code: what is not in the table is kOther.
TEST(IcmpClassification, TableOfRfc9293) {
  const auto expected_v4 = [](int type, int code) {
    if (type == 4) return IcmpClass::kSourceQuench;
    if (type == 11 || type == 12) return IcmpClass::kSoft;
    if (type != 3) return IcmpClass::kOther;
    if (code == 0 || code == 1 || code == 5) return IcmpClass::kSoft;
    if (code == 2 || code == 3) return IcmpClass::kHard;
    return code == 4 ? IcmpClass::kPacketTooBig : IcmpClass::kOther;
  };
  const auto expected_v6 = [](int type, int code) {
    if (type == 2) return IcmpClass::kPacketTooBig;
    if (type == 3 || type == 4) return IcmpClass::kSoft;
    if (type != 1) return IcmpClass::kOther;
    if (code == 0 || code == 3) return IcmpClass::kSoft;
    return code == 1 || code == 4 ? IcmpClass::kHard : IcmpClass::kOther;
  };
  for (int type = 0; type < 256; ++type) {
    for (int code = 0; code < 256; ++code) {
      const auto t = static_cast<uint8_t>(type), c = static_cast<uint8_t>(code);
      ASSERT_EQ(classify_icmp(IpFamily::kV4, t, c), expected_v4(type, code)) << type << "/" << code;
      ASSERT_EQ(classify_icmp(IpFamily::kV6, t, c), expected_v6(type, code)) << type << "/" << code;
    }
  }
}

// --- as a Linux host sends them (captured) ---

TEST(IcmpCaptured, PortUnreachableV4) {
  const Bytes packet = from_hex(
      "45c000392955000040 01ccab c0000202c0000201 030312e000000000"
      "4500001d4cd940004011 69f3c0000201c0000202 edeb00090009841e78");
  IcmpMessage message;
  ASSERT_EQ(parse(packet, message), ParseResult::kOk);
  EXPECT_EQ(message.type, kIcmpDestinationUnreachable);
  EXPECT_EQ(message.code, kIcmpPortUnreachable);
  EXPECT_EQ(message.classify(), IcmpClass::kHard);
  ASSERT_TRUE(message.quoted);
  EXPECT_EQ(message.quoted->protocol, 17);
  EXPECT_TRUE(message.quoted->has_ports);
  EXPECT_EQ(message.quoted->four_tuple().to_string(), "192.0.2.1:60907 > 192.0.2.2:9");
  EXPECT_EQ(message.quoted->packet_length, 29u);
}

TEST(IcmpCaptured, PortUnreachableV6) {
  const Bytes packet = from_hex(
      "600c765400393a40 20010db8000000000000000000000002 20010db8000000000000000000000001"
      "010405e300000000"
      "600e776900091140 20010db8000000000000000000000001 20010db8000000000000000000000002"
      "8558000900095b8f78");
  IcmpMessage message;
  ASSERT_EQ(parse(packet, message), ParseResult::kOk);
  EXPECT_EQ(message.classify(), IcmpClass::kHard);
  ASSERT_TRUE(message.quoted);
  EXPECT_EQ(message.quoted->four_tuple().to_string(), "[2001:db8::1]:34136 > [2001:db8::2]:9");
  EXPECT_EQ(message.quoted->packet_length, 49u);
}

TEST(IcmpCaptured, EchoOfBothFamiliesIsAnsweredAsLinuxDoes) {
  struct Echo {
    const char* request;
    const char* reply;
    IpFields ip;  // of the reply
  };
  const Echo echoes[] = {
      {"45000020a4a5400040011234c0000201c0000202 080006f4 12340007 70696e67",
       "4500002029560000 4001cd83c0000202c0000201 00000ef4 12340007 70696e67",
       {.source = kV4.source,
        .destination = kV4.destination,
        .identification = 0x2956,
        .dont_fragment = false}},
      {"600cfb8c000c3a40 20010db8000000000000000000000001 20010db8000000000000000000000002"
       "80003338 12340007 70696e67",
       "60043c9b000c3a40 20010db8000000000000000000000002 20010db8000000000000000000000001"
       "81003238 12340007 70696e67",
       {.source = v6().source, .destination = v6().destination, .flow_label = 0x43C9B}}};
  for (const Echo& echo : echoes) {
    const Bytes request_bytes = from_hex(echo.request);
    IcmpMessage request, reply;
    ASSERT_EQ(parse(request_bytes, request), ParseResult::kOk);
    EXPECT_TRUE(request.is_echo_request());
    EXPECT_FALSE(request.is_echo_reply());
    EXPECT_FALSE(request.is_error());
    EXPECT_EQ(request.classify(), IcmpClass::kOther);
    EXPECT_EQ(request.echo_identifier(), 0x1234);
    EXPECT_EQ(request.echo_sequence(), 7);
    const Bytes built = build(echo.ip, echo_reply_to(request));
    EXPECT_EQ(built, from_hex(echo.reply));
    ASSERT_EQ(parse(built, reply), ParseResult::kOk);
    EXPECT_TRUE(reply.is_echo_reply());
  }
}

// --- built, with every field right or wrong ---

TEST(IcmpErrors, EveryErrorQuotesAndReadsBack) {
  struct Error {
    bool is_v6;
    uint8_t type, code;
    uint32_t rest;
    uint32_t mtu, pointer;
  };
  const Error errors[] = {
      {false, 3, 0, 0, 0, 0},
      {false, 3, 4, icmp_rest_of_mtu(IpFamily::kV4, 1000), 1000, 0},
      {false, 4, 0, 0, 0, 0},
      {false, 11, 0, 0, 0, 0},
      {false, 12, 0, icmp_rest_of_pointer(IpFamily::kV4, 20), 0, 20},
      {true, 1, 0, 0, 0, 0},
      {true, 2, 0, icmp_rest_of_mtu(IpFamily::kV6, 70000), 70000, 70000},
      {true, 3, 1, 0, 0, 0},
      {true, 4, 2, icmp_rest_of_pointer(IpFamily::kV6, 40), 40, 40},
  };
  for (const Error& error : errors) {
    const IpFields ip = error.is_v6 ? v6() : kV4;
    const Bytes quoted = segment_to_quote(ip);
    const Bytes packet =
        build(ip, {.type = error.type, .code = error.code, .rest = error.rest, .body = quoted});
    IcmpMessage message;
    ASSERT_EQ(parse(packet, message), ParseResult::kOk);
    EXPECT_EQ(message.type, error.type);
    EXPECT_EQ(message.code, error.code);
    EXPECT_TRUE(message.is_error());
    EXPECT_EQ(message.mtu(), error.mtu);
    EXPECT_EQ(message.pointer(), error.pointer);
    ASSERT_TRUE(message.quoted);
    EXPECT_EQ(message.quoted->source, ip.destination);
    EXPECT_EQ(message.quoted->destination, ip.source);
    EXPECT_EQ(message.quoted->source_port, 1025);
    EXPECT_EQ(message.quoted->destination_port, 80);
    EXPECT_EQ(message.quoted->sequence_number, 0x12345678u);
    EXPECT_EQ(message.quoted->protocol, kProtocolTcp);
    EXPECT_EQ(message.quoted->packet_length, quoted.size());
  }
}

TEST(IcmpErrors, WrongChecksumIsSeen) {
  for (const IpFields& ip : {kV4, v6()}) {
    const Bytes quoted = segment_to_quote(ip);
    const uint8_t type = ip.source.is_v4() ? 3 : 1;
    IcmpMessage message;
    const Bytes good = build(ip, {.type = type, .code = 1, .body = quoted});
    ASSERT_EQ(parse(good, message), ParseResult::kOk);
    const auto wrong = static_cast<uint16_t>(message.checksum ^ 0x8000);
    const Bytes bad = build(ip, {.type = type, .code = 1, .checksum = wrong, .body = quoted});
    EXPECT_EQ(parse(bad, message), ParseResult::kBadIcmpChecksum);
    EXPECT_EQ(message.checksum, wrong);
    EXPECT_TRUE(message.quoted);
  }
}

TEST(IcmpErrors, QuotationOfAnyLength) {
  for (const IpFields& ip : {kV4, v6()}) {
    const Bytes quoted = segment_to_quote(ip);
    const size_t header = ip_header_bytes(ip.source.family());
    for (size_t length = 0; length <= quoted.size(); ++length) {
      const Bytes cut(quoted.begin(), quoted.begin() + static_cast<std::ptrdiff_t>(length));
      const auto read = parse_quoted_packet(cut);
      ASSERT_EQ(read.has_value(), length >= header) << length;
      ASSERT_EQ(read.has_value() && read->has_ports, length >= header + 8) << length;
    }
  }
}

TEST(IcmpErrors, QuotationThatIsNoPacket) {
  EXPECT_FALSE(parse_quoted_packet(Bytes(64, 0x00)));
  EXPECT_FALSE(parse_quoted_packet(Bytes(64, 0xFF)));
  Bytes short_header = segment_to_quote(kV4);
  short_header[0] = 0x44;
  EXPECT_FALSE(parse_quoted_packet(short_header));
  Bytes long_header = segment_to_quote(kV4, 0);
  long_header[0] = 0x4F;
  EXPECT_FALSE(parse_quoted_packet(long_header));
}

TEST(IcmpErrors, LaterFragmentsHaveNoPorts) {
  Ipv4Header header = {.fragment_offset = 5, .source = kV4.source, .destination = kV4.destination};
  ASSERT_TRUE(finish_ipv4(header, 8));
  Bytes packet(28);
  ASSERT_EQ(write_ipv4(header, packet), 20u);
  const auto read = parse_quoted_packet(packet);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->fragment);
  EXPECT_FALSE(read->has_ports);
}

TEST(IcmpErrors, QuotedPortsBehindExtensionHeaders) {
  Bytes packet = segment_to_quote(v6());
  const Bytes hop_by_hop = from_hex("0600050200000100");
  packet.insert(packet.begin() + 40, hop_by_hop.begin(), hop_by_hop.end());
  packet[6] = 0;
  const auto read = parse_quoted_packet(packet);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->protocol, kProtocolTcp);
  EXPECT_EQ(read->source_port, 1025);
  // Cut within the extension header: the addresses remain.
  const auto cut = parse_quoted_packet(std::span(packet).first(44));
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->has_ports);
  EXPECT_EQ(cut->source, v6().destination);
}

// Routers change the TTL of what they quote, and not all correct its checksum.
TEST(IcmpErrors, QuotedChecksumIsNotJudged) {
  Bytes packet = segment_to_quote(kV4);
  packet[8] = 1;
  EXPECT_TRUE(parse_quoted_packet(packet));
}

TEST(IcmpErrors, MessagesStayWithinTheirLimit) {
  const Bytes big(3000);
  EXPECT_EQ(20 + 8 + icmp_quotation(IpFamily::kV4, big).size(), 576u);
  EXPECT_EQ(40 + 8 + icmp_quotation(IpFamily::kV6, big).size(), 1280u);
  EXPECT_EQ(icmp_quotation(IpFamily::kV4, std::span(big).first(10)).size(), 10u);
}

TEST(Icmp, OtherProtocolsAreNotRead) {
  IcmpMessage message;
  EXPECT_EQ(parse(segment_to_quote(kV4), message), ParseResult::kOtherProtocol);
  // ICMPv6 over IPv4 is not ICMP.
  Bytes packet(28);
  ASSERT_EQ(write_ip(kV4, kProtocolIcmpV6, 8, packet), 20u);
  EXPECT_EQ(parse(packet, message), ParseResult::kOtherProtocol);
}

TEST(Icmp, TruncatedAtEveryLength) {
  const Bytes whole = build(kV4, {.type = 8, .rest = 1, .body = Bytes(10)});
  for (size_t length = 0; length + 20 <= whole.size(); ++length) {
    const Bytes cut(whole.begin() + 20, whole.begin() + 20 + static_cast<std::ptrdiff_t>(length));
    const IpPacket ip = {.source = kV4.source,
                         .destination = kV4.destination,
                         .protocol = kProtocolIcmp,
                         .payload = cut};
    IcmpMessage message;
    const ParseResult result = parse_icmp(ip, message);
    if (length < 8) {
      EXPECT_EQ(result, ParseResult::kTruncated);
    } else {
      // Zeroes at the end do not change the sum; what is cut here are zeroes.
      EXPECT_EQ(result, ParseResult::kOk);
    }
  }
}

TEST(Icmp, BuildNeedsItsRoom) {
  Bytes out(40);
  const Bytes body(13);
  EXPECT_EQ(build_icmp_packet(kV4, {.type = 8, .body = body}, out), 0u);
  EXPECT_EQ(build_icmp_packet(kV4, {.type = 8, .body = std::span(body).first(12)}, out), 40u);
  const IpFields mixed = {.source = kV4.source, .destination = v6().destination};
  EXPECT_EQ(build_icmp_packet(mixed, {.type = 8}, out), 0u);
}

TEST(Icmp, SurvivesAnyOctets) {
  Random random;
  for (int round = 0; round < 50000; ++round) {
    const IpFields ip = random.coin() ? kV4 : v6();
    Bytes body = random.coin() ? segment_to_quote(ip, 8) : random.bytes(random.up_to(80));
    for (uint32_t flips = random.up_to(4); flips > 0 && !body.empty(); --flips) {
      body[random.up_to<size_t>(body.size() - 1)] = random.up_to<uint8_t>(255);
    }
    body.resize(random.up_to<size_t>(body.size()));
    body.shrink_to_fit();
    const Bytes packet = build(ip, {.type = random.up_to<uint8_t>(13), .body = body});
    IcmpMessage message;
    ASSERT_EQ(parse(packet, message), ParseResult::kOk);
    ASSERT_EQ(to_bytes(message.body), body);
  }
}

}  // namespace
}  // namespace tcproctor::packet
