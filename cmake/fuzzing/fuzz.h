// SPDX-License-Identifier: Apache-2.0
// A fuzz target foo_fuzz.cc defines these two. With clang's -fsanitize=fuzzer (preset `fuzz`)
// libFuzzer calls the first; in all other builds replay_main.cc does, with inputs made of the
// seeds, so that every target is compiled and runs in ctest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

// One input. Whatever is wrong ends the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace tcproctor::packet {

// Inputs to begin with: well-formed ones, and those that once found something.
std::vector<std::vector<uint8_t>> fuzz_seeds();

}  // namespace tcproctor::packet

// Unlike assert() also in release builds.
#define TCPROCTOR_FUZZ_EXPECT(condition)                                                  \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
