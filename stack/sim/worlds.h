// SPDX-License-Identifier: Apache-2.0
// Many worlds and what they come to on average.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "stack/sim/world.h"

namespace tcproctor::sim {

class Worlds {
 public:
  // `mutant`: planted in host 0 of every world (World).
  explicit Worlds(uint32_t mutant = 0);
  // The world of `seed`. False: something was violated, see last_failure().
  bool run(uint64_t seed);

  uint64_t ran() const { return ran_; }
  uint64_t counted() const { return counted_; }  // those that moved something
  uint64_t failures() const { return failures_; }
  const std::string& last_failure() const { return last_failure_; }
  const Edges& edges() const { return edges_; }
  // Totals and averages per world, in lines.
  std::string summary() const;

 private:
  const std::chrono::steady_clock::time_point began_;
  const uint32_t mutant_;
  uint64_t ran_ = 0, counted_ = 0, failures_ = 0;
  uint64_t bytes_ = 0, connections_ = 0, segments_ = 0, state_changes_ = 0, edges_per_world_ = 0;
  Faults faults_;
  Edges edges_;
  std::string last_failure_;
};

}  // namespace tcproctor::sim
