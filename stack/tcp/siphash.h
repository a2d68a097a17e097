// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash behind every number of this stack that
// an outsider must not predict (RFC9293-MUST-9).
#pragma once

#include <cstdint>
#include <span>

namespace tcproctor::tcp {

// 128 secret bits. Whoever makes one takes them from a good source; a fixed one makes a run repeat.
struct Secret {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

uint64_t siphash(const Secret& secret, std::span<const uint8_t> data);

}  // namespace tcproctor::tcp
