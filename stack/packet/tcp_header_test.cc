// SPDX-License-Identifier: Apache-2.0
// S001-header: every field of the TCP header built, read back, and crafted wrong.
#include "stack/packet/tcp_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

using ::testing::HasSubstr;

TEST(TcpFlags, TextOfPacketdrill) {
  EXPECT_EQ(flags_to_text(kSyn), "S");
  EXPECT_EQ(flags_to_text(kSyn | kAck), "S.");
  EXPECT_EQ(flags_to_text(kFin | kPsh | kAck), "FP.");
  EXPECT_EQ(flags_to_text(kAllFlags), "FSRP.UEWA");
  EXPECT_EQ(flags_to_text(0), "-");
}

TEST(TcpFlags, TextOfTheRfc) {
  EXPECT_EQ(flags_to_rfc_text(kSyn | kAck), "<SYN,ACK>");
  EXPECT_EQ(flags_to_rfc_text(0), "<>");
  EXPECT_EQ(flag_names(kFin | kAck), "FIN,ACK");
  EXPECT_EQ(flag_names(kRst | kAck), "RST,ACK");
  EXPECT_EQ(flag_names(kAllFlags), "FIN,SYN,RST,PSH,ACK,URG,ECE,CWR,AE");
}

TEST(TcpFlags, EveryCombinationReadsBack) {
  for (uint16_t flags = 0; flags <= kAllFlags; ++flags) {
    const auto parsed = parse_flags(flags_to_text(flags));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, flags);
  }
  EXPECT_EQ(parse_flags(".S").value(), kSyn | kAck);
  EXPECT_EQ(parse_flags("P5.").value(), kPsh | kAck | kAe | kEce);
  EXPECT_EQ(parse_flags("0.").value(), kAck);
}

TEST(TcpFlags, SaysWhichLetterIsWrong) {
  const auto message = [](std::string_view text) {
    const auto flags = parse_flags(text);
    EXPECT_FALSE(flags.ok()) << text;
    return std::string(flags.status().message());
  };
  EXPECT_THAT(message("SX"), HasSubstr("'X' in 'SX' is none of FSRP.UEWA"));
  EXPECT_THAT(message("SS"), HasSubstr("'S' in 'SS' says again"));
  EXPECT_THAT(message("E5"), HasSubstr("'5' in 'E5' says again"));
  EXPECT_THAT(message("S-"), HasSubstr("'-'"));
  EXPECT_THAT(message("8"), HasSubstr("'8'"));
  EXPECT_THAT(message(""), HasSubstr("empty"));
}

// Each field in its own place: all others zero, its bits all set.
TEST(S001Header, EveryFieldHasItsOwnBits) {
  struct Field {
    const char* name;
    TcpHeader header;
    const char* octets;
  };
  TcpHeader zero;
  zero.data_offset = 0;
  const auto with = [&](auto member, auto value) {
    TcpHeader header = zero;
    header.*member = static_cast<std::remove_reference_t<decltype(header.*member)>>(value);
    return header;
  };
  const Field fields[] = {
      {"source port", with(&TcpHeader::source_port, 0xFFFF),
       "ffff0000 00000000 00000000 00000000 00000000"},
      {"destination port", with(&TcpHeader::destination_port, 0xFFFF),
       "0000ffff 00000000 00000000 00000000 00000000"},
      {"SEQ", with(&TcpHeader::sequence_number, 0xFFFFFFFF),
       "00000000 ffffffff 00000000 00000000 00000000"},
      {"ACK", with(&TcpHeader::acknowledgment_number, 0xFFFFFFFF),
       "00000000 00000000 ffffffff 00000000 00000000"},
      {"data offset", with(&TcpHeader::data_offset, 15),
       "00000000 00000000 00000000 f0000000 00000000"},
      {"reserved", with(&TcpHeader::reserved, 7), "00000000 00000000 00000000 0e000000 00000000"},
      {"AE", with(&TcpHeader::flags, kAe), "00000000 00000000 00000000 01000000 00000000"},
      {"CWR", with(&TcpHeader::flags, kCwr), "00000000 00000000 00000000 00800000 00000000"},
      {"ECE", with(&TcpHeader::flags, kEce), "00000000 00000000 00000000 00400000 00000000"},
      {"URG", with(&TcpHeader::flags, kUrg), "00000000 00000000 00000000 00200000 00000000"},
      {"ACK flag", with(&TcpHeader::flags, kAck), "00000000 00000000 00000000 00100000 00000000"},
      {"PSH", with(&TcpHeader::flags, kPsh), "00000000 00000000 00000000 00080000 00000000"},
      {"RST", with(&TcpHeader::flags, kRst), "00000000 00000000 00000000 00040000 00000000"},
      {"SYN", with(&TcpHeader::flags, kSyn), "00000000 00000000 00000000 00020000 00000000"},
      {"FIN", with(&TcpHeader::flags, kFin), "00000000 00000000 00000000 00010000 00000000"},
      {"window", with(&TcpHeader::window, 0xFFFF), "00000000 00000000 00000000 0000ffff 00000000"},
      {"checksum", with(&TcpHeader::checksum, 0xFFFF),
       "00000000 00000000 00000000 00000000 ffff0000"},
      {"urgent pointer", with(&TcpHeader::urgent_pointer, 0xFFFF),
       "00000000 00000000 00000000 00000000 0000ffff"},
  };
  for (const Field& field : fields) {
    Bytes out(20, 0xEE);
    ASSERT_EQ(write_tcp_header(field.header, {}, out), 20u);
    EXPECT_EQ(out, from_hex(field.octets)) << field.name;
    TcpHeader read;
    std::span<const uint8_t> options, payload;
    // Data offset 0 or 15 is malformed here; the fixed fields are read nevertheless.
    EXPECT_EQ(parse_tcp_header(out, read, options, payload), ParseResult::kBadDataOffset);
    EXPECT_EQ(read, field.header) << field.name;
  }
}

TEST(S001Header, FieldsWiderThanTheirPlaceAreCut) {
  TcpHeader header;
  header.data_offset = 0xF5;
  header.reserved = 0xF8;
  header.flags = 0xFE00 | kSyn;
  Bytes out(20);
  ASSERT_EQ(write_tcp_header(header, {}, out), 20u);
  EXPECT_EQ(load_be16(out.data() + 12), 0x5002);
}

// A good segment of 8 octets of options and 5 of data; `change` spoils the TCP header, after which
// the checksum is made right again, so that only the change is left to be seen.
ParseResult parse_changed(const std::function<void(TcpHeader&)>& change, TcpSegment& segment,
                          Bytes& packet, bool fix_checksum = true) {
  OptionWriter options;
  options.mss(1460);
  options.nop();
  options.window_scale(8);
  const Bytes payload = {'h', 'e', 'l', 'l', 'o'};
  const TcpPacketParts parts = {
      .ip = {.source = IpAddress::v4(192, 0, 2, 1), .destination = IpAddress::v4(192, 0, 2, 2)},
      .header = {.source_port = 1025, .destination_port = 80, .flags = kAck, .window = 1000},
      .options = options.finish(),
      .payload = payload};
  packet.assign(tcp_packet_size(parts), 0);
  EXPECT_EQ(build_tcp_packet(parts, packet), packet.size());
  const std::span<uint8_t> tcp = std::span(packet).subspan(20);
  TcpHeader header;
  std::span<const uint8_t> option_bytes, data;
  EXPECT_EQ(parse_tcp_header(tcp, header, option_bytes, data), ParseResult::kOk);
  change(header);
  EXPECT_EQ(write_tcp_header(header, {}, tcp), 20u);
  if (fix_checksum) {
    store_be16(tcp.data() + 16, 0);
    store_be16(tcp.data() + 16,
               transport_checksum(parts.ip.source, parts.ip.destination, kProtocolTcp, tcp));
  }
  return parse_tcp_packet(packet, ChecksumPolicy::kVerify, segment);
}

TEST(S001Header, EveryDataOffset) {
  for (uint8_t words = 0; words <= 15; ++words) {
    TcpSegment segment;
    Bytes packet;
    const ParseResult result =
        parse_changed([&](TcpHeader& header) { header.data_offset = words; }, segment, packet);
    // 20 octets of header, 8 of options, 5 of data: 33 octets hold at most 8 words.
    EXPECT_EQ(result, words >= 5 && words <= 8 ? ParseResult::kOk : ParseResult::kBadDataOffset);
    EXPECT_EQ(segment.header.data_offset, words);
    EXPECT_EQ(segment.header.source_port, 1025);
    if (result == ParseResult::kOk) {
      EXPECT_EQ(segment.options.raw.size(), (words - 5u) * 4);
      EXPECT_EQ(segment.payload.size(), 33u - words * 4u);
    } else {
      EXPECT_TRUE(segment.payload.empty());
      EXPECT_TRUE(segment.options.raw.empty());
    }
  }
}

TEST(S001Header, WrongChecksumIsSeenUnlessTheLinkVouches) {
  TcpSegment segment;
  Bytes packet;
  const auto spoil = [](TcpHeader& header) { header.checksum ^= 0x0100; };
  EXPECT_EQ(parse_changed(spoil, segment, packet, false), ParseResult::kBadTcpChecksum);
  EXPECT_EQ(segment.options.mss, 1460);  // everything is filled for logs
  EXPECT_EQ(segment.payload.size(), 5u);
  EXPECT_EQ(parse_tcp_packet(packet, ChecksumPolicy::kTrusted, segment), ParseResult::kOk);
}

TEST(S001Header, ReservedBitsArePassedAndSeen) {
  for (uint8_t reserved = 0; reserved < 8; ++reserved) {
    TcpSegment segment;
    Bytes packet;
    EXPECT_EQ(
        parse_changed([&](TcpHeader& header) { header.reserved = reserved; }, segment, packet),
        ParseResult::kOk);
    EXPECT_EQ(segment.header.reserved, reserved);
    EXPECT_EQ(segment.header.flags, kAck);
  }
}

TEST(S001Header, LawfulAtAnyValue) {
  TcpSegment segment;
  Bytes packet;
  const auto change = [](TcpHeader& header) {
    header.source_port = 0;
    header.destination_port = 65535;
    header.sequence_number = 0xFFFFFFFF;
    header.acknowledgment_number = 0x80000000;
    header.flags = kAllFlags;
    header.window = 0;
    header.urgent_pointer = 0xFFFF;
  };
  EXPECT_EQ(parse_changed(change, segment, packet), ParseResult::kOk);
  EXPECT_EQ(segment.header.destination_port, 65535);
  EXPECT_EQ(segment.header.sequence_number, 0xFFFFFFFF);
  EXPECT_EQ(segment.header.flags, kAllFlags);
  EXPECT_EQ(segment.header.urgent_pointer, 0xFFFF);
}

TEST(S001Seq, LengthCountsSynAndFin) {
  TcpSegment segment;
  const Bytes hundred(100);
  segment.payload = hundred;
  EXPECT_EQ(segment.sequence_length(), 100u);
  segment.header.flags = kSyn | kFin;
  EXPECT_EQ(segment.sequence_length(), 102u);
  segment.payload = {};
  segment.header.flags = kFin | kAck;
  EXPECT_EQ(segment.sequence_length(), 1u);
}

TEST(TcpSegment, FourTupleIsTheReceivers) {
  TcpSegment segment;
  Bytes packet;
  ASSERT_EQ(parse_changed([](TcpHeader&) {}, segment, packet), ParseResult::kOk);
  EXPECT_EQ(segment.four_tuple().to_string(), "192.0.2.2:80 > 192.0.2.1:1025");
}

// --- whole packets ---

struct Built {
  TcpPacketParts parts;
  Bytes options, first, rest;
  Bytes packet;
};

// Fills a caller's object, because the spans in `parts` point into it.
void random_packet(Random& random, Built& built) {
  const IpFamily family = random.coin() ? IpFamily::kV4 : IpFamily::kV6;
  built.options = random.bytes(random.up_to(10) * 4);
  built.first = random.bytes(random.up_to(100));
  built.rest = random.bytes(random.coin() ? 0 : random.up_to(1500));
  built.parts = {.ip = {.source = random.address(family),
                        .destination = random.address(family),
                        .dscp = random.up_to<uint8_t>(63),
                        .ecn = random.up_to<uint8_t>(3),
                        .ttl = random.up_to<uint8_t>(255),
                        .identification = random.up_to<uint16_t>(0xFFFF),
                        .dont_fragment = random.coin(),
                        .flow_label = random.up_to(0xFFFFF)},
                 .header = {.source_port = random.up_to<uint16_t>(0xFFFF),
                            .destination_port = random.up_to<uint16_t>(0xFFFF),
                            .sequence_number = random.up_to(0xFFFFFFFF),
                            .acknowledgment_number = random.up_to(0xFFFFFFFF),
                            .reserved = random.up_to<uint8_t>(7),
                            .flags = random.up_to<uint16_t>(kAllFlags),
                            .window = random.up_to<uint16_t>(0xFFFF),
                            .urgent_pointer = random.up_to<uint16_t>(0xFFFF)},
                 .options = built.options,
                 .payload = built.first,
                 .payload_rest = built.rest};
  built.packet.assign(tcp_packet_size(built.parts), 0xEE);
  ASSERT_EQ(build_tcp_packet(built.parts, built.packet), built.packet.size());
}

TEST(TcpPacket, RoundTrip) {
  Random random;
  for (int round = 0; round < 20000; ++round) {
    Built built;
    ASSERT_NO_FATAL_FAILURE(random_packet(random, built));
    TcpSegment segment;
    ASSERT_EQ(parse_tcp_packet(built.packet, ChecksumPolicy::kVerify, segment), ParseResult::kOk)
        << "round " << round;
    TcpHeader expected = built.parts.header;
    expected.data_offset = static_cast<uint8_t>(5 + built.options.size() / 4);
    expected.checksum = segment.header.checksum;
    ASSERT_EQ(segment.header, expected);
    ASSERT_EQ(segment.source, built.parts.ip.source);
    ASSERT_EQ(segment.destination, built.parts.ip.destination);
    ASSERT_EQ(segment.dscp, built.parts.ip.dscp);
    ASSERT_EQ(segment.ecn, built.parts.ip.ecn);
    ASSERT_EQ(segment.ttl, built.parts.ip.ttl);
    ASSERT_EQ(to_bytes(segment.options.raw), built.options);
    Bytes payload = built.first;
    payload.insert(payload.end(), built.rest.begin(), built.rest.end());
    ASSERT_EQ(to_bytes(segment.payload), payload);
  }
}

TEST(TcpPacket, TruncatedAtEveryLength) {
  Random random;
  for (int round = 0; round < 50; ++round) {
    Built built;
    ASSERT_NO_FATAL_FAILURE(random_packet(random, built));
    for (size_t length = 0; length < built.packet.size(); ++length) {
      // An allocation of just this size lets the address sanitizer see a read beyond it.
      const Bytes cut(built.packet.begin(),
                      built.packet.begin() + static_cast<std::ptrdiff_t>(length));
      TcpSegment segment;
      const ParseResult result = parse_tcp_packet(cut, ChecksumPolicy::kVerify, segment);
      const size_t ip_bytes = ip_header_bytes(built.parts.ip.source.family());
      ASSERT_EQ(result, length < ip_bytes ? ParseResult::kTruncated : ParseResult::kBadTotalLength)
          << length;
    }
  }
}

// The TCP part cut short while the IP header tells the truth about it.
TEST(TcpPacket, SegmentTruncatedAtEveryLength) {
  Built built;
  Random random;
  ASSERT_NO_FATAL_FAILURE(random_packet(random, built));
  const Bytes tcp(built.packet.begin() +
                      static_cast<std::ptrdiff_t>(ip_header_bytes(built.parts.ip.source.family())),
                  built.packet.end());
  const size_t header_bytes = 20 + built.options.size();
  for (size_t length = 0; length < tcp.size(); ++length) {
    const Bytes cut(tcp.begin(), tcp.begin() + static_cast<std::ptrdiff_t>(length));
    const IpPacket ip = {.source = built.parts.ip.source,
                         .destination = built.parts.ip.destination,
                         .protocol = kProtocolTcp,
                         .payload = cut};
    TcpSegment segment;
    const ParseResult result = parse_tcp_payload(ip, ChecksumPolicy::kVerify, segment);
    ASSERT_EQ(result, length < 20             ? ParseResult::kTruncated
                      : length < header_bytes ? ParseResult::kBadDataOffset
                                              : ParseResult::kBadTcpChecksum)
        << length;
  }
}

TEST(TcpPacket, LinkPaddingIsNoPayload) {
  Built built;
  Random random;
  ASSERT_NO_FATAL_FAILURE(random_packet(random, built));
  built.packet.insert(built.packet.end(), 6, 0xAA);
  TcpSegment segment;
  ASSERT_EQ(parse_tcp_packet(built.packet, ChecksumPolicy::kVerify, segment), ParseResult::kOk);
  EXPECT_EQ(segment.payload.size(), built.first.size() + built.rest.size());
}

TEST(TcpPacket, OutermostFaultIsReported) {
  Bytes packet;
  TcpSegment segment;
  ASSERT_EQ(parse_changed([](TcpHeader&) {}, segment, packet), ParseResult::kOk);
  packet.back() ^= 0xFF;
  packet[10] ^= 0xFF;
  EXPECT_EQ(parse_tcp_packet(packet, ChecksumPolicy::kVerify, segment),
            ParseResult::kBadIpChecksum);
  EXPECT_EQ(segment.header.source_port, 1025);
  // The link vouches for TCP's checksum, never for IP's.
  EXPECT_EQ(parse_tcp_packet(packet, ChecksumPolicy::kTrusted, segment),
            ParseResult::kBadIpChecksum);
}

TEST(TcpPacket, OtherProtocolsAreNotRead) {
  Bytes out(100);
  const Bytes body(20);
  const size_t size = write_ip({.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")},
                               17, body.size(), out);
  TcpSegment segment;
  EXPECT_EQ(
      parse_tcp_packet(std::span(out).first(size + body.size()), ChecksumPolicy::kVerify, segment),
      ParseResult::kOtherProtocol);
  EXPECT_EQ(segment.source, ip_of("192.0.2.1"));
}

TEST(TcpPacket, PseudoHeaderSumIsFinishedByAnOffloadingDevice) {
  const Bytes payload = {'o', 'd', 'd'};
  for (const auto& [source, destination] :
       {std::pair("192.0.2.1", "192.0.2.2"), std::pair("2001:db8::1", "2001:db8::2")}) {
    TcpPacketParts parts = {.ip = {.source = ip_of(source), .destination = ip_of(destination)},
                            .header = {.source_port = 1, .destination_port = 2, .flags = kAck},
                            .payload = payload};
    Bytes full(tcp_packet_size(parts)), partial(full.size());
    ASSERT_EQ(build_tcp_packet(parts, full), full.size());
    parts.checksum = ChecksumFill::kPseudoHeader;
    ASSERT_EQ(build_tcp_packet(parts, partial), partial.size());
    TcpSegment segment;
    EXPECT_EQ(parse_tcp_packet(partial, ChecksumPolicy::kVerify, segment),
              ParseResult::kBadTcpChecksum);
    EXPECT_EQ(parse_tcp_packet(partial, ChecksumPolicy::kTrusted, segment), ParseResult::kOk);
    // What the device does: the sum from the TCP header on, the field included, complemented.
    const std::span<uint8_t> tcp =
        std::span(partial).subspan(ip_header_bytes(parts.ip.source.family()));
    store_be16(tcp.data() + 16, internet_checksum(tcp));
    EXPECT_EQ(partial, full);
  }
}

// What the Linux kernel leaves in the checksum field for a veth peer to finish (captured).
TEST(TcpPacket, PseudoHeaderSumIsTheKernels) {
  const Bytes options(20);
  const TcpPacketParts v4 = {
      .ip = {.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")},
      .options = options,
      .checksum = ChecksumFill::kPseudoHeader};
  TcpPacketParts v6 = v4;
  v6.ip = {.source = ip_of("2001:db8::1"), .destination = ip_of("2001:db8::2")};
  Bytes out(80);
  ASSERT_EQ(build_tcp_packet(v4, out), 60u);
  EXPECT_EQ(load_be16(out.data() + 20 + 16), 0x8432);
  ASSERT_EQ(build_tcp_packet(v6, out), 80u);
  EXPECT_EQ(load_be16(out.data() + 40 + 16), 0x5BA3);
}

TEST(BuildTcpPacket, SuperSegmentUpToTheLimitOfIp) {
  Bytes payload(65535 - 40, 0x5A), out(70000);
  TcpPacketParts parts = {.ip = {.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")},
                          .header = {.flags = kAck},
                          .payload = payload};
  const size_t size = build_tcp_packet(parts, out);
  ASSERT_EQ(size, 65535u);
  TcpSegment segment;
  EXPECT_EQ(parse_tcp_packet(std::span(out).first(size), ChecksumPolicy::kVerify, segment),
            ParseResult::kOk);
  EXPECT_EQ(segment.payload.size(), payload.size());
  payload.push_back(0);
  parts.payload = payload;
  EXPECT_EQ(build_tcp_packet(parts, out), 0u);
}

TEST(BuildTcpPacket, RefusesWhatCannotBeRight) {
  const Bytes bytes(60);
  Bytes out(200);
  const TcpPacketParts good = {
      .ip = {.source = ip_of("192.0.2.1"), .destination = ip_of("192.0.2.2")}};
  EXPECT_EQ(build_tcp_packet(good, out), 40u);
  EXPECT_EQ(build_tcp_packet(good, std::span(out).first(39)), 0u);
  TcpPacketParts odd_options = good, many_options = good, mixed = good;
  odd_options.options = std::span(bytes).first(3);
  many_options.options = std::span(bytes).first(44);
  mixed.ip.destination = ip_of("2001:db8::1");
  EXPECT_EQ(build_tcp_packet(odd_options, out), 0u);
  EXPECT_EQ(build_tcp_packet(many_options, out), 0u);
  EXPECT_EQ(build_tcp_packet(mixed, out), 0u);
}

TEST(WriteTcpHeader, NeedsItsRoom) {
  Bytes out(23);
  EXPECT_EQ(write_tcp_header({}, Bytes(4), out), 0u);
  EXPECT_EQ(write_tcp_header({}, Bytes(3), out), 23u);
}

// Whatever comes, parsers return; run under the sanitizers this is the guard against reading
// astray.
TEST(TcpPacket, SurvivesAnyOctets) {
  Random random;
  for (int round = 0; round < 30000; ++round) {
    Built built;
    ASSERT_NO_FATAL_FAILURE(random_packet(random, built));
    Bytes packet = built.packet;
    packet.resize(std::min<size_t>(packet.size(), random.up_to(200)));
    for (uint32_t flips = random.up_to(6); flips > 0 && !packet.empty(); --flips) {
      packet[random.up_to<size_t>(packet.size() - 1)] = random.up_to<uint8_t>(255);
    }
    packet.shrink_to_fit();
    TcpSegment segment;
    const ParseResult result = parse_tcp_packet(packet, ChecksumPolicy::kTrusted, segment);
    ASSERT_LE(segment.payload.size(), packet.size()) << to_string(result);
  }
}

}  // namespace
}  // namespace tcproctor::packet
