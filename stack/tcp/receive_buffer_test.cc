// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/receive_buffer.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/send_buffer.h"

namespace tcproctor::tcp {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kFirst = 0xFFFFFFF0;  // data crosses the wrap

std::vector<uint8_t> bytes(size_t from, size_t count) {
  std::vector<uint8_t> result(count);
  for (size_t i = 0; i < count; ++i) result[i] = static_cast<uint8_t>((from + i) * 31 + 7);
  return result;
}

class ReceiveBufferTest : public ::testing::Test {
 protected:
  ReceiveBufferTest() { buffer_.start(SeqNum(kFirst)); }
  bool insert(size_t from, size_t count) { return buffer_.insert(at(from), bytes(from, count)); }
  static SeqNum at(size_t offset) { return SeqNum(kFirst) + static_cast<SeqLength>(offset); }
  std::vector<uint8_t> read(size_t count) {
    std::vector<uint8_t> result(count);
    result.resize(buffer_.read(result));
    return result;
  }
  std::vector<std::pair<uint32_t, uint32_t>> sack(size_t most) {
    std::vector<packet::SackBlock> blocks(most);
    blocks.resize(buffer_.sack_blocks(blocks));
    std::vector<std::pair<uint32_t, uint32_t>> result;
    result.reserve(blocks.size());
    for (const auto& block : blocks) result.emplace_back(block.left - kFirst, block.right - kFirst);
    return result;
  }

  ReceiveBuffer buffer_;
};

TEST_F(ReceiveBufferTest, InOrder) {
  EXPECT_TRUE(insert(0, 30));
  EXPECT_EQ(buffer_.readable(), 30u);
  EXPECT_EQ(read(10), bytes(0, 10));
  EXPECT_TRUE(insert(30, 5));
  EXPECT_EQ(read(100), bytes(10, 25));
  EXPECT_EQ(buffer_.next(), at(35));
}

TEST_F(ReceiveBufferTest, GapIsFilled) {  // RFC9293-SHLD-31
  EXPECT_TRUE(insert(10, 10));
  EXPECT_TRUE(insert(30, 10));
  EXPECT_EQ(buffer_.readable(), 0u);
  EXPECT_EQ(buffer_.out_of_order(), 20u);
  EXPECT_TRUE(insert(0, 10));
  EXPECT_EQ(buffer_.readable(), 20u);
  EXPECT_TRUE(insert(20, 15));  // overlaps what is there
  EXPECT_EQ(read(100), bytes(0, 40));
  EXPECT_FALSE(buffer_.has_gaps());
  EXPECT_EQ(buffer_.out_of_order(), 0u);
}

TEST_F(ReceiveBufferTest, SackBlocksNewestFirst) {  // RFC2018-4-5, 4-6, 4-7
  insert(10, 5);
  insert(30, 5);
  insert(20, 5);
  EXPECT_THAT(sack(4), ElementsAre(std::pair(20, 25), std::pair(30, 35), std::pair(10, 15)));
  insert(15, 2);  // grows the first range, which becomes the newest
  EXPECT_THAT(sack(2), ElementsAre(std::pair(10, 17), std::pair(20, 25)));
  insert(50, 5);
  insert(60, 5);
  EXPECT_THAT(sack(3), ElementsAre(std::pair(60, 65), std::pair(50, 55), std::pair(10, 17)));
}

// What many connections hold out of order together: what comes first stays, and what would exceed
// the limit is not taken; in order everything is.
TEST(ReceiveBuffer, ShareOneBudget) {
  ReassemblyBudget budget(1000);
  const std::vector<uint8_t> text(100, 'x');
  {
    ReceiveBuffer first(&budget);
    ReceiveBuffer second(&budget);
    first.start(SeqNum(1));
    second.start(SeqNum(1));
    EXPECT_TRUE(first.insert(SeqNum(501), text)) << "600 octets with the gap before it";
    EXPECT_EQ(budget.used(), 600u);
    EXPECT_TRUE(first.insert(SeqNum(201), text)) << "within what is counted";
    EXPECT_EQ(budget.used(), 600u);
    EXPECT_FALSE(second.insert(SeqNum(401), text));
    EXPECT_FALSE(second.has_gaps());
    EXPECT_EQ(budget.used(), 600u);
    EXPECT_TRUE(second.insert(SeqNum(1), text)) << "in order";
    EXPECT_TRUE(second.insert(SeqNum(201), text));
    EXPECT_EQ(budget.used(), 800u);
    EXPECT_TRUE(second.insert(SeqNum(101), text)) << "fills the gap";
    EXPECT_EQ(budget.used(), 600u);
    first.clear();
    EXPECT_EQ(budget.used(), 0u);
    EXPECT_TRUE(second.insert(SeqNum(1101), text));
    EXPECT_EQ(budget.used(), 900u);
  }
  EXPECT_EQ(budget.used(), 0u) << "a connection that ends gives back its share";
}

TEST_F(ReceiveBufferTest, NumberOfRangesIsBounded) {
  for (size_t i = 0; i < ReceiveBuffer::kMaxRanges; ++i) EXPECT_TRUE(insert(10 + 10 * i, 1));
  EXPECT_FALSE(insert(10 + 10 * ReceiveBuffer::kMaxRanges, 1));
  EXPECT_TRUE(insert(11, 1));  // joins a range
  EXPECT_EQ(buffer_.out_of_order(), ReceiveBuffer::kMaxRanges + 1);
}

TEST_F(ReceiveBufferTest, HeldTextIsNotReadable) {  // RFC9293-3.5-L1
  EXPECT_TRUE(buffer_.hold(at(0), bytes(0, 5)));
  EXPECT_EQ(buffer_.readable(), 0u);
  EXPECT_EQ(buffer_.next(), at(0));
  buffer_.release_held();
  EXPECT_EQ(read(10), bytes(0, 5));
}

TEST_F(ReceiveBufferTest, FinKeepsItsPlace) {
  buffer_.note_fin(at(10));
  buffer_.note_fin(at(3));  // a second one means nothing
  EXPECT_FALSE(buffer_.fin_is_next());
  insert(0, 10);
  EXPECT_TRUE(buffer_.fin_is_next());
}

TEST_F(ReceiveBufferTest, AnyOrderGivesTheStream) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    buffer_.start(SeqNum(kFirst));
    constexpr size_t kSize = 3000;
    std::vector<uint8_t> got;
    while (got.size() < kSize) {
      const size_t next = buffer_.next() - SeqNum(kFirst);
      const size_t from = next + random() % std::min<size_t>(400, kSize - next + 1);
      const size_t count = std::min<size_t>(random() % 200, kSize - from);
      if (random() % 3 == 0) {
        insert(next, std::min<size_t>(count, kSize - next));
      } else {
        insert(from, count);
      }
      const auto part = read(random() % 300);
      got.insert(got.end(), part.begin(), part.end());
      EXPECT_LE(buffer_.out_of_order(), kSize);
    }
    EXPECT_EQ(got, bytes(0, kSize));
  }
}

TEST(SendBufferTest, KeepsWhatIsNotAcknowledged) {
  SendBuffer buffer;
  buffer.start(SeqNum(kFirst));
  EXPECT_EQ(buffer.append(bytes(0, 100), 60), 60u);
  EXPECT_EQ(buffer.append(bytes(60, 1), 60), 0u);
  EXPECT_EQ(buffer.end(), SeqNum(kFirst) + 60);
  buffer.acknowledge(SeqNum(kFirst) - 1);  // the SYN's number
  EXPECT_EQ(buffer.size(), 60u);
  buffer.acknowledge(SeqNum(kFirst) + 25);
  EXPECT_EQ(buffer.size(), 35u);
  EXPECT_EQ(buffer.append(bytes(60, 1990), 2025), 1990u);
  const auto [first, rest] = buffer.view(SeqNum(kFirst) + 30, 2000);
  std::vector<uint8_t> all(first.begin(), first.end());
  all.insert(all.end(), rest.begin(), rest.end());
  EXPECT_EQ(all, bytes(30, 2000));
  buffer.acknowledge(buffer.end() + 1);  // and the FIN
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(buffer.begin(), SeqNum(kFirst) + 2050);
}

TEST(ReceiveBuffer, FirstHeldPartOfASegment) {  // RFC2883-4.2-1
  ReceiveBuffer buffer;
  buffer.start(SeqNum(0));
  const std::vector<uint8_t> text(100, 1);
  EXPECT_TRUE(buffer.insert(SeqNum(100), text));
  EXPECT_TRUE(buffer.insert(SeqNum(300), text));
  EXPECT_EQ(buffer.first_held(SeqNum(0), 100), (packet::SackBlock{}));
  EXPECT_EQ(buffer.first_held(SeqNum(50), 400), (packet::SackBlock{100, 200}));
  EXPECT_EQ(buffer.first_held(SeqNum(150), 20), (packet::SackBlock{150, 170}));
  EXPECT_EQ(buffer.first_held(SeqNum(200), 150), (packet::SackBlock{300, 350}));
}

}  // namespace
}  // namespace tcproctor::tcp
