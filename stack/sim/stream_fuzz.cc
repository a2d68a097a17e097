// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/stream.h"

#include "cmake/fuzzing/fuzz.h"
#include "stack/sim/choices.h"

namespace tcproctor::packet {

// Long streams: random ones of a few octets do not get far.
std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    sim::Choices choices(seed);
    std::vector<uint8_t>& bytes = seeds.emplace_back(200 + choices.below(5000));
    for (uint8_t& octet : bytes) octet = static_cast<uint8_t>(choices.below(256));
  }
  return seeds;
}

}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string violation = tcproctor::sim::run_stream({data, size});
  if (!violation.empty()) std::fprintf(stderr, "%s\n", violation.c_str());
  TCPROCTOR_FUZZ_EXPECT(violation.empty());
  return 0;
}
