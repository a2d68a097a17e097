// SPDX-License-Identifier: Apache-2.0
// Ethernet II framing.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "stack/packet/address.h"
#include "stack/packet/parse_result.h"

namespace tcproctor::packet {

inline constexpr size_t kEthernetHeaderBytes = 14;
inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86DD;

struct MacAddress {
  std::array<uint8_t, 6> bytes{};  // in the order they are sent

  static constexpr MacAddress broadcast() { return {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}; }
  // Six two-digit hexadecimal numbers with colons. INVALID_ARGUMENT quotes the text.
  static absl::StatusOr<MacAddress> parse(std::string_view text);
  static MacAddress from_bytes(std::span<const uint8_t, 6> from) {
    MacAddress mac;
    for (size_t i = 0; i < 6; ++i) mac.bytes[i] = from[i];
    return mac;
  }
  constexpr bool is_broadcast() const { return *this == broadcast(); }
  constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }  // broadcast included
  std::string to_string() const;                                       // "02:00:00:00:00:01"

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const MacAddress& mac) {
    return H::combine(std::move(state), mac.bytes);
  }
};

// The group address a multicast or broadcast IP address is sent to: 01:00:5e (RFC 1112 §6.4), 33:33
// (RFC 2464 §7), or the broadcast address for 255.255.255.255. Only for such addresses.
MacAddress multicast_mac(const IpAddress& address);

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  uint16_t ether_type = 0;  // host order; a VLAN tag (0x8100) is not looked behind

  friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

// kTruncated below 14 octets; nothing is filled. `payload` may end in link padding.
[[nodiscard]] ParseResult parse_ethernet(std::span<const uint8_t> frame, EthernetHeader& header,
                                         std::span<const uint8_t>& payload);

// Returns 14, or 0 when `out` is too small. Padding to 60 octets is the device's.
[[nodiscard]] size_t write_ethernet(const EthernetHeader& header, std::span<uint8_t> out);

}  // namespace tcproctor::packet
