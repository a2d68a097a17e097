// SPDX-License-Identifier: Apache-2.0
// TCP User Timeout Option (RFC 5482): each side says how long it would like to wait for an
// acknowledgment before it gives up, and both may go by the longer wish.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/packet/tcp_options.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// The longest that 15 bits of minutes can say (RFC5482-3.3-2).
inline constexpr Duration kLongestUserTimeout = std::chrono::minutes(32767);

// RFC5482-3.3-2, 3.4-1: never zero. `timeout`: above 0, at most kLongestUserTimeout; in seconds as
// long as they suffice, rounded up.
constexpr packet::UserTimeoutOption user_timeout_option(Duration timeout) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeout).count();
  if (seconds <= 0x7FFF) return {.minutes = false, .value = static_cast<uint16_t>(seconds)};
  return {.minutes = true, .value = static_cast<uint16_t>((seconds + 59) / 60)};
}

constexpr Duration duration_of(const packet::UserTimeoutOption& option) {
  if (option.minutes) return std::chrono::minutes(option.value);
  return std::chrono::seconds(option.value);
}

// RFC5482-3.1-2: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)); RFC5482-3.1-4: L_LIMIT is above
// the RTO.
constexpr Duration adopted_user_timeout(Duration advertised, Duration remote, Duration lower_limit,
                                        Duration upper_limit, Duration rto) {
  return std::max(std::min(upper_limit, std::max({advertised, remote, lower_limit})),
                  rto + std::chrono::seconds(1));
}

}  // namespace tcproctor::tcp
