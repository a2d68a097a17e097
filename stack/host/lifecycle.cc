// SPDX-License-Identifier: Apache-2.0
// What follows every call of a TCB: its events are taken, its timer is set, its place in the tables
// kept right; and the passages from one kind of TCB to another.
#include <algorithm>
#include <utility>

#include "stack/host/host_impl.h"
#include "stack/tcp/check.h"

namespace tcproctor::host {
namespace {

using tcp::State;

constexpr size_t kMaxEvents = 65536;

tcp::Event state_change(tcp::Instant now, State from, State to, std::string_view cause) {
  tcp::Event event;
  event.kind = tcp::Event::Kind::kStateChange;
  event.time = now;
  event.from = from;
  event.to = to;
  event.cause = cause;
  return event;
}

// CLOSED, or back in LISTEN: no TCB any more, but something may be left to send.
bool is_dead(const tcp::Connection& connection) {
  return connection.state() == State::kClosed || connection.state() == State::kListen;
}

}  // namespace

std::optional<tcp::Instant> Host::Impl::next_deadline() const {
  std::optional<tcp::Instant> next = neighbours_.next_deadline();
  if (const auto aged = path_mtus_.next_deadline(); aged && (!next || *aged < *next)) next = aged;
  if (!deadlines_.empty() && (!next || deadlines_.top_time() < *next)) {
    next = deadlines_.top_time();
  }
  return next;
}

void Host::Impl::on_deadline(tcp::Instant now) {
  counters_.drops[static_cast<size_t>(Drop::kNoNeighbour)] +=
      neighbours_.on_deadline(now, ask_again_);
  for (const packet::IpAddress& address : ask_again_) ask_for(address);
  ask_again_.clear();

  path_mtus_.on_deadline(now, aged_paths_);
  for (const packet::IpAddress& address : aged_paths_) spread_path_mtu(now, address, std::nullopt);
  aged_paths_.clear();

  // Collected first: each gets one turn, whatever deadlines the turns of others set.
  while (!deadlines_.empty() && deadlines_.top_time() <= now) {
    const Index index = deadlines_.top_slot();
    deadlines_.clear(index);
    due_.push_back({.index = index, .id = table_[index].id});
  }
  for (const auto& [index, id] : due_) {
    Slot& slot = table_[index];
    if (slot.id != id) continue;
    if (tcp::Connection* const connection = slot.connection()) {
      connection->on_deadline(now);
    } else if (tcp::Listener* const listener = slot.listening()) {
      listener->on_deadline(now);
    } else if (slot.time_wait()->deadline() <= now) {
      // EM-TIME-WAIT-2MSL-01.
      end_time_wait(now, index, "RFC 9293 §3.10.8: TIME-WAIT timeout");
      continue;
    }
    settle(now, index);
  }
  due_.clear();
}

bool Host::Impl::next_event(HostEvent& event) {
  if (events_.empty()) return false;
  event = events_.pop_front();
  return true;
}

void Host::Impl::emit(HostEvent event) {
  event.step = step_;
  if (event.event.kind == tcp::Event::Kind::kDropped) event.dropped = arriving_;
  if (events_.size() < kMaxEvents) events_.push_back(event);
}

// Of a segment that no TCB gets to see.
void Host::Impl::trace_drop(tcp::Instant now, std::string_view cause) {
  if (!config_.trace) return;
  HostEvent event;
  event.event.kind = tcp::Event::Kind::kDropped;
  event.event.time = now;
  event.event.cause = cause;
  emit(event);
}

void Host::Impl::settle(tcp::Instant now, Index index) {
  ++step_;
  Slot& slot = table_[index];
  if (slot.connection() != nullptr) {
    settle_connection(now, index);
  } else if (slot.listening() != nullptr) {
    settle_listener(now, index);
  } else {
    set_deadline(index);
    make_ready(index);
  }
}

// To every connection to `remote` (RFC 1191 §6.4): what one of them found, or that it has aged.
void Host::Impl::spread_path_mtu(tcp::Instant now, const packet::IpAddress& remote,
                                 const std::optional<tcp::PathMtuNews>& news) {
  for (const auto& [id, index] : table_.ids()) {
    Slot& slot = table_[index];
    if (slot.connection() == nullptr || slot.tuple.remote.address != remote) continue;
    if (news.has_value()) {
      slot.connection()->set_path_mtu(now, *news);
    } else {
      slot.connection()->path_mtu_aged(now, config_.mtu);
    }
    if (const auto deadline = slot.connection()->next_deadline(); deadline && slot.in_pairs) {
      deadlines_.set(index, *deadline);
    }
    make_ready(index);
  }
}

// What a connection learnt that serves others.
void Host::Impl::take_news(tcp::Instant now, Index index) {
  tcp::Connection& connection = *table_[index].connection();
  const packet::IpAddress remote = table_[index].tuple.remote.address;
  if (const auto mtu = connection.take_path_mtu_news()) {
    path_mtus_.set(now, remote, *mtu);
    spread_path_mtu(now, remote, mtu);
  }
  if (const auto news = connection.take_fast_open_news()) fast_open_.learn(now, remote, *news);
}

void Host::Impl::settle_connection(tcp::Instant now, Index index) {
  take_news(now, index);
  drain_connection(index);
  tell_listener(now, index);
  // The pair is free from this moment on; the slot stays until what it has to send is sent.
  if (is_dead(*table_[index].connection())) table_.unlink(index);
  set_deadline(index);
  make_ready(index);
}

void Host::Impl::set_deadline(Index index) {
  const Slot& slot = table_[index];
  std::optional<tcp::Instant> deadline;
  if (const tcp::Connection* const connection = slot.connection()) {
    if (!is_dead(*connection)) deadline = connection->next_deadline();
  } else if (const tcp::Listener* const listener = slot.listening()) {
    deadline = listener->next_deadline();
  } else if (const tcp::TimeWait* const time_wait = slot.time_wait()) {
    deadline = time_wait->deadline();
  }
  if (deadline) {
    deadlines_.set(index, *deadline);
  } else {
    deadlines_.clear(index);
  }
}

void Host::Impl::settle_listener(tcp::Instant, Index index) {
  drain_listener(index);
  set_deadline(index);
  make_ready(index);
}

void Host::Impl::make_ready(Index index) {
  Slot& slot = table_[index];
  if (slot.ready) return;
  slot.ready = true;
  ready_.push_back({.index = index, .id = slot.id});
}

void Host::Impl::drain_connection(Index index) {
  Slot& slot = table_[index];
  HostEvent event{.id = slot.id, .listener = slot.listener};
  while (slot.connection()->next_event(event.event)) emit(event);
}

void Host::Impl::drain_listener(Index index, std::vector<HostEvent>* later) {
  Slot& slot = table_[index];
  tcp::ListenerEvent event;
  while (slot.listening()->next_event(event)) {
    follow_reopening(event);
    const HostEvent out = {
        .id = event.id, .listener = event.id == slot.id ? 0 : slot.id, .event = event.event};
    if (later != nullptr && event.event.kind == tcp::Event::Kind::kAcceptable) {
      later->push_back(out);
    } else {
      emit(out);
    }
  }
}

// Which embryonic connection a TIME-WAIT is waiting for, and what became of it.
void Host::Impl::follow_reopening(const tcp::ListenerEvent& event) {
  if (reopening_.empty() || event.event.kind != tcp::Event::Kind::kStateChange) return;
  if (judging_reopening_ && event.event.to == State::kSynReceived) {
    reopening_.back().embryonic = event.id;
    return;
  }
  if (event.event.to != State::kClosed && event.event.to != State::kListen) return;
  // EM-TIME-WAIT-REOPEN-01: the SYN was an old duplicate.
  const auto it = std::ranges::find(reopening_, event.id, &Reopening::embryonic);
  if (it != reopening_.end()) stop_reopening(it->time_wait);
}

void Host::Impl::stop_reopening(Index time_wait) {
  table_[time_wait].reopening = false;
  std::erase_if(reopening_, [&](const Reopening& entry) { return entry.time_wait == time_wait; });
}

// Whether a half-open connection may become an established one that waits for ACCEPT. One that may
// answer early waits already.
void Host::Impl::ask_for_room(Slot& slot) {
  if (!slot.half_open || slot.connection()->may_answer_early()) return;
  const std::optional<Index> parent = table_.find(slot.listener);
  const tcp::Listener* listener = parent ? table_[*parent].listening() : nullptr;
  slot.connection()->hold_back(listener != nullptr && !listener->has_room());
}

// A passive connection left SYN-RECEIVED: its listener keeps the books of both kinds.
void Host::Impl::tell_listener(tcp::Instant now, Index index) {
  Slot& slot = table_[index];
  if (!slot.half_open || slot.connection()->state() == State::kSynReceived) return;
  slot.half_open = false;
  const std::optional<Index> parent = table_.find(slot.listener);
  if (!parent || table_[*parent].listening() == nullptr) return;
  if (is_dead(*slot.connection())) {
    table_[*parent].listening()->on_gone(slot.id);
  } else if (table_[*parent].listening()->on_established(now, slot.id)) {
    slot.awaits_accept = true;
  }
  settle(now, *parent);
}

void Host::Impl::sent_everything(tcp::Instant now, Index index) {
  Slot& slot = table_[index];
  tcp::Connection* const connection = slot.connection();
  if (connection == nullptr) return;
  if (is_dead(*connection)) return bury(index, connection->status(now));
  if (connection->state() == State::kTimeWait && connection->released() &&
      connection->readable_bytes() == 0 && !connection->is_signed()) {
    const tcp::TimeWait small = connection->time_wait();  // a copy: `connection` goes
    slot.tcb = small;
    deadlines_.set(index, small.deadline());
  }
}

void Host::Impl::bury(Index index, tcp::Status status) {
  Slot& slot = table_[index];
  status.state = State::kClosed;
  ClosedRecord record = {
      .status = status, .listener = slot.listener, .awaits_accept = slot.awaits_accept};
  if (tcp::Connection* const connection = slot.connection();
      connection != nullptr && !connection->released() && connection->readable_bytes() > 0) {
    record.unread = std::move(std::get<std::unique_ptr<tcp::Connection>>(slot.tcb));
  }
  const ConnectionId id = slot.id;
  deadlines_.clear(index);
  stop_reopening(index);
  table_.remove(index);
  const auto pushed_out = table_.add_closed(id, std::move(record));
  if (!pushed_out || !pushed_out->second.awaits_accept) return;
  // ACCEPT must not hand out what nobody knows any more.
  if (const auto parent = table_.find(pushed_out->second.listener)) {
    if (tcp::Listener* const listener = table_[*parent].listening()) {
      listener->on_gone(pushed_out->first);
    }
  }
}

// Before its time, by RST or by a new incarnation, or at its time.
void Host::Impl::end_time_wait(tcp::Instant now, Index index, std::string_view cause) {
  Slot& slot = table_[index];
  const tcp::Status status = status_of(now, slot);
  emit({.id = slot.id,
        .listener = slot.listener,
        .event = state_change(now, State::kTimeWait, State::kClosed, cause)});
  bury(index, status);
}

Host::Impl::Index Host::Impl::adopt(tcp::Instant now, Index listener, tcp::Promoted promoted) {
  std::vector<HostEvent> later;
  drain_listener(listener, &later);
  const packet::FourTuple tuple = promoted.connection->tuple();
  // The new incarnation is real: what was left of the old one goes.
  if (const std::optional<Index> old = table_.find(tuple)) {
    TCPROCTOR_CHECK(table_[*old].is_time_wait());
    end_time_wait(now, *old, "RFC 9293 §3.6.1 MAY-2: a new incarnation of the socket pair");
  }
  const Index index = table_.add(promoted.id, tuple, false);
  Slot& slot = table_[index];
  slot.listener = table_[listener].id;
  slot.half_open = promoted.connection->state() == State::kSynReceived;
  slot.awaits_accept = table_[listener].listening()->waits_for_accept(promoted.id);
  slot.tcb = std::move(promoted.connection);
  if (const auto mtu = path_mtus_.find(tuple.remote.address)) {
    slot.connection()->set_path_mtu(now, *mtu);
  }
  settle(now, index);
  for (const HostEvent& event : later) emit(event);
  settle(now, listener);
  return index;
}

void Host::Impl::forget_embryonic(const Slot& listener, tcp::Instant now, std::string_view cause) {
  for (const ConnectionId id : listener.listening()->embryonic()) {
    emit({.id = id,
          .listener = listener.id,
          .event = state_change(now, State::kSynReceived, State::kClosed, cause)});
  }
}

void Host::Impl::close_listener(tcp::Instant now, Index index, std::string_view cause) {
  drain_listener(index);
  Slot& slot = table_[index];
  const ConnectionId id = slot.id;
  forget_embryonic(slot, now, cause);
  emit({.id = id, .event = state_change(now, State::kListen, State::kClosed, cause)});
  bury(index, status_of(now, slot));
  abandon_unaccepted(now, id);
}

// Nobody can ACCEPT them any more: they are reset, as every stack does, rather than left open for
// ever.
void Host::Impl::abandon_unaccepted(tcp::Instant now, ConnectionId listener) {
  std::vector<Index> unaccepted;
  for (const auto& [id, index] : table_.ids()) {
    const Slot& slot = table_[index];
    if (slot.listener != listener || slot.connection() == nullptr) continue;
    const bool nobodys = slot.half_open && !slot.connection()->may_answer_early();
    if (slot.awaits_accept || nobodys) unaccepted.push_back(index);
  }
  for (const Index index : unaccepted) {
    table_[index].awaits_accept = false;
    table_[index].connection()->abort(now);
    settle(now, index);
  }
}

tcp::Status Host::Impl::status_of(tcp::Instant now, const Slot& slot) const {
  if (const tcp::Connection* const connection = slot.connection()) return connection->status(now);
  if (const tcp::Listener* const listener = slot.listening()) return listener->status(now);
  const tcp::TimeWait& time_wait = *slot.time_wait();
  tcp::Status status;
  status.state = State::kTimeWait;
  status.released = true;
  status.end_of_stream = true;
  status.local = slot.tuple.local;
  status.remote = slot.tuple.remote;
  status.snd_una = status.snd_nxt = time_wait.snd_nxt().value();
  status.rcv_nxt = time_wait.rcv_nxt().value();
  status.rcv_wnd = time_wait.rcv_wnd();
  status.timestamps = time_wait.timestamps();
  status.time_wait_timer = std::max(time_wait.deadline() - now, tcp::Duration::zero());
  return status;
}

}  // namespace tcproctor::host
