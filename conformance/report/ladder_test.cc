// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/ladder.h"

#include <gtest/gtest.h>

namespace tcproctor::conformance {
namespace {

constexpr v1::End kA = v1::END_A;
constexpr v1::End kB = v1::END_B;

// `flags`: "SYN,ACK". Without `ack` no acknowledgment number.
LadderItem segment(uint64_t number, v1::End from, const std::string& flags,
                   const std::string& sequence, const std::string& ack = "",
                   v1::Fate fate = v1::FATE_DELIVERED) {
  LadderItem item;
  item.kind = LadderItem::Kind::kSegment;
  item.end = from;
  item.number = number;
  item.segment.tcp = true;
  item.segment.flags = flags;
  item.segment.sequence = sequence;
  item.segment.acknowledgment = ack;
  item.fate = fate;
  item.origin = v1::ORIGIN_END;
  return item;
}

LadderItem observed(v1::End end, v1::TcpState state) {
  LadderItem item;
  item.kind = LadderItem::Kind::kState;
  item.end = end;
  item.state = state;
  return item;
}

LadderItem claimed(v1::End end, v1::TcpState state) {
  LadderItem item = observed(end, state);
  item.kind = LadderItem::Kind::kClaim;
  return item;
}

LadderItem told(LadderItem::Kind kind, const std::string& text, v1::End end = kA) {
  LadderItem item;
  item.kind = kind;
  item.text = text;
  item.end = end;
  return item;
}

LadderItem arrived(uint64_t number, LadderItem::Kind kind = LadderItem::Kind::kReleased) {
  LadderItem item;
  item.kind = kind;
  item.number = number;
  return item;
}

std::string drawn(const std::vector<LadderItem>& items, const std::string& a,
                  const std::string& b) {
  return render_ladder(ladder_rows(items), a, b);
}

TEST(LadderTest, DrawsTheHandshakeAsTheSeedsDo) {
  const std::vector<LadderItem> items = {told(LadderItem::Kind::kClause, "handshake"),
                                         claimed(kA, v1::TCP_STATE_CLOSED),
                                         told(LadderItem::Kind::kCall, "OPEN(passive)", kB),
                                         observed(kB, v1::TCP_STATE_LISTEN),
                                         claimed(kA, v1::TCP_STATE_SYN_SENT),
                                         segment(1, kA, "SYN", "0"),
                                         segment(2, kB, "SYN,ACK", "0", "1"),
                                         observed(kB, v1::TCP_STATE_SYN_RECEIVED),
                                         claimed(kA, v1::TCP_STATE_ESTABLISHED),
                                         segment(3, kA, "ACK", "1", "1"),
                                         observed(kB, v1::TCP_STATE_SYN_RECEIVED),
                                         observed(kB, v1::TCP_STATE_ESTABLISHED)};
  EXPECT_EQ(drawn(items, "scripted", "kernel"),
            "     TCP A (scripted)                                            TCP B (kernel)\n"
            "  == handshake\n"
            "                                                 (OPEN(passive))\n"
            "  1. [CLOSED]                                                    LISTEN\n"
            "  2. [SYN-SENT]     --> <SEQ=0><CTL=SYN>                     --> SYN-RECEIVED\n"
            "  3. [ESTABLISHED]  <-- <SEQ=0><ACK=1><CTL=SYN,ACK>          <-- SYN-RECEIVED\n"
            "  4. [ESTABLISHED]  --> <SEQ=1><ACK=1><CTL=ACK>              --> ESTABLISHED\n");
}

// Nothing was seen of B between its SYN and the arrival of A's, so row 3 says nothing of it.
TEST(LadderTest, HeldSegmentsArriveLater) {
  const std::vector<LadderItem> items = {segment(1, kA, "SYN", "0", "", v1::FATE_HELD),
                                         observed(kA, v1::TCP_STATE_SYN_SENT),
                                         observed(kB, v1::TCP_STATE_LISTEN),
                                         segment(2, kB, "SYN", "0", "", v1::FATE_HELD),
                                         arrived(1),
                                         observed(kB, v1::TCP_STATE_SYN_RECEIVED),
                                         arrived(2, LadderItem::Kind::kDropped)};
  EXPECT_EQ(drawn(items, "stack", "stack"),
            "     TCP A (stack)                                               TCP B (stack)\n"
            "  1. SYN-SENT       --> <SEQ=0><CTL=SYN>                     ...\n"
            "  2. SYN-SENT                                                    LISTEN\n"
            "  3.                ... <SEQ=0><CTL=SYN>                     <--\n"
            "  4.                ... <SEQ=0><CTL=SYN>                     --> SYN-RECEIVED\n"
            "  5.                --x <SEQ=0><CTL=SYN>                     ...\n");
}

TEST(LadderTest, WhatWasSeenWhenASegmentWasLoggedGoesWithItsSender) {
  LadderItem syn = segment(1, kA, "SYN", "0");
  syn.state_a = v1::TCP_STATE_SYN_SENT;
  LadderItem answer = segment(2, kB, "SYN,ACK", "0", "1");
  answer.state_a = v1::TCP_STATE_SYN_SENT;
  answer.state_b = v1::TCP_STATE_SYN_RECEIVED;
  LadderItem ack = segment(3, kA, "ACK", "1", "1");
  ack.state_a = v1::TCP_STATE_ESTABLISHED;
  ack.state_b = v1::TCP_STATE_SYN_RECEIVED;
  EXPECT_EQ(drawn({syn, answer, ack, observed(kA, v1::TCP_STATE_ESTABLISHED),
                   observed(kB, v1::TCP_STATE_ESTABLISHED)},
                  "kernel", "stack"),
            "     TCP A (kernel)                                              TCP B (stack)\n"
            "  1. SYN-SENT       --> <SEQ=0><CTL=SYN>                     --> SYN-RECEIVED\n"
            "  2. ESTABLISHED    <-- <SEQ=0><ACK=1><CTL=SYN,ACK>          <-- SYN-RECEIVED\n"
            "  3. ESTABLISHED    --> <SEQ=1><ACK=1><CTL=ACK>              --> ESTABLISHED\n");
}

TEST(LadderTest, NothingIsClaimedThatNobodySaw) {
  EXPECT_EQ(drawn({segment(1, kA, "SYN", "0")}, "scripted", "kernel"),
            "     TCP A (scripted)                                            TCP B (kernel)\n"
            "  1.                --> <SEQ=0><CTL=SYN>                     -->\n");
}

TEST(LadderTest, ForgedSegmentsSaySoAndFloodsAreOneLine) {
  LadderItem forged = segment(1, kA, "SYN", "-10");
  forged.forged = true;
  LadderItem stranger = segment(2, kB, "ACK", "1");
  stranger.of_no_flow = true;
  EXPECT_EQ(drawn({forged, observed(kB, v1::TCP_STATE_SYN_RECEIVED), stranger, stranger,
                   told(LadderItem::Kind::kTime, "2min")},
                  "stack", "kernel"),
            "     TCP A (stack)                                               TCP B (kernel)\n"
            "  1. (injected)     ... <SEQ=-10><CTL=SYN>                   --> SYN-RECEIVED\n"
            "     … 2 segments of no flow of the case\n"
            "     -- 2min pass\n");
}

}  // namespace
}  // namespace tcproctor::conformance
