// SPDX-License-Identifier: Apache-2.0
// How frames leave a host: one interface over AF_PACKET, TUN and memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "stack/host/host.h"
#include "stack/tcp/time.h"

namespace tcproctor::link {

// One frame as it was received: bytes live until the next call of receive().
struct ReceivedFrame {
  std::span<const uint8_t> bytes;
  host::FrameMeta meta;
  int64_t wall_time_ns = 0;  // CLOCK_REALTIME stamped by the kernel; 0 where it gives none
};

class Link {
 public:
  virtual ~Link() = default;
  virtual host::LinkLayer layer() const = 0;
  // Readable when receive() would return something; -1 for a link without a descriptor (memory).
  virtual int fd() const = 0;
  // Fills `frames` (cleared first) with what is there now, a batch at most, without waiting.
  // UNAVAILABLE: the device is gone.
  virtual absl::Status receive(std::vector<ReceivedFrame>& frames) = 0;
  // Queues one frame; flush() hands the batch to the kernel. RESOURCE_EXHAUSTED: the device's queue
  // is full, the frame was not taken.
  virtual absl::Status send(std::span<const uint8_t> frame, const host::FrameMeta& meta) = 0;
  virtual absl::Status flush() = 0;
};

}  // namespace tcproctor::link
