// SPDX-License-Identifier: Apache-2.0
#include "clients/transfers/combination.h"

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::transfers {
namespace {

constexpr uint32_t kMinIpv6Mtu = 1280;
constexpr std::array<uint32_t, 3> kMtus = {576, 1500, 9000};
constexpr std::array<Weather, 4> kWeathers = {Weather::kFair, Weather::kLoss1In1000,
                                              Weather::kLoss1In50, Weather::kReordering};

const char* name_of(Weather weather) {
  switch (weather) {
    case Weather::kFair:
      return "no loss";
    case Weather::kLoss1In1000:
      return "loss 0.1%";
    case Weather::kLoss1In50:
      return "loss 2%";
    case Weather::kReordering:
      return "reordering";
  }
  return "?";
}

// The value of each property as a number.
using Values = std::array<uint32_t, 9>;

Values values_of(const Combination& c) {
  return {static_cast<uint32_t>(c.link),
          c.inward,
          c.ipv6,
          c.mtu,
          static_cast<uint32_t>(c.weather),
          c.timestamps,
          c.sack,
          c.ecn,
          c.window_scale};
}

// (property, value, later property, value)
using Pair = std::array<uint32_t, 4>;

std::vector<Pair> pairs_of(const Combination& combination) {
  const Values values = values_of(combination);
  std::vector<Pair> pairs;
  for (uint32_t i = 0; i < values.size(); ++i) {
    for (uint32_t j = i + 1; j < values.size(); ++j) pairs.push_back({i, values[i], j, values[j]});
  }
  return pairs;
}

}  // namespace

std::string name_of(const Combination& c) {
  std::string name =
      absl::StrCat(c.link == v1::LINK_KIND_TUN ? "tun" : "veth", c.inward ? " in " : " out ",
                   c.ipv6 ? "ipv6 " : "ipv4 ", c.mtu, " ", name_of(c.weather));
  if (c.timestamps) name += " timestamps";
  if (c.sack) name += " sack";
  if (c.ecn) name += " ecn";
  if (c.window_scale) name += " window-scale";
  return name;
}

std::vector<Combination> every_combination() {
  std::vector<Combination> all;
  for (const v1::LinkKind link : {v1::LINK_KIND_VETH, v1::LINK_KIND_TUN}) {
    for (const uint32_t mtu : kMtus) {
      for (const Weather weather : kWeathers) {
        for (uint32_t bits = 0; bits < 1U << 6; ++bits) {
          const auto bit = [bits](int n) { return (bits >> n & 1) != 0; };
          const Combination next{link,   bit(0), bit(1), mtu,   weather,
                                 bit(2), bit(3), bit(4), bit(5)};
          if (!next.ipv6 || mtu >= kMinIpv6Mtu) all.push_back(next);
        }
      }
    }
  }
  return all;
}

std::vector<Combination> pairwise_combinations(uint64_t seed) {
  std::vector<Combination> all = every_combination();
  std::mt19937_64 random(seed);
  std::shuffle(all.begin(), all.end(), random);
  std::set<Pair> open;
  for (const Combination& combination : all) {
    for (const Pair& pair : pairs_of(combination)) open.insert(pair);
  }
  const auto gain = [&open](const Combination& combination) {
    return std::ranges::count_if(pairs_of(combination),
                                 [&open](const Pair& pair) { return open.contains(pair); });
  };
  std::vector<Combination> chosen;
  while (!open.empty()) {
    const Combination& best = *std::ranges::max_element(all, {}, gain);
    chosen.push_back(best);
    for (const Pair& pair : pairs_of(best)) open.erase(pair);
  }
  return chosen;
}

}  // namespace tcproctor::transfers
