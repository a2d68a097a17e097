// SPDX-License-Identifier: Apache-2.0
// A wire in memory: two links, what is sent on one is received on the other, in order, without loss
// as long as the queue has room. No descriptor, no time of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "stack/link/link.h"

namespace tcproctor::link {

// One direction of the wire. Both ends live on one loop: no locks.
class MemoryPipe {
 public:
  explicit MemoryPipe(size_t capacity) : capacity_(capacity) {}

  struct Frame {
    std::vector<uint8_t> bytes;
    host::FrameMeta meta;
  };

  bool full() const { return frames_.size() >= capacity_; }
  bool empty() const { return frames_.empty(); }
  size_t size() const { return frames_.size(); }
  // Only when not full().
  void push(std::span<const uint8_t> bytes, const host::FrameMeta& meta);
  // Only when not empty().
  Frame pop();
  // Gives a popped frame's storage back for reuse.
  void recycle(Frame frame) { spare_.push_back(std::move(frame.bytes)); }
  // Called after a push into an empty pipe / a pop from a full one. May be null.
  using Callback = std::shared_ptr<absl::AnyInvocable<void()>>;
  void set_on_readable(Callback callback) { on_readable_ = std::move(callback); }
  void set_on_room(Callback callback) { on_room_ = std::move(callback); }

 private:
  const size_t capacity_;
  std::deque<Frame> frames_;
  std::vector<std::vector<uint8_t>> spare_;
  Callback on_readable_;
  Callback on_room_;
};

class MemoryLink final : public Link {
 public:
  // The two ends of a wire that holds at most `capacity` frames in each direction (>= 1).
  static std::pair<std::unique_ptr<MemoryLink>, std::unique_ptr<MemoryLink>> pair(
      host::LinkLayer layer, size_t capacity = 1024);

  host::LinkLayer layer() const override { return layer_; }
  int fd() const override { return -1; }
  absl::Status receive(std::vector<ReceivedFrame>& frames) override;
  std::span<uint8_t> send_buffer() override;
  // RESOURCE_EXHAUSTED when the wire is full: the other end must receive first.
  absl::Status send(std::span<const uint8_t> frame, const host::FrameMeta& meta) override;
  absl::Status flush() override { return absl::OkStatus(); }
  LinkCounters counters() override { return counters_; }

  void set_on_ready(absl::AnyInvocable<void()> callback) override;

  ~MemoryLink() override { set_on_ready(nullptr); }

 private:
  MemoryLink(host::LinkLayer layer, std::shared_ptr<MemoryPipe> in, std::shared_ptr<MemoryPipe> out)
      : layer_(layer), in_(std::move(in)), out_(std::move(out)) {}

  const host::LinkLayer layer_;
  const std::shared_ptr<MemoryPipe> in_;
  const std::shared_ptr<MemoryPipe> out_;
  std::vector<MemoryPipe::Frame> received_;  // what the last receive() handed out
  std::unique_ptr<uint8_t[]> send_buffer_;
  LinkCounters counters_;
};

}  // namespace tcproctor::link
