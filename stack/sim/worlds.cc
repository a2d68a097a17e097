// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/worlds.h"

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tcproctor::sim {
namespace {

// The world at hand, for the handler of a crash.
uint64_t current_seed = 0;

void tell_seed(int signal) {
  char text[64] = "crashed in the world of seed ";
  size_t length = 29;
  char digits[20];
  size_t count = 0;
  uint64_t rest = current_seed;
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
  } while ((rest /= 10) != 0);
  while (count != 0) text[length++] = digits[--count];
  text[length++] = '\n';
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, length);
  std::signal(signal, SIG_DFL);
  (void)std::raise(signal);
}

}  // namespace

Worlds::Worlds(uint32_t mutant) : began_(std::chrono::steady_clock::now()), mutant_(mutant) {
  std::signal(SIGABRT, tell_seed);
  std::signal(SIGSEGV, tell_seed);
}

bool Worlds::run(uint64_t seed) {
  current_seed = seed;
  const WorldResult result = run_world(seed, mutant_);
  ++ran_;
  bytes_ += result.bytes;
  connections_ += result.connections;
  segments_ += result.segments;
  state_changes_ += result.state_changes;
  edges_per_world_ += result.edges.count();
  edges_ |= result.edges;
  faults_ += result.faults;
  if (result.bytes != 0) ++counted_;
  if (result.violation.empty()) return true;
  ++failures_;
  last_failure_ = absl::StrCat("seed ", seed, ": ", result.violation);
  return false;
}

std::string Worlds::summary() const {
  const auto each = [this](uint64_t sum) {
    return static_cast<double>(sum) / static_cast<double>(std::max<uint64_t>(ran_, 1));
  };
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  return absl::StrFormat(
      "%d worlds in %.1f s (%.0f/s), %d of them moved something, %d violations\n"
      "per world: %.0f octets delivered, %.2f connections closed by both users, %.0f segments, "
      "%.1f changes of state over %.1f edges (%d different edges in all)\n"
      "  faults %.1f: lost %.1f duplicated %.1f reordered %.1f corrupted %.1f too big %.1f "
      "vanished %.1f overflowed %.1f outage %.1f marked %.1f\n",
      ran_, seconds, static_cast<double>(ran_) / seconds, counted_, failures_, each(bytes_),
      each(connections_), each(segments_), each(state_changes_), each(edges_per_world_),
      edges_.count(), each(faults_.total()), each(faults_.lost), each(faults_.duplicated),
      each(faults_.reordered), each(faults_.corrupted), each(faults_.too_big),
      each(faults_.vanished), each(faults_.overflowed), each(faults_.unreachable),
      each(faults_.marked));
}

}  // namespace tcproctor::sim
