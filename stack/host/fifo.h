// SPDX-License-Identifier: Apache-2.0
// A queue that grows to its longest and then allocates nothing more: std::deque allocates anew
// every few entries, for ever.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "stack/tcp/check.h"

namespace tcproctor::host {

// T is default-constructible and movable.
template <class T>
class Fifo {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // Only when not empty().
  const T& front() const {
    TCPROCTOR_CHECK(size_ != 0);
    return ring_[head_];
  }

  void push_back(T value) {
    if (size_ == ring_.size()) grow();
    ring_[(head_ + size_) & (ring_.size() - 1)] = std::move(value);
    ++size_;
  }

  // Only when not empty().
  T pop_front() {
    TCPROCTOR_CHECK(size_ != 0);
    T value = std::exchange(ring_[head_], T());
    head_ = (head_ + 1) & (ring_.size() - 1);
    --size_;
    return value;
  }

 private:
  static constexpr size_t kSmallest = 16;  // a power of two, as every size

  void grow() {
    std::vector<T> larger(ring_.empty() ? kSmallest : 2 * ring_.size());
    for (size_t i = 0; i < size_; ++i) {
      larger[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
    }
    ring_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> ring_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace tcproctor::host
