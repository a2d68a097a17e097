// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/sequence.h"

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

// RFC9293-3.4-L1: across the wrap as anywhere else.
TEST(SeqNum, OrderAcrossTheWrap) {
  for (const uint32_t base : {0u, 1u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu, 0xFFFFFF00u}) {
    SCOPED_TRACE(base);
    const SeqNum a(base);
    EXPECT_FALSE(a.before(a));
    EXPECT_TRUE(a.at_or_before(a));
    for (const SeqLength distance : {1u, 255u, 65536u, 0x7FFFFFFFu}) {
      const SeqNum b = a + distance;
      EXPECT_TRUE(a.before(b));
      EXPECT_TRUE(b.after(a));
      EXPECT_FALSE(b.before(a));
      EXPECT_TRUE(b.at_or_after(a));
      EXPECT_EQ(b - a, distance);
      EXPECT_EQ(b - distance, a);
      EXPECT_EQ(later_of(a, b), b);
      EXPECT_EQ(earlier_of(b, a), a);
    }
  }
}

TEST(SeqNum, Window) {
  const SeqNum start(0xFFFFFFFE);
  EXPECT_TRUE(start.in_window(start, 1));
  EXPECT_FALSE(start.in_window(start, 0));
  EXPECT_TRUE(SeqNum(1).in_window(start, 4));
  EXPECT_FALSE(SeqNum(2).in_window(start, 4));
  EXPECT_FALSE(SeqNum(0xFFFFFFFD).in_window(start, 4));
}

// The seed's example: SEQ 301 and 100 octets cover 301..400, the next starts at 401 (S001-seq).
TEST(SeqNum, SegmentCoversItsOctets) {
  const SeqNum seq(301);
  EXPECT_EQ((seq + 100).value(), 401u);
  EXPECT_TRUE(SeqNum(400).in_window(seq, 100));
  EXPECT_FALSE(SeqNum(401).in_window(seq, 100));
}

}  // namespace
}  // namespace tcproctor::tcp
