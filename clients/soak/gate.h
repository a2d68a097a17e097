// SPDX-License-Identifier: Apache-2.0
// Lets one thread stop a number of others between two steps of theirs, and go on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace tcproctor::soak {

class Gate {
 public:
  // `passers`: how many threads call pass(), until they leave().
  explicit Gate(size_t passers) : passers_(passers) {}

  // Of those others, between two steps: waits while the gate is shut.
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !shut_; });
    --waiting_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --passers_;
    changed_.notify_all();
  }

  // Returns when all of them wait.
  void shut() {
    std::unique_lock lock(mutex_);
    shut_ = true;
    changed_.wait(lock, [this] { return waiting_ == passers_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    shut_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t passers_;
  size_t waiting_ = 0;
  bool shut_ = false;
};

}  // namespace tcproctor::soak
