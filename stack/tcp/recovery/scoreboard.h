// SPDX-License-Identifier: Apache-2.0
// What is known of the sequence space between SND.UNA and SND.NXT: when each part was sent last,
// and whether it was SACKed, deemed lost or retransmitted (RFC 2018 §5, RFC 6675 §4, RFC 8985
// §5.2). A super-segment is one range until a SACK splits it; neighbours that say the same are one.
//
// It holds no data: what is SACKed leaves the send buffer only when it is acknowledged cumulatively
// (RFC2018-8-4, RFC6675-4-1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "stack/tcp/sequence.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// Part of the sequence space that has one history. Marks are of its last transmission but
// `retransmitted`.
struct SentRange {
  SeqNum begin;
  SeqNum end;
  Instant last_sent{};
  bool sacked = false;              // the two below are false then
  bool lost = false;                // the original is deemed lost, or the last retransmission too
  bool retransmission_out = false;  // a retransmission is on its way
  bool retransmitted = false;       // ever

  SeqLength length() const { return end - begin; }
  // To be sent again as soon as the congestion window allows.
  bool wants_retransmission() const { return lost && !retransmission_out; }
};

class Scoreboard {
 public:
  // A SACK that would make more ranges is not recorded (its octets count as not SACKed), and what
  // is sent beyond it shares the range before it: a peer cannot make the list grow without end.
  static constexpr size_t kMostRanges = 2048;

  bool empty() const { return head_ == ranges_.size(); }
  // In order, without gaps.
  std::span<const SentRange> ranges() const { return std::span(ranges_).subspan(head_); }
  const SentRange& front() const { return ranges_[head_]; }
  const SentRange& back() const { return ranges_.back(); }

  // [begin, end) went out at `now`; what of it was sent before is a retransmission. Begins where
  // the last range ends, or before; anywhere when empty.
  void on_sent(Instant now, SeqNum begin, SeqNum end);

  // SND.UNA is `una`. `newly` is called as newly(const SentRange&), in order, for each part that
  // was not SACKed before.
  template <typename Newly>
  void acknowledge(SeqNum una, Newly&& newly);

  // [left, right) was SACKed; parts outside of what is outstanding are no matter. `newly` as above.
  template <typename Newly>
  void sack(SeqNum left, SeqNum right, Newly&& newly);

  // Marks as lost all ranges that are not SACKed for which condition(const SentRange&) holds.
  // Returns how many octets it marked anew.
  template <typename Condition>
  SeqLength mark_lost_if(Condition&& condition);
  // Marks [begin, begin + length) likewise, as far as it is outstanding.
  void mark_lost(SeqNum begin, SeqLength length);
  // Nothing is deemed lost any more; what was retransmitted is on its way.
  void forgive();
  // The peer has reneged: nothing counts as SACKed (RFC2018-5-2, 5-3).
  void forget_sacks();

  // Octets that are SACKed; deemed lost; retransmitted and on their way.
  uint32_t sacked() const { return sacked_; }
  uint32_t lost() const { return lost_; }
  uint32_t retransmission_out() const { return retransmission_out_; }
  // Octets that are lost and not retransmitted since.
  bool wants_retransmission() const { return waiting_ != 0; }
  // SetPipe() of RFC 6675 §4: octets on their way; what was retransmitted without being lost counts
  // twice.
  uint32_t pipe() const {
    if (empty()) return 0;
    return (back().end - front().begin) - sacked_ - lost_ + retransmission_out_;
  }
  // The end of the highest SACKed range; front().begin when there is none.
  SeqNum highest_sacked() const;

 private:
  size_t find(SeqNum seq) const;          // the range that holds seq; size() when none does
  size_t split(size_t index, SeqNum at);  // the index of the part that begins at `at`
  void merge_around(size_t first, size_t last);
  void merge_all();
  void compact();
  void count(const SentRange& range, int sign);
  bool full() const { return ranges_.size() - head_ >= kMostRanges; }

  std::vector<SentRange> ranges_;  // [head_, end)
  size_t head_ = 0;
  uint32_t sacked_ = 0;
  uint32_t lost_ = 0;
  uint32_t retransmission_out_ = 0;
  uint32_t waiting_ = 0;  // lost and not retransmitted since
};

template <typename Newly>
void Scoreboard::acknowledge(SeqNum una, Newly&& newly) {
  while (!empty() && front().begin.before(una)) {
    SentRange& range = ranges_[head_];
    count(range, -1);
    SentRange part = range;
    if (range.end.after(una)) {
      part.end = una;
      range.begin = una;
      count(range, 1);
    } else {
      ++head_;
    }
    if (!part.sacked) newly(std::as_const(part));
  }
  compact();
}

template <typename Newly>
void Scoreboard::sack(SeqNum left, SeqNum right, Newly&& newly) {
  if (empty()) return;
  left = later_of(left, front().begin);
  right = earlier_of(right, back().end);
  if (!left.before(right)) return;
  size_t index = find(left);
  const size_t first = index;
  while (index < ranges_.size() && ranges_[index].begin.before(right)) {
    if (ranges_[index].sacked) {
      ++index;
      continue;
    }
    const SeqNum end = earlier_of(ranges_[index].end, right);
    const bool cuts = ranges_[index].begin.before(left) || ranges_[index].end.after(right);
    if (cuts && full()) {
      ++index;
      continue;
    }
    if (ranges_[index].begin.before(left)) index = split(index, left);
    if (ranges_[index].end.after(end)) (void)split(index, end);
    SentRange& range = ranges_[index];
    count(range, -1);
    const SentRange before = range;
    range.sacked = true;
    range.lost = range.retransmission_out = false;
    count(range, 1);
    newly(before);
    ++index;
  }
  merge_around(first, index);
}

template <typename Condition>
SeqLength Scoreboard::mark_lost_if(Condition&& condition) {
  SeqLength marked = 0;
  for (size_t i = head_; i < ranges_.size(); ++i) {
    SentRange& range = ranges_[i];
    if (range.sacked || range.wants_retransmission() || !condition(std::as_const(range))) continue;
    count(range, -1);
    range.lost = true;
    range.retransmission_out = false;
    count(range, 1);
    marked += range.length();
  }
  if (marked != 0) merge_all();
  return marked;
}

}  // namespace tcproctor::tcp
