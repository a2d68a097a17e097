// SPDX-License-Identifier: Apache-2.0
// What an outsider must not guess or exhaust: SipHash, initial sequence numbers, cookies, the SYN
// cache, the throttle of challenge ACKs.
#include <array>
#include <numeric>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/challenge_ack.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/syn_cache.h"
#include "stack/tcp/syn_cookie.h"

namespace tcproctor::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Secret kSecret{0x0706050403020100, 0x0f0e0d0c0b0a0908};

Instant at(Duration since) {
  return Instant(since);
}

packet::FourTuple tuple(uint16_t port) {
  return {{packet::IpAddress::v4(192, 0, 2, 1), 80}, {packet::IpAddress::v4(192, 0, 2, 2), port}};
}

// The vector of the SipHash paper, appendix A.
TEST(SipHash, PaperVector) {
  std::array<uint8_t, 15> input{};
  std::iota(input.begin(), input.end(), uint8_t{0});
  EXPECT_EQ(siphash(kSecret, input), 0xa129ca6149be45e5u);
}

TEST(InitialSequence, ClockOfFourMicroseconds) {  // RFC9293-MUST-8, RFC6528-3-1
  const SeqNum first = initial_sequence_number(kSecret, at(1s), tuple(1));
  EXPECT_EQ(initial_sequence_number(kSecret, at(1s + 4us), tuple(1)) - first, 1u);
  EXPECT_EQ(initial_sequence_number(kSecret, at(2s), tuple(1)) - first, 250000u);
}

TEST(InitialSequence, DependsOnPairAndSecret) {  // RFC9293-MUST-9, SHLD-1
  const SeqNum first = initial_sequence_number(kSecret, at(1s), tuple(1));
  EXPECT_NE(first, initial_sequence_number(kSecret, at(1s), tuple(2)));
  EXPECT_NE(first, initial_sequence_number({1, 2}, at(1s), tuple(1)));
  EXPECT_NE(timestamp_offset(kSecret, tuple(1)),
            timestamp_offset(kSecret, tuple(2)));  // RFC7323-7-1
  EXPECT_NE(timestamp_offset(kSecret, tuple(1)), first.value() - 250000u);
}

TEST(ChallengeAckLimiter, CountsPerInterval) {  // RFC5961-7-1, 7-2
  ChallengeAckLimiter limiter;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.allow(at(5s), 10, 1s));
  EXPECT_FALSE(limiter.allow(at(5999ms), 10, 1s));
  EXPECT_TRUE(limiter.allow(at(6s), 10, 1s));
  EXPECT_TRUE(limiter.allow(at(6s), 0, 1s));  // no limit
}

TEST(SynCookie, HoldsMssAndAge) {
  const SynCookie cookies(kSecret);
  const SeqNum irs(12345);
  for (const auto& [mss, kept] : {std::pair(1460, 1460), std::pair(1400, 1300), std::pair(536, 536),
                                  std::pair(100, 64), std::pair(1, 64), std::pair(65535, 8960)}) {
    const SeqNum iss = cookies.make(at(100s), tuple(7), irs, static_cast<uint16_t>(mss));
    EXPECT_EQ(cookies.check(at(100s), tuple(7), irs, iss), kept);
    EXPECT_EQ(cookies.check(at(100s + SynCookie::kPeriod), tuple(7), irs, iss), kept);
    EXPECT_EQ(cookies.check(at(100s + 2 * SynCookie::kPeriod), tuple(7), irs, iss), std::nullopt);
    EXPECT_EQ(cookies.check(at(100s), tuple(8), irs, iss), std::nullopt);
    EXPECT_EQ(cookies.check(at(100s), tuple(7), irs + 1, iss), std::nullopt);
    EXPECT_EQ(cookies.check(at(100s), tuple(7), irs, iss + 1), std::nullopt);
    EXPECT_EQ(SynCookie({1, 2}).check(at(100s), tuple(7), irs, iss), std::nullopt);
  }
}

TEST(SynCookie, OptionsInTimestamp) {
  for (uint32_t clock : {0u, 5u, 31u, 32u, 63u, 64u, 0xFFFFFFFFu, 0x80000000u, 123456789u}) {
    for (const auto& [sack, ecn] : {std::pair(false, false), std::pair(true, false),
                                    std::pair(false, true), std::pair(true, true)}) {
      for (int scale = -1; scale <= 14; ++scale) {
        SynCookie::Options options{.sack_permitted = sack, .ecn = ecn};
        if (scale >= 0) options.window_scale = static_cast<uint8_t>(scale);
        const uint32_t value = SynCookie::timestamp_with(clock, options);
        EXPECT_LE(static_cast<int32_t>(value - clock), 0);
        EXPECT_GE(static_cast<int32_t>(value - clock), -64);
        EXPECT_EQ(SynCookie::options_in(value).window_scale, options.window_scale);
        EXPECT_EQ(SynCookie::options_in(value).sack_permitted, sack);
        EXPECT_EQ(SynCookie::options_in(value).ecn, ecn);
      }
    }
  }
}

SynEntry entry(uint64_t id, uint16_t port) {
  SynEntry result;
  result.set_id(id);
  result.local = {192, 0, 2, 1};
  result.remote = {192, 0, 2, 2};
  result.remote_port = port;
  return result;
}

TEST(SynCache, FindsWhatIsIn) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    SynCache cache(kSecret, 64);
    std::set<uint16_t> ports;
    uint64_t id = 1;
    const auto local = packet::IpAddress::v4(192, 0, 2, 1);
    const auto remote = [](uint16_t port) {
      return packet::SocketAddress{packet::IpAddress::v4(192, 0, 2, 2), port};
    };
    for (int step = 0; step < 3000; ++step) {
      const auto port = static_cast<uint16_t>(random() % 200);
      const SynCache::Slot slot = cache.find(local, remote(port));
      EXPECT_EQ(slot != SynCache::kNone, ports.contains(port));
      if (slot != SynCache::kNone) {
        EXPECT_EQ(cache.entry(slot).remote_port, port);
        cache.erase(slot);
        ports.erase(port);
      } else if (!cache.full()) {
        cache.insert(entry(id++, port), at(1s));
        ports.insert(port);
      }
      EXPECT_EQ(cache.size(), ports.size());
    }
    EXPECT_EQ(cache.ids().size(), ports.size());
  }
}

TEST(SynCache, DeadlinesInOrder) {
  SynCache cache(kSecret, 8);
  cache.insert(entry(1, 1), at(3s));
  const auto second = cache.insert(entry(2, 2), at(1s));
  cache.insert(entry(3, 3), at(2s));
  EXPECT_EQ(cache.next_deadline(), at(1s));
  cache.erase(second);
  EXPECT_EQ(cache.next_deadline(), at(2s));
  EXPECT_EQ(cache.take_expired(at(1999ms)), SynCache::kNone);
  EXPECT_EQ(cache.entry(cache.take_expired(at(5s))).id, 3u);
  EXPECT_EQ(cache.entry(cache.take_expired(at(5s))).id, 1u);
  EXPECT_EQ(cache.take_expired(at(5s)), SynCache::kNone);
}

TEST(SynCache, EntriesAreSmall) {  // S001-syn-2
  EXPECT_LE(sizeof(SynEntry), 64u);
  EXPECT_LE(SynCache::bytes_per_entry(), 80u);
}

}  // namespace
}  // namespace tcproctor::tcp
