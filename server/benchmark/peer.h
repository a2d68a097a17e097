// SPDX-License-Identifier: Apache-2.0
// The kernel as the peer of a contestant, which also measures it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace tcproctor::server::benchmark {

// "In" and "out" as the contestant sees it.
enum class Quantity : uint8_t { kBulkIn, kBulkOut, kConnect, kPingPong };

struct QuantityName {
  Quantity quantity;
  const char* id;     // in options and in JSON
  const char* title;  // with the unit
  bool more_is_better;
};
inline constexpr std::array<QuantityName, 4> kQuantities = {{
    {Quantity::kBulkIn, "bulk_in_gbit_per_s", "bulk in, Gbit/s", true},
    {Quantity::kBulkOut, "bulk_out_gbit_per_s", "bulk out, Gbit/s", true},
    {Quantity::kConnect, "connect_close_64_per_s", "connect+close, 64 in flight, /s", true},
    {Quantity::kPingPong, "ping_pong_p50_us", "1-octet ping-pong, p50, us", false},
}};

// Measures for `length`, after a tenth of a second to warm up. The calling thread is in the peer's
// namespace. `on_start` is called when what counts begins. Congestion control is CUBIC on every
// socket. DEADLINE_EXCEEDED: nothing moved for two seconds.
absl::StatusOr<double> measure(Quantity quantity, std::chrono::milliseconds length,
                               absl::FunctionRef<void()> on_start);

}  // namespace tcproctor::server::benchmark
