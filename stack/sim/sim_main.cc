// SPDX-License-Identifier: Apache-2.0
// tcproctor_sim [--worlds N] [--seed S] [--trace] [--mutant ID]: N worlds from seed S on, or worlds
// until it is stopped. Ends with 1 at the first world in which something was violated.
// tcproctor_sim --hunt ID… [--worlds N] [--seed S]: plants each mutant and says in which world it
// is found; ends with 1 when one escapes. Needs a build with mutants.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"

#include "stack/mutants/planted.h"
#include "stack/sim/hunt.h"
#include "stack/sim/world.h"
#include "stack/sim/worlds.h"

namespace {

volatile std::sig_atomic_t stopped = 0;

uint64_t number(const char* text) {
  return std::strtoull(text, nullptr, 0);
}

// 0, and a complaint, if there is none of that name.
uint32_t known_mutant(const char* id) {
  const uint32_t number = tcproctor::mutants::number_of(id);
  if (number == 0) {
    std::fprintf(stderr, "tcproctor_sim: this build has no mutant %s%s\n", id,
                 tcproctor::mutants::names().empty() ? "; build the preset mutants" : "");
  }
  return number;
}

int usage() {
  std::fprintf(
      stderr,
      "usage: tcproctor_sim [--worlds N] [--seed S] [--trace] [--keep-going] [--mutant ID]\n"
      "       tcproctor_sim --hunt ID,... [--worlds N] [--seed S]\n");
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t worlds = UINT64_MAX;
  auto seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  bool trace = false;
  bool keep_going = false;
  uint32_t mutant = 0;
  std::vector<std::string> hunted;
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
    } else if (word == "--mutant" && i + 1 < argc) {
      mutant = known_mutant(argv[++i]);
      if (mutant == 0) return 3;
    } else if (word == "--hunt" && i + 1 < argc) {
      hunted = absl::StrSplit(argv[++i], ',');
      for (const std::string& id : hunted) {
        if (known_mutant(id.c_str()) == 0) return 3;
      }
    } else {
      return usage();
    }
  }
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::signal(SIGTERM, [](int) { stopped = 1; });
  if (!hunted.empty()) {
    const uint64_t most = worlds == UINT64_MAX ? 2000 : worlds;
    return tcproctor::sim::hunt(hunted, most, seed) == 0 ? 0 : 1;
  }
  if (trace) {
    tcproctor::sim::Choices choices(seed);
    const auto result =
        tcproctor::sim::World(
            choices, [](const std::string& line) { std::puts(line.c_str()); }, mutant)
            .run();
    std::printf("%s\n%s\n", result.features.c_str(),
                result.violation.empty() ? "nothing violated" : result.violation.c_str());
    return result.violation.empty() ? 0 : 1;
  }
  std::printf("worlds from seed %llu on\n", static_cast<unsigned long long>(seed));
  tcproctor::sim::Worlds all(mutant);
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
