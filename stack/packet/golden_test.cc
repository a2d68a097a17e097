// SPDX-License-Identifier: Apache-2.0
// Byte-exact vectors: the telnet session of the seeds (rows S004-*, whose octets were assembled
// from the printed fields by an independent program), and a segment over IPv6. Each is built and
// must equal the octets, and parsed and must give the fields.
#include <gtest/gtest.h>

#include "stack/packet/ipv4.h"
#include "stack/packet/tcp_header.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

struct Golden {
  const char* id;
  bool from_a;  // 172.16.12.1 -> 172.16.12.2
  uint16_t identification;
  uint16_t total_length;
  uint16_t source_port;
  uint16_t destination_port;
  uint32_t sequence_number;
  uint32_t acknowledgment_number;
  uint16_t flags;
  uint16_t window;
  bool mss_1460;
  const char* payload;
  uint16_t ip_checksum;
  uint16_t tcp_checksum;
  uint8_t tos;
  const char* packet;
};

constexpr Golden kRows[] = {
    {"S004-syn", true, 32631, 44, 49898, 23, 1450082649, 0, kSyn, 4128, true, "", 0xCB70, 0x7D19,
     0xC0,
     "45c0002c7f770000ff06cb70ac100c01ac100c02"
     "c2ea0017566e815900000000600210207d190000020405b4"},
    {"S004-synack", false, 23225, 44, 23, 49898, 890558775, 1450082650, kSyn | kAck, 4128, true, "",
     0xF02E, 0x6EBC, 0xC0,
     "45c0002c5ab90000ff06f02eac100c02ac100c01"
     "0017c2ea3514d937566e815a601210206ebc0000020405b4"},
    {"S004-data", true, 32648, 41, 49898, 23, 1450082687, 890558848, kPsh | kAck, 4056, false, "s",
     0xCB62, 0x134B, 0xC0,
     "45c000297f880000ff06cb62ac100c01ac100c02"
     "c2ea0017566e817f3514d98050180fd8134b000073"},
    {"S004-echo", false, 23238, 41, 23, 49898, 890558848, 1450082688, kPsh | kAck, 4090, false, "s",
     0xF024, 0x1328, 0xC0,
     "45c000295ac60000ff06f024ac100c02ac100c01"
     "0017c2ea3514d980566e818050180ffa1328000073"},
    {"S004-fin1", false, 23263, 40, 23, 49898, 890559455, 1450082711, kFin | kPsh | kAck, 4067,
     false, "", 0xF00C, 0x83C9, 0xC0,
     "45c000285adf0000ff06f00cac100c02ac100c01"
     "0017c2ea3514dbdf566e819750190fe383c90000"},
    {"S004-ack1", true, 32675, 40, 49898, 23, 1450082711, 890559456, kAck, 3449, false, "", 0xCB48,
     0x863B, 0xC0,
     "45c000287fa30000ff06cb48ac100c01ac100c02"
     "c2ea0017566e81973514dbe050100d79863b0000"},
    {"S004-fin2", true, 32676, 40, 49898, 23, 1450082711, 890559456, kFin | kAck, 3449, false, "",
     0xCB47, 0x863A, 0xC0,
     "45c000287fa40000ff06cb47ac100c01ac100c02"
     "c2ea0017566e81973514dbe050110d79863a0000"},
    {"S004-ack2", false, 23264, 40, 23, 49898, 890559456, 1450082712, kAck, 4067, false, "", 0xF00B,
     0x83D0, 0xC0,
     "45c000285ae00000ff06f00bac100c02ac100c01"
     "0017c2ea3514dbe0566e819850100fe383d00000"},
    {"S004-crlf", true, 55178, 42, 45310, 23, 1260944976, 612296016, kPsh | kAck, 4051, false,
     "\r\n", 0x735F, 0x9E6C, 0xC0,
     "45c0002ad78a0000ff06735fac100c01ac100c02"
     "b0fe00174b287e50247ee55050180fd39e6c00000d0a"},
    {"S004-rst", false, 17835, 40, 23, 45310, 612296016, 0, kRst, 0, false, "", 0x0601, 0x84D8,
     0x00,
     "4500002845ab0000ff060601ac100c02ac100c01"
     "0017b0fe247ee550000000005004000084d80000"},
};

class Seed004 : public testing::TestWithParam<Golden> {
 protected:
  static IpAddress source() { return ip_of(GetParam().from_a ? "172.16.12.1" : "172.16.12.2"); }
  static IpAddress destination() {
    return ip_of(GetParam().from_a ? "172.16.12.2" : "172.16.12.1");
  }
  static Bytes payload() {
    const std::string_view text = GetParam().payload;
    return {text.begin(), text.end()};
  }
};

TEST_P(Seed004, BuildsTheCapturedOctets) {
  const Golden& row = GetParam();
  OptionWriter options;
  if (row.mss_1460) options.mss(1460);
  const Bytes data = payload();
  const TcpPacketParts parts = {.ip = {.source = source(),
                                       .destination = destination(),
                                       .dscp = static_cast<uint8_t>(row.tos >> 2),
                                       .ecn = static_cast<uint8_t>(row.tos & 3),
                                       .ttl = 255,
                                       .identification = row.identification,
                                       .dont_fragment = false},
                                .header = {.source_port = row.source_port,
                                           .destination_port = row.destination_port,
                                           .sequence_number = row.sequence_number,
                                           .acknowledgment_number = row.acknowledgment_number,
                                           .flags = row.flags,
                                           .window = row.window},
                                .options = options.finish(),
                                .payload = data};
  Bytes out(128, 0xEE);
  const size_t size = build_tcp_packet(parts, out);
  ASSERT_EQ(size, row.total_length);
  out.resize(size);
  EXPECT_EQ(out, from_hex(row.packet));
}

TEST_P(Seed004, ReadsTheIpHeader) {
  const Golden& row = GetParam();
  const Bytes packet = from_hex(row.packet);
  Ipv4Header header;
  std::span<const uint8_t> ip_payload;
  ASSERT_EQ(parse_ipv4(packet, header, ip_payload), ParseResult::kOk);
  const Ipv4Header expected = {.dscp = static_cast<uint8_t>(row.tos >> 2),
                               .total_length = row.total_length,
                               .identification = row.identification,
                               .ttl = 255,
                               .protocol = 6,
                               .checksum = row.ip_checksum,
                               .source = source(),
                               .destination = destination()};
  EXPECT_EQ(header, expected);
}

TEST_P(Seed004, ReadsTheSegment) {
  const Golden& row = GetParam();
  const Bytes packet = from_hex(row.packet);
  TcpSegment segment;
  ASSERT_EQ(parse_tcp_packet(packet, ChecksumPolicy::kVerify, segment), ParseResult::kOk);
  const TcpHeader expected = {.source_port = row.source_port,
                              .destination_port = row.destination_port,
                              .sequence_number = row.sequence_number,
                              .acknowledgment_number = row.acknowledgment_number,
                              .data_offset = static_cast<uint8_t>(row.mss_1460 ? 6 : 5),
                              .flags = row.flags,
                              .window = row.window,
                              .checksum = row.tcp_checksum};
  EXPECT_EQ(segment.header, expected);
  EXPECT_EQ(segment.source, source());
  EXPECT_EQ(segment.destination, destination());
  EXPECT_EQ(segment.dscp, row.tos >> 2);
  EXPECT_EQ(segment.ttl, 255);
  EXPECT_EQ(segment.options.mss, row.mss_1460 ? std::optional<uint16_t>(1460) : std::nullopt);
  EXPECT_EQ(segment.options.error, OptionError::kNone);
  EXPECT_EQ(to_bytes(segment.payload), payload());
}

TEST_P(Seed004, RewritesTheSameHeaders) {
  const Bytes packet = from_hex(GetParam().packet);
  Ipv4Header ip;
  std::span<const uint8_t> ip_payload, options, data;
  TcpHeader tcp;
  ASSERT_EQ(parse_ipv4(packet, ip, ip_payload), ParseResult::kOk);
  ASSERT_EQ(parse_tcp_header(ip_payload, tcp, options, data), ParseResult::kOk);
  Bytes out(packet.size());
  const size_t ip_bytes = write_ipv4(ip, out);
  const size_t tcp_bytes = write_tcp_header(tcp, options, std::span(out).subspan(ip_bytes));
  std::ranges::copy(data, out.begin() + static_cast<std::ptrdiff_t>(ip_bytes + tcp_bytes));
  EXPECT_EQ(out, packet);
}

TEST_P(Seed004, AnyWrongBitOfThePacketIsSeen) {
  const Bytes packet = from_hex(GetParam().packet);
  for (size_t bit = 0; bit < packet.size() * 8; ++bit) {
    Bytes wrong = packet;
    wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ 0x80u >> bit % 8);
    TcpSegment segment;
    EXPECT_NE(parse_tcp_packet(wrong, ChecksumPolicy::kVerify, segment), ParseResult::kOk)
        << "bit " << bit;
  }
}

// The digits the scan misread (B as 8, D as 0) are no valid checksums, so the correction is not a
// matter of taste.
TEST(Seed004Misprints, PrintedChecksumsDoNotVerify) {
  struct Misprint {
    const char* packet;
    size_t offset;
    uint16_t printed;
    ParseResult expected;
  };
  const Misprint misprints[] = {
      {kRows[0].packet, 10, 0xC070, ParseResult::kBadIpChecksum},
      {kRows[0].packet, 36, 0x7019, ParseResult::kBadTcpChecksum},
      {kRows[2].packet, 36, 0x1348, ParseResult::kBadTcpChecksum},
      {kRows[5].packet, 10, 0xC848, ParseResult::kBadIpChecksum},
      {kRows[5].packet, 36, 0x8638, ParseResult::kBadTcpChecksum},
      {kRows[6].packet, 36, 0x8632, ParseResult::kBadTcpChecksum},
      {kRows[9].packet, 36, 0x8408, ParseResult::kBadTcpChecksum},
  };
  for (const Misprint& misprint : misprints) {
    Bytes packet = from_hex(misprint.packet);
    packet[misprint.offset] = static_cast<uint8_t>(misprint.printed >> 8);
    packet[misprint.offset + 1] = static_cast<uint8_t>(misprint.printed);
    TcpSegment segment;
    EXPECT_EQ(parse_tcp_packet(packet, ChecksumPolicy::kVerify, segment), misprint.expected)
        << std::hex << misprint.printed;
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Seed004, testing::ValuesIn(kRows), [](const auto& row) {
  std::string name = row.param.id;
  std::erase(name, '-');
  return name;
});

// The other end of the wrap: SEQ 2^32 - 2 with 5 octets, an odd length, over IPv6 with DSCP EF,
// ECT(1) and a flow label.
TEST(GoldenV6, BuildsAndReads) {
  const Bytes expected = from_hex(
      "6b9abcde 0025 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
      "0401 0050 fffffffe 00000007 8018 ffff 9639 0000 0101080a00023cd700000000 68656c6c6f");
  OptionWriter options;
  write_segment_options(TimestampsOption{146647, 0}, {}, options);
  const Bytes hello = {'h', 'e', 'l', 'l', 'o'};
  const TcpPacketParts parts = {.ip = {.source = ip_of("2001:db8::1"),
                                       .destination = ip_of("2001:db8::2"),
                                       .dscp = 46,
                                       .ecn = 1,
                                       .flow_label = 0xABCDE},
                                .header = {.source_port = 1025,
                                           .destination_port = 80,
                                           .sequence_number = 0xFFFFFFFE,
                                           .acknowledgment_number = 7,
                                           .flags = kPsh | kAck,
                                           .window = 65535},
                                .options = options.finish(),
                                .payload = std::span(hello).first(3),
                                .payload_rest = std::span(hello).subspan(3)};
  Bytes out(tcp_packet_size(parts));
  ASSERT_EQ(build_tcp_packet(parts, out), out.size());
  EXPECT_EQ(out, expected);

  TcpSegment segment;
  ASSERT_EQ(parse_tcp_packet(out, ChecksumPolicy::kVerify, segment), ParseResult::kOk);
  EXPECT_EQ(segment.source, ip_of("2001:db8::1"));
  EXPECT_EQ(segment.dscp, 46);
  EXPECT_EQ(segment.ecn, 1);
  EXPECT_EQ(segment.options.timestamps, (TimestampsOption{146647, 0}));
  EXPECT_EQ(to_bytes(segment.payload), hello);
  EXPECT_EQ(segment.sequence_length(), 5u);
}

}  // namespace
}  // namespace tcproctor::packet
