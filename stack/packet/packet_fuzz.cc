// SPDX-License-Identifier: Apache-2.0
// IPv4, IPv6, TCP, Ethernet, ARP and ND: any octets are read without harm, and what was read as a
// TCP header is written back as it stood.
#include <algorithm>
#include <array>

#include "cmake/fuzzing/fuzz.h"
#include "stack/packet/arp.h"
#include "stack/packet/describe.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ip.h"
#include "stack/packet/nd.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::packet {

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  static constexpr std::array<uint8_t, 5> kText = {'h', 'e', 'l', 'l', 'o'};
  const auto v6 = [](const char* text) { return *IpAddress::parse(text); };
  for (const bool ipv6 : {false, true}) {
    OptionWriter writer;
    write_syn_options({.mss = 1460,
                       .window_scale = 7,
                       .sack_permitted = true,
                       .timestamps = TimestampsOption{.value = 1, .echo_reply = 2}},
                      writer);
    TcpPacketParts parts = {
        .ip = {.source = ipv6 ? v6("2001:db8::1") : IpAddress::v4(192, 0, 2, 1),
               .destination = ipv6 ? v6("2001:db8::2") : IpAddress::v4(192, 0, 2, 2)},
        .header = {.source_port = 1025, .destination_port = 80, .flags = kSyn, .window = 1000},
        .options = writer.finish(),
        .payload = kText};
    std::vector<uint8_t> packet(tcp_packet_size(parts));
    TCPROCTOR_FUZZ_EXPECT(build_tcp_packet(parts, packet) == packet.size());
    seeds.push_back(packet);
    packet.insert(packet.begin(), {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2});
    packet.insert(packet.begin() + 12, ipv6 ? std::initializer_list<uint8_t>{0x86, 0xDD}
                                            : std::initializer_list<uint8_t>{0x08, 0x00});
    seeds.push_back(packet);
  }
  return seeds;
}

namespace {

void one_ip(std::span<const uint8_t> bytes) {
  IpPacket ip;
  const ParseResult read = parse_ip(bytes, ip);
  if (read == ParseResult::kOk) {
    TCPROCTOR_FUZZ_EXPECT(ip.header_bytes + ip.payload.size() <= bytes.size());
    NeighbourMessage neighbour;
    (void)parse_neighbour(ip, neighbour);
  }
  for (const ChecksumPolicy policy : {ChecksumPolicy::kVerify, ChecksumPolicy::kTrusted}) {
    TcpSegment segment;
    if (parse_tcp_packet(bytes, policy, segment) != ParseResult::kOk) continue;
    TCPROCTOR_FUZZ_EXPECT(segment.header.data_offset >= 5);
    TCPROCTOR_FUZZ_EXPECT(segment.options.raw.size() == (segment.header.data_offset - 5u) * 4u);
    TCPROCTOR_FUZZ_EXPECT(segment.payload.size() + segment.header.data_offset * 4u ==
                          ip.payload.size());
    std::array<uint8_t, kTcpMaxHeaderBytes> again{};
    const size_t length = write_tcp_header(segment.header, segment.options.raw, again);
    TCPROCTOR_FUZZ_EXPECT(length == segment.header.data_offset * 4u);
    TCPROCTOR_FUZZ_EXPECT(
        std::equal(again.begin(), again.begin() + static_cast<long>(length), ip.payload.begin()));
  }
  TCPROCTOR_FUZZ_EXPECT(describe_packet(bytes).size() < 100'000);
}

}  // namespace
}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tcproctor::packet;
  const std::span<const uint8_t> bytes(data, size);
  one_ip(bytes);
  EthernetHeader ethernet;
  std::span<const uint8_t> payload;
  if (parse_ethernet(bytes, ethernet, payload) != ParseResult::kOk) return 0;
  one_ip(payload);
  ArpPacket arp;
  (void)parse_arp(payload, arp);
  return 0;
}
