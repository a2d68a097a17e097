// SPDX-License-Identifier: Apache-2.0
// The conformance suite as seen by those who use it: the `tcproctor` command and the daemon's Suite
// service. Everything goes over gRPC; nothing here needs rights or links the stack.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "conformance/runner/foreign_checks.h"
#include "conformance/runner/on_wrong_case.h"
#include "conformance/runner/result.h"
#include "tcproctor/v1/suite.pb.h"

namespace tcproctor::conformance {

// How far a run is.
struct Progress {
  size_t done = 0;
  size_t total = 0;
  absl::Duration elapsed;
  absl::Duration left;  // guessed from the cases so far; zero before the first has ended
};

struct RunOptions {
  // The daemon: Sessions, Drive and Wire are used. Required.
  std::shared_ptr<grpc::Channel> channel;
  // Another daemon, where the examined TCP is: `channel` is then the wire's. Null: one for both.
  // There is no stack-virtual then, and one session at a time.
  std::shared_ptr<grpc::Channel> endpoint;
  // Globs over case ids (`*`, `?`), comma separated; "-" before one excludes. Empty = all.
  std::string filter;
  // Of kernel, stack, stack-virtual. Empty = all three.
  std::vector<std::string> targets;
  // must: only cases of that level; should: must and should; may or empty: all.
  std::string level;
  // Only the shard-th of so many parts of the selected results (1..shards); 0 of 0 = all. The parts
  // together are the whole, whatever machine runs them.
  uint32_t shard = 0;
  uint32_t shards = 0;
  // Each case so often on each target, with the seed that follows; 1..1000, 0 = once.
  uint32_t repeat = 0;
  // id: by target, then by id; level: musts first; random: shuffled by the seed. Empty = id.
  std::string order;
  // A known deviation of the ledger is a violation.
  bool strict = false;
  // After the first result that turns the run red no further case is begun.
  bool fail_fast = false;
  // Violations of an earlier run, which do not make this one red.
  std::set<Violation> known;
  // Sessions side by side, 1..64; 0 = chosen (8).
  uint32_t jobs = 0;
  // Run cases and clauses marked slow as well.
  bool slow = false;
  // In scripts of packetdrill's dialect.
  ForeignChecks foreign;
  // Of every random choice; 0 = drawn and reported.
  uint64_t seed = 0;
  // Real time that a session of a case may take at most; zero = 2 min, with `slow` 20 min.
  absl::Duration watchdog = absl::ZeroDuration();
  // A capture per case is written here (the folder is made); empty = none.
  std::string pcap_dir;
  // Asked between cases and between statements; true ends the run early with what is done.
  std::function<bool()> cancelled;
  // Told a few times a second, from the calling thread.
  std::function<void(const Progress&)> progress;
};

class Suite {
 public:
  ~Suite();
  Suite(Suite&&) noexcept;
  Suite& operator=(Suite&&) noexcept;

  // The cases, the catalogue and the ledger. An empty folder name = those built into the binary;
  // else every *.pkt below the folder (and its deviations.csv if it has one).
  // INVALID_ARGUMENT: a case is wrong; the message holds file:line:column, the line and a caret for
  // every error found. With kKeep such a case is an ERROR with that message when it is run.
  static absl::StatusOr<Suite> load(const std::string& cases_dir = "",
                                    OnWrongCase on_wrong = OnWrongCase::kRefuse);
  // The cases and scripts in these files instead.
  static absl::StatusOr<Suite> load_files(const std::vector<std::string>& files,
                                          OnWrongCase on_wrong = OnWrongCase::kRefuse);

  // The cases that the filter selects, sorted by id. INVALID_ARGUMENT: a glob that selects nothing.
  absl::StatusOr<std::vector<v1::CaseInfo>> list(std::string_view filter) const;

  // Runs the cases. `sink` is called from the calling thread for each result, in the order of the
  // report, as soon as it and all before it are there. Misuse (unknown target, filter that selects
  // nothing) is INVALID_ARGUMENT; everything else is in the report, exit status included.
  absl::StatusOr<RunReport> run(const RunOptions& options,
                                const std::function<void(const CaseOutcome&)>& sink) const;

  // Runs one case on one target (slow clauses included) and returns its outcome with the ladder.
  // NOT_FOUND: no such case; INVALID_ARGUMENT: no such target, or not one of the case's.
  absl::StatusOr<CaseOutcome> explain(const RunOptions& options, const std::string& case_id,
                                      const std::string& target) const;

  // The same for the case's own description, without running it.
  absl::StatusOr<v1::CaseInfo> info(const std::string& case_id) const;

 private:
  struct Impl;
  explicit Suite(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tcproctor::conformance
