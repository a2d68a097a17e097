// SPDX-License-Identifier: Apache-2.0
// The octets that services send. Those of a SOURCE are a pseudo-random stream that anybody can make
// from its seed.
//
// Octet i is octet i mod 8, least significant first, of the number that splitmix64 gives at its
// step i / 8: z = seed + (i / 8 + 1) * 0x9E3779B97F4A7C15; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
// z = (z ^ z >> 27) * 0x94D049BB133111EB; z = z ^ z >> 31 (Steele, Lea, Flood 2014).
#pragma once

#include <cstdint>
#include <span>

namespace tcproctor::server {

// The octets from `offset` on.
void fill_stream(uint64_t seed, uint64_t offset, std::span<uint8_t> out);

// Those of RFC 864's pattern: lines of 72 of the 95 printing characters, line N beginning with
// character N mod 95, each ended by CR LF.
void fill_chargen(uint64_t offset, std::span<uint8_t> out);

}  // namespace tcproctor::server
