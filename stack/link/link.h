// SPDX-License-Identifier: Apache-2.0
// How frames leave a host: one interface over AF_PACKET, TUN and memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "stack/host/host.h"
#include "stack/tcp/time.h"

namespace tcproctor::link {

// The longest frame: an IP packet of 65,535 octets behind an Ethernet header, rounded up.
inline constexpr size_t kMaxFrame = 65552;

// One frame as it was received: bytes live until the next call of receive().
struct ReceivedFrame {
  std::span<const uint8_t> bytes;
  host::FrameMeta meta;
  int64_t wall_time_ns = 0;  // CLOCK_REALTIME stamped by the kernel; 0 where it gives none
};

// What a link lost or refused since it was opened. A capture that lost frames is no evidence: an
// examination that sees `receive_drops` grow is an environment error.
struct LinkCounters {
  uint64_t received = 0;       // frames handed out by receive()
  uint64_t sent = 0;           // frames the device took
  uint64_t receive_drops = 0;  // frames lost before we read them: the receive queue was full
  uint64_t truncated = 0;      // frames longer than any buffer, or with a contradictory vnet header
  uint64_t send_refused = 0;   // frames the device would not take (too long, device down, …)
};

// Not thread-safe: a link lives on one loop.
class Link {
 public:
  virtual ~Link() = default;
  virtual host::LinkLayer layer() const = 0;
  // Readable when receive() would return something; -1 for a link without a descriptor (memory).
  virtual int fd() const = 0;
  // Fills `frames` (cleared first) with what is there now, a batch at most, without waiting.
  // UNAVAILABLE: the device is gone.
  virtual absl::Status receive(std::vector<ReceivedFrame>& frames) = 0;
  // Room for the next frame, kMaxFrame octets: a frame built there is not copied by send(). Empty
  // when the device's queue is full. Valid until the next call of send() or flush().
  virtual std::span<uint8_t> send_buffer() = 0;
  // Queues one frame; flush() hands the batch to the kernel, and so does a queue that is full.
  // RESOURCE_EXHAUSTED: the device's queue is full, the frame was not taken; watch fd() for room.
  // INVALID_ARGUMENT: longer than kMaxFrame, or a super-segment on a link without vnet header.
  virtual absl::Status send(std::span<const uint8_t> frame, const host::FrameMeta& meta) = 0;
  // RESOURCE_EXHAUSTED: some frames are still queued; flush again when fd() is writable.
  virtual absl::Status flush() = 0;
  virtual LinkCounters counters() = 0;
  // In place of fd() for a link that has none: called when frames arrive and none were waiting, and
  // when there is room again after there was none. It runs within the other end's call, so it
  // should only schedule the work.
  virtual void set_on_ready(absl::AnyInvocable<void()> callback) { (void)callback; }
};

}  // namespace tcproctor::link
