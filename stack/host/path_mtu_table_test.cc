// SPDX-License-Identifier: Apache-2.0
#include "stack/host/path_mtu_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tcproctor::host {
namespace path_mtu_table_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

packet::IpAddress address(uint32_t number) {
  return packet::IpAddress::v4(0x0A000000 + number);
}

class PathMtuTableTest : public testing::Test {
 protected:
  std::vector<packet::IpAddress> aged(tcp::Instant now) {
    std::vector<packet::IpAddress> list;
    table_.on_deadline(now, list);
    return list;
  }

  // 0: nothing is known.
  uint32_t find(uint32_t number) const {
    const auto news = table_.find(address(number));
    return news.has_value() ? news->mtu : 0;
  }

  PathMtuTable table_{SecretHash(1, "test")};
  tcp::Instant start_{1h};
};

TEST_F(PathMtuTableTest, EntriesAgeFromWhenTheyWereSetLast) {
  EXPECT_EQ(find(1), 0u);
  EXPECT_EQ(table_.next_deadline(), std::nullopt);
  table_.set(start_, address(1), {.mtu = 1000});
  table_.set(start_ + 1min, address(2), {.mtu = 1400});
  table_.set(start_ + 2min, address(1), {.mtu = 576});
  EXPECT_EQ(find(1), 576u);
  EXPECT_EQ(table_.next_deadline(), start_ + 11min);
  EXPECT_THAT(aged(start_ + 11min - 1ns), IsEmpty());
  EXPECT_THAT(aged(start_ + 11min), ElementsAre(address(2)));
  EXPECT_EQ(find(2), 0u);
  EXPECT_EQ(find(1), 576u);
  EXPECT_THAT(aged(start_ + 12min), ElementsAre(address(1)));
  EXPECT_EQ(table_.next_deadline(), std::nullopt);
}

TEST_F(PathMtuTableTest, TheOldestGoesWhenItIsFull) {
  constexpr auto kMost = static_cast<uint32_t>(PathMtuTable::kMaxEntries);
  for (uint32_t i = 0; i < kMost; ++i)
    table_.set(start_ + std::chrono::seconds(i), address(i), {.mtu = 1000});
  table_.set(start_ + 1h, address(0), {.mtu = 1000});  // the oldest is young again
  table_.set(start_ + 1h, address(kMost), {.mtu = 1000});
  EXPECT_NE(find(0), 0u);
  EXPECT_EQ(find(1), 0u);
  EXPECT_NE(find(2), 0u);
  for (int i = 0; i < 100000; ++i) table_.set(start_ + 2h, address(5), {.mtu = 1000});
  EXPECT_NE(find(6), 0u);
}

}  // namespace path_mtu_table_test
}  // namespace tcproctor::host
