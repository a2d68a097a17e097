// SPDX-License-Identifier: Apache-2.0
// Numbers a connection starts with, from its name and a secret.
#pragma once

#include <cstdint>

#include "stack/packet/address.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// ISN = M + F(local, remote, secret): M is a clock of 4 µs (RFC 6528 §3; RFC9293-MUST-8, MUST-9,
// SHLD-1). Never negative `now`.
SeqNum initial_sequence_number(const Secret& secret, Instant now, const packet::FourTuple& tuple);

// Random start of the TSval clock of one socket pair (RFC 7323 §7). The same for every incarnation
// of the pair, so that TSval stays monotonic across them, which RFC 6191 lives on.
uint32_t timestamp_offset(const Secret& secret, const packet::FourTuple& tuple);

// TSval at `now`: milliseconds plus the offset (RFC 7323 §5.4 allows 1 ms .. 1 s a tick).
uint32_t timestamp_value(Instant now, uint32_t offset);

}  // namespace tcproctor::tcp
