// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "stack/packet/text.h"

namespace tcproctor::packet {
namespace {

// Longest text inet_pton accepts, terminator included.
constexpr size_t kTextBytes = INET6_ADDRSTRLEN;

bool text_to_bytes(int family, std::string_view text, uint8_t* bytes) {
  if (text.size() >= kTextBytes) return false;
  char terminated[kTextBytes] = {};
  std::copy(text.begin(), text.end(), terminated);
  // A NUL inside would end the text early and hide what follows it.
  if (std::string_view(terminated).size() != text.size()) return false;
  return inet_pton(family, terminated, bytes) == 1;
}

// Quotes user text for a message, cut where it is absurdly long.
std::string quoted(std::string_view text) {
  constexpr size_t kLongest = 80;
  if (text.size() <= kLongest) return absl::StrCat("'", absl_view(text), "'");
  return absl::StrCat("'", absl_view(text.substr(0, kLongest)), "…'");
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::parse(std::string_view text) {
  uint8_t bytes[16];
  if (text_to_bytes(AF_INET, text, bytes)) {
    return v4_bytes(std::span<const uint8_t, 4>(bytes, 4));
  }
  if (text_to_bytes(AF_INET6, text, bytes)) return v6_bytes(bytes);
  return absl::InvalidArgumentError(
      absl::StrCat("IP address ", quoted(text),
                   " is neither dotted decimal (192.0.2.1) nor IPv6 (2001:db8::1)"));
}

bool IpAddress::in_prefix(const IpAddress& network, uint8_t prefix_length) const {
  if (family_ != network.family_) return false;
  const size_t bits = std::min<size_t>(prefix_length, bytes().size() * 8);
  const size_t whole = bits / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole),
                  network.bytes_.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xFF << (8 - bits % 8));
  return ((bytes_[whole] ^ network.bytes_[whole]) & mask) == 0;
}

bool IpAddress::is_broadcast_of(const IpAddress& network, uint8_t prefix_length) const {
  // A /31 has no broadcast address (RFC 3021), a /32 is one host.
  if (!is_v4() || prefix_length < 1 || prefix_length > 30) return false;
  const uint32_t host_bits = 0xFFFFFFFFu >> prefix_length;
  return in_prefix(network, prefix_length) && (v4_value() & host_bits) == host_bits;
}

std::string IpAddress::to_string() const {
  char text[kTextBytes];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

absl::StatusOr<SocketAddress> SocketAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "socket address ", quoted(text), " has no port; write 192.0.2.1:80 or [2001:db8::1]:80"));
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  absl::StatusOr<IpAddress> address = IpAddress::parse(host);
  if (!address.ok()) return address.status();
  if (address->is_v6() != bracketed) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket address ", quoted(text),
                     bracketed ? " has an IPv4 address in brackets; leave them out"
                               : " needs brackets around the IPv6 address: [2001:db8::1]:80"));
  }
  const std::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  // SimpleAtoi alone would take signs and blanks.
  const bool all_digits =
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!all_digits || !absl::SimpleAtoi(absl_view(digits), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("port ", quoted(digits), " is not a number from 0 to 65535"));
  }
  return SocketAddress{*address, static_cast<uint16_t>(port)};
}

std::string SocketAddress::to_string() const {
  if (address.is_v6()) return absl::StrCat("[", address.to_string(), "]:", port);
  return absl::StrCat(address.to_string(), ":", port);
}

std::string FourTuple::to_string() const {
  return absl::StrCat(local.to_string(), " > ", remote.to_string());
}

}  // namespace tcproctor::packet
