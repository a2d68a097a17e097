// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/frto.h"

#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using Verdict = FRto::Verdict;

// 1000..2000 was sent again; SND.NXT is 10000.
class FRtoTest : public ::testing::TestWithParam<bool> {
 protected:
  FRtoTest() {
    frto_.on_timeout(true);
    frto_.on_retransmission(SeqNum(2000));
  }
  FRto::Ack advance(uint32_t ack, uint32_t snd_nxt = 10000) const {
    return {.ack = SeqNum(ack),
            .snd_nxt = SeqNum(snd_nxt),
            .sack = GetParam(),
            .advances = true,
            .can_send_new = true};
  }
  FRto::Ack duplicate(uint32_t snd_nxt = 10000) const {
    return {.ack = SeqNum(1000),
            .snd_nxt = SeqNum(snd_nxt),
            .sack = GetParam(),
            .duplicate = true,
            .can_send_new = true};
  }
  FRto frto_;
};

TEST_P(FRtoTest, TwoAcksOfOriginalsMeanSpurious) {  // RFC5682-2.1-2, 2.1-4, 3.1-2
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kSendNew);
  EXPECT_TRUE(frto_.sends_new_data());
  EXPECT_EQ(frto_.on_ack(advance(4000, 12000)), Verdict::kSpurious);
  EXPECT_FALSE(frto_.sends_new_data());
  EXPECT_EQ(frto_.on_ack(advance(5000, 12000)), Verdict::kNothing);
}

TEST_P(FRtoTest, DuplicateAfterNewDataMeansReal) {  // RFC5682-2.1-5
  EXPECT_EQ(frto_.on_ack(advance(2000)), Verdict::kSendNew);
  EXPECT_EQ(frto_.on_ack(duplicate(12000)), Verdict::kReal);
  EXPECT_FALSE(frto_.sends_new_data());
}

TEST_P(FRtoTest, AllAcknowledgedProvesNothing) {  // RFC5682-2.1-3
  EXPECT_EQ(frto_.on_ack(advance(10000)), Verdict::kConventional);
  EXPECT_EQ(frto_.on_ack(advance(11000, 12000)), Verdict::kNothing);
}

TEST_P(FRtoTest, APartOfTheRetransmissionProvesNothing) {  // RFC 5682 §2.2
  EXPECT_EQ(frto_.on_ack(advance(1500)), Verdict::kConventional);
}

TEST_P(FRtoTest, WithoutNewDataConventional) {
  FRto::Ack ack = advance(3000);
  ack.can_send_new = false;
  EXPECT_EQ(frto_.on_ack(ack), Verdict::kConventional);
}

TEST_P(FRtoTest, NotInAnotherRecovery) {  // RFC5682-2.1-7
  frto_.on_timeout(false);
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kNothing);
}

TEST_P(FRtoTest, AnotherTimeoutBeginsAnew) {  // RFC5682-2.1-6
  frto_.on_timeout(true);
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kConventional);  // nothing was sent again yet
  frto_.on_timeout(true);
  frto_.on_retransmission(SeqNum(4000));
  EXPECT_EQ(frto_.on_ack(advance(4000)), Verdict::kSendNew);
}

INSTANTIATE_TEST_SUITE_P(BasicAndSack, FRtoTest, ::testing::Bool());

using FRtoBasic = FRtoTest;
TEST_P(FRtoBasic, FirstDuplicateMeansConventional) {  // RFC5682-2.1-3
  EXPECT_EQ(frto_.on_ack(duplicate()), Verdict::kConventional);
}
INSTANTIATE_TEST_SUITE_P(Basic, FRtoBasic, ::testing::Values(false));

using FRtoSack = FRtoTest;
TEST_P(FRtoSack, WaitsForTheAckOfTheRetransmission) {  // RFC 5682 §3.1 step 2
  EXPECT_EQ(frto_.on_ack(duplicate()), Verdict::kNothing);
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kSendNew);
}
TEST_P(FRtoSack, SackOfAnOriginalMeansSpurious) {  // RFC5682-3.1-2
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kSendNew);
  FRto::Ack ack = duplicate(12000);
  ack.sacks_below = true;
  EXPECT_EQ(frto_.on_ack(ack), Verdict::kSpurious);
}
TEST_P(FRtoSack, SackOfNewDataMeansReal) {  // RFC5682-3.1-2
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kSendNew);
  FRto::Ack ack = duplicate(12000);
  ack.sacks_above = ack.sacks_below = true;
  EXPECT_EQ(frto_.on_ack(ack), Verdict::kReal);
}
TEST_P(FRtoSack, OtherAcksAreIgnored) {
  EXPECT_EQ(frto_.on_ack(advance(3000)), Verdict::kSendNew);
  FRto::Ack ack = duplicate(12000);
  ack.duplicate = false;
  EXPECT_EQ(frto_.on_ack(ack), Verdict::kNothing);
  EXPECT_EQ(frto_.on_ack(advance(4000, 12000)), Verdict::kSpurious);
}
INSTANTIATE_TEST_SUITE_P(Sack, FRtoSack, ::testing::Values(true));

}  // namespace
}  // namespace tcproctor::tcp
