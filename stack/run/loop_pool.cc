// SPDX-License-Identifier: Apache-2.0
#include "stack/run/loop_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::run {
namespace {

constexpr size_t kMaxLoops = 256;

size_t usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<size_t>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoopPool>> LoopPool::create(size_t count) {
  if (count > kMaxLoops) {
    return absl::InvalidArgumentError(
        absl::StrCat("loops: ", count, " asked for, must be 0 (one per core) to ", kMaxLoops));
  }
  if (count == 0) count = std::min(usable_cores(), kMaxLoops);
  std::unique_ptr<LoopPool> pool(new LoopPool());
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::create();
    if (!loop.ok()) return loop.status();
    pool->loops_.push_back(*std::move(loop));
  }
  for (size_t i = 0; i < count; ++i) {
    pool->threads_.emplace_back([loop = pool->loops_[i].get()] { loop->run(); });
    pthread_setname_np(pool->threads_.back().native_handle(), absl::StrCat("loop-", i).c_str());
  }
  return pool;
}

LoopPool::~LoopPool() {
  stop();
}

void LoopPool::stop() {
  for (const auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tcproctor::run
