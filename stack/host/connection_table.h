// SPDX-License-Identifier: Apache-2.0
// All TCBs of a host: by number, by id and by socket pair; listeners by local port; and the history
// of those that are CLOSED. Hash tables are only ever looked up: whatever goes through many does so
// in the order of ids or numbers, which is the same in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "stack/host/host.h"
#include "stack/host/secret_hash.h"
#include "stack/packet/address.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/status.h"
#include "stack/tcp/time_wait.h"

namespace tcproctor::host {

// One TCB, of whatever size its state needs.
struct Slot {
  ConnectionId id = 0;        // 0: the slot is free
  ConnectionId listener = 0;  // the one it was born of
  packet::FourTuple tuple;    // of a listener: local as given, remote as given or unspecified
  std::variant<std::monostate, std::unique_ptr<tcp::Connection>, std::unique_ptr<tcp::Listener>,
               tcp::TimeWait>
      tcb;
  bool in_pairs = false;       // found by its socket pair
  bool ready = false;          // in the queue of those that may have something to send
  bool half_open = false;      // its listener counts it as half open still
  bool awaits_accept = false;  // in its listener's queue for ACCEPT
  bool reopening = false;      // TIME-WAIT: a listener judges a SYN for the same pair (MAY-2)

  tcp::Connection* connection() {
    auto* const held = std::get_if<std::unique_ptr<tcp::Connection>>(&tcb);
    return held == nullptr ? nullptr : held->get();
  }
  const tcp::Connection* connection() const { return const_cast<Slot*>(this)->connection(); }
  tcp::Listener* listening() {
    auto* const held = std::get_if<std::unique_ptr<tcp::Listener>>(&tcb);
    return held == nullptr ? nullptr : held->get();
  }
  const tcp::Listener* listening() const { return const_cast<Slot*>(this)->listening(); }
  tcp::TimeWait* time_wait() { return std::get_if<tcp::TimeWait>(&tcb); }
  const tcp::TimeWait* time_wait() const { return std::get_if<tcp::TimeWait>(&tcb); }
  bool is_time_wait() const;
};

// A connection that is CLOSED, for STATUS and for the last RECEIVE.
struct ClosedRecord {
  tcp::Status status;
  ConnectionId listener = 0;
  bool awaits_accept = false;
  // Only while there are unread data in it.
  std::unique_ptr<tcp::Connection> unread;
};

class ConnectionTable {
 public:
  using Index = uint32_t;
  static constexpr size_t kMaxClosed = 1024;
  static constexpr size_t kMaxUnread = 64;  // of them may keep data that nobody has read yet

  explicit ConnectionTable(const SecretHash& hash)
      : pairs_(0, PairHash{.slots = &slots_, .hash = hash}, SamePair{.slots = &slots_}) {}
  // The hash looks at the slots here.
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  Slot& operator[](Index index) { return slots_[index]; }
  const Slot& operator[](Index index) const { return slots_[index]; }

  // A fresh slot under `id`; the caller fills tcb. A connection's pair is entered (it must be
  // free), a listener's port is.
  Index add(ConnectionId id, const packet::FourTuple& tuple, bool listener);
  // The same slot goes from listener to connection or is given up: its entries by pair and port go.
  void unlink(Index index);
  // Enters a slot that was a listener under its pair.
  void link_pair(Index index, const packet::FourTuple& tuple);
  // Frees the slot and forgets its id.
  void remove(Index index);

  std::optional<Index> find(ConnectionId id) const;
  std::optional<Index> find(const packet::FourTuple& pair) const;
  // The listener for a segment of `pair`, the most specific first: exact remote, exact local
  // address, any.
  std::optional<Index> find_listener(const packet::FourTuple& pair) const;
  // Does a listener hold exactly this local socket, and this remote if it gave one?
  bool has_listener(const packet::SocketAddress& local, const packet::SocketAddress& remote) const;
  // Does a listener that takes every remote hold this local socket, or its port at any address?
  bool is_local_taken(const packet::SocketAddress& local) const;
  // Does any listener use this port?
  bool has_listener_on(uint16_t port) const;

  // By ascending id.
  const absl::btree_map<ConnectionId, Index>& ids() const { return ids_; }

  // Files a record; returns the one that was pushed out, for its listener to be told.
  std::optional<std::pair<ConnectionId, ClosedRecord>> add_closed(ConnectionId id,
                                                                  ClosedRecord record);
  const absl::btree_map<ConnectionId, ClosedRecord>& closed() const { return closed_; }
  ClosedRecord* find_closed(ConnectionId id);
  const ClosedRecord* find_closed(ConnectionId id) const;

 private:
  using Slots = std::deque<Slot>;  // references stay good while it grows

  // A slot is found by the pair that stands in it: no second copy of that.
  static const packet::FourTuple& pair_of(const Slots&, const packet::FourTuple& pair) {
    return pair;
  }
  static const packet::FourTuple& pair_of(const Slots& slots, Index index) {
    return slots[index].tuple;
  }
  struct PairHash {
    using is_transparent = void;
    const Slots* slots;
    SecretHash hash;
    size_t operator()(const auto& key) const { return hash(pair_of(*slots, key)); }
  };
  struct SamePair {
    using is_transparent = void;
    const Slots* slots;
    bool operator()(const auto& a, const auto& b) const {
      return pair_of(*slots, a) == pair_of(*slots, b);
    }
  };

  Slots slots_;
  std::vector<Index> free_;
  absl::btree_map<ConnectionId, Index> ids_;
  absl::flat_hash_set<Index, PairHash, SamePair> pairs_;
  absl::btree_map<uint16_t, std::vector<Index>> listeners_;  // by local port, in the order of OPEN
  absl::btree_map<ConnectionId, ClosedRecord> closed_;
  std::deque<ConnectionId> closed_order_;
  std::deque<ConnectionId> unread_order_;  // those that were filed with unread data, oldest first
};

}  // namespace tcproctor::host
