// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071) of IPv4 headers, TCP (RFC 9293 §3.1) and ICMP. Values are in
// host order: what finish() returns is stored with store_be16.
#pragma once

#include <cstdint>
#include <span>

#include "stack/packet/address.h"

namespace tcproctor::packet {

// A one's complement sum over pieces in order. A piece may have odd length: the next one goes on in
// the other half of the 16-bit word, as if the pieces were one.
class Checksum {
 public:
  Checksum& add(std::span<const uint8_t> bytes);
  // One 16-bit word. Only while the octets added so far are even in number.
  Checksum& add_u16(uint16_t value);
  // RFC 9293 §3.1 (IPv4, 12 octets) or RFC 8200 §8.1 (IPv6, 40 octets), by the family of `source`.
  // `length`: octets of the upper-layer header and data together.
  Checksum& add_pseudo_header(const IpAddress& source, const IpAddress& destination,
                              uint8_t protocol, uint32_t length);

  // The sum folded to 16 bits, not complemented: what a checksum field holds before an offloading
  // device finishes it.
  uint16_t fold() const;
  // The checksum: the complement of fold().
  uint16_t finish() const { return static_cast<uint16_t>(~fold()); }

 private:
  void add_partial(uint64_t partial);

  uint64_t sum_ = 0;  // in the byte order of memory; swapped once by fold()
  bool odd_ = false;  // an odd number of octets was added so far
};

// The checksum of one range. Over a range that contains a correct checksum it is 0.
uint16_t internet_checksum(std::span<const uint8_t> bytes);

// The checksum over pseudo-header and `segment` (TCP header, options, data; ICMPv6 message) as it
// stands: 0 when the checksum within is correct; with a zeroed field, the value to store there.
uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                            std::span<const uint8_t> segment);

// The new checksum after one 16-bit word it covers changed (RFC 1624, equation 3).
uint16_t update_checksum(uint16_t checksum, uint16_t old_word, uint16_t new_word);

}  // namespace tcproctor::packet
