// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/checksum.h"

#include <cstring>

#include "stack/packet/byte_order.h"

namespace tcproctor::packet {
namespace {

uint64_t load64(const uint8_t* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// One's complement addition of 64-bit words: the carry comes back in at the bottom. 2^16 - 1
// divides 2^64 - 1, so the sum of 64-bit words folds to the sum of their 16-bit words; and the sum
// of words in the byte order of memory is the byte-swapped sum (RFC 1071 §2).
uint64_t add_carry(uint64_t a, uint64_t b) {
  a += b;
  return a + (a < b ? 1u : 0u);
}

uint64_t sum_range(const uint8_t* from, size_t length) {
  // Two independent chains keep two adders busy; each counts its carries apart.
  uint64_t sum0 = 0, sum1 = 0, carries0 = 0, carries1 = 0;
  for (; length >= 32; from += 32, length -= 32) {
    const uint64_t a = load64(from), b = load64(from + 8);
    const uint64_t c = load64(from + 16), d = load64(from + 24);
    sum0 += a;
    carries0 += sum0 < a ? 1u : 0u;
    sum1 += b;
    carries1 += sum1 < b ? 1u : 0u;
    sum0 += c;
    carries0 += sum0 < c ? 1u : 0u;
    sum1 += d;
    carries1 += sum1 < d ? 1u : 0u;
  }
  uint64_t sum = add_carry(add_carry(sum0, sum1), carries0 + carries1);
  for (; length >= 8; from += 8, length -= 8) sum = add_carry(sum, load64(from));
  // The rest by fixed sizes: a copy of variable length would be a call for the 4 octets that most
  // headers end in.
  if (length >= 4) {
    uint32_t word;
    std::memcpy(&word, from, sizeof word);
    sum = add_carry(sum, word);
    from += 4;
    length -= 4;
  }
  if (length >= 2) {
    uint16_t word;
    std::memcpy(&word, from, sizeof word);
    sum = add_carry(sum, word);
    from += 2;
    length -= 2;
  }
  if (length != 0) sum = add_carry(sum, *from);  // zero follows: the upper half of its word
  return sum;
}

uint16_t fold_to_16(uint64_t sum) {
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace

void Checksum::add_partial(uint64_t partial) {
  sum_ = add_carry(sum_, partial);
}

Checksum& Checksum::add(std::span<const uint8_t> bytes) {
  const uint64_t partial = sum_range(bytes.data(), bytes.size());
  add_partial(odd_ ? __builtin_bswap16(fold_to_16(partial)) : partial);
  odd_ = odd_ != (bytes.size() % 2 != 0);
  return *this;
}

Checksum& Checksum::add_u16(uint16_t value) {
  add_partial(__builtin_bswap16(value));
  return *this;
}

Checksum& Checksum::add_pseudo_header(const IpAddress& source, const IpAddress& destination,
                                      uint8_t protocol, uint32_t length) {
  add(source.bytes());
  add(destination.bytes());
  // The same sum for IPv4 (zero, protocol, 16-bit length) and IPv6 (32-bit length, zeroes, next
  // header).
  add_partial(__builtin_bswap32(length));
  return add_u16(protocol);
}

uint16_t Checksum::fold() const {
  return __builtin_bswap16(fold_to_16(sum_));
}

uint16_t internet_checksum(std::span<const uint8_t> bytes) {
  return Checksum().add(bytes).finish();
}

uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                            std::span<const uint8_t> segment) {
  return Checksum()
      .add_pseudo_header(source, destination, protocol, static_cast<uint32_t>(segment.size()))
      .add(segment)
      .finish();
}

uint16_t update_checksum(uint16_t checksum, uint16_t old_word, uint16_t new_word) {
  uint32_t sum = static_cast<uint16_t>(~checksum);
  sum += static_cast<uint16_t>(~old_word);
  sum += new_word;
  return static_cast<uint16_t>(~fold_to_16(sum));
}

}  // namespace tcproctor::packet
