// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/scoreboard.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tcproctor::tcp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr SeqNum kFirstNumber(0xFFFFF000);  // wraps on the way
constexpr Instant kNow{1h};

SeqNum at(uint32_t offset) {
  return kFirstNumber + offset;
}

// "begin-end" with S sacked, L lost, R retransmission out, r once retransmitted.
std::vector<std::string> text(const Scoreboard& board) {
  std::vector<std::string> lines;
  for (const SentRange& range : board.ranges()) {
    lines.push_back(absl::StrCat(range.begin - kFirstNumber, "-", range.end - kFirstNumber,
                                 range.sacked ? "S" : "", range.lost ? "L" : "",
                                 range.retransmission_out ? "R" : "",
                                 range.retransmitted && !range.retransmission_out ? "r" : ""));
  }
  return lines;
}

class Parts {
 public:
  void operator()(const SentRange& part) {
    seen.push_back(absl::StrCat(part.begin - kFirstNumber, "-", part.end - kFirstNumber));
  }
  std::vector<std::string> seen;
};

void sack(Scoreboard& board, uint32_t left, uint32_t right, Parts* parts = nullptr) {
  board.sack(at(left), at(right), [&](const SentRange& part) {
    if (parts != nullptr) (*parts)(part);
  });
}

TEST(Scoreboard, OneRangeUntilASackSplitsIt) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(64000));
  EXPECT_THAT(text(board), ElementsAre("0-64000"));
  Parts parts;
  sack(board, 10000, 20000, &parts);
  EXPECT_THAT(parts.seen, ElementsAre("10000-20000"));
  EXPECT_THAT(text(board), ElementsAre("0-10000", "10000-20000S", "20000-64000"));
  EXPECT_EQ(board.sacked(), 10000u);
  EXPECT_EQ(board.pipe(), 54000u);
  EXPECT_EQ(board.highest_sacked(), at(20000));
}

TEST(Scoreboard, NeighboursThatSayTheSameAreOne) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(1000));
  board.on_sent(kNow, at(1000), at(2000));
  EXPECT_THAT(text(board), ElementsAre("0-2000"));
  board.on_sent(kNow + 1ms, at(2000), at(3000));  // another time
  EXPECT_THAT(text(board), ElementsAre("0-2000", "2000-3000"));
  sack(board, 1000, 2000);
  sack(board, 2000, 3000);
  EXPECT_THAT(text(board), ElementsAre("0-1000", "1000-3000S"));
}

TEST(Scoreboard, ReportsEachOctetOnce) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(10000));
  Parts parts;
  sack(board, 2000, 4000, &parts);
  sack(board, 2000, 4000, &parts);
  sack(board, 1000, 5000, &parts);
  EXPECT_THAT(parts.seen, ElementsAre("2000-4000", "1000-2000", "4000-5000"));
  parts.seen.clear();
  board.acknowledge(at(7000), [&](const SentRange& part) { parts(part); });
  EXPECT_THAT(parts.seen, ElementsAre("0-1000", "5000-7000"));
  EXPECT_THAT(text(board), ElementsAre("7000-10000"));
  EXPECT_EQ(board.sacked(), 0u);
}

TEST(Scoreboard, SacksOutsideOfWhatIsOutstandingAreNoMatter) {
  Scoreboard board;
  sack(board, 0, 1000);
  EXPECT_TRUE(board.empty());
  board.on_sent(kNow, at(1000), at(2000));
  sack(board, 0, 1000);
  sack(board, 2000, 3000);
  EXPECT_EQ(board.sacked(), 0u);
  sack(board, 500, 1500);
  EXPECT_THAT(text(board), ElementsAre("1000-1500S", "1500-2000"));
}

TEST(Scoreboard, LostRetransmittedAndLostAgain) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(3000));
  sack(board, 1000, 3000);
  board.mark_lost(at(0), 1000);
  EXPECT_EQ(board.pipe(), 0u);
  EXPECT_TRUE(board.wants_retransmission());
  board.on_sent(kNow + 1s, at(0), at(1000));
  EXPECT_THAT(text(board), ElementsAre("0-1000LR", "1000-3000S"));
  EXPECT_EQ(board.pipe(), 1000u);
  EXPECT_FALSE(board.wants_retransmission());
  EXPECT_EQ(board.mark_lost_if([](const SentRange& range) { return range.last_sent == kNow + 1s; }),
            1000u);
  EXPECT_THAT(text(board), ElementsAre("0-1000Lr", "1000-3000S"));
  EXPECT_EQ(board.pipe(), 0u);
  EXPECT_EQ(board.lost(), 1000u);
  EXPECT_EQ(board.retransmission_out(), 0u);
}

TEST(Scoreboard, RetransmittedWithoutBeingLostCountsTwice) {  // SetPipe()
  Scoreboard board;
  board.on_sent(kNow, at(0), at(3000));
  board.on_sent(kNow + 1ms, at(2000), at(3000));
  EXPECT_EQ(board.pipe(), 4000u);
  sack(board, 2000, 3000);
  EXPECT_EQ(board.pipe(), 2000u);
}

TEST(Scoreboard, ARetransmissionMayReachBeyondWhatWasSent) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(1));
  board.on_sent(kNow + 1s, at(0), at(1000));
  EXPECT_THAT(text(board), ElementsAre("0-1R", "1-1000"));
}

TEST(Scoreboard, ForgetsSacksOfAPeerThatReneged) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(3000));
  sack(board, 0, 1000);
  sack(board, 2000, 3000);
  board.forget_sacks();
  EXPECT_THAT(text(board), ElementsAre("0-3000"));
  EXPECT_EQ(board.pipe(), 3000u);
}

TEST(Scoreboard, Forgives) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(3000));
  board.mark_lost(at(0), 2000);
  board.on_sent(kNow + 1s, at(0), at(1000));
  board.forgive();
  EXPECT_THAT(text(board), ElementsAre("0-1000r", "1000-3000"));
  EXPECT_EQ(board.pipe(), 3000u);
}

TEST(Scoreboard, IsBounded) {
  Scoreboard board;
  board.on_sent(kNow, at(0), at(1000000));
  for (uint32_t i = 0; i < 100000; ++i) sack(board, 10 * i + 1, 10 * i + 2);
  EXPECT_LE(board.ranges().size(), Scoreboard::kMostRanges + 2);
  for (uint32_t i = 0; i < 10000; ++i) {
    board.on_sent(kNow + std::chrono::nanoseconds(i), at(1000000 + i), at(1000001 + i));
  }
  EXPECT_LE(board.ranges().size(), Scoreboard::kMostRanges + 3);
  EXPECT_EQ(board.back().end, at(1010000));
}

// Against one mark per octet.
TEST(Scoreboard, AgreesWithAModelOctetByOctet) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
    struct Octet {
      bool sacked = false, lost = false, out = false, again = false;
    };
    std::vector<Octet> octets;
    uint32_t una = 0;
    Scoreboard board;
    Instant now = kNow;
    for (int step = 0; step < 400; ++step) {
      const uint32_t end = static_cast<uint32_t>(octets.size());
      const uint32_t left = una + (end > una ? pick(end - una) : 0);
      const uint32_t right = std::min(end, left + 1 + pick(20));
      switch (pick(7)) {
        case 0:
        case 1: {
          now += std::chrono::milliseconds(pick(2));
          const uint32_t more = 1 + pick(30);
          board.on_sent(now, at(end), at(end + more));
          octets.resize(end + more);
          break;
        }
        case 2:
          sack(board, left, right);
          for (uint32_t i = left; i < right; ++i) octets[i] = {.sacked = true};
          break;
        case 3:
          if (left >= right) break;
          now += 1ms;
          board.on_sent(now, at(left), at(right));
          for (uint32_t i = left; i < right; ++i) {
            if (!octets[i].sacked) octets[i].out = octets[i].again = true;
          }
          break;
        case 4:
          if (left < right) board.mark_lost(at(left), right - left);
          for (uint32_t i = left; i < right; ++i) {
            if (octets[i].sacked) continue;
            octets[i].lost = true;
            octets[i].out = false;
          }
          break;
        case 5:
          if (pick(2) == 0) {
            board.acknowledge(at(left), [](const SentRange&) {});
            una = left;
          }
          break;
        default:
          if (pick(10) != 0) break;
          (void)board.mark_lost_if([](const SentRange& range) { return range.retransmitted; });
          for (uint32_t i = una; i < end; ++i) {
            if (octets[i].sacked || !octets[i].again) continue;
            octets[i].lost = true;
            octets[i].out = false;
          }
          break;
      }
      uint32_t sacked = 0, lost = 0, out = 0;
      uint32_t i = una;
      for (const SentRange& range : board.ranges()) {
        ASSERT_EQ(range.begin, at(i));
        for (; i < range.end - kFirstNumber; ++i) {
          ASSERT_EQ(range.sacked, octets[i].sacked) << i;
          ASSERT_EQ(range.lost, octets[i].lost) << i;
          ASSERT_EQ(range.retransmission_out, octets[i].out) << i;
          sacked += octets[i].sacked ? 1 : 0;
          lost += octets[i].lost ? 1 : 0;
          out += octets[i].out ? 1 : 0;
        }
      }
      ASSERT_EQ(i, octets.size());
      ASSERT_EQ(board.sacked(), sacked);
      ASSERT_EQ(board.lost(), lost);
      ASSERT_EQ(board.retransmission_out(), out);
    }
  }
}

}  // namespace
}  // namespace tcproctor::tcp
