// SPDX-License-Identifier: Apache-2.0
// Ethernet, ARP and neighbour discovery, against frames of a Linux host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/packet/arp.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/nd.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

using ::testing::HasSubstr;

const MacAddress kMacA = {{0x02, 0, 0, 0, 0, 0x0A}};
const MacAddress kMacB = {{0x02, 0, 0, 0, 0, 0x0B}};

TEST(MacAddress, ParsesAndFormats) {
  EXPECT_EQ(MacAddress::parse("02:00:00:00:00:0a").value(), kMacA);
  EXPECT_EQ(MacAddress::parse("FF:ff:Ff:fF:ff:ff").value(), MacAddress::broadcast());
  EXPECT_EQ(kMacB.to_string(), "02:00:00:00:00:0b");
  EXPECT_TRUE(MacAddress::broadcast().is_broadcast());
  EXPECT_TRUE(MacAddress::broadcast().is_multicast());
  EXPECT_FALSE(kMacA.is_multicast());
}

TEST(MacAddress, RefusesOtherForms) {
  for (const char* text : {"", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-0a",
                           "02:00:00:00:00:0a:", "2:0:0:0:0:a", "0200:00:00:00:00a"}) {
    const auto mac = MacAddress::parse(text);
    ASSERT_FALSE(mac.ok()) << text;
    EXPECT_THAT(std::string(mac.status().message()), HasSubstr("MAC address '"));
  }
}

TEST(MacAddress, OfGroups) {
  EXPECT_EQ(multicast_mac(ip_of("255.255.255.255")), MacAddress::broadcast());
  EXPECT_EQ(multicast_mac(ip_of("224.128.2.3")).to_string(), "01:00:5e:00:02:03");
  EXPECT_EQ(multicast_mac(ip_of("ff02::1:ff00:2")).to_string(), "33:33:ff:00:00:02");
}

TEST(Ethernet, RoundTripAndTruncation) {
  const EthernetHeader header = {.destination = kMacB, .source = kMacA, .ether_type = 0x86DD};
  Bytes frame(16, 0x77);
  ASSERT_EQ(write_ethernet(header, frame), 14u);
  EXPECT_EQ(frame, from_hex("02000000000b 02000000000a 86dd 7777"));
  EthernetHeader read;
  std::span<const uint8_t> payload;
  ASSERT_EQ(parse_ethernet(frame, read, payload), ParseResult::kOk);
  EXPECT_EQ(read, header);
  EXPECT_EQ(payload.size(), 2u);
  for (size_t length = 0; length < 14; ++length) {
    Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(parse_ethernet(cut, read, payload), ParseResult::kTruncated);
    EXPECT_EQ(write_ethernet(header, cut), 0u);
  }
}

// --- ARP ---

constexpr char kArpRequestBytes[] = "0001080006040001 02000000000a c0000201 000000000000 c0000202";
constexpr char kArpReplyBytes[] = "0001080006040002 02000000000b c0000202 02000000000a c0000201";

TEST(Arp, CapturedRequestIsAnsweredAsLinuxDoes) {
  ArpPacket request;
  ASSERT_EQ(parse_arp(from_hex(kArpRequestBytes), request), ParseResult::kOk);
  const ArpPacket expected = {.operation = kArpRequest,
                              .sender_mac = kMacA,
                              .sender_ip = ip_of("192.0.2.1"),
                              .target_ip = ip_of("192.0.2.2")};
  EXPECT_EQ(request, expected);
  Bytes out(kArpBytes);
  ASSERT_EQ(write_arp(request, out), kArpBytes);
  EXPECT_EQ(out, from_hex(kArpRequestBytes));
  ASSERT_EQ(write_arp(arp_reply_to(request, kMacB), out), kArpBytes);
  EXPECT_EQ(out, from_hex(kArpReplyBytes));
}

TEST(Arp, PaddingBehindItIsIgnored) {
  Bytes bytes = from_hex(kArpReplyBytes);
  bytes.resize(46, 0xEE);
  ArpPacket arp;
  EXPECT_EQ(parse_arp(bytes, arp), ParseResult::kOk);
}

TEST(Arp, RefusesWhatIsNotEthernetAndIpv4) {
  const Bytes good = from_hex(kArpReplyBytes);
  ArpPacket arp;
  for (const size_t at : {0u, 1u, 2u, 3u, 4u, 5u}) {
    Bytes bad = good;
    bad[at] ^= 0x10;
    EXPECT_EQ(parse_arp(bad, arp), ParseResult::kUnsupported) << at;
  }
  for (size_t length = 0; length < kArpBytes; ++length) {
    Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(parse_arp(cut, arp), ParseResult::kTruncated);
    EXPECT_EQ(write_arp(arp, cut), 0u);
  }
}

// --- neighbour discovery ---

constexpr char kSolicitation[] =
    "6000000000203aff 20010db8000000000000000000000001 ff0200000000000000000001ff000002"
    "87001c1e00000000 20010db8000000000000000000000002 010102000000000a";
constexpr char kAdvertisement[] =
    "6000000000203aff 20010db8000000000000000000000002 20010db8000000000000000000000001"
    "88008a6860000000 20010db8000000000000000000000002 020102000000000b";
// Duplicate address detection, with a nonce option (14) that is to be skipped.
constexpr char kDetection[] =
    "6000000000203aff 00000000000000000000000000000000 ff0200000000000000000001ff00000a"
    "8700055300000000 fe80000000000000000000fffe00000a 0e01aa227b734421";

ParseResult parse(const Bytes& packet, NeighbourMessage& message) {
  IpPacket ip;
  const ParseResult result = parse_ip(packet, ip);
  return result == ParseResult::kOk ? parse_neighbour(ip, message) : result;
}

TEST(NeighbourDiscovery, CapturedSolicitation) {
  NeighbourMessage message;
  ASSERT_EQ(parse(from_hex(kSolicitation), message), ParseResult::kOk);
  const NeighbourMessage expected = {.target = ip_of("2001:db8::2"), .link_layer = kMacA};
  EXPECT_EQ(message, expected);
  Bytes out(100);
  out.resize(build_neighbour_packet(
      {.source = ip_of("2001:db8::1"), .destination = solicited_node_address(message.target)},
      message, out));
  EXPECT_EQ(out, from_hex(kSolicitation));
}

TEST(NeighbourDiscovery, CapturedAdvertisement) {
  NeighbourMessage message;
  ASSERT_EQ(parse(from_hex(kAdvertisement), message), ParseResult::kOk);
  const NeighbourMessage expected = {.advertisement = true,
                                     .target = ip_of("2001:db8::2"),
                                     .solicited = true,
                                     .override_cache = true,
                                     .link_layer = kMacB};
  EXPECT_EQ(message, expected);
  Bytes out(100);
  out.resize(build_neighbour_packet(
      {.source = ip_of("2001:db8::2"), .destination = ip_of("2001:db8::1")}, message, out));
  EXPECT_EQ(out, from_hex(kAdvertisement));
}

TEST(NeighbourDiscovery, CapturedDuplicateAddressDetection) {
  NeighbourMessage message;
  ASSERT_EQ(parse(from_hex(kDetection), message), ParseResult::kOk);
  EXPECT_EQ(message.target, ip_of("fe80::ff:fe00:a"));
  EXPECT_FALSE(message.link_layer);
}

TEST(NeighbourDiscovery, SolicitedNodeAddress) {
  EXPECT_EQ(solicited_node_address(ip_of("2001:db8::1234:5678")), ip_of("ff02::1:ff34:5678"));
}

// Changes octets of a captured packet and makes the ICMPv6 checksum right again.
ParseResult parse_changed(const char* captured,
                          std::initializer_list<std::pair<size_t, uint8_t>> changes) {
  Bytes packet = from_hex(captured);
  for (const auto& [at, value] : changes) packet[at] = value;
  IpPacket ip;
  const ParseResult result = parse_ip(packet, ip);
  if (result != ParseResult::kOk) return result;
  store_be16(packet.data() + 42, 0);
  store_be16(packet.data() + 42,
             transport_checksum(ip.source, ip.destination, kProtocolIcmpV6, ip.payload));
  NeighbourMessage message;
  return parse(packet, message);
}

// RFC 4861 §7.1.1 and §7.1.2
TEST(NeighbourDiscovery, WhatMustBeDiscarded) {
  EXPECT_EQ(parse_changed(kSolicitation, {}), ParseResult::kOk);
  EXPECT_EQ(parse_changed(kSolicitation, {{7, 254}}), ParseResult::kBadHopLimit);
  EXPECT_EQ(parse_changed(kAdvertisement, {{7, 64}}), ParseResult::kBadHopLimit);
  EXPECT_EQ(parse_changed(kSolicitation, {{41, 1}}), ParseResult::kUnsupported);
  EXPECT_EQ(parse_changed(kSolicitation, {{48, 0xFF}}), ParseResult::kBadAddress);
  EXPECT_EQ(parse_changed(kAdvertisement, {{48, 0xFF}}), ParseResult::kBadAddress);
  EXPECT_EQ(parse_changed(kSolicitation, {{65, 0}}), ParseResult::kBadOption);
  EXPECT_EQ(parse_changed(kSolicitation, {{65, 2}}), ParseResult::kBadOption);
  EXPECT_EQ(parse_changed(kSolicitation, {{5, 31}}), ParseResult::kBadOption);
  EXPECT_EQ(parse_changed(kSolicitation, {{5, 23}}), ParseResult::kTruncated);
  EXPECT_EQ(parse_changed(kSolicitation, {{5, 0}}), ParseResult::kTruncated);
  EXPECT_EQ(parse_changed(kSolicitation, {{40, 128}}), ParseResult::kOtherProtocol);
  EXPECT_EQ(parse_changed(kSolicitation, {{6, 6}}), ParseResult::kOtherProtocol);
  // Detection: to the solicited-node address only, and without a source link-layer address.
  EXPECT_EQ(parse_changed(kDetection, {{39, 0x0B}}), ParseResult::kBadAddress);
  EXPECT_EQ(parse_changed(kDetection, {{64, 1}}), ParseResult::kBadOption);
  // An advertisement to a group must not say "solicited".
  EXPECT_EQ(parse_changed(kAdvertisement, {{24, 0xFF}}), ParseResult::kBadAddress);
  EXPECT_EQ(parse_changed(kAdvertisement, {{24, 0xFF}, {44, 0x20}}), ParseResult::kOk);
  Bytes wrong = from_hex(kAdvertisement);
  wrong[43] ^= 1;
  NeighbourMessage message;
  EXPECT_EQ(parse(wrong, message), ParseResult::kBadIcmpChecksum);
}

TEST(NeighbourDiscovery, OptionsOfTheOtherMessageAreSkipped) {
  NeighbourMessage message;
  EXPECT_EQ(parse_changed(kSolicitation, {{64, 2}}), ParseResult::kOk);
  Bytes out(100);
  out.resize(build_neighbour_packet(
      {.source = ip_of("fe80::1"), .destination = ip_of("ff02::1")},
      {.advertisement = true, .target = ip_of("fe80::1"), .router = true}, out));
  ASSERT_EQ(parse(out, message), ParseResult::kOk);
  EXPECT_TRUE(message.router);
  EXPECT_FALSE(message.link_layer);
}

TEST(NeighbourDiscovery, BuildRefusesIpv4AndShortBuffers) {
  Bytes out(100);
  const NeighbourMessage message = {.target = ip_of("fe80::1"), .link_layer = kMacA};
  const IpFields good = {.source = ip_of("fe80::2"), .destination = ip_of("fe80::1")};
  EXPECT_EQ(build_neighbour_packet(good, message, out), 72u);
  EXPECT_EQ(build_neighbour_packet(good, message, std::span(out).first(71)), 0u);
  EXPECT_EQ(build_neighbour_packet({}, message, out), 0u);
  EXPECT_EQ(build_neighbour_packet(good, {.target = ip_of("192.0.2.1")}, out), 0u);
}

TEST(NeighbourDiscovery, SurvivesAnyOctets) {
  Random random;
  const Bytes good = from_hex(kSolicitation);
  for (int round = 0; round < 50000; ++round) {
    Bytes payload(good.begin() + 40, good.end());
    payload.resize(random.up_to<size_t>(90), 0x01);
    for (uint32_t flips = random.up_to(4); flips > 0 && !payload.empty(); --flips) {
      payload[random.up_to<size_t>(payload.size() - 1)] = random.up_to<uint8_t>(4);
    }
    payload.shrink_to_fit();
    IpPacket ip = {.source = ip_of("2001:db8::1"),
                   .destination = ip_of("ff02::1:ff00:2"),
                   .protocol = kProtocolIcmpV6,
                   .ttl = 255,
                   .payload = payload};
    if (payload.size() >= 4) {
      payload[0] = 135;
      store_be16(payload.data() + 2, 0);
      store_be16(payload.data() + 2,
                 transport_checksum(ip.source, ip.destination, kProtocolIcmpV6, payload));
    }
    NeighbourMessage message;
    const ParseResult result = parse_neighbour(ip, message);
    ASSERT_TRUE(payload.size() >= 24 || result != ParseResult::kOk);
  }
}

}  // namespace
}  // namespace tcproctor::packet
