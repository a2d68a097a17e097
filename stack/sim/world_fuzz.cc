// SPDX-License-Identifier: Apache-2.0
// A whole world whose every choice comes from the fuzzer's bytes.
#include "cmake/fuzzing/fuzz.h"
#include "stack/sim/world.h"

namespace tcproctor::packet {

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Choices choices(seed);
    std::vector<uint8_t>& bytes = seeds.emplace_back(3000);
    for (uint8_t& octet : bytes) octet = static_cast<uint8_t>(choices.below(256));
  }
  return seeds;
}

}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tcproctor::sim::Choices choices(std::span<const uint8_t>(data, size));
  const tcproctor::sim::WorldResult result = tcproctor::sim::World(choices).run();
  if (!result.violation.empty()) std::fprintf(stderr, "%s\n", result.violation.c_str());
  TCPROCTOR_FUZZ_EXPECT(result.violation.empty());
  return 0;
}
