// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/syn_cache.h"

#include <algorithm>
#include <bit>
#include <span>

#include "stack/tcp/check.h"

namespace tcproctor::tcp {
namespace {

packet::IpAddress address_of(const std::array<uint8_t, 16>& bytes, bool v6) {
  if (v6) return packet::IpAddress::v6_bytes(bytes);
  return packet::IpAddress::v4_bytes(std::span<const uint8_t, 16>(bytes).first<4>());
}

bool same_pair(const SynEntry& a, const SynEntry& b) {
  return a.remote_port == b.remote_port && a.v6 == b.v6 && a.remote == b.remote &&
         a.local == b.local;
}

}  // namespace

packet::IpAddress SynEntry::local_address() const {
  return address_of(local, v6);
}

packet::SocketAddress SynEntry::remote_socket() const {
  return {address_of(remote, v6), remote_port};
}

Instant SynEntry::created(Instant now) const {
  const auto now_ms = static_cast<uint32_t>(now.time_since_epoch() / std::chrono::milliseconds(1));
  const auto age = static_cast<int32_t>(now_ms - created_ms);
  return Instant(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch())) -
         std::chrono::milliseconds(age);
}

SynCache::SynCache(const Secret& secret, uint32_t capacity)
    : secret_(secret),
      capacity_(capacity),
      index_(std::bit_ceil(std::max<size_t>(capacity, 1) * 2), kNone) {}

size_t SynCache::bucket_of(const SynEntry& entry) const {
  std::array<uint8_t, 35> input{};
  auto end = std::ranges::copy(entry.local, input.begin()).out;
  end = std::ranges::copy(entry.remote, end).out;
  *end++ = static_cast<uint8_t>(entry.remote_port >> 8);
  *end++ = static_cast<uint8_t>(entry.remote_port);
  *end = entry.v6 ? 6 : 4;
  return siphash(secret_, input) & (index_.size() - 1);
}

SynCache::Slot SynCache::find(const packet::IpAddress& local,
                              const packet::SocketAddress& remote) const {
  SynEntry wanted;
  std::ranges::copy(local.bytes(), wanted.local.begin());
  std::ranges::copy(remote.address.bytes(), wanted.remote.begin());
  wanted.remote_port = remote.port;
  wanted.v6 = remote.address.is_v6();
  for (size_t bucket = bucket_of(wanted); index_[bucket] != kNone; bucket = next_bucket(bucket)) {
    if (same_pair(entries_[index_[bucket]], wanted)) return index_[bucket];
  }
  return kNone;
}

SynCache::Slot SynCache::find_id(uint64_t id) const {
  if (id == 0) return kNone;
  const auto found =
      std::ranges::find(entries_, id, [](const SynEntry& entry) { return uint64_t{entry.id}; });
  return found == entries_.end() ? kNone : static_cast<Slot>(found - entries_.begin());
}

SynCache::Slot SynCache::insert(const SynEntry& entry, Instant deadline) {
  TCPROCTOR_CHECK(!full() && entry.id != 0);
  Slot slot = static_cast<Slot>(entries_.size());
  if (free_.empty()) {
    entries_.push_back(entry);
  } else {
    slot = free_.back();
    free_.pop_back();
    entries_[slot] = entry;
  }
  size_t bucket = bucket_of(entry);
  while (index_[bucket] != kNone) bucket = next_bucket(bucket);
  index_[bucket] = slot;
  ++size_;
  set_deadline(slot, deadline);
  return slot;
}

void SynCache::erase(Slot slot) {
  size_t hole = bucket_of(entries_[slot]);
  while (index_[hole] != slot) hole = next_bucket(hole);
  // Entries behind the hole move up when the hole lies between their own bucket and their place.
  for (size_t bucket = next_bucket(hole); index_[bucket] != kNone; bucket = next_bucket(bucket)) {
    const size_t home = bucket_of(entries_[index_[bucket]]);
    const size_t mask = index_.size() - 1;
    if (((bucket - home) & mask) < ((bucket - hole) & mask)) continue;
    index_[hole] = index_[bucket];
    hole = bucket;
  }
  index_[hole] = kNone;
  entries_[slot] = SynEntry();
  free_.push_back(slot);
  --size_;
  drop_dead_deadlines();
}

std::vector<uint64_t> SynCache::ids() const {
  std::vector<uint64_t> ids;
  ids.reserve(size_);
  for_each([&ids](const SynEntry& entry) { ids.push_back(entry.id); });
  std::ranges::sort(ids);
  return ids;
}

// The heap keeps deadlines of entries that are gone until they come to its top, or are too many.
void SynCache::drop_dead_deadlines() {
  const auto dead = [this](const Deadline& deadline) {
    return entries_[deadline.slot].id != deadline.id;
  };
  if (deadlines_.size() > 2 * size_ + 64) {
    std::erase_if(deadlines_, dead);
    std::make_heap(deadlines_.begin(), deadlines_.end());
  }
  while (!deadlines_.empty() && dead(deadlines_.front())) {
    std::pop_heap(deadlines_.begin(), deadlines_.end());
    deadlines_.pop_back();
  }
}

std::optional<Instant> SynCache::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.front().time;
}

SynCache::Slot SynCache::take_expired(Instant now) {
  drop_dead_deadlines();
  if (deadlines_.empty() || deadlines_.front().time > now) return kNone;
  const Slot slot = deadlines_.front().slot;
  std::pop_heap(deadlines_.begin(), deadlines_.end());
  deadlines_.pop_back();
  return slot;
}

void SynCache::set_deadline(Slot slot, Instant deadline) {
  deadlines_.push_back({deadline, entries_[slot].id, slot});
  std::push_heap(deadlines_.begin(), deadlines_.end());
}

}  // namespace tcproctor::tcp
