// SPDX-License-Identifier: Apache-2.0
// ICMP of both families, quoted packets included: any octets are read without harm, and an echo is
// answered with what it asked.
#include <algorithm>

#include "cmake/fuzzing/fuzz.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::packet {

// The first octet says the family, the rest is the ICMP message.
std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  std::vector<uint8_t> quoted(28);
  const IpFields ip = {.source = IpAddress::v4(192, 0, 2, 1),
                       .destination = IpAddress::v4(192, 0, 2, 2)};
  TCPROCTOR_FUZZ_EXPECT(write_ip(ip, kProtocolTcp, 1000, quoted) == 20);
  for (const uint8_t type : std::initializer_list<uint8_t>{3, 11, 8, 4}) {
    std::vector<uint8_t> packet(100);
    const size_t length =
        build_icmp_packet(ip, {.type = type, .code = 4, .rest = 1400, .body = quoted}, packet);
    TCPROCTOR_FUZZ_EXPECT(length > 20);
    std::vector<uint8_t>& seed = seeds.emplace_back(1, uint8_t{0});
    seed.insert(seed.end(), packet.begin() + 20, packet.begin() + static_cast<long>(length));
  }
  seeds.push_back({1, 2, 0, 0, 0, 0, 0, 5, 0, 0x60, 0, 0, 0, 0, 20, 6, 64});
  return seeds;
}

}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tcproctor::packet;
  if (size == 0) return 0;
  const bool v6 = (data[0] & 1) != 0;
  const std::span<const uint8_t> message_bytes(data + 1, size - 1);
  static const IpAddress kHere = *IpAddress::parse("2001:db8::1");
  IpPacket ip;
  ip.source = v6 ? kHere : IpAddress::v4(192, 0, 2, 1);
  ip.destination = v6 ? kHere : IpAddress::v4(192, 0, 2, 2);
  ip.protocol = v6 ? kProtocolIcmpV6 : kProtocolIcmp;
  ip.payload = message_bytes;
  IcmpMessage message;
  const ParseResult result = parse_icmp(ip, message);
  (void)parse_quoted_packet(message_bytes);
  if (result != ParseResult::kOk) return 0;
  TCPROCTOR_FUZZ_EXPECT(message.body.size() + kIcmpHeaderBytes == message_bytes.size());
  (void)message.classify();
  (void)message.mtu();
  if (message.quoted) (void)message.quoted->four_tuple();
  if (!message.is_echo_request()) return 0;
  std::vector<uint8_t> reply(size + 100);
  const size_t length = build_icmp_packet({.source = ip.destination, .destination = ip.source},
                                          echo_reply_to(message), reply);
  if (length == 0) return 0;
  IpPacket ip_reply;
  TCPROCTOR_FUZZ_EXPECT(parse_ip(std::span(reply).first(length), ip_reply) == ParseResult::kOk);
  IcmpMessage answer;
  TCPROCTOR_FUZZ_EXPECT(parse_icmp(ip_reply, answer) == ParseResult::kOk);
  TCPROCTOR_FUZZ_EXPECT(answer.is_echo_reply());
  TCPROCTOR_FUZZ_EXPECT(answer.rest == message.rest);
  TCPROCTOR_FUZZ_EXPECT(std::ranges::equal(answer.body, message.body));
  return 0;
}
