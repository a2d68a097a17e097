// SPDX-License-Identifier: Apache-2.0
#include "stack/host/neighbours.h"

#include <gtest/gtest.h>

#include <vector>

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using packet::IpAddress;
using packet::MacAddress;

constexpr MacAddress kMac{{2, 0, 0, 0, 0, 9}};

tcp::Instant at(tcp::Duration since) {
  return tcp::Instant(since);
}
IpAddress peer(uint32_t number) {
  return IpAddress::v4(0xC6120000u + number);
}

class NeighboursTest : public testing::Test {
 protected:
  bool wait(tcp::Instant now, const IpAddress& address, size_t size = 60) {
    const std::vector<uint8_t> frame(size, 0xee);
    return table_.wait_for(now, address, frame, {}, ask_);
  }

  NeighbourTable table_{SecretHash(1, "test")};
  bool ask_ = false;
  std::vector<WaitingFrame> released_;
  std::vector<IpAddress> again_;
};

TEST_F(NeighboursTest, FramesWaitAndLeaveInOrderWithTheDestinationFilledIn) {
  EXPECT_TRUE(wait(at(0s), peer(1), 60));
  EXPECT_TRUE(ask_);
  EXPECT_TRUE(wait(at(0s), peer(1), 61));
  EXPECT_FALSE(ask_) << "it is being asked for already";
  EXPECT_EQ(table_.find(peer(1)), nullptr);
  table_.learn(peer(1), kMac, false, released_);
  ASSERT_EQ(released_.size(), 2u);
  EXPECT_EQ(released_[0].bytes.size(), 60u);
  EXPECT_EQ(released_[1].bytes.size(), 61u);
  EXPECT_TRUE(std::equal(kMac.bytes.begin(), kMac.bytes.end(), released_[0].bytes.begin()));
  EXPECT_EQ(released_[0].bytes[6], 0xee);
  ASSERT_NE(table_.find(peer(1)), nullptr);
  EXPECT_EQ(*table_.find(peer(1)), kMac);
}

TEST_F(NeighboursTest, AsksThreeTimesASecondApartAndGivesUp) {
  wait(at(0s), peer(1));
  EXPECT_EQ(table_.next_deadline(), at(1s));
  EXPECT_EQ(table_.on_deadline(at(999ms), again_), 0u);
  EXPECT_TRUE(again_.empty());
  table_.on_deadline(at(1s), again_);
  table_.on_deadline(at(2s), again_);
  EXPECT_EQ(again_.size(), 2u);
  EXPECT_EQ(table_.on_deadline(at(3s), again_), 1u) << "the frame that waited is dropped";
  EXPECT_EQ(again_.size(), 2u);
  EXPECT_FALSE(table_.next_deadline().has_value());
  wait(at(4s), peer(1));
  EXPECT_TRUE(ask_) << "a later packet asks anew";
}

TEST_F(NeighboursTest, WaitingIsBoundedInFramesAndOctets) {
  for (size_t i = 0; i < NeighbourTable::kMaxWaiting; ++i) EXPECT_TRUE(wait(at(0s), peer(1)));
  EXPECT_FALSE(wait(at(0s), peer(1)));
  size_t taken = 0;
  while (wait(at(0s), peer(2 + static_cast<uint32_t>(taken)), 65000)) ++taken;
  EXPECT_LE(taken * 65000, NeighbourTable::kMaxWaitingBytes);
  EXPECT_GT((taken + 2) * 65000, NeighbourTable::kMaxWaitingBytes);
}

TEST_F(NeighboursTest, FloodOfUnknownAddressesKeepsTheKnownOnes) {
  table_.learn(peer(1), kMac, true, released_);
  for (uint32_t i = 0; i < 5000; ++i) EXPECT_TRUE(wait(at(0s), peer(100 + i)));
  ASSERT_NE(table_.find(peer(1)), nullptr);
  // All but the newest were forgotten, with their frames and their octets.
  const size_t dropped = table_.on_deadline(at(1s), again_) + table_.on_deadline(at(2s), again_) +
                         table_.on_deadline(at(3s), again_);
  EXPECT_EQ(dropped, NeighbourTable::kMaxUnresolved);
  EXPECT_TRUE(wait(at(4s), peer(7), NeighbourTable::kMaxWaitingBytes));
}

TEST_F(NeighboursTest, LearnsOnlyWhatItShould) {
  table_.learn(peer(1), kMac, false, released_);
  EXPECT_EQ(table_.find(peer(1)), nullptr) << "nobody asked";
  table_.learn(peer(1), MacAddress{{1, 0, 0x5e, 0, 0, 1}}, true, released_);
  EXPECT_EQ(table_.find(peer(1)), nullptr) << "a group address is nobody's own";
  table_.add_permanent({peer(1), kMac});
  table_.learn(peer(1), MacAddress{{2, 6, 6, 6, 6, 6}}, true, released_);
  EXPECT_EQ(*table_.find(peer(1)), kMac) << "permanent";
}

TEST_F(NeighboursTest, KnownOnesAreBounded) {
  for (uint32_t i = 0; i <= NeighbourTable::kMaxKnown; ++i) {
    table_.learn(peer(i), kMac, true, released_);
  }
  EXPECT_EQ(table_.find(peer(0)), nullptr);
  EXPECT_NE(table_.find(peer(1)), nullptr);
}

}  // namespace
}  // namespace tcproctor::host
