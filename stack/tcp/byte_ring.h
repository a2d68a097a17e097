// SPDX-License-Identifier: Apache-2.0
// Octets at offsets from a moving beginning. The storage grows (by doubling) to what is used.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "stack/tcp/check.h"

namespace tcproctor::tcp {

class ByteRing {
 public:
  using View = std::pair<std::span<const uint8_t>, std::span<const uint8_t>>;

  size_t capacity() const { return capacity_; }

  // Copies `bytes` to [offset, offset + size).
  void write(size_t offset, std::span<const uint8_t> bytes) {
    if (bytes.empty()) return;
    reserve(offset + bytes.size());
    const size_t at = index(offset);
    const size_t first = std::min(bytes.size(), capacity_ - at);
    std::memcpy(data_.get() + at, bytes.data(), first);
    std::memcpy(data_.get(), bytes.data() + first, bytes.size() - first);
  }

  // The octets at [offset, offset + length); they must have been written.
  View view(size_t offset, size_t length) const {
    TCPROCTOR_CHECK(offset + length <= capacity_);
    if (length == 0) return {};
    const size_t at = index(offset);
    const size_t first = std::min(length, capacity_ - at);
    return {{data_.get() + at, first}, {data_.get(), length - first}};
  }

  // Moves the beginning forward.
  void consume(size_t length) {
    if (capacity_ != 0) head_ = static_cast<uint32_t>(index(length));
  }

  // Gives the storage back.
  void clear() { *this = ByteRing(); }

 private:
  static constexpr size_t kSmallest = 2048;
  static constexpr size_t kLargest = size_t{1} << 31;

  size_t index(size_t offset) const { return (head_ + offset) & (capacity_ - 1); }

  void reserve(size_t needed) {
    if (needed <= capacity_) return;
    TCPROCTOR_CHECK(needed <= kLargest);
    const size_t grown = std::max(std::bit_ceil(needed), kSmallest);
    auto data = std::make_unique_for_overwrite<uint8_t[]>(grown);
    if (capacity_ != 0) {
      const size_t first = capacity_ - head_;
      std::memcpy(data.get(), data_.get() + head_, first);
      std::memcpy(data.get() + first, data_.get(), head_);
    }
    data_ = std::move(data);
    capacity_ = static_cast<uint32_t>(grown);
    head_ = 0;
  }

  std::unique_ptr<uint8_t[]> data_;
  uint32_t capacity_ = 0;  // a power of two, or 0
  uint32_t head_ = 0;
};

}  // namespace tcproctor::tcp
