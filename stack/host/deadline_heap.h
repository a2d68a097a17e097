// SPDX-License-Identifier: Apache-2.0
// The earliest of many deadlines: a 4-ary heap in which each slot has at most one deadline that can
// be moved or cleared at any time. Equal times come out in the order in which they were set, so
// that a run repeats exactly.
//
// Nearly every segment moves a deadline, nearly always to a later time (a retransmission timer is
// restarted). Such a move only notes the new time, two stores whatever the number of deadlines: the
// entry stays where it is, too early in the heap, and moves once it has come to the top. The top
// itself is always exact.
//
// Why no timing wheel: a wheel must round times to its tick, or sort what falls into one, to answer
// top_time() exactly and in the order above, which a virtual clock needs. deadline_bench.cc has one
// that does, to compare. What a wheel can save is the sifting when a deadline is set and cleared
// again; a deadline that is only moved later costs two stores here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stack/tcp/check.h"

namespace tcproctor::host {

template <class TimePoint>
class DeadlineHeap {
 public:
  // Slots are small dense numbers chosen by the owner (indices of its table).
  using Slot = uint32_t;

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  bool has(Slot slot) const { return slot < position_.size() && position_[slot] != kNone; }

  // The earliest deadline; only when not empty().
  TimePoint top_time() const { return heap_.front().key.time; }
  Slot top_slot() const { return heap_.front().slot; }

  // Only when has(slot).
  TimePoint time_of(Slot slot) const { return wanted_[slot].time; }

  // Gives `slot` the deadline `time`, in place of the one it had. Setting the same time again keeps
  // its place among equals.
  void set(Slot slot, TimePoint time) {
    if (slot >= position_.size()) {
      position_.resize(static_cast<size_t>(slot) + 1, kNone);
      wanted_.resize(static_cast<size_t>(slot) + 1);
    }
    const size_t index = position_[slot];
    if (index == kNone) {
      wanted_[slot] = {time, next_order_++};
      position_[slot] = static_cast<uint32_t>(heap_.size());
      heap_.push_back({wanted_[slot], slot});
      sift_up(heap_.size() - 1);
      return;
    }
    if (wanted_[slot].time == time) return;
    wanted_[slot] = {time, next_order_++};
    if (time < heap_[index].key.time) {
      heap_[index].key = wanted_[slot];
      sift_up(index);
    } else if (index == 0) {
      settle_top();
    }
  }

  // Nothing happens when the slot has no deadline.
  void clear(Slot slot) {
    if (!has(slot)) return;
    const size_t index = position_[slot];
    position_[slot] = kNone;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size()) return;
    place(index, last);
    sift_up(index);
    sift_down(position_[last.slot]);
    settle_top();
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kArity = 4;

  struct Key {
    TimePoint time;
    uint64_t order;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;  // what is wanted, or something earlier
    Slot slot;
  };

  static bool earlier(const Entry& a, const Entry& b) {
    return a.key.time != b.key.time ? a.key.time < b.key.time : a.key.order < b.key.order;
  }

  // All others are wanted no earlier than their entries say: once the top's entry says what is
  // wanted, it is the earliest.
  void settle_top() {
    while (!heap_.empty() && heap_.front().key != wanted_[heap_.front().slot]) {
      heap_.front().key = wanted_[heap_.front().slot];
      sift_down(0);
    }
  }

  void place(size_t index, const Entry& entry) {
    heap_[index] = entry;
    position_[entry.slot] = static_cast<uint32_t>(index);
  }

  void sift_up(size_t index) {
    const Entry entry = heap_[index];
    while (index > 0) {
      const size_t parent = (index - 1) / kArity;
      if (!earlier(entry, heap_[parent])) break;
      place(index, heap_[parent]);
      index = parent;
    }
    place(index, entry);
  }

  void sift_down(size_t index) {
    TCPROCTOR_CHECK(index < heap_.size());
    const Entry entry = heap_[index];
    for (;;) {
      const size_t first = index * kArity + 1;
      if (first >= heap_.size()) break;
      size_t best = first;
      for (size_t child = first + 1; child < first + kArity && child < heap_.size(); ++child) {
        if (earlier(heap_[child], heap_[best])) best = child;
      }
      if (!earlier(heap_[best], entry)) break;
      place(index, heap_[best]);
      index = best;
    }
    place(index, entry);
  }

  std::vector<Entry> heap_;
  std::vector<uint32_t> position_;  // slot -> index in heap_, kNone = no deadline
  std::vector<Key> wanted_;         // by slot; valid while it has a deadline
  uint64_t next_order_ = 0;
};

}  // namespace tcproctor::host
