// SPDX-License-Identifier: Apache-2.0
// For libFuzzer: writes the seeds into the folder $TCPROCTOR_FUZZ_SEEDS, which is given to it as
// its corpus.
#include <fstream>
#include <string>

#include "cmake/fuzzing/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const folder = std::getenv("TCPROCTOR_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  int number = 0;
  for (const std::vector<uint8_t>& seed : tcproctor::packet::fuzz_seeds()) {
    std::ofstream file(std::string(folder) + "/seed-" + std::to_string(number++), std::ios::binary);
    for (const uint8_t octet : seed) file.put(static_cast<char>(octet));
  }
  return 0;
}
