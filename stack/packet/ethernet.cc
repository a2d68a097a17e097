// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/ethernet.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/text.h"

namespace tcproctor::packet {
namespace {

// The value of a hexadecimal digit, or -1.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_octets(std::string_view text, std::array<uint8_t, 6>& bytes) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) return false;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

absl::StatusOr<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  if (parse_octets(text, mac.bytes)) return mac;
  return absl::InvalidArgumentError(absl::StrCat("MAC address '", absl_view(text.substr(0, 80)),
                                                 "' is not of the form 02:00:00:00:00:01"));
}

std::string MacAddress::to_string() const {
  return absl::StrFormat("%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                         bytes[4], bytes[5]);
}

MacAddress multicast_mac(const IpAddress& address) {
  if (address.is_broadcast()) return MacAddress::broadcast();
  const std::span<const uint8_t> ip = address.bytes();
  if (address.is_v4()) {
    return {{0x01, 0x00, 0x5E, static_cast<uint8_t>(ip[1] & 0x7F), ip[2], ip[3]}};
  }
  return {{0x33, 0x33, ip[12], ip[13], ip[14], ip[15]}};
}

ParseResult parse_ethernet(std::span<const uint8_t> frame, EthernetHeader& header,
                           std::span<const uint8_t>& payload) {
  if (frame.size() < kEthernetHeaderBytes) return ParseResult::kTruncated;
  header.destination = MacAddress::from_bytes(frame.subspan<0, 6>());
  header.source = MacAddress::from_bytes(frame.subspan<6, 6>());
  header.ether_type = load_be16(frame.data() + 12);
  payload = frame.subspan(kEthernetHeaderBytes);
  return ParseResult::kOk;
}

size_t write_ethernet(const EthernetHeader& header, std::span<uint8_t> out) {
  if (out.size() < kEthernetHeaderBytes) return 0;
  std::memcpy(out.data(), header.destination.bytes.data(), 6);
  std::memcpy(out.data() + 6, header.source.bytes.data(), 6);
  store_be16(out.data() + 12, header.ether_type);
  return kEthernetHeaderBytes;
}

}  // namespace tcproctor::packet
