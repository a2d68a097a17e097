// SPDX-License-Identifier: Apache-2.0
#include "clients/transfers/combination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tcproctor::transfers {
namespace {

TEST(Combinations, EveryOneOnceAndIpv6OnlyWhereItFits) {
  std::set<std::string> names;
  for (const Combination& combination : every_combination()) {
    EXPECT_TRUE(names.insert(name_of(combination)).second) << name_of(combination);
    EXPECT_FALSE(combination.ipv6 && combination.mtu < 1280);
  }
  EXPECT_EQ(names.size(), 2u * 2 * (3 + 2) * 4 * 16);
  EXPECT_THAT(names, testing::Contains("veth in ipv4 1500 loss 2% timestamps sack window-scale"));
}

TEST(Combinations, PairwiseHasEachPairThatCanBe) {
  const std::vector<Combination> chosen = pairwise_combinations(1);
  const auto some = [&chosen](auto wanted) { return std::ranges::any_of(chosen, wanted); };
  for (const Combination& c : every_combination()) {
    EXPECT_TRUE(some([&](const Combination& x) { return x.mtu == c.mtu && x.ipv6 == c.ipv6; }));
    EXPECT_TRUE(some([&](const Combination& x) { return x.link == c.link && x.ecn == c.ecn; }));
    EXPECT_TRUE(
        some([&](const Combination& x) { return x.weather == c.weather && x.inward == c.inward; }));
    EXPECT_TRUE(
        some([&](const Combination& x) { return x.weather == c.weather && x.sack == c.sack; }));
    EXPECT_TRUE(some([&](const Combination& x) {
      return x.timestamps == c.timestamps && x.window_scale == c.window_scale;
    }));
  }
  EXPECT_LT(chosen.size(), 30u);
  EXPECT_EQ(pairwise_combinations(1), chosen);
  EXPECT_NE(pairwise_combinations(2), chosen);
}

}  // namespace
}  // namespace tcproctor::transfers
