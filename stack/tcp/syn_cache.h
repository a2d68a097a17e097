// SPDX-License-Identifier: Apache-2.0
// Half-open connections of a listener as small entries (RFC 4987 §3.5): a bounded table with open
// addressing, keyed by a secret hash so that nobody can aim at one bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "stack/packet/address.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

struct SynEntry {
  static constexpr uint8_t kNoScale = 15;

  uint64_t id : 55 = 0;          // of the embryonic connection
  uint64_t asked_again : 1 = 0;  // the SYN came again, so the SYN,ACK went again
  uint64_t challenges : 8 = 0;   // challenge ACKs sent for it
  std::array<uint8_t, 16> local{};
  std::array<uint8_t, 16> remote{};
  uint32_t iss = 0;
  uint32_t irs = 0;
  uint32_t ts_recent = 0;
  uint32_t created_ms = 0;  // session time, rounded up to a millisecond, modulo 2^32
  uint16_t remote_port = 0;
  uint16_t peer_mss = 0;  // 0: the SYN had no MSS option
  uint16_t peer_window = 0;
  uint8_t peer_window_scale : 4 = kNoScale;
  bool sack_permitted : 1 = false;
  bool timestamps : 1 = false;
  bool v6 : 1 = false;
  bool ecn : 1 = false;         // asked for and granted
  uint8_t retransmissions = 0;  // of the SYN,ACK

  void set_id(uint64_t value) { id = value & ((uint64_t{1} << 55) - 1); }
  packet::IpAddress local_address() const;
  packet::SocketAddress remote_socket() const;
  Instant created(Instant now) const;
};

static_assert(sizeof(SynEntry) <= 64);

class SynCache {
 public:
  using Slot = uint32_t;
  static constexpr Slot kNone = UINT32_MAX;

  SynCache(const Secret& secret, uint32_t capacity);

  size_t size() const { return size_; }
  bool full() const { return size_ >= capacity_; }
  // Octets that one entry takes, its share of the index included.
  static constexpr uint32_t bytes_per_entry() { return sizeof(SynEntry) + 2 * sizeof(Slot); }

  Slot find(const packet::IpAddress& local, const packet::SocketAddress& remote) const;
  Slot find_id(uint64_t id) const;
  // The table must not be full and the pair not in it.
  Slot insert(const SynEntry& entry, Instant deadline);
  void erase(Slot slot);
  SynEntry& entry(Slot slot) { return entries_[slot]; }
  const SynEntry& entry(Slot slot) const { return entries_[slot]; }

  std::vector<uint64_t> ids() const;  // ascending
  template <class Visitor>
  void for_each(Visitor visit) const {
    for (const SynEntry& entry : entries_) {
      if (entry.id != 0) visit(entry);
    }
  }

  // Deadlines: one per entry.
  std::optional<Instant> next_deadline() const;
  // An entry whose deadline is at or before `now`; it has none afterwards. kNone: no more.
  Slot take_expired(Instant now);
  void set_deadline(Slot slot, Instant deadline);

 private:
  struct Deadline {
    Instant time;
    uint64_t id;
    Slot slot;
    // For a heap with the earliest on top; equal times by id, so that a run repeats.
    friend bool operator<(const Deadline& a, const Deadline& b) {
      return a.time != b.time ? a.time > b.time : a.id > b.id;
    }
  };

  size_t bucket_of(const SynEntry& entry) const;
  size_t next_bucket(size_t bucket) const { return (bucket + 1) & (index_.size() - 1); }
  void drop_dead_deadlines();

  Secret secret_;
  uint32_t capacity_;
  size_t size_ = 0;
  std::vector<SynEntry> entries_;  // by slot; id 0: free
  std::vector<Slot> free_;
  std::vector<Slot> index_;  // open addressing, linear; kNone: empty
  std::vector<Deadline> deadlines_;
};

}  // namespace tcproctor::tcp
