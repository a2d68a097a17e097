// SPDX-License-Identifier: Apache-2.0
// 2,000 worlds by a printed seed; 300 under a sanitizer, which takes about ten times as long.
// TCPROCTOR_SIM_SEED chooses another one.
#include <gtest/gtest.h>

#include <cstdlib>

#include "stack/sim/worlds.h"

namespace tcproctor::sim {
namespace {

uint64_t first_seed() {
  const char* const given = std::getenv("TCPROCTOR_SIM_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 0);
}

TEST(SimWorlds, NothingIsViolated) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr uint64_t kWorlds = 300;
#else
  constexpr uint64_t kWorlds = 2000;
#endif
  const uint64_t seed = first_seed();
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed + kWorlds - 1));
  Worlds worlds;
  for (uint64_t i = 0; i < kWorlds; ++i) {
    ASSERT_TRUE(worlds.run(seed + i)) << worlds.last_failure();
  }
  std::printf("%s", worlds.summary().c_str());
  EXPECT_GE(worlds.counted(), kWorlds * 9 / 10) << "worlds that move nothing show nothing";
  for (size_t from = 0; from < 11; ++from) {
    for (size_t to = 0; to < 11; ++to) {
      const auto a = static_cast<tcp::State>(from);
      const auto b = static_cast<tcp::State>(to);
      if (!Checker::is_edge(a, b) || worlds.edges().test(from * 11 + to)) continue;
      std::printf("not taken: %s -> %s\n", std::string(to_string(a)).c_str(),
                  std::string(to_string(b)).c_str());
    }
  }
}

TEST(SimWorlds, SeedRepeatsExactly) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const WorldResult first = run_world(seed);
    const WorldResult second = run_world(seed);
    EXPECT_EQ(first.digest, second.digest) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    EXPECT_EQ(first.time, second.time) << "seed " << seed;
  }
  EXPECT_NE(run_world(1).digest, run_world(2).digest);
}

}  // namespace
}  // namespace tcproctor::sim
