// SPDX-License-Identifier: Apache-2.0
// IP addresses, sockets (RFC 9293 §4: address and port) and the pair of sockets that names a
// connection. Plain values: copied, compared, ordered and hashed by content.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace tcproctor::packet {

enum class IpFamily : uint8_t { kV4 = 4, kV6 = 6 };

// An IPv4 or IPv6 address. The default is 0.0.0.0. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is
// an IPv6 address and differs from a.b.c.d. No zone index: a session has one interface per end.
class IpAddress {
 public:
  constexpr IpAddress() = default;

  static constexpr IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    IpAddress address;
    address.bytes_ = {a, b, c, d};
    return address;
  }
  // `value` in host order: 0xC0000201 is 192.0.2.1.
  static constexpr IpAddress v4(uint32_t value) {
    return v4(static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
              static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value));
  }
  // From octets in network order.
  static IpAddress v4_bytes(std::span<const uint8_t, 4> bytes) {
    IpAddress address;
    std::memcpy(address.bytes_.data(), bytes.data(), 4);
    return address;
  }
  static IpAddress v6_bytes(std::span<const uint8_t, 16> bytes) {
    IpAddress address;
    std::memcpy(address.bytes_.data(), bytes.data(), 16);
    address.family_ = IpFamily::kV6;
    return address;
  }
  // The unspecified address of a family: 0.0.0.0 or ::.
  static constexpr IpAddress any(IpFamily family) {
    IpAddress address;
    address.family_ = family;
    return address;
  }
  // Dotted decimal or RFC 4291 text, as inet_pton(3) reads them. INVALID_ARGUMENT quotes the text.
  static absl::StatusOr<IpAddress> parse(std::string_view text);

  constexpr IpFamily family() const { return family_; }
  constexpr bool is_v4() const { return family_ == IpFamily::kV4; }
  constexpr bool is_v6() const { return family_ == IpFamily::kV6; }
  // Network order; 4 octets for IPv4, 16 for IPv6.
  constexpr std::span<const uint8_t> bytes() const {
    return {bytes_.data(), is_v4() ? size_t{4} : size_t{16}};
  }
  // Host order; IPv4 only (0 for IPv6).
  constexpr uint32_t v4_value() const {
    if (!is_v4()) return 0;
    return static_cast<uint32_t>(bytes_[0]) << 24 | static_cast<uint32_t>(bytes_[1]) << 16 |
           static_cast<uint32_t>(bytes_[2]) << 8 | bytes_[3];
  }

  constexpr bool is_unspecified() const { return bytes_ == std::array<uint8_t, 16>{}; }
  constexpr bool is_multicast() const {
    return is_v4() ? (bytes_[0] & 0xF0) == 0xE0 : bytes_[0] == 0xFF;
  }
  // The limited broadcast 255.255.255.255; a subnet's broadcast needs the prefix: is_broadcast_of.
  constexpr bool is_broadcast() const { return is_v4() && v4_value() == 0xFFFFFFFF; }
  // 127.0.0.0/8 or ::1.
  constexpr bool is_loopback() const {
    if (is_v4()) return bytes_[0] == 127;
    std::array<uint8_t, 16> one{};
    one[15] = 1;
    return bytes_ == one;
  }
  // 169.254.0.0/16 or fe80::/10.
  constexpr bool is_link_local() const {
    if (is_v4()) return bytes_[0] == 169 && bytes_[1] == 254;
    return bytes_[0] == 0xFE && (bytes_[1] & 0xC0) == 0x80;
  }
  // True when the first `prefix_length` bits (0..32 or 0..128) agree and the families do.
  bool in_prefix(const IpAddress& network, uint8_t prefix_length) const;
  // True when this is the directed broadcast of `network`/`prefix_length` (IPv4, prefix 1..30).
  bool is_broadcast_of(const IpAddress& network, uint8_t prefix_length) const;

  std::string to_string() const;

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  // IPv4 before IPv6, then by octets.
  friend constexpr std::strong_ordering operator<=>(const IpAddress&, const IpAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const IpAddress& address) {
    return H::combine(
        H::combine_contiguous(std::move(state), address.bytes_.data(), address.bytes().size()),
        address.family_);
  }

 private:
  IpFamily family_ = IpFamily::kV4;
  std::array<uint8_t, 16> bytes_{};  // IPv4: the first four; the others stay zero
};

// A socket in the RFC's sense.
struct SocketAddress {
  IpAddress address;
  uint16_t port = 0;  // host order; 0 where none is chosen

  // "192.0.2.1:80" or "[2001:db8::1]:80". INVALID_ARGUMENT says which part is wrong.
  static absl::StatusOr<SocketAddress> parse(std::string_view text);
  std::string to_string() const;

  friend constexpr auto operator<=>(const SocketAddress&, const SocketAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const SocketAddress& socket) {
    return H::combine(std::move(state), socket.address, socket.port);
  }
};

// A connection's name as seen by one end.
struct FourTuple {
  SocketAddress local;
  SocketAddress remote;

  FourTuple reversed() const { return {remote, local}; }
  // "192.0.2.1:1025 > 192.0.2.2:80", local first.
  std::string to_string() const;

  friend constexpr auto operator<=>(const FourTuple&, const FourTuple&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const FourTuple& tuple) {
    return H::combine(std::move(state), tuple.local, tuple.remote);
  }
};

}  // namespace tcproctor::packet
