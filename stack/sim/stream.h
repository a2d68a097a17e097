// SPDX-License-Identifier: Apache-2.0
// The stack driven by a stream of bytes that mixes user calls, segments and time: two hosts whose
// packets are carried, lost, repeated, changed (with right checksums) and made up as the bytes say.
// After each step the checker's invariants hold; what one host may believe of the other is not
// among them, because anybody may have sent anything.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tcproctor::sim {

// What was violated, in words; empty: nothing. Bytes that run out end the run.
std::string run_stream(std::span<const uint8_t> bytes);

}  // namespace tcproctor::sim
