// SPDX-License-Identifier: Apache-2.0
#include "stack/host/connection_table.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/check.h"

namespace tcproctor::host {
namespace {

using packet::SocketAddress;

// An unspecified local address stands for every address of the host, of either family, as it does
// for the kernel's dual-stack listeners.
bool covers(const SocketAddress& listening, const packet::IpAddress& address) {
  return listening.address == address || listening.address.is_unspecified();
}

bool takes_any_remote(const Slot& slot) {
  return slot.tuple.remote == SocketAddress{};
}

}  // namespace

bool Slot::is_time_wait() const {
  if (time_wait() != nullptr) return true;
  const tcp::Connection* const full = connection();
  return full != nullptr && full->state() == tcp::State::kTimeWait;
}

ConnectionTable::Index ConnectionTable::add(ConnectionId id, const packet::FourTuple& tuple,
                                            bool listener) {
  Index index;
  if (free_.empty()) {
    index = static_cast<Index>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.id = id;
  slot.tuple = tuple;
  TCPROCTOR_CHECK(ids_.emplace(id, index).second);
  if (listener) {
    listeners_[tuple.local.port].push_back(index);
  } else {
    link_pair(index, tuple);
  }
  return index;
}

void ConnectionTable::link_pair(Index index, const packet::FourTuple& tuple) {
  Slot& slot = slots_[index];
  slot.tuple = tuple;
  slot.in_pairs = true;
  TCPROCTOR_CHECK(pairs_.insert(index).second);
}

void ConnectionTable::unlink(Index index) {
  Slot& slot = slots_[index];
  if (slot.in_pairs) {
    pairs_.erase(index);
    slot.in_pairs = false;
  }
  if (slot.listening() == nullptr) return;
  const auto it = listeners_.find(slot.tuple.local.port);
  if (it == listeners_.end()) return;
  std::erase(it->second, index);
  if (it->second.empty()) listeners_.erase(it);
}

void ConnectionTable::remove(Index index) {
  unlink(index);
  ids_.erase(slots_[index].id);
  slots_[index] = Slot{};
  free_.push_back(index);
}

std::optional<ConnectionTable::Index> ConnectionTable::find(ConnectionId id) const {
  const auto it = ids_.find(id);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::optional<ConnectionTable::Index> ConnectionTable::find(const packet::FourTuple& pair) const {
  const auto it = pairs_.find(pair);
  if (it == pairs_.end()) return std::nullopt;
  return *it;
}

std::optional<ConnectionTable::Index> ConnectionTable::find_listener(
    const packet::FourTuple& pair) const {
  const auto on_port = listeners_.find(pair.local.port);
  if (on_port == listeners_.end()) return std::nullopt;
  std::optional<Index> best;
  int best_rank = -1;
  for (const Index index : on_port->second) {
    const Slot& slot = slots_[index];
    const bool any_remote = takes_any_remote(slot);
    if (!covers(slot.tuple.local, pair.local.address)) continue;
    if (!any_remote && slot.tuple.remote != pair.remote) continue;
    const int rank = (any_remote ? 0 : 2) + (slot.tuple.local.address.is_unspecified() ? 0 : 1);
    if (rank > best_rank) {
      best = index;
      best_rank = rank;
    }
  }
  return best;
}

bool ConnectionTable::has_listener(const SocketAddress& local, const SocketAddress& remote) const {
  const auto on_port = listeners_.find(local.port);
  return on_port != listeners_.end() && std::ranges::any_of(on_port->second, [&](Index index) {
           return slots_[index].tuple == packet::FourTuple{local, remote};
         });
}

bool ConnectionTable::is_local_taken(const SocketAddress& local) const {
  const auto on_port = listeners_.find(local.port);
  return on_port != listeners_.end() && std::ranges::any_of(on_port->second, [&](Index index) {
           const Slot& slot = slots_[index];
           return takes_any_remote(slot) && covers(slot.tuple.local, local.address);
         });
}

bool ConnectionTable::has_listener_on(uint16_t port) const {
  return listeners_.contains(port);
}

std::optional<std::pair<ConnectionId, ClosedRecord>> ConnectionTable::add_closed(
    ConnectionId id, ClosedRecord record) {
  if (record.unread != nullptr) {
    unread_order_.push_back(id);
    if (unread_order_.size() > kMaxUnread) {
      if (ClosedRecord* const oldest = find_closed(unread_order_.front())) {
        oldest->unread.reset();
        oldest->status.receive_queue_bytes = 0;
      }
      unread_order_.pop_front();
    }
  }
  closed_.insert_or_assign(id, std::move(record));
  closed_order_.push_back(id);
  if (closed_order_.size() <= kMaxClosed) return std::nullopt;
  const auto oldest = closed_.find(closed_order_.front());
  closed_order_.pop_front();
  std::pair<ConnectionId, ClosedRecord> gone{oldest->first, std::move(oldest->second)};
  closed_.erase(oldest);
  return gone;
}

ClosedRecord* ConnectionTable::find_closed(ConnectionId id) {
  const auto it = closed_.find(id);
  return it == closed_.end() ? nullptr : &it->second;
}

const ClosedRecord* ConnectionTable::find_closed(ConnectionId id) const {
  return const_cast<ConnectionTable*>(this)->find_closed(id);
}

}  // namespace tcproctor::host
