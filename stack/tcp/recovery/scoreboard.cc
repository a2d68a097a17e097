// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/recovery/scoreboard.h"

#include <algorithm>
#include <iterator>

#include "stack/tcp/check.h"

namespace tcproctor::tcp {
namespace {

// May two neighbours be one? Of what is SACKed the times are no matter any more.
bool alike(const SentRange& a, const SentRange& b) {
  if (a.sacked || b.sacked) return a.sacked && b.sacked;
  return a.lost == b.lost && a.retransmission_out == b.retransmission_out &&
         a.retransmitted == b.retransmitted && a.last_sent == b.last_sent;
}

// `b` follows `a`.
void join(SentRange& a, const SentRange& b) {
  a.end = b.end;
  a.last_sent = std::max(a.last_sent, b.last_sent);
  a.retransmitted = a.retransmitted || b.retransmitted;
}

}  // namespace

void Scoreboard::count(const SentRange& range, int sign) {
  const uint32_t length = sign > 0 ? range.length() : 0u - range.length();
  if (range.sacked) sacked_ += length;
  if (range.lost) lost_ += length;
  if (range.retransmission_out) retransmission_out_ += length;
  if (range.wants_retransmission()) waiting_ += length;
}

size_t Scoreboard::find(SeqNum seq) const {
  const auto begin = ranges_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto found = std::partition_point(
      begin, ranges_.end(), [seq](const SentRange& range) { return range.end.at_or_before(seq); });
  return static_cast<size_t>(found - ranges_.begin());
}

size_t Scoreboard::split(size_t index, SeqNum at) {
  SentRange tail = ranges_[index];
  if (at == tail.begin) return index;
  tail.begin = at;
  ranges_[index].end = at;
  ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(index) + 1, tail);
  return index + 1;
}

// Joins like neighbours from the one before `first` to the one at `last`.
void Scoreboard::merge_around(size_t first, size_t last) {
  if (empty()) return;
  size_t kept = first > head_ ? first - 1 : head_;
  size_t next = kept + 1;
  const size_t stop = std::min(last + 1, ranges_.size());
  for (; next < stop; ++next) {
    if (alike(ranges_[kept], ranges_[next])) {
      join(ranges_[kept], ranges_[next]);
    } else if (++kept != next) {
      ranges_[kept] = ranges_[next];
    }
  }
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(kept) + 1,
                ranges_.begin() + static_cast<std::ptrdiff_t>(next));
}

void Scoreboard::merge_all() {
  merge_around(head_, ranges_.size());
}

// What was acknowledged makes room now and then, so that nothing is moved per ACK.
void Scoreboard::compact() {
  if (empty()) {
    ranges_.clear();
    head_ = 0;
  } else if (head_ > ranges_.size() / 2) {
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Scoreboard::on_sent(Instant now, SeqNum begin, SeqNum end) {
  if (!begin.before(end)) return;
  const SeqNum known = empty() ? begin : back().end;
  TCPROCTOR_CHECK(begin.at_or_before(known));
  const SeqNum again = earlier_of(end, known);
  if (begin.before(again)) {
    size_t index = find(later_of(begin, front().begin));
    const size_t first = index;
    for (; index < ranges_.size() && ranges_[index].begin.before(again); ++index) {
      if (ranges_[index].sacked) continue;
      if (ranges_[index].begin.before(begin)) index = split(index, begin);
      if (ranges_[index].end.after(again)) (void)split(index, again);
      SentRange& range = ranges_[index];
      count(range, -1);
      range.last_sent = now;
      range.retransmission_out = range.retransmitted = true;
      count(range, 1);
    }
    merge_around(first, index);
  }
  if (!end.after(known)) return;
  const SentRange fresh{.begin = known, .end = end, .last_sent = now};
  const bool crowded = full() && !back().sacked && !back().lost && !back().retransmitted;
  if (!empty() && (crowded || alike(back(), fresh))) {
    join(ranges_.back(), fresh);
  } else {
    ranges_.push_back(fresh);
  }
}

void Scoreboard::mark_lost(SeqNum begin, SeqLength length) {
  if (empty() || length == 0) return;
  begin = later_of(begin, front().begin);
  const SeqNum end = earlier_of(begin + length, back().end);
  size_t index = find(begin);
  const size_t first = index;
  for (; index < ranges_.size() && ranges_[index].begin.before(end); ++index) {
    if (ranges_[index].sacked) continue;
    if (ranges_[index].begin.before(begin)) index = split(index, begin);
    if (ranges_[index].end.after(end)) (void)split(index, end);
    SentRange& range = ranges_[index];
    count(range, -1);
    range.lost = true;
    range.retransmission_out = false;
    count(range, 1);
  }
  merge_around(first, index);
}

void Scoreboard::forgive() {
  for (size_t i = head_; i < ranges_.size(); ++i) {
    SentRange& range = ranges_[i];
    count(range, -1);
    // Of a retransmission and its original one arrived: one copy is on its way at most.
    range.lost = range.retransmission_out = false;
    count(range, 1);
  }
  merge_all();
}

void Scoreboard::forget_sacks() {
  for (size_t i = head_; i < ranges_.size(); ++i) {
    SentRange& range = ranges_[i];
    count(range, -1);
    range.sacked = false;
    count(range, 1);
  }
  merge_all();
}

SeqNum Scoreboard::highest_sacked() const {
  for (size_t i = ranges_.size(); i > head_; --i) {
    if (ranges_[i - 1].sacked) return ranges_[i - 1].end;
  }
  return empty() ? SeqNum() : front().begin;
}

}  // namespace tcproctor::tcp
