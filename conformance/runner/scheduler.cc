// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/scheduler.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace tcproctor::conformance {
namespace {

constexpr absl::Duration kBetweenTellings = absl::Milliseconds(200);

class Pool {
 public:
  Pool(const std::vector<std::function<CaseOutcome()>>& items,
       const std::function<bool()>& cancelled)
      : items_(items), cancelled_(cancelled), outcomes_(items.size()) {}

  void work() {
    while (true) {
      size_t index = 0;
      {
        absl::MutexLock lock(&mutex_);
        if (next_ >= items_.size() || stopped_) return;
        if (cancelled_ && cancelled_()) {
          stopped_ = true;
          return;
        }
        index = next_++;
      }
      CaseOutcome outcome = items_[index]();
      absl::MutexLock lock(&mutex_);
      outcomes_[index] = std::move(outcome);
      ++done_;
    }
  }

  // The outcome of an item; none if it was never begun. Tells meanwhile how many have ended.
  std::optional<CaseOutcome> wait(size_t index, const std::function<void(size_t)>& progress) {
    while (true) {
      std::optional<CaseOutcome> outcome;
      size_t done = 0;
      bool there = false;
      {
        absl::MutexLock lock(&mutex_);
        const auto settled = [&] {
          return outcomes_[index].has_value() || (stopped_ && index >= next_);
        };
        there = mutex_.AwaitWithDeadline(absl::Condition(&settled), told_ + kBetweenTellings);
        if (there) outcome = std::exchange(outcomes_[index], std::nullopt);
        done = done_;
      }
      const absl::Time now = absl::Now();
      if (progress && now >= told_ + kBetweenTellings) {
        told_ = now;
        progress(done);
      }
      if (there) return outcome;
    }
  }

 private:
  const std::vector<std::function<CaseOutcome()>>& items_;
  const std::function<bool()>& cancelled_;
  absl::Time told_ = absl::Now();  // of who waits
  absl::Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::optional<CaseOutcome>> outcomes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

size_t run_in_order(const std::vector<std::function<CaseOutcome()>>& items, size_t jobs,
                    const ScheduleHooks& hooks) {
  Pool pool(items, hooks.cancelled);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(jobs, items.size()); ++i) {
    threads.emplace_back([&pool] { pool.work(); });
  }
  size_t count = 0;
  for (size_t index = 0; index < items.size(); ++index) {
    std::optional<CaseOutcome> outcome = pool.wait(index, hooks.progress);
    if (!outcome.has_value()) break;
    ++count;
    hooks.sink(*std::move(outcome));
  }
  for (std::thread& thread : threads) thread.join();
  return count;
}

}  // namespace tcproctor::conformance
