// SPDX-License-Identifier: Apache-2.0
// Sequence numbers (RFC 9293 §3.4): a strong type over the space modulo 2^32. There is no operator<
// because there is no total order: two numbers are compared by their distance, which is meaningful
// when it is below 2^31 (RFC9293-3.4-L1).
#pragma once

#include <cstdint>

namespace tcproctor::tcp {

// A number of octets of sequence space (SYN and FIN count one each).
using SeqLength = uint32_t;

class SeqNum {
 public:
  constexpr SeqNum() = default;
  constexpr explicit SeqNum(uint32_t value) : value_(value) {}

  // As on the wire, in host order.
  constexpr uint32_t value() const { return value_; }

  constexpr SeqNum operator+(SeqLength length) const { return SeqNum(value_ + length); }
  constexpr SeqNum operator-(SeqLength length) const { return SeqNum(value_ - length); }
  constexpr SeqNum& operator+=(SeqLength length) {
    value_ += length;
    return *this;
  }
  // Octets from `earlier` to this; only meaningful when `earlier` is not after this.
  constexpr SeqLength operator-(SeqNum earlier) const { return value_ - earlier.value_; }

  friend constexpr bool operator==(SeqNum, SeqNum) = default;

  constexpr bool before(SeqNum other) const {
    return static_cast<int32_t>(value_ - other.value_) < 0;
  }
  constexpr bool after(SeqNum other) const { return other.before(*this); }
  constexpr bool at_or_before(SeqNum other) const { return !other.before(*this); }
  constexpr bool at_or_after(SeqNum other) const { return !before(other); }
  // start <= this < start + length.
  constexpr bool in_window(SeqNum start, SeqLength length) const {
    return value_ - start.value_ < length;
  }

 private:
  uint32_t value_ = 0;
};

constexpr SeqNum later_of(SeqNum a, SeqNum b) {
  return a.before(b) ? b : a;
}
constexpr SeqNum earlier_of(SeqNum a, SeqNum b) {
  return a.before(b) ? a : b;
}

}  // namespace tcproctor::tcp
