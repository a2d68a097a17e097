// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/describe.h"

#include <gtest/gtest.h>

#include "stack/packet/icmp.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

TEST(DescribeSegment, PacketdrillsWay) {
  const Bytes options = from_hex("020405b4 01 030308");
  EXPECT_EQ(describe_segment({.sequence_number = 300,
                              .acknowledgment_number = 101,
                              .flags = kSyn | kAck,
                              .window = 65535},
                             options, 0, {.sequence = 300, .acknowledgment = 100}),
            "S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 8>");
  EXPECT_EQ(describe_segment({.sequence_number = 100, .flags = kSyn, .window = 4128}, {}, 0),
            "S 100:100(0) win 4128");
  EXPECT_EQ(describe_segment({.sequence_number = 14,
                              .acknowledgment_number = 9,
                              .flags = kFin | kPsh | kAck | kUrg,
                              .urgent_pointer = 3},
                             {}, 13),
            "FP.U 14:27(13) ack 9 win 0 urg 3");
  EXPECT_EQ(describe_segment({}, {}, 0), "- 0:0(0) win 0");
}

TEST(DescribeSegment, NumbersWrap) {
  EXPECT_EQ(describe_segment({.sequence_number = 0xFFFFFFFE, .flags = kPsh}, {}, 5),
            "P 4294967294:3(5) win 0");
  EXPECT_EQ(
      describe_segment({.sequence_number = 3, .flags = kPsh}, {}, 5, {.sequence = 0xFFFFFFFE}),
      "P 5:10(5) win 0");
}

TEST(DescribeSegment, SackEdgesAreRelative) {
  EXPECT_EQ(describe_segment({.acknowledgment_number = 1001, .flags = kAck},
                             from_hex("0101050a 00000bb9 00000fa1"), 0, {.acknowledgment = 1000}),
            ". 0:0(0) ack 1 win 0 <nop,nop,sack 2001:3001>");
}

TEST(DescribePacket, WholePackets) {
  EXPECT_EQ(describe_packet(from_hex("45c0002c7f770000ff06cb70ac100c01ac100c02"
                                     "c2ea0017566e815900000000600210207d190000020405b4"),
                            {.sequence = 1450082649}),
            "172.16.12.1:49898 > 172.16.12.2:23: S 0:0(0) win 4128 <mss 1460>");
  EXPECT_EQ(describe_packet(from_hex(
                "6b9abcde0025064020010db800000000000000000000000120010db800000000000000000000000204"
                "010050fffffffe000000078018ffff963900000101080a00023cd70000000068656c6c6f")),
            "[2001:db8::1]:1025 > [2001:db8::2]:80: P. 4294967294:3(5) ack 7 win 65535 "
            "<nop,nop,TS val 146647 ecr 0>");
}

TEST(DescribePacket, SaysWhatIsWrong) {
  const auto changed = [](size_t at, uint8_t value) {
    Bytes packet = from_hex(
        "45c000285adf0000ff06f00cac100c02ac100c01"
        "0017c2ea3514dbdf566e819750190fe383c90000");
    packet[at] = value;
    return describe_packet(packet);
  };
  const std::string start = "172.16.12.2:23 > 172.16.12.1:49898: FP. 890559455:890559455(0) ";
  EXPECT_EQ(changed(36, 0), start + "ack 1450082711 win 4067 {bad TCP checksum}");
  EXPECT_EQ(changed(10, 0), start + "ack 1450082711 win 4067 {bad IP checksum}");
  EXPECT_EQ(changed(32, 0x40), start + "ack 1450082711 win 4067 {bad TCP data offset}");
  EXPECT_EQ(changed(32, 0x5E), start +
                                   "ack 1450082711 win 4067 {bad TCP checksum} "
                                   "{reserved bits 7}");
  EXPECT_EQ(changed(0, 0x75), "packet of 40 octets {bad IP version}");
  EXPECT_EQ(changed(3, 41), "172.16.12.2 > 172.16.12.1: protocol 6 {bad IP total length}");
  EXPECT_EQ(describe_packet({}), "packet of 0 octets {truncated}");
}

TEST(DescribePacket, Icmp) {
  EXPECT_EQ(
      describe_packet(from_hex("45c000392955000040 01ccab c0000202c0000201 030312e000000000"
                               "4500001d4cd940004011 69f3c0000201c0000202 edeb00090009841e78")),
      "192.0.2.2 > 192.0.2.1: icmp 3/3 [192.0.2.1 > 192.0.2.2 protocol 17]");
  const Bytes quoted = from_hex(
      "4500002800000000400600000a0000010a000002"
      "0401005000000001");
  Bytes out(100);
  out.resize(build_icmp_packet({.source = ip_of("192.0.2.2"), .destination = ip_of("192.0.2.1")},
                               {.type = 3, .code = 4, .rest = 1000, .body = quoted}, out));
  EXPECT_EQ(describe_packet(out),
            "192.0.2.2 > 192.0.2.1: icmp 3/4 mtu 1000 [10.0.0.1:1025 > 10.0.0.2:80 seq 1]");
  EXPECT_EQ(
      describe_packet(from_hex("600cfb8c000c3a40 20010db8000000000000000000000001"
                               "20010db8000000000000000000000002 80003338 12340007 70696e67")),
      "2001:db8::1 > 2001:db8::2: icmpv6 128/0 echo request id 4660 seq 7");
  EXPECT_EQ(
      describe_packet(from_hex("600cfb8c000c3a40 20010db8000000000000000000000001"
                               "20010db8000000000000000000000002 80003339 12340007 70696e67")),
      "2001:db8::1 > 2001:db8::2: icmpv6 128/0 echo request id 4660 seq 7 "
      "{bad ICMP checksum}");
}

TEST(DescribePacket, OtherProtocols) {
  EXPECT_EQ(
      describe_packet(from_hex("4500001d4cd94000401169f3c0000201c0000202 edeb00090009841e78")),
      "192.0.2.1 > 192.0.2.2: protocol 17 9 octets");
}

TEST(DescribePacket, SurvivesAnyOctets) {
  Random random;
  const Bytes good = from_hex(
      "45c0002c7f770000ff06cb70ac100c01ac100c02"
      "c2ea0017566e815900000000600210207d190000020405b4");
  for (int round = 0; round < 50000; ++round) {
    Bytes packet = good;
    for (uint32_t flips = random.up_to(8); flips > 0; --flips) {
      packet[random.up_to<size_t>(packet.size() - 1)] = random.up_to<uint8_t>(255);
    }
    packet.resize(random.up_to<size_t>(packet.size()));
    packet.shrink_to_fit();
    ASSERT_FALSE(describe_packet(packet).empty());
  }
}

}  // namespace
}  // namespace tcproctor::packet
