// SPDX-License-Identifier: Apache-2.0
// Loss, duplication, corruption, congestion marks, delay, jitter and reordering of what one end
// sends, and a bottleneck with a queue. What is drawn for the n-th packet depends on the seed and n
// alone; what the bottleneck does, on when packets come: on a virtual clock a run repeats exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "server/wire/random.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

// What is to be done with one packet. A lost one is neither delayed nor duplicated.
struct Impairments {
  bool lost = false;
  bool duplicated = false;
  bool congestion_experienced = false;  // to be marked, if it is of an ECN-capable transport
  std::optional<size_t> corrupt_bit;    // counted from the packet's first bit, in the IP payload
  tcp::Instant due{};                   // when to deliver it: `now` without delay
};

class Impairer {
 public:
  // The longest delay, jitter and reorder_delay.
  static constexpr tcp::Duration kMaxDelay = std::chrono::hours(1);

  // INVALID_ARGUMENT names the field. seed 0 = `default_seed`.
  static absl::StatusOr<Impairer> create(const v1::ImpairRequest& request, uint64_t default_seed);

  // False when everything is zero: packets pass as if there were no impairment.
  bool active() const;

  Impairments next(std::span<const uint8_t> packet, tcp::Instant now);

 private:
  Impairer() = default;

  absl::Status set_bottleneck(const v1::ImpairRequest& request);
  // When the packet has left the bottleneck; nothing when the queue has no room for it.
  std::optional<tcp::Instant> pass_bottleneck(size_t octets, tcp::Instant now);

  double loss_ = 0;
  double duplicate_ = 0;
  double corrupt_ = 0;
  double reorder_ = 0;
  double congestion_experienced_ = 0;
  uint64_t rate_bits_per_s_ = 0;  // 0: no bottleneck
  uint64_t queue_bytes_ = 0;
  tcp::Instant bottleneck_free_at_{};
  tcp::Duration reorder_delay_{0};
  tcp::Duration delay_{0};
  tcp::Duration jitter_{0};
  Random random_{0};
  tcp::Instant last_due_{};  // jitter keeps the order
};

// Sets CE in a packet of an ECN-capable transport (ECT(0), ECT(1)) and mends the IPv4 header
// checksum; false, and nothing done, for any other (RFC 3168 §5).
bool mark_congestion(std::span<uint8_t> packet);

}  // namespace tcproctor::server
