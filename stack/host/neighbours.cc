// SPDX-License-Identifier: Apache-2.0
#include "stack/host/neighbours.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/check.h"

namespace tcproctor::host {

using packet::IpAddress;
using packet::MacAddress;

void NeighbourTable::add_permanent(const Neighbour& neighbour) {
  Entry& entry = entries_[neighbour.address];
  entry.known = true;
  entry.permanent = true;
  entry.mac = neighbour.mac;
}

const MacAddress* NeighbourTable::find(const IpAddress& address) const {
  const auto it = entries_.find(address);
  return it == entries_.end() || !it->second.known ? nullptr : &it->second.mac;
}

bool NeighbourTable::wait_for(tcp::Instant now, const IpAddress& address,
                              std::span<const uint8_t> frame, const FrameMeta& meta, bool& ask) {
  ask = false;
  if (waiting_bytes_ + frame.size() > kMaxWaitingBytes) return false;
  auto it = entries_.find(address);
  if (it == entries_.end()) {
    make_room_for_unresolved();
    it = entries_.try_emplace(address).first;
    it->second.requests = 1;
    it->second.deadline = now + kRetransmission;
    asked_.push_back({it->second.deadline, address});
    ++unresolved_;
    ask = true;
  }
  Entry& entry = it->second;
  TCPROCTOR_CHECK(!entry.known);
  if (entry.waiting.size() >= kMaxWaiting) return false;
  entry.waiting.push_back({.bytes = {frame.begin(), frame.end()}, .meta = meta});
  waiting_bytes_ += frame.size();
  return true;
}

bool NeighbourTable::is_current(const Asked& asked) const {
  const auto it = entries_.find(asked.address);
  return it != entries_.end() && !it->second.known && it->second.deadline == asked.deadline;
}

size_t NeighbourTable::forget_unresolved(const IpAddress& address) {
  const auto it = entries_.find(address);
  const size_t dropped = it->second.waiting.size();
  for (const WaitingFrame& frame : it->second.waiting) waiting_bytes_ -= frame.bytes.size();
  entries_.erase(it);
  --unresolved_;
  return dropped;
}

void NeighbourTable::make_room_for_unresolved() {
  while (unresolved_ >= kMaxUnresolved) {
    const Asked oldest = asked_.front();
    asked_.pop_front();
    if (is_current(oldest)) forget_unresolved(oldest.address);
  }
}

void NeighbourTable::remember_known(const IpAddress& address) {
  if (known_order_.size() >= kMaxKnown) {
    entries_.erase(known_order_.front());
    known_order_.pop_front();
  }
  known_order_.push_back(address);
}

void NeighbourTable::learn(const IpAddress& address, const MacAddress& mac, bool create,
                           std::vector<WaitingFrame>& released) {
  // A group address as somebody's own would make us send to everybody.
  if (mac.is_multicast()) return;
  auto it = entries_.find(address);
  if (it == entries_.end()) {
    if (!create) return;
    remember_known(address);
    Entry& entry = entries_[address];
    entry.known = true;
    entry.mac = mac;
    return;
  }
  if (it->second.permanent) return;
  it->second.mac = mac;
  if (it->second.known) return;
  it->second.known = true;
  --unresolved_;
  for (WaitingFrame& frame : std::exchange(it->second.waiting, {})) {
    waiting_bytes_ -= frame.bytes.size();
    std::ranges::copy(mac.bytes, frame.bytes.begin());
    released.push_back(std::move(frame));
  }
  // Last: it may remove another entry and so invalidate `it`.
  remember_known(address);
}

std::optional<tcp::Instant> NeighbourTable::next_deadline() const {
  // A stale front wakes the host once too often, which harms nobody.
  if (asked_.empty()) return std::nullopt;
  return asked_.front().deadline;
}

size_t NeighbourTable::on_deadline(tcp::Instant now, std::vector<IpAddress>& ask_again) {
  size_t dropped = 0;
  while (!asked_.empty() && asked_.front().deadline <= now) {
    const Asked due = asked_.front();
    asked_.pop_front();
    if (!is_current(due)) continue;
    Entry& entry = entries_[due.address];
    if (entry.requests >= kMaxRequests) {
      dropped += forget_unresolved(due.address);
      continue;
    }
    ++entry.requests;
    entry.deadline = now + kRetransmission;
    asked_.push_back({entry.deadline, due.address});
    ask_again.push_back(due.address);
  }
  return dropped;
}

}  // namespace tcproctor::host
