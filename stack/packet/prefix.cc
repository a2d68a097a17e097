// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/prefix.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::packet {

absl::StatusOr<IpPrefix> IpPrefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const absl::StatusOr<IpAddress> network = IpAddress::parse(text.substr(0, slash));
  uint32_t length = 0;
  if (slash == std::string_view::npos || !network.ok() ||
      !absl::SimpleAtoi(std::string(text.substr(slash + 1)), &length) ||
      length > (network->is_v4() ? 32u : 128u)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(text), "\" is no prefix such as 198.18.0.0/15"));
  }
  return IpPrefix{*network, static_cast<uint8_t>(length)};
}

std::string IpPrefix::to_string() const {
  return absl::StrCat(network.to_string(), "/", length);
}

}  // namespace tcproctor::packet
