// SPDX-License-Identifier: Apache-2.0
// The user/TCP interface of RFC 9293 §3.9.1, as far as it is about sockets and tables; what a call
// does to a connection is the connection's business (stack/tcp/user_calls.cc).
#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "stack/host/host_impl.h"
#include "stack/tcp/initial_sequence.h"

namespace tcproctor::host {
namespace {

using packet::SocketAddress;
using tcp::Outcome;

absl::Status unknown(ConnectionId id) {
  return absl::NotFoundError(
      absl::StrCat("connection ", id, ": no such id was given out, or it is forgotten"));
}

}  // namespace

// --- OPEN (§3.10.1) ---

OpenResult Host::Impl::open(tcp::Instant now, const OpenParameters& parameters) {
  const bool quiet = is_quiet(now);
  if (!tcp::validate(parameters.options).ok()) return {.outcome = Outcome::kInsufficientResources};
  if (!parameters.active) return open_listener(now, parameters);
  if (quiet) return {.outcome = Outcome::kQuietTime};
  return open_connection(now, parameters);
}

// EM-CLOSED-OPEN-01. Existing connections on that port are no obstacle and are not touched
// (MUST-41, MUST-42); a second listener for the very same sockets is refused (EM-LISTEN-OPEN-04).
OpenResult Host::Impl::open_listener(tcp::Instant now, const OpenParameters& parameters) {
  const SocketAddress& local = parameters.local;
  if (!local.address.is_unspecified() && !addresses_.owns(local.address)) {
    return {.outcome = Outcome::kInvalidLocal};
  }
  if (local.port == 0) return {.outcome = Outcome::kInvalidLocal};
  const SocketAddress remote = parameters.remote.value_or(SocketAddress{});
  if (parameters.remote) {
    const Outcome outcome = check_remote(parameters.remote);
    if (outcome != Outcome::kOk) return {.outcome = outcome};
    if (remote.address.family() != local.address.family()) {
      return {.outcome = Outcome::kInvalidLocal};
    }
    const Outcome pair = check_pair({local, remote});
    if (pair != Outcome::kOk) return {.outcome = pair};
  }
  if (table_.has_listener(local, remote)) return {.outcome = Outcome::kAddressInUse};

  const ConnectionId id = next_id_++;
  const Index index = table_.add(id, {local, remote}, true);
  table_[index].tcb = std::make_unique<tcp::Listener>(
      tcp::ListenerConfig{.id = id,
                          .next_id = &next_id_,
                          .local = local,
                          .remote = parameters.remote,
                          .backlog = std::clamp<uint32_t>(parameters.backlog, 1, 65535),
                          .mtu = config_.mtu,
                          .reassembly = &reassembly_,
                          .settings = &config_.tcp,
                          .options = shared(parameters.options),
                          .secret = secret_,
                          .trace = config_.trace});
  emit({.id = id,
        .event = {.kind = tcp::Event::Kind::kStateChange,
                  .time = now,
                  .from = tcp::State::kClosed,
                  .to = tcp::State::kListen,
                  .cause = "RFC 9293 §3.10.1 CLOSED: passive OPEN"}});
  settle(now, index);
  return {.id = id};
}

// EM-CLOSED-OPEN-02, -03, -06, -07.
OpenResult Host::Impl::open_connection(tcp::Instant now, const OpenParameters& parameters) {
  Outcome outcome = check_remote(parameters.remote);
  if (outcome != Outcome::kOk) return {.outcome = outcome};
  const SocketAddress& remote = *parameters.remote;
  SocketAddress local = parameters.local;
  outcome = resolve_local(local, remote);
  if (outcome != Outcome::kOk) return {.outcome = outcome};
  if (local.port == 0) {
    // RFC6056-3.2-2: never a port that a service listens on.
    const std::optional<uint16_t> port = ports_.choose(local.address, remote, [&](uint16_t at) {
      return !table_.has_listener_on(at) && !table_.find({{local.address, at}, remote});
    });
    if (!port) return {.outcome = Outcome::kInsufficientResources};
    local.port = *port;
  } else if (table_.is_local_taken(local)) {
    return {.outcome = Outcome::kAddressInUse};
  }
  const packet::FourTuple tuple = {local, remote};
  outcome = check_pair(tuple);
  if (outcome != Outcome::kOk) return {.outcome = outcome};

  auto connection =
      std::make_unique<tcp::Connection>(connection_config(now, tuple, shared(parameters.options)));
  outcome = connection->open_active(now);
  if (outcome != Outcome::kOk) return {.outcome = outcome};
  const size_t accepted =
      parameters.data.empty() ? 0 : connection->send(now, parameters.data, true, false).accepted;
  const ConnectionId id = next_id_++;
  const Index index = table_.add(id, tuple, false);
  table_[index].tcb = std::move(connection);
  settle(now, index);
  return {.id = id, .accepted = accepted};
}

tcp::Outcome Host::Impl::check_remote(const std::optional<SocketAddress>& remote) const {
  if (!remote || remote->port == 0) return Outcome::kRemoteUnspecified;
  return addresses_.is_valid_remote(remote->address) ? Outcome::kOk : Outcome::kInvalidRemote;
}

// RFC9293-MUST-43, MUST-44: the address the user gave, else the one that suits the remote.
tcp::Outcome Host::Impl::resolve_local(SocketAddress& local, const SocketAddress& remote) const {
  if (!addresses_.next_hop(remote.address)) return Outcome::kUnreachable;
  if (local.address.is_unspecified()) {
    const auto source = addresses_.source_for(remote.address);
    if (!source) return Outcome::kUnreachable;
    local.address = *source;
    return Outcome::kOk;
  }
  const bool ok =
      addresses_.owns(local.address) && local.address.family() == remote.address.family();
  return ok ? Outcome::kOk : Outcome::kInvalidLocal;
}

tcp::Outcome Host::Impl::check_pair(const packet::FourTuple& pair) const {
  const std::optional<Index> index = table_.find(pair);
  if (!index) return Outcome::kOk;
  return table_[*index].is_time_wait() ? Outcome::kSocketPairInTimeWait
                                       : Outcome::kConnectionExists;
}

// Whoever opens many connections mostly asks for the same.
tcp::SharedOptions Host::Impl::shared(const tcp::ConnectionOptions& options) {
  if (*opened_last_ != options) opened_last_ = options;
  return opened_last_;
}

tcp::ConnectionConfig Host::Impl::connection_config(tcp::Instant now,
                                                    const packet::FourTuple& tuple,
                                                    const tcp::SharedOptions& options) const {
  return {.tuple = tuple,
          .iss = tcp::initial_sequence_number(secret_, now, tuple),
          .timestamp_offset = tcp::timestamp_offset(secret_, tuple),
          .mtu = config_.mtu,
          .path_mtu = path_mtus_.find(tuple.remote.address),
          .settings = &config_.tcp,
          .options = options,
          .reassembly = &reassembly_,
          .fast_open =
              options->fast_open ? fast_open_.find(now, tuple.remote.address) : tcp::FastOpenPath{},
          .trace = config_.trace};
}

tcp::Outcome Host::Impl::open_active(tcp::Instant now, ConnectionId id,
                                     const SocketAddress& remote) {
  const std::optional<Index> index = find_or_promote(now, id);
  if (!index) return Outcome::kConnectionDoesNotExist;
  // EM-SYN-SENT-OPEN-01 and so on for every state but LISTEN.
  if (table_[*index].listening() == nullptr) return Outcome::kConnectionExists;
  if (is_quiet(now)) return Outcome::kQuietTime;
  return become_active(now, *index, remote);
}

// EM-LISTEN-OPEN-01, EM-LISTEN-SEND-01: the passive OPEN becomes an active one under the same id.
tcp::Outcome Host::Impl::become_active(tcp::Instant now, Index index,
                                       const std::optional<SocketAddress>& remote) {
  const tcp::Listener& listener = *table_[index].listening();
  Outcome outcome = listener.can_become_active(remote);
  if (outcome != Outcome::kOk) return outcome;
  const std::optional<SocketAddress> target = remote ? remote : listener.config().remote;
  outcome = check_remote(target);
  if (outcome != Outcome::kOk) return outcome;
  packet::FourTuple tuple = {listener.config().local, *target};
  outcome = resolve_local(tuple.local, tuple.remote);
  if (outcome == Outcome::kOk) outcome = check_pair(tuple);
  if (outcome != Outcome::kOk) return outcome;

  auto connection =
      std::make_unique<tcp::Connection>(connection_config(now, tuple, listener.config().options));
  outcome = connection->open_active(now);
  if (outcome != Outcome::kOk) return outcome;
  drain_listener(index);
  Slot& slot = table_[index];
  forget_embryonic(slot, now, "RFC 9293 §3.10.1 LISTEN: the listener became active");
  table_.unlink(index);
  deadlines_.clear(index);
  slot.tcb = std::move(connection);
  table_.link_pair(index, tuple);
  HostEvent event{.id = slot.id};
  while (slot.connection()->next_event(event.event)) {
    // To the connection it began in CLOSED; to the user it was a listener.
    if (event.event.to == tcp::State::kSynSent) event.event.from = tcp::State::kListen;
    emit(event);
  }
  settle(now, index);
  abandon_unaccepted(now, slot.id);
  return Outcome::kOk;
}

OpenResult Host::Impl::accept(tcp::Instant now, ConnectionId id) {
  const std::optional<Index> index = table_.find(id);
  if (!index || table_[*index].listening() == nullptr) {
    return {.outcome = Outcome::kConnectionDoesNotExist};
  }
  const std::optional<uint64_t> accepted = table_[*index].listening()->accept();
  // There may be room for a SYN or a last ACK that was turned away.
  settle(now, *index);
  if (!accepted) return {.outcome = Outcome::kWouldBlock};
  if (const std::optional<Index> connection = table_.find(*accepted)) {
    table_[*connection].awaits_accept = false;
  } else if (ClosedRecord* const record = table_.find_closed(*accepted)) {
    record->awaits_accept = false;
  }
  return {.id = *accepted};
}

// --- the other calls ---

const Slot* Host::Impl::listener_of_embryonic(tcp::Instant now, ConnectionId id) const {
  for (const auto& [listener_id, index] : table_.ids()) {
    const tcp::Listener* const listener = table_[index].listening();
    if (listener != nullptr && listener->status(now, id)) return &table_[index];
  }
  return nullptr;
}

std::optional<Host::Impl::Index> Host::Impl::find_or_promote(tcp::Instant now, ConnectionId id) {
  if (const std::optional<Index> index = table_.find(id)) return index;
  const Slot* const slot = listener_of_embryonic(now, id);
  if (slot == nullptr) return std::nullopt;
  const Index parent = *table_.find(slot->id);
  std::optional<tcp::Promoted> promoted = table_[parent].listening()->promote(now, id);
  if (!promoted) return std::nullopt;
  return adopt(now, parent, *std::move(promoted));
}

// What a call on a CLOSED connection answers: how it ended, and EM-CLOSED-*-02 for an orderly end.
tcp::Outcome Host::Impl::closed_outcome(ConnectionId id) const {
  const ClosedRecord* const record = table_.find_closed(id);
  if (record == nullptr || record->status.last_error == Outcome::kOk) {
    return Outcome::kConnectionDoesNotExist;
  }
  return record->status.last_error;
}

SendResult Host::Impl::send(tcp::Instant now, ConnectionId id, std::span<const uint8_t> data,
                            bool push, bool urgent) {
  const std::optional<Index> index = find_or_promote(now, id);
  if (!index) return {.outcome = closed_outcome(id)};
  if (table_[*index].listening() != nullptr) {
    if (is_quiet(now)) return {.outcome = Outcome::kQuietTime};
    const Outcome outcome = become_active(now, *index, std::nullopt);
    if (outcome != Outcome::kOk) return {.outcome = outcome};
  }
  tcp::Connection* const connection = table_[*index].connection();
  if (connection == nullptr) return {.outcome = Outcome::kConnectionClosing};  // small TIME-WAIT
  const SendResult result = connection->send(now, data, push, urgent);
  settle(now, *index);
  return result;
}

ReceiveResult Host::Impl::receive(tcp::Instant now, ConnectionId id, std::span<uint8_t> buffer) {
  if (const std::optional<Index> index = table_.find(id)) {
    Slot& slot = table_[*index];
    // EM-LISTEN-RECEIVE-01: it waits for a connection.
    if (slot.listening() != nullptr) return {.outcome = Outcome::kWouldBlock};
    if (slot.connection() == nullptr) return {.outcome = Outcome::kConnectionClosing};
    const ReceiveResult result = slot.connection()->receive(now, buffer);
    settle(now, *index);
    return result;
  }
  if (ClosedRecord* const record = table_.find_closed(id)) {
    if (record->unread != nullptr) {
      const ReceiveResult result = record->unread->receive(now, buffer);
      record->status.receive_queue_bytes = static_cast<uint32_t>(record->unread->readable_bytes());
      if (record->unread->readable_bytes() == 0) record->unread.reset();
      return result;
    }
    // After the last octet of an orderly close the end of the stream can be read for ever.
    if (record->status.last_error == Outcome::kOk && record->status.end_of_stream) {
      return {.outcome = Outcome::kEndOfStream};
    }
    return {.outcome = closed_outcome(id)};
  }
  // EM-SYN-RECEIVED-RECEIVE-01.
  const bool embryonic = listener_of_embryonic(now, id) != nullptr;
  return {.outcome = embryonic ? Outcome::kWouldBlock : Outcome::kConnectionDoesNotExist};
}

tcp::Outcome Host::Impl::close(tcp::Instant now, ConnectionId id) {
  const std::optional<Index> index = find_or_promote(now, id);
  if (!index) return closed_outcome(id);
  Slot& slot = table_[*index];
  if (slot.listening() != nullptr) {
    close_listener(now, *index, "RFC 9293 §3.10.4 LISTEN: CLOSE");
    return Outcome::kOk;
  }
  if (slot.connection() == nullptr) return Outcome::kConnectionClosing;
  const Outcome outcome = slot.connection()->close(now);
  settle(now, *index);
  return outcome;
}

tcp::Outcome Host::Impl::release(tcp::Instant now, ConnectionId id) {
  if (ClosedRecord* const record = table_.find_closed(id)) {
    // Nothing is left to give up but what was unread.
    record->unread.reset();
    record->status.receive_queue_bytes = 0;
    record->status.released = true;
    return Outcome::kOk;
  }
  const std::optional<Index> index = find_or_promote(now, id);
  if (!index) return Outcome::kConnectionDoesNotExist;
  Slot& slot = table_[*index];
  if (slot.listening() != nullptr) {
    close_listener(now, *index, "RFC 9293 §3.10.4 LISTEN: released");
    return Outcome::kOk;
  }
  if (slot.connection() == nullptr) return Outcome::kOk;  // small TIME-WAIT: released long ago
  const Outcome outcome = slot.connection()->release(now);
  settle(now, *index);
  return outcome;
}

tcp::Outcome Host::Impl::abort(tcp::Instant now, ConnectionId id) {
  const std::optional<Index> index = table_.find(id);
  if (!index) {
    const Slot* const parent = listener_of_embryonic(now, id);
    if (parent == nullptr) return closed_outcome(id);
    const Index listener = *table_.find(parent->id);
    table_[listener].listening()->abort(now, id);
    settle(now, listener);
    return Outcome::kOk;
  }
  Slot& slot = table_[*index];
  if (slot.listening() != nullptr) {
    close_listener(now, *index, "RFC 9293 §3.10.5 LISTEN: ABORT");
    return Outcome::kOk;
  }
  if (slot.connection() == nullptr) {
    // EM-TIME-WAIT-ABORT-01.
    end_time_wait(now, *index, "RFC 9293 §3.10.5 TIME-WAIT: ABORT");
    return Outcome::kOk;
  }
  const Outcome outcome = slot.connection()->abort(now);
  settle(now, *index);
  return outcome;
}

absl::StatusOr<tcp::Status> Host::Impl::status(tcp::Instant now, ConnectionId id) const {
  if (const std::optional<Index> index = table_.find(id)) return status_of(now, table_[*index]);
  if (const ClosedRecord* const record = table_.find_closed(id)) return record->status;
  if (const Slot* const parent = listener_of_embryonic(now, id)) {
    return *parent->listening()->status(now, id);
  }
  return unknown(id);
}

std::vector<ConnectionId> Host::Impl::list() const {
  std::vector<ConnectionId> ids;
  for (const auto& [id, index] : table_.ids()) {
    ids.push_back(id);
    if (const tcp::Listener* const listener = table_[index].listening()) {
      const std::vector<uint64_t> embryonic = listener->embryonic();
      ids.insert(ids.end(), embryonic.begin(), embryonic.end());
    }
  }
  for (const auto& [id, record] : table_.closed()) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

absl::StatusOr<tcp::ConnectionOptions> Host::Impl::options(ConnectionId id) const {
  if (const std::optional<Index> index = table_.find(id)) {
    const Slot& slot = table_[*index];
    if (const tcp::Connection* const connection = slot.connection()) return connection->options();
    if (const tcp::Listener* const listener = slot.listening()) return *listener->config().options;
  } else if (const Slot* const parent = listener_of_embryonic({}, id)) {
    return *parent->listening()->config().options;
  } else if (table_.find_closed(id) == nullptr) {
    return unknown(id);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("connection ", id, ": is over, it has no options any more"));
}

absl::Status Host::Impl::set_options(tcp::Instant now, ConnectionId id,
                                     const tcp::ConnectionOptions& options) {
  const std::optional<Index> index = find_or_promote(now, id);
  if (!index && table_.find_closed(id) == nullptr) return unknown(id);
  if (index) {
    Slot& slot = table_[*index];
    if (tcp::Listener* const listener = slot.listening()) return listener->set_options(options);
    if (tcp::Connection* const connection = slot.connection()) {
      absl::Status status = connection->set_options(now, options);
      settle(now, *index);
      return status;
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("connection ", id, ": is over, its options cannot be set any more"));
}

HalfOpenSummary Host::Impl::half_open(tcp::Instant now, ConnectionId id) const {
  const std::optional<Index> index = table_.find(id);
  if (!index || table_[*index].listening() == nullptr) return {};
  const tcp::Listener::HalfOpen half_open = table_[*index].listening()->half_open(now);
  return {.count = half_open.count,
          .oldest_age = half_open.oldest_age,
          .distinct_sources = half_open.distinct_sources,
          .cookies_sent = half_open.cookies_sent,
          .cookies_accepted = half_open.cookies_accepted,
          .dropped = half_open.dropped,
          .bytes_per_entry = half_open.bytes_per_entry};
}

}  // namespace tcproctor::host
