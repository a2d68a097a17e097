// SPDX-License-Identifier: Apache-2.0
#include "stack/host/fast_open_cache.h"

#include <gtest/gtest.h>

#include <array>

namespace tcproctor::host {
namespace {

packet::IpAddress address(uint32_t number) {
  return packet::IpAddress::v4(0x0A000000 + number);
}

class FastOpenCacheTest : public testing::Test {
 protected:
  void give(tcp::Instant now, uint32_t server) {
    cache_.learn(now, address(server), {.cookie = tcp::FastOpenCookie{kBytes}, .mss = 1400});
  }
  void fail(tcp::Instant now, uint32_t server) {
    cache_.learn(now, address(server), {.failed = true});
  }

  static constexpr std::array<uint8_t, 8> kBytes = {1, 2, 3, 4, 5, 6, 7, 8};
  FastOpenCache cache_{SecretHash(1, "test")};
  tcp::Instant start_{std::chrono::hours(1)};
};

// RFC7413-4.1.3-1.
TEST_F(FastOpenCacheTest, KeepsCookieAndMssByServer) {
  EXPECT_TRUE(cache_.find(start_, address(1)).cookie.empty());
  give(start_, 1);
  EXPECT_EQ(cache_.find(start_, address(1)).cookie.size(), 8u);
  EXPECT_EQ(cache_.find(start_, address(1)).mss, 1400);
  EXPECT_TRUE(cache_.find(start_, address(2)).cookie.empty());
  EXPECT_TRUE(cache_.find(start_ + FastOpenCache::kCookieLifetime, address(1)).cookie.empty());
}

// RFC7413-4.1.3.1-1, -2.
TEST_F(FastOpenCacheTest, FailureHoldsForATime) {
  give(start_, 1);
  fail(start_, 1);
  EXPECT_TRUE(cache_.find(start_, address(1)).failed);
  const tcp::Instant later = start_ + FastOpenCache::kDisabledFor;
  EXPECT_FALSE(cache_.find(later, address(1)).failed);
  EXPECT_FALSE(cache_.find(later, address(1)).cookie.empty());
  fail(start_, 2);
  EXPECT_TRUE(cache_.find(start_, address(2)).failed);
  give(start_, 2);
  EXPECT_FALSE(cache_.find(start_, address(2)).failed);
}

TEST_F(FastOpenCacheTest, TheOldestGoesWhenItIsFull) {
  constexpr auto kMost = static_cast<uint32_t>(FastOpenCache::kMaxEntries);
  for (uint32_t i = 0; i <= kMost; ++i) give(start_, i);
  EXPECT_TRUE(cache_.find(start_, address(0)).cookie.empty());
  EXPECT_FALSE(cache_.find(start_, address(1)).cookie.empty());
}

}  // namespace
}  // namespace tcproctor::host
