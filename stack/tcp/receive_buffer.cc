// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/receive_buffer.h"

#include <algorithm>
#include <cstring>

namespace tcproctor::tcp {

void ReceiveBuffer::start(SeqNum first) {
  clear();
  read_ = first;
}

void ReceiveBuffer::write(SeqNum seq, std::span<const uint8_t> text) {
  ring_.write(seq - read_, text);
}

bool ReceiveBuffer::insert(SeqNum seq, std::span<const uint8_t> text) {
  TCPROCTOR_CHECK(seq.at_or_after(next()));
  if (seq != next()) return hold(seq, text);
  write(seq, text);
  readable_ += static_cast<uint32_t>(text.size());
  if (has_gaps()) absorb();
  return true;
}

bool ReceiveBuffer::hold(SeqNum seq, std::span<const uint8_t> text) {
  TCPROCTOR_CHECK(seq.at_or_after(next()));
  if (text.empty()) return true;
  const SeqNum right = seq + static_cast<SeqLength>(text.size());
  if (!charge(right)) return false;
  if (!add_range(seq, right)) {
    (void)charge(next());
    return false;
  }
  write(seq, text);
  return true;
}

void ReceiveBuffer::release_held() {
  absorb();
}

// Where ranges overlap, the octets that came first are overwritten by the later ones: both copies
// are the peer's own, and a sane peer sends the same.
bool ReceiveBuffer::add_range(SeqNum left, SeqNum right) {
  if (held_ == nullptr) {
    held_ = std::make_unique<Held>();
    held_->ranges.reserve(8);  // few gaps are open at a time
  }
  std::vector<Range>& ranges = held_->ranges;
  const auto first = std::ranges::find_if(
      ranges, [left](const Range& range) { return range.right.at_or_after(left); });
  auto last = first;
  while (last != ranges.end() && last->left.at_or_before(right)) {
    left = earlier_of(left, last->left);
    right = later_of(right, last->right);
    out_of_order_ -= last->right - last->left;
    ++last;
  }
  if (first == last && ranges.size() >= kMaxRanges) return false;
  out_of_order_ += right - left;
  const Range merged{left, right, ++held_->touches};
  if (first == last) {
    ranges.insert(first, merged);
  } else {
    *first = merged;
    ranges.erase(first + 1, last);
  }
  return true;
}

void ReceiveBuffer::absorb() {
  if (held_ == nullptr) return;
  std::vector<Range>& ranges = held_->ranges;
  size_t done = 0;
  while (done < ranges.size() && ranges[done].left.at_or_before(next())) {
    const Range& range = ranges[done];
    out_of_order_ -= range.right - range.left;
    if (range.right.after(next())) readable_ += range.right - next();
    ++done;
  }
  ranges.erase(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(done));
  (void)charge(next());  // less than before
}

// What lies behind gaps reaches to `right`, or to where it does already.
bool ReceiveBuffer::charge(SeqNum right) {
  if (budget_ == nullptr) return true;
  if (has_gaps()) right = later_of(right, ranges().back().right);
  const uint32_t wanted = right.after(next()) ? right - next() : 0;
  if (!budget_->change(charged_, wanted)) return false;
  charged_ = wanted;
  return true;
}

size_t ReceiveBuffer::read(std::span<uint8_t> buffer) {
  const auto count = static_cast<uint32_t>(std::min<size_t>(buffer.size(), readable_));
  if (count == 0) return 0;
  const auto [first, rest] = ring_.view(0, count);
  std::memcpy(buffer.data(), first.data(), first.size());
  if (!rest.empty()) std::memcpy(buffer.data() + first.size(), rest.data(), rest.size());
  ring_.consume(count);
  readable_ -= count;
  read_ += count;
  return count;
}

packet::SackBlock ReceiveBuffer::first_held(SeqNum seq, size_t length) const {
  const SeqNum end = seq + static_cast<SeqLength>(length);
  for (const Range& range : ranges()) {
    if (!range.right.after(seq)) continue;
    if (!range.left.before(end)) break;
    return {later_of(range.left, seq).value(), earlier_of(range.right, end).value()};
  }
  return {};
}

size_t ReceiveBuffer::sack_blocks(std::span<packet::SackBlock> blocks) const {
  const size_t count = std::min(blocks.size(), ranges().size());
  uint32_t below = 0;  // touched marks of the blocks already written are above this
  for (size_t i = 0; i < count; ++i) {
    const Range* best = nullptr;
    for (const Range& range : ranges()) {
      if (i > 0 && range.touched >= below) continue;
      if (best == nullptr || range.touched > best->touched) best = &range;
    }
    below = best->touched;
    blocks[i] = {best->left.value(), best->right.value()};
  }
  return count;
}

void ReceiveBuffer::clear() {
  read_ = next();
  ring_.clear();
  readable_ = 0;
  out_of_order_ = 0;
  held_.reset();
  (void)charge(next());
  fin_.reset();
}

}  // namespace tcproctor::tcp
