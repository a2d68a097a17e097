// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/hunt.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "stack/mutants/planted.h"
#include "stack/sim/world.h"

namespace tcproctor::sim {
namespace {

// Of one world; more is a hang.
constexpr unsigned kMostSeconds = 60;

constexpr int kFound = 1;

// The child's part.
[[noreturn]] void run(const std::string& mutant, uint32_t number, uint64_t worlds, uint64_t seed) {
  for (uint64_t i = 0; i < worlds; ++i) {
    alarm(kMostSeconds);
    Choices choices(seed + i);
    const WorldResult result = World(choices, nullptr, number).run();
    if (result.violation.empty()) continue;
    const std::string what = result.violation.substr(0, result.violation.find('\n'));
    std::printf("found    %s in world %llu: %s\n", mutant.c_str(),
                static_cast<unsigned long long>(i + 1), what.c_str());
    std::fflush(stdout);
    _exit(kFound);
  }
  _exit(0);
}

}  // namespace

size_t hunt(const std::vector<std::string>& mutants, uint64_t worlds, uint64_t seed) {
  size_t escaped = 0;
  for (const std::string& mutant : mutants) {
    const uint32_t number = mutants::number_of(mutant);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) run(mutant, number, worlds, seed);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
      std::perror("tcproctor_sim");
      return mutants.size();
    }
    if (WIFSIGNALED(status)) {
      std::printf("%s %s\n", WTERMSIG(status) == SIGALRM ? "hung    " : "crashed ", mutant.c_str());
    } else if (WEXITSTATUS(status) == 0) {
      ++escaped;
      std::printf("ESCAPED  %s: %llu worlds\n", mutant.c_str(),
                  static_cast<unsigned long long>(worlds));
    }
  }
  std::printf("%zu of %zu mutants found\n", mutants.size() - escaped, mutants.size());
  return escaped;
}

}  // namespace tcproctor::sim
