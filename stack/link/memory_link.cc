// SPDX-License-Identifier: Apache-2.0
#include "stack/link/memory_link.h"

#include "absl/strings/str_cat.h"
#include "stack/tcp/check.h"

namespace tcproctor::link {
namespace {

constexpr size_t kBatch = 64;

}  // namespace

void MemoryPipe::push(std::span<const uint8_t> bytes, const host::FrameMeta& meta) {
  TCPROCTOR_CHECK(!full());
  Frame frame{.meta = meta};
  if (!spare_.empty()) {
    frame.bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  frame.bytes.assign(bytes.begin(), bytes.end());
  frames_.push_back(std::move(frame));
  if (frames_.size() == 1 && on_readable_) (*on_readable_)();
}

MemoryPipe::Frame MemoryPipe::pop() {
  TCPROCTOR_CHECK(!empty());
  const bool was_full = full();
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  if (was_full && on_room_) (*on_room_)();
  return frame;
}

std::pair<std::unique_ptr<MemoryLink>, std::unique_ptr<MemoryLink>> MemoryLink::pair(
    host::LinkLayer layer, size_t capacity) {
  TCPROCTOR_CHECK(capacity >= 1);
  auto forth = std::make_shared<MemoryPipe>(capacity);
  auto back = std::make_shared<MemoryPipe>(capacity);
  std::unique_ptr<MemoryLink> a(new MemoryLink(layer, back, forth));
  std::unique_ptr<MemoryLink> b(new MemoryLink(layer, forth, back));
  return {std::move(a), std::move(b)};
}

absl::Status MemoryLink::receive(std::vector<ReceivedFrame>& frames) {
  frames.clear();
  for (MemoryPipe::Frame& frame : received_) in_->recycle(std::move(frame));
  received_.clear();
  while (!in_->empty() && received_.size() < kBatch) received_.push_back(in_->pop());
  for (const MemoryPipe::Frame& frame : received_) {
    host::FrameMeta meta = frame.meta;
    // Nothing can corrupt a frame here, and nobody finishes a partial checksum on the way.
    if (meta.checksum_partial) meta.checksum_trusted = true;
    frames.push_back({.bytes = frame.bytes, .meta = meta});
  }
  counters_.received += frames.size();
  return absl::OkStatus();
}

std::span<uint8_t> MemoryLink::send_buffer() {
  if (out_->full()) return {};
  if (send_buffer_ == nullptr) send_buffer_ = std::make_unique_for_overwrite<uint8_t[]>(kMaxFrame);
  return {send_buffer_.get(), kMaxFrame};
}

absl::Status MemoryLink::send(std::span<const uint8_t> frame, const host::FrameMeta& meta) {
  if (frame.size() > kMaxFrame) {
    ++counters_.send_refused;
    return absl::InvalidArgumentError(
        absl::StrCat("frame of ", frame.size(), " octets, at most ", kMaxFrame, " are possible"));
  }
  if (out_->full()) return absl::ResourceExhaustedError("the wire in memory is full");
  ++counters_.sent;
  out_->push(frame, meta);
  return absl::OkStatus();
}

void MemoryLink::set_on_ready(absl::AnyInvocable<void()> callback) {
  MemoryPipe::Callback shared;
  if (callback) shared = std::make_shared<absl::AnyInvocable<void()>>(std::move(callback));
  in_->set_on_readable(shared);
  out_->set_on_room(shared);
}

}  // namespace tcproctor::link
