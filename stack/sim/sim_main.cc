// SPDX-License-Identifier: Apache-2.0
// tcproctor_sim [--worlds N] [--seed S] [--trace]: N worlds from seed S on, or worlds until it is
// stopped. Ends with 1 at the first world in which something was violated.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "stack/sim/world.h"
#include "stack/sim/worlds.h"

namespace {

volatile std::sig_atomic_t stopped = 0;

uint64_t number(const char* text) {
  return std::strtoull(text, nullptr, 0);
}

int usage() {
  std::fprintf(stderr, "usage: tcproctor_sim [--worlds N] [--seed S] [--trace] [--keep-going]\n");
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t worlds = UINT64_MAX;
  auto seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  bool trace = false;
  bool keep_going = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--worlds" && i + 1 < argc) {
      worlds = number(argv[++i]);
    } else if (word == "--seed" && i + 1 < argc) {
      seed = number(argv[++i]);
    } else if (word == "--trace") {
      trace = true;
    } else if (word == "--keep-going") {
      keep_going = true;
    } else {
      return usage();
    }
  }
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::signal(SIGTERM, [](int) { stopped = 1; });
  if (trace) {
    tcproctor::sim::Choices choices(seed);
    const auto result = tcproctor::sim::World(choices, [](const std::string& line) {
                          std::puts(line.c_str());
                        }).run();
    std::printf("%s\n%s\n", result.features.c_str(),
                result.violation.empty() ? "nothing violated" : result.violation.c_str());
    return result.violation.empty() ? 0 : 1;
  }
  std::printf("worlds from seed %llu on\n", static_cast<unsigned long long>(seed));
  tcproctor::sim::Worlds all;
  auto told = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < worlds && stopped == 0; ++i) {
    if (!all.run(seed + i)) {
      std::printf("%s\n", all.last_failure().c_str());
      std::fflush(stdout);
      if (!keep_going) break;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - told < std::chrono::seconds(30)) continue;
    told = now;
    std::printf("%s", all.summary().c_str());
    std::fflush(stdout);
  }
  std::printf("%s", all.summary().c_str());
  return all.failures() == 0 ? 0 : 1;
}
