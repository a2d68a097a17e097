// SPDX-License-Identifier: Apache-2.0
// SYN cookies (RFC 4987 §3.6): an ISS that holds what a SYN cache entry would, under a keyed hash.
//   5 bits of a 64-second clock | 3 bits of MSS index | 24 bits of hash
// Window scale, SACK-permitted and ECN travel in the low bits of our TSval, which the peer echoes;
// without timestamps they are given up.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/packet/address.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class SynCookie {
 public:
  // A cookie is good for one to two of these.
  static constexpr Duration kPeriod = std::chrono::seconds(64);

  explicit SynCookie(const Secret& secret) : secret_(secret) {}

  // ISS for the SYN `irs` of this pair; `peer_mss` is rounded down to one of eight values.
  SeqNum make(Instant now, const packet::FourTuple& tuple, SeqNum irs, uint16_t peer_mss) const;
  // The MSS, when `iss` is a cookie of ours for this pair and `irs`, and not too old.
  std::optional<uint16_t> check(Instant now, const packet::FourTuple& tuple, SeqNum irs,
                                SeqNum iss) const;

  struct Options {
    std::optional<uint8_t> window_scale;  // of the peer, 0..14
    bool sack_permitted = false;
    bool ecn = false;  // asked for and granted
  };
  // A TSval at or shortly before `ts_value` that holds `options`.
  static uint32_t timestamp_with(uint32_t ts_value, const Options& options);
  static Options options_in(uint32_t ts_value);

 private:
  uint32_t hash(const packet::FourTuple& tuple, SeqNum irs, uint32_t clock, uint32_t index) const;

  Secret secret_;
};

}  // namespace tcproctor::tcp
