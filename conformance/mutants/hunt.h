// SPDX-License-Identifier: Apache-2.0
// Is the suite sharp? Every mutant of our stack is planted in the examined end, and the cases that
// come past its place are run in virtual time until one fails that passes on the sound stack.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "conformance/catalog/mutants.h"
#include "conformance/runner/library.h"

namespace tcproctor::conformance {

// How a mutant ended.
enum class Fate : uint8_t {
  kKilled,      // a case saw a violation, or lost its session
  kCrashed,     // the daemon died of it
  kTimedOut,    // a case did not come to its end
  kSurvived,    // no case saw it
  kNotReached,  // no case comes past its place
};
std::string_view fate_name(Fate fate);
constexpr bool is_dead(Fate fate) {
  return fate != Fate::kSurvived && fate != Fate::kNotReached;
}

struct Kill {
  std::string case_id;
  std::string clause;
  Fate by = Fate::kKilled;
  std::string reason;
};

struct MutantOutcome {
  Mutant mutant;
  Fate fate = Fate::kSurvived;
  std::vector<Kill> kills;  // the first one, or all that were asked for
  size_t reaching = 0;      // cases that come past its place
  size_t ran = 0;           // of them
  double seconds = 0;
};

// A case on the sound stack.
struct CaseFacts {
  std::string id;
  bool sound = false;  // it passes, so it can kill
  std::string reason;  // why not
  double seconds = 0;
  size_t reaches = 0;  // mutants
};

struct HuntReport {
  std::vector<MutantOutcome> mutants;  // in the order of the catalogue
  std::vector<CaseFacts> cases;        // by id
  bool all = false;                    // every reaching case was run, not only up to the first kill
  bool interrupted = false;
  uint64_t seed = 0;
  double seconds = 0;
};

struct HuntOptions {
  // A channel to a daemon built with mutants, for worker 0, 1, …; `again`: the last one it had has
  // ended or hangs. Called on the thread that called hunt().
  std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(size_t worker, bool again)> daemon;
  std::string cases;    // globs, as for `run`; empty: all
  std::string mutants;  // the same over ids of mutants
  size_t jobs = 2;      // workers
  bool all = false;
  uint64_t seed = 1;
  // Real time of a session after which a mutant counts as hanging.
  absl::Duration patience = absl::Seconds(20);
  std::function<bool()> cancelled;
};

// `sink` is called on the calling thread for each mutant as it is done, in no order.
// INVALID_ARGUMENT: globs that select nothing; FAILED_PRECONDITION: the daemon has no mutants, or
// no case is sound.
absl::StatusOr<HuntReport> hunt(const Library& library, const HuntOptions& options,
                                const std::function<void(const MutantOutcome&)>& sink);

// The mutants of the catalogue built into the binary.
absl::StatusOr<std::vector<Mutant>> load_mutants();

}  // namespace tcproctor::conformance
