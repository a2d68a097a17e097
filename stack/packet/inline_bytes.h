// SPDX-License-Identifier: Apache-2.0
// A short sequence of octets with its storage inside: header options without allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tcproctor::packet {

template <size_t kCapacity>
class InlineBytes {
 public:
  static_assert(kCapacity < 256);
  constexpr InlineBytes() = default;
  // Takes the first kCapacity octets of `bytes`; what is beyond them is dropped, so check first
  // where that matters.
  constexpr explicit InlineBytes(std::span<const uint8_t> bytes) { append(bytes); }

  static constexpr size_t capacity() { return kCapacity; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const uint8_t* data() const { return data_.data(); }
  constexpr std::span<const uint8_t> span() const { return {data_.data(), size_}; }
  constexpr uint8_t operator[](size_t index) const { return data_[index]; }
  constexpr void clear() { size_ = 0; }

  // False, and nothing changed, when there is no room for all of it.
  constexpr bool try_append(std::span<const uint8_t> bytes) {
    if (bytes.size() > kCapacity - size_) return false;
    append(bytes);
    return true;
  }
  constexpr bool try_append(uint8_t byte) { return try_append(std::span<const uint8_t>(&byte, 1)); }

  friend constexpr bool operator==(const InlineBytes& a, const InlineBytes& b) {
    return std::ranges::equal(a.span(), b.span());
  }

 private:
  constexpr void append(std::span<const uint8_t> bytes) {
    const size_t count = std::min(bytes.size(), kCapacity - size_);
    for (size_t i = 0; i < count; ++i) data_[size_ + i] = bytes[i];
    size_ = static_cast<uint8_t>(size_ + count);
  }

  std::array<uint8_t, kCapacity> data_{};
  uint8_t size_ = 0;
};

}  // namespace tcproctor::packet
