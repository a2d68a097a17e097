// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/arp.h"

#include <cstring>

#include "stack/packet/byte_order.h"

namespace tcproctor::packet {
namespace {

constexpr uint16_t kHardwareEthernet = 1;
constexpr uint8_t kMacBytes = 6;
constexpr uint8_t kIpBytes = 4;

}  // namespace

ParseResult parse_arp(std::span<const uint8_t> bytes, ArpPacket& arp) {
  if (bytes.size() < kArpBytes) return ParseResult::kTruncated;
  if (load_be16(bytes.data()) != kHardwareEthernet ||
      load_be16(bytes.data() + 2) != kEtherTypeIpv4 || bytes[4] != kMacBytes ||
      bytes[5] != kIpBytes) {
    return ParseResult::kUnsupported;
  }
  arp.operation = load_be16(bytes.data() + 6);
  arp.sender_mac = MacAddress::from_bytes(bytes.subspan<8, 6>());
  arp.sender_ip = IpAddress::v4_bytes(bytes.subspan<14, 4>());
  arp.target_mac = MacAddress::from_bytes(bytes.subspan<18, 6>());
  arp.target_ip = IpAddress::v4_bytes(bytes.subspan<24, 4>());
  return ParseResult::kOk;
}

size_t write_arp(const ArpPacket& arp, std::span<uint8_t> out) {
  if (out.size() < kArpBytes) return 0;
  uint8_t* bytes = out.data();
  store_be16(bytes, kHardwareEthernet);
  store_be16(bytes + 2, kEtherTypeIpv4);
  bytes[4] = kMacBytes;
  bytes[5] = kIpBytes;
  store_be16(bytes + 6, arp.operation);
  std::memcpy(bytes + 8, arp.sender_mac.bytes.data(), kMacBytes);
  store_be32(bytes + 14, arp.sender_ip.v4_value());
  std::memcpy(bytes + 18, arp.target_mac.bytes.data(), kMacBytes);
  store_be32(bytes + 24, arp.target_ip.v4_value());
  return kArpBytes;
}

ArpPacket arp_reply_to(const ArpPacket& request, const MacAddress& own_mac) {
  return {.operation = kArpReply,
          .sender_mac = own_mac,
          .sender_ip = request.target_ip,
          .target_mac = request.sender_mac,
          .target_ip = request.sender_ip};
}

}  // namespace tcproctor::packet
