// SPDX-License-Identifier: Apache-2.0
// Packetization-layer path-MTU discovery (RFC 4821): the search itself, and a connection on a path
// that swallows what is too large for it without a word.
#include "stack/tcp/mtu_search.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp {
namespace {

using packet::IpFamily;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using testing::Rig;
using testing::RigConfig;
using namespace std::chrono_literals;

constexpr Instant kStart{1h};

// What a search finds on a path that carries `carries`, and with how many probes.
struct Found {
  uint32_t mtu;
  uint32_t probes;
};
Found search(uint32_t eff_pmtu, uint32_t ceiling, uint32_t carries) {
  MtuSearch search(IpFamily::kV4, eff_pmtu);
  uint32_t probes = 0;
  while (const uint32_t size = search.size_to_probe(kStart, eff_pmtu, ceiling)) {
    EXPECT_GT(size, eff_pmtu) << "RFC4821-7.1-1";
    EXPECT_LE(size, ceiling) << "RFC4821-7.1-1";
    search.on_probe_sent(SeqNum(1), SeqNum(1 + size), size);
    EXPECT_EQ(search.size_to_probe(kStart, eff_pmtu, ceiling), 0u) << "one at a time";
    if (size <= carries) {
      eff_pmtu = search.on_probe_acked(kStart);
    } else {
      search.on_probe_lost(kStart, eff_pmtu, kStart);
    }
    if (++probes > 30) break;
  }
  return {.mtu = eff_pmtu, .probes = probes};
}

TEST(MtuSearch, FindsWhatThePathCarries) {
  EXPECT_EQ(search(1400, 1500, 1500).probes, 1u) << "the whole range first";
  for (uint32_t carries = 1024; carries <= 9000; carries += 7) {
    const Found found = search(1024, 9000, carries);
    EXPECT_LE(found.mtu, carries);
    EXPECT_GT(found.mtu + MtuSearch::kNarrow, carries);
    EXPECT_LE(found.probes, 14u) << carries;
  }
  EXPECT_EQ(search(1500, 1500, 1500).probes, 0u);
}

// RFC4821-7.3-1.
TEST(MtuSearch, ProbesAgainAfterTenMinutesOnly) {
  static_assert(MtuSearch::kReprobe >= 5min);
  MtuSearch search(IpFamily::kV4, 1400);
  EXPECT_EQ(search.size_to_probe(kStart, 1400, 1404), 1404u);
  search.on_probe_sent(SeqNum(1), SeqNum(2), 1404);
  search.on_probe_lost(kStart, 1400, kStart);
  EXPECT_EQ(search.size_to_probe(kStart + MtuSearch::kReprobe - 1ms, 1400, 1404), 0u);
  EXPECT_EQ(search.size_to_probe(kStart + MtuSearch::kReprobe, 1400, 1404), 1404u);
}

// RFC4821-7.2-1, 7.7-1, 7.7-2.
TEST(MtuSearch, FullStopsGoDownToTheLeast) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    MtuSearch search(family, 9000);
    std::vector<uint32_t> mtus;
    uint32_t mtu = 9000;
    for (int i = 0; i < 6; ++i) mtus.push_back(mtu = search.on_full_stop(kStart, mtu, 9000));
    if (family == IpFamily::kV4) {
      EXPECT_THAT(mtus, ElementsAre(1024, 512, 256, 128, 68, 68));
    } else {
      EXPECT_THAT(mtus, Each(1280u));
    }
  }
  MtuSearch search(IpFamily::kV4, 1400);
  (void)search.size_to_probe(kStart, 1400, 9000);
  search.on_probe_sent(SeqNum(1), SeqNum(2), 9000);
  EXPECT_EQ(search.on_probe_acked(kStart), 9000u);
  EXPECT_EQ(search.on_full_stop(kStart, 9000, 9000), 1024u) << "search_low was 9000 itself";
}

// ----------------------------------------------------------------------------- on a connection

enum class Loss { kRack, kByCount, kNewReno };

RigConfig config(MtuProbing probing, Loss loss = Loss::kRack) {
  RigConfig config;
  config.peer_mss = 8960;
  config.peer_window = 20'000;  // so that it is not long to the next probe
  config.options.send_buffer_bytes = 1 << 22;
  config.options.initial_window = InitialWindow::kRfc6928;
  config.options.mtu_probing = probing;
  config.peer_sack = config.options.sack_permitted = loss != Loss::kNewReno;
  config.settings.rack_tlp = loss == Loss::kRack;
  return config;
}

// The peer at the end of a path of 100 ms that carries packets up to some size, and says nothing of
// those it swallows.
class Path {
 public:
  Path(const RigConfig& config, uint32_t carries) : rig(config), carries_(carries) {
    sack_ = config.peer_sack;
    rig.reach(State::kSynSent);
    (void)rig.advance(100ms);
    rig.recv("S. 0(0) ack 1");
    (void)rig.sent();
  }

  void carries(uint32_t octets) { carries_ = octets; }
  // The next segment of at least this size vanishes although it is not too large.
  void lose_next(uint32_t count = 1) { losses_ = count; }
  void lose_one_of(uint32_t octets) { lose_size_ = octets; }

  // `rounds` round trips. Returns the sizes of the packets, all options of TCP left out.
  std::vector<uint32_t> run(int rounds) {
    std::vector<uint32_t> sizes;
    for (int i = 0; i < rounds; ++i) {
      std::vector<std::string> lines = rig.sent();
      for (const std::string& line : rig.advance(100ms)) {
        lines.push_back(line.substr(line.find(' ') + 1));
      }
      for (const std::string& line : lines) {
        uint32_t seq = 0;
        uint32_t length = 0;
        if (std::sscanf(line.c_str(), "%*s %u(%u)", &seq, &length) != 2 || length == 0) continue;
        sizes.push_back(length + 40);
        if (length + 40 > carries_) continue;
        if (losses_ != 0) {
          --losses_;
          continue;
        }
        if (length + 40 == lose_size_) {
          lose_size_ = 0;
          continue;
        }
        arrive(seq, seq + length);
      }
    }
    return sizes;
  }
  uint32_t received() const { return next_ - 1; }

  Rig rig;

 private:
  void arrive(uint32_t seq, uint32_t end) {
    if (end > next_) held_[seq] = std::max(held_[seq], end);
    while (!held_.empty() && held_.begin()->first <= next_) {
      next_ = std::max(next_, held_.begin()->second);
      held_.erase(held_.begin());
    }
    std::string text = absl::StrCat(". 1(0) ack ", next_);
    if (sack_ && !held_.empty()) {
      absl::StrAppend(&text, " sack");
      uint32_t left = 0;
      uint32_t right = 0;
      int blocks = 0;
      const auto put = [&] {
        if (right != 0 && blocks++ < 3) absl::StrAppend(&text, " ", left, ":", right);
      };
      for (const auto& [from, to] : held_) {
        if (from != right) {
          put();
          left = from;
        }
        right = to;
      }
      put();
    }
    rig.recv(text);
  }

  uint32_t carries_;
  uint32_t losses_ = 0;
  uint32_t lose_size_ = 0;
  bool sack_ = false;
  uint32_t next_ = 1;
  std::map<uint32_t, uint32_t> held_;
};

// RFC4821-7.2-1, 7.1-1, 4-4.
TEST(MtuProbing, AlwaysBeginsSafelyAndFindsTheLinks) {
  Path path(config(MtuProbing::kAlways), 1500);
  EXPECT_EQ(path.rig.status().path_mtu, 1400u);
  path.rig.send(200'000);
  EXPECT_THAT(path.run(1), Each(1400u));
  const std::vector<uint32_t> second = path.run(1);
  EXPECT_EQ(std::ranges::count(second, 1500u), 1) << "one probe";
  const uint32_t cwnd = path.rig.status().cwnd;
  const uint32_t acked = path.received();
  EXPECT_EQ(path.rig.status().path_mtu, 1500u);
  (void)acked;
  (void)path.run(10);
  EXPECT_EQ(path.received(), 200'000u);
  EXPECT_GE(path.rig.status().cwnd, cwnd);
  EXPECT_EQ(path.rig.status().mtu_probes_sent, 1u);
  EXPECT_EQ(path.rig.status().total_retransmissions, 0u);
}

// RFC4821-4-4: more octets in a segment, not in the window.
TEST(MtuProbing, RaisingTheMtuRaisesNoWindow) {
  RigConfig with = config(MtuProbing::kAlways);
  with.mtu = 9000;
  Path path(with, 9000);
  path.rig.send(400'000);
  while (path.rig.status().mtu_probes_sent == 0) (void)path.run(1);
  const Status status = path.rig.status();
  EXPECT_EQ(status.path_mtu, 9000u) << "the probe of the last round arrived";
  EXPECT_LE(status.cwnd, path.received() + 10 * 1460) << "slow start: an octet for each octet";
}

class MtuProbeLost : public ::testing::TestWithParam<Loss> {};
INSTANTIATE_TEST_SUITE_P(Recoveries, MtuProbeLost,
                         ::testing::Values(Loss::kRack, Loss::kByCount, Loss::kNewReno));

// RFC4821-4-2, 7.6.2-1: the data goes again, in smaller segments, and the window stays.
TEST_P(MtuProbeLost, AloneIsNoCongestion) {
  Path path(config(MtuProbing::kAlways, GetParam()), 1492);
  path.rig.send(1'000'000);
  (void)path.run(1);
  const uint32_t ssthresh = path.rig.status().ssthresh;
  uint32_t cwnd = path.rig.status().cwnd;
  std::vector<uint32_t> sizes;
  while (path.rig.status().mtu_probes_lost == 0) {
    cwnd = path.rig.status().cwnd;
    sizes = path.run(1);
  }
  EXPECT_EQ(path.rig.status().path_mtu, 1400u);
  EXPECT_GE(path.rig.status().cwnd, cwnd);
  EXPECT_THAT(path.run(3), Not(Contains(Ge(1500u))));
  EXPECT_EQ(path.rig.status().ssthresh, ssthresh);
  EXPECT_GE(path.rig.status().cwnd, cwnd);
  EXPECT_GE(path.rig.status().total_retransmissions, 2u) << "more than one segment of 1400";
  EXPECT_EQ(path.rig.status().recovery_phase, RecoveryPhase::kOpen);
  path.rig.send(2'000'000);
  (void)path.run(300);
  EXPECT_EQ(path.rig.status().ssthresh, ssthresh);
  EXPECT_THAT(path.rig.status().path_mtu, AllOf(Ge(1485u), Le(1492u)));
  EXPECT_EQ(path.received(), 3'000'000u);
}

// RFC4821-4-1.
TEST_P(MtuProbeLost, WithAnotherSegmentIsCongestion) {
  Path path(config(MtuProbing::kAlways, GetParam()), 1450);
  path.rig.send(1'000'000);
  (void)path.run(1);
  path.lose_one_of(1400);
  uint32_t cwnd = 0;
  while (path.rig.status().mtu_probes_sent == 0) {
    cwnd = path.rig.status().cwnd;
    (void)path.run(1);
  }
  (void)path.run(3);
  EXPECT_LE(path.rig.status().ssthresh, cwnd);
}

// Its repair is data like any other.
TEST(MtuProbing, LostRepairIsCongestion) {
  RigConfig with = config(MtuProbing::kAlways);
  with.peer_window = 60'000;  // new data goes on behind the repair
  Path path(with, 1450);
  path.rig.send(1'000'000);
  const uint32_t none = path.rig.status().ssthresh;
  while (path.rig.status().mtu_probes_lost == 0) (void)path.run(1);
  EXPECT_EQ(path.rig.status().ssthresh, none);
  path.lose_next(2);
  (void)path.run(6);
  EXPECT_LT(path.rig.status().ssthresh, none);
}

// RFC4821-4-3: a round trip for each segment of the window at least.
TEST(MtuProbing, LossesWithoutAnswerAreRare) {
  Path path(config(MtuProbing::kAlways), 1400);
  path.rig.send(4'000'000);
  uint32_t lost = 0;
  uint32_t segments = 0;  // of the window when the last was lost
  Instant last{};
  for (int i = 0; i < 200; ++i) {
    (void)path.run(1);
    const uint32_t now = path.rig.status().mtu_probes_lost;
    if (now == lost) continue;
    EXPECT_EQ(now, lost + 1);
    if (lost != 0) {
      EXPECT_GE(path.rig.now() - last, segments * 100ms);
    }
    lost = now;
    segments = path.rig.status().cwnd / 1360;
    last = path.rig.now();
  }
  EXPECT_GE(lost, 3u);
}

// RFC4821-7.4-1: what cannot be told from other losses, or would not fit, is not tried.
TEST(MtuProbing, OnlyWhereItsLossWouldShow) {
  {
    Path path(config(MtuProbing::kAlways), 1500);
    path.rig.send(3 * 1360);
    (void)path.run(2);
    path.rig.send(1460 + 2 * 1360);
    (void)path.run(2);
    EXPECT_EQ(path.rig.status().mtu_probes_sent, 0u) << "too little follows";
  }
  RigConfig with = config(MtuProbing::kAlways);
  with.peer_window = 5000;
  Path path(with, 1500);
  path.rig.send(100'000);
  (void)path.run(30);
  EXPECT_EQ(path.rig.status().mtu_probes_sent, 0u) << "beyond the peer's window";
}

// RFC 4821 §7.6.2: a router speaks of the probe; RFC 5927: of nothing that is not in flight.
TEST(MtuProbing, MessageAboutTheProbeEndsTheSearchAbove) {
  Path path(config(MtuProbing::kAlways), 1420);
  path.rig.send(1'000'000);
  (void)path.run(1);
  const uint32_t una = path.rig.snd_una();
  (void)path.rig.sent();
  ASSERT_EQ(path.rig.status().mtu_probes_sent, 1u);
  EXPECT_EQ(path.rig.status().path_mtu, 1400u);
  path.rig.too_big(una, 1420);
  EXPECT_EQ(path.rig.status().path_mtu, 1400u) << "no message raises it, none lowers it below";
  EXPECT_LE(path.rig.status().mtu_search_high, 1420u);
}

// ---------------------------------------------------------------------------------- black holes

// RFC4821-7.7-1: after R1; 7.2-1.
TEST(MtuBlackHole, TimeoutsLowerTheMtu) {
  Path path(config(MtuProbing::kBlackHole), 1200);
  EXPECT_EQ(path.rig.status().path_mtu, 1500u) << "nothing is searched for yet";
  EXPECT_EQ(path.rig.status().mtu_search_low, 0u);
  path.rig.send(100'000);
  (void)path.run(50);  // 5 s: timeouts after 1 and 3 s
  EXPECT_EQ(path.rig.status().path_mtu, 1500u);
  (void)path.run(100);
  EXPECT_EQ(path.received(), 100'000u);
  EXPECT_THAT(path.rig.status().path_mtu, AllOf(Ge(1024u), Le(1200u)));
  path.rig.send(4'000'000);
  (void)path.run(400);
  EXPECT_THAT(path.rig.status().path_mtu, AllOf(Ge(1193u), Le(1200u))) << "and it was raised again";
  EXPECT_EQ(path.received(), 4'100'000u);
  EXPECT_TRUE(path.rig.connection()->take_path_mtu_news()->searched);
}

TEST(MtuBlackHole, OffStays) {
  Path path(config(MtuProbing::kOff), 1200);
  path.rig.send(100'000);
  EXPECT_THAT(path.run(1000), Each(1500u));
  EXPECT_EQ(path.received(), 0u);
}

// RFC4821-7.7-2.
TEST(MtuBlackHole, FurtherTimeoutsHalve) {
  Path path(config(MtuProbing::kBlackHole), 0);
  path.rig.send(100'000);
  std::vector<uint32_t> sizes;
  do {
    for (const std::string& line : path.rig.sent()) {
      uint32_t length = 0;
      if (std::sscanf(line.c_str(), "%*s 1(%u)", &length) == 1) sizes.push_back(length + 40);
    }
  } while (path.rig.next_timer() && path.rig.state() == State::kEstablished);
  // After 0, 1, 3, 7, 15, 31, 63, 127 and 255 s.
  EXPECT_THAT(sizes, ElementsAre(1500, 1500, 1500, 1024, 512, 256, 128, 68, 68));
}

// Found by a world with timestamps and MD5, in which segments of one octet were left.
TEST(MtuBlackHole, OptionsLeaveRoomForData) {
  RigConfig with_options = config(MtuProbing::kBlackHole);
  with_options.options.timestamps = true;
  with_options.peer_timestamps = true;
  Path path(with_options, 0);
  path.rig.send(100'000);
  (void)path.run(3600);
  EXPECT_EQ(path.rig.status().path_mtu, 40u + 12u + 28u);
}

// A small segment that is lost again and again has not met a small MTU.
TEST(MtuBlackHole, SmallSegmentsProveNothing) {
  Path path(config(MtuProbing::kBlackHole), 0);
  path.rig.send(900);
  (void)path.run(600);
  EXPECT_EQ(path.rig.status().path_mtu, 1500u);
  EXPECT_EQ(path.rig.connection()->take_path_mtu_news(), std::nullopt);
}

// An outage is no small MTU: afterwards the first probe finds the old one again.
TEST(MtuBlackHole, OutageIsGotOver) {
  Path path(config(MtuProbing::kBlackHole), 1500);
  path.rig.send(1'000'000);
  (void)path.run(3);
  path.carries(0);
  (void)path.run(300);
  EXPECT_LT(path.rig.status().path_mtu, 1500u);
  path.carries(1500);
  (void)path.run(300);
  EXPECT_EQ(path.received(), 1'000'000u);
  EXPECT_EQ(path.rig.status().path_mtu, 1500u);
}

// The path gets narrower in the middle, without a word; then wide again: found within 10 minutes.
TEST(MtuBlackHole, PathThatChanges) {
  Path path(config(MtuProbing::kBlackHole), 1500);
  path.rig.send(500'000);
  (void)path.run(3);
  path.carries(1280);
  (void)path.run(200);
  EXPECT_EQ(path.received(), 500'000u);
  path.carries(1500);
  path.rig.send(1'000'000);
  (void)path.run(100);
  EXPECT_EQ(path.received(), 1'500'000u);
  (void)path.rig.advance(MtuSearch::kReprobe);
  path.rig.send(1'000'000);
  (void)path.run(100);
  EXPECT_EQ(path.rig.status().path_mtu, 1500u);
}

}  // namespace
}  // namespace tcproctor::tcp
