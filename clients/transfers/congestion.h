// SPDX-License-Identifier: Apache-2.0
// Congestion control at work: our stack beside the kernel as sender, each to a kernel, over the
// same wire with the same seed.
#pragma once

#include <cstdint>
#include <ostream>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"

namespace tcproctor::transfers {

enum class Path : uint8_t {
  kLossy,       // 1 % loss, 20 ms round trip
  kBottleneck,  // 20 Mbit/s, 40 ms round trip and a queue of that much
};

// Goodput at 1 % loss and 20 ms round trip, in turns: our stack's as sender and as receiver, and
// between two kernels. Prints each round, the medians, and ours divided by the kernels'.
absl::Status compare_goodput(const client::Client& client, uint32_t rounds, uint64_t bytes,
                             uint64_t seed, std::ostream& out);

// Transfers over that path: Reno and CUBIC of ours, CUBIC of the kernel. CSV with a line of names.
absl::Status trace_congestion(const client::Client& client, Path path, absl::Duration time,
                              uint64_t seed, std::ostream& csv);

}  // namespace tcproctor::transfers
