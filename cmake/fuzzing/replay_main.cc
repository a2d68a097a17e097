// SPDX-License-Identifier: Apache-2.0
// A fuzz target without a fuzzer: replays the seeds, random inputs and seeds with random damage,
// always the same ones. foo_fuzz [INPUTS | FILE…]
#include <cctype>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "cmake/fuzzing/fuzz.h"

namespace {

void run(const std::vector<uint8_t>& input) {
  (void)LLVMFuzzerTestOneInput(input.data(), input.size());
}

std::vector<uint8_t> random_octets(std::mt19937_64& random, size_t size) {
  std::vector<uint8_t> octets(size);
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(random());
  return octets;
}

std::vector<uint8_t> damaged(std::mt19937_64& random, std::vector<uint8_t> octets) {
  for (uint64_t times = random() % 4 + 1; times != 0 && !octets.empty(); --times) {
    const size_t at = random() % octets.size();
    switch (random() % 4) {
      case 0:
        octets.resize(at);
        break;
      case 1:
        octets.insert(octets.begin() + static_cast<long>(at), static_cast<uint8_t>(random()));
        break;
      default:
        octets[at] = static_cast<uint8_t>(random());
        break;
    }
  }
  return octets;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t inputs = 2000;
  if (argc > 1 && std::isdigit(static_cast<unsigned char>(*argv[1])) != 0) {
    inputs = std::strtoull(argv[1], nullptr, 10);
  } else if (argc > 1) {
    for (int i = 1; i < argc; ++i) {
      std::ifstream file(argv[i], std::ios::binary);
      run({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    }
    return 0;
  }
  const auto seeds = tcproctor::packet::fuzz_seeds();
  for (const auto& seed : seeds) run(seed);
  std::mt19937_64 random(1);
  for (uint64_t i = 0; i < inputs; ++i) {
    run(random_octets(random, random() % 400));
    if (!seeds.empty()) run(damaged(random, seeds[i % seeds.size()]));
  }
  std::printf("%zu seeds and %llu random inputs\n", seeds.size(),
              static_cast<unsigned long long>(inputs * (seeds.empty() ? 1 : 2)));
  return 0;
}
