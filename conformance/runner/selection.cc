// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/selection.h"

#include <algorithm>
#include <array>
#include <random>

#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kMaxJobs = 64;
constexpr uint32_t kMaxRepeat = 1000;
// Strongest first.
constexpr std::array<std::string_view, 3> kLevels = {"must", "should", "may"};
constexpr std::array<std::string_view, 3> kOrders = {"id", "level", "random"};

size_t level_rank(std::string_view level) {
  return static_cast<size_t>(std::find(kLevels.begin(), kLevels.end(), level) - kLevels.begin());
}

// Empty is what the option is when it was not given.
template <size_t n>
absl::Status check_word(std::string_view option, const std::string& word,
                        const std::array<std::string_view, n>& words) {
  if (word.empty() || std::find(words.begin(), words.end(), word) != words.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(cat(option, ": \"", word, "\" is none of ", join(words, ", ")));
}

absl::Status check_targets(const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    if (!is_target(target)) {
      return absl::InvalidArgumentError(
          cat("unknown target \"", target, "\": one of ", join(all_targets(), ", ")));
    }
    if (std::count(targets.begin(), targets.end(), target) > 1) {
      return absl::InvalidArgumentError(cat("the target \"", target, "\" was given twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status check_options(const RunOptions& options) {
  if (options.jobs > kMaxJobs) {
    return absl::InvalidArgumentError(cat("jobs: ", options.jobs, " is above ", kMaxJobs));
  }
  if (options.repeat > kMaxRepeat) {
    return absl::InvalidArgumentError(cat("repeat: ", options.repeat, " is above ", kMaxRepeat));
  }
  const bool whole = options.shard == 0 && options.shards == 0;
  if (!whole && (options.shard == 0 || options.shard > options.shards)) {
    return absl::InvalidArgumentError(cat("shard ", options.shard, " of ", options.shards,
                                          ": the first is 1, the last the number of shards"));
  }
  if (options.endpoint && std::count(options.targets.begin(), options.targets.end(),
                                     std::string(kTargetVirtual)) != 0) {
    return absl::InvalidArgumentError(
        cat("the target \"", kTargetVirtual, "\" lives in the memory of one machine"));
  }
  absl::Status status = check_targets(options.targets);
  if (status.ok()) status = check_word("level", options.level, kLevels);
  if (status.ok()) status = check_word("order", options.order, kOrders);
  return status;
}

void put_in_order(std::vector<WorkItem>& items, const std::string& order, uint64_t seed) {
  if (order == "random") {
    std::mt19937_64 random(seed);
    std::shuffle(items.begin(), items.end(), random);
  } else if (order == "level") {
    std::stable_sort(items.begin(), items.end(), [](const WorkItem& a, const WorkItem& b) {
      return level_rank(a.test_case->head.level) < level_rank(b.test_case->head.level);
    });
  }
}

}  // namespace

absl::StatusOr<std::vector<WorkItem>> select_work(const Library& library, const RunOptions& options,
                                                  uint64_t seed) {
  const absl::Status status = check_options(options);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<const Case*>> cases = select_cases(library, options.filter);
  if (!cases.ok()) return cases.status();
  const size_t weakest = options.level.empty() ? kLevels.size() : level_rank(options.level);
  std::vector<WorkItem> all;
  std::vector<std::string> targets = options.targets.empty() ? all_targets() : options.targets;
  if (options.endpoint) std::erase(targets, kTargetVirtual);
  for (const std::string& target : targets) {
    for (const Case* test_case : *cases) {
      if (level_rank(test_case->head.level) > weakest) continue;
      if (runs_on(*test_case, target)) all.push_back({test_case, target, 1, seed});
    }
  }
  if (all.empty()) {
    return absl::InvalidArgumentError(
        "none of the selected cases runs on the selected targets at that level");
  }
  std::vector<WorkItem> items;
  for (uint32_t repetition = 1; repetition <= std::max(options.repeat, 1U); ++repetition) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (options.shards != 0 && i % options.shards != options.shard - 1) continue;
      items.push_back({all[i].test_case, all[i].target, repetition, seed + repetition - 1});
    }
  }
  if (items.empty()) {
    return absl::InvalidArgumentError(cat("shard ", options.shard, " of ", options.shards,
                                          " is empty: only ", all.size(), " results are selected"));
  }
  put_in_order(items, options.order, seed);
  return items;
}

}  // namespace tcproctor::conformance
