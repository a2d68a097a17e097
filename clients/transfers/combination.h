// SPDX-License-Identifier: Apache-2.0
// How a bulk transfer between our stack and the kernel can differ: link, direction, address family,
// MTU, what the wire does to packets, and which extensions the two agree on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::transfers {

// What the wire does to the segments that carry the data.
enum class Weather : uint8_t { kFair, kLoss1In1000, kLoss1In50, kReordering };

struct Combination {
  v1::LinkKind link = v1::LINK_KIND_VETH;
  bool inward = false;  // the kernel sends and our stack receives
  bool ipv6 = false;
  uint32_t mtu = 1500;
  Weather weather = Weather::kFair;
  bool timestamps = true;
  bool sack = true;
  bool ecn = false;  // agreed on, and one ECN-capable packet of 1,000 is marked
  bool window_scale = true;

  bool operator==(const Combination&) const = default;
};

// "veth in ipv4 1500 loss 2% timestamps sack window-scale"
std::string name_of(const Combination& combination);

// All that can be: IPv6 needs an MTU of 1,280 at least.
std::vector<Combination> every_combination();

// Some of them, so that each two values of two different properties occur together at least once
// (where they can be). The seed shuffles which.
std::vector<Combination> pairwise_combinations(uint64_t seed);

}  // namespace tcproctor::transfers
