// SPDX-License-Identifier: Apache-2.0
// A block of IP addresses: 192.0.2.0/24.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "stack/packet/address.h"

namespace tcproctor::packet {

struct IpPrefix {
  IpAddress network;  // bits behind the length are not looked at
  uint8_t length = 0;

  // "ADDRESS/LENGTH". INVALID_ARGUMENT quotes the text.
  static absl::StatusOr<IpPrefix> parse(std::string_view text);

  bool contains(const IpAddress& address) const { return address.in_prefix(network, length); }
  bool contains(const IpPrefix& other) const {
    return other.length >= length && contains(other.network);
  }
  std::string to_string() const;
};

}  // namespace tcproctor::packet
