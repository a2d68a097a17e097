// SPDX-License-Identifier: Apache-2.0
// After the two examples of RFC 6937 §3.1, in segments of one octet.
#include "stack/tcp/recovery/prr.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using ::testing::ElementsAre;

// One loss of twenty: every other ACK lets a segment go, until the pipe is ssthresh.
TEST(Prr, SpreadsTheReductionOverTheRoundTrip) {  // RFC6937-3-1
  Prr prr;
  prr.start(20);
  uint32_t pipe = 19;
  std::vector<uint32_t> sent;
  for (int ack = 0; ack < 18; ++ack) {
    --pipe;
    uint32_t allowed = prr.on_ack(1, pipe, 10, 1);
    sent.push_back(allowed);
    prr.on_sent(allowed);
    pipe += allowed;
  }
  EXPECT_THAT(sent, ElementsAre(1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1));
  EXPECT_EQ(pipe, 10u);  // ssthresh
}

// Fifteen losses of twenty: never a burst, a segment more than was delivered for each ACK.
TEST(Prr, CatchesUpByOneSegmentAnAck) {  // RFC6937-3-2, 4-1
  Prr prr;
  prr.start(22);
  uint32_t pipe = 4;
  for (int ack = 0; ack < 3; ++ack) {
    const uint32_t allowed = prr.on_ack(1, pipe, 10, 1);
    EXPECT_EQ(allowed, 2u);
    prr.on_sent(allowed);
    pipe += allowed - 1;
  }
}

TEST(Prr, NeverMoreThanTheReductionAllows) {
  Prr prr;
  prr.start(20000);
  uint64_t delivered = 0;
  for (int ack = 0; ack < 5; ++ack) {
    delivered += 3000;
    prr.on_sent(prr.on_ack(3000, 18000, 10000, 1000));
    EXPECT_LE(prr.out(), (delivered + 1) / 2);
  }
  // An ACK that delivers nothing lets nothing go while others may come.
  EXPECT_EQ(prr.on_ack(0, 18000, 10000, 1000), 0u);
  prr.on_sent(20000);
  EXPECT_EQ(prr.on_ack(0, 5000, 10000, 1000), 0u);
  EXPECT_EQ(prr.on_ack(0, 0, 10000, 1000), 1000u);
}

TEST(Prr, LargeWindowsDoNotOverflow) {
  Prr prr;
  prr.start(1u << 30);
  EXPECT_EQ(prr.on_ack(1u << 29, 1u << 30, 1u << 29, 1460), 1u << 28);
}

}  // namespace
}  // namespace tcproctor::tcp
