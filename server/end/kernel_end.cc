// SPDX-License-Identifier: Apache-2.0
// The user calls of the kernel end; what it observes is in kernel_end_status.cc.
#include "server/end/kernel_end.h"

#include <sys/epoll.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/end/capabilities.h"
#include "server/end/kernel_options.h"
#include "server/end/translate.h"
#include "server/host/tcp_metrics.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kDefaultBacklog = 128;
constexpr uint32_t kDefaultReceiveBytes = 65536;

absl::Status no_such_connection(uint64_t id) {
  return absl::NotFoundError(absl::StrCat("connection ", id, ": no such connection of this end"));
}

packet::IpFamily family_of(const v1::OpenRequest& request) {
  const std::string& text = request.has_remote() && !request.remote().address().empty()
                                ? request.remote().address()
                                : request.local().address();
  return text.find(':') == std::string::npos ? packet::IpFamily::kV4 : packet::IpFamily::kV6;
}

SocketFamily socket_family(const packet::IpAddress& address) {
  return address.is_v4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6;
}

v1::OpenResponse failed(tcp::Outcome outcome, const packet::FourTuple& pair) {
  v1::OpenResponse response;
  response.set_outcome(to_proto(outcome));
  *response.mutable_pair() = to_proto(pair);
  return response;
}

}  // namespace

KernelEnd::KernelEnd(std::shared_ptr<NetworkNamespace> ns, run::EventLoop& loop,
                     KernelEndConfig config, std::function<uint64_t()> allocate_id,
                     std::function<absl::Duration()> now, std::unique_ptr<InetDiag> diag,
                     UniqueFd epoll)
    : ns_(std::move(ns)),
      loop_(loop),
      config_(std::move(config)),
      allocate_id_(std::move(allocate_id)),
      now_(std::move(now)),
      diag_(std::move(diag)),
      epoll_(std::move(epoll)),
      sockets_(ns_, loop, [this] { activity(); }) {}

absl::StatusOr<std::unique_ptr<KernelEnd>> KernelEnd::create(std::shared_ptr<NetworkNamespace> ns,
                                                             run::EventLoop& loop,
                                                             KernelEndConfig config,
                                                             std::function<uint64_t()> allocate_id,
                                                             std::function<absl::Duration()> now) {
  absl::StatusOr<std::unique_ptr<InetDiag>> diag = InetDiag::open(*ns);
  if (!diag.ok()) return diag.status();
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  std::unique_ptr<KernelEnd> end(new KernelEnd(std::move(ns), loop, std::move(config),
                                               std::move(allocate_id), std::move(now),
                                               std::move(*diag), std::move(epoll)));
  absl::Status status = loop.watch(end->epoll_.get(), run::Readiness{.readable = true},
                                   [raw = end.get()](run::Readiness) { raw->drain_epoll(); });
  if (!status.ok()) return status;
  return end;
}

KernelEnd::~KernelEnd() {
  loop_.unwatch(epoll_.get());
  if (config_.of_the_machine) sweep();
}

// A namespace of the session's own takes everything along. Here TIME-WAIT and what was released
// would go on, and meet whoever uses the same sockets next.
void KernelEnd::sweep() {
  absl::StatusOr<std::vector<DiagnosedSocket>> sockets = diag_->dump();
  if (!sockets.ok()) return;
  std::erase_if(*sockets, [this](const DiagnosedSocket& socket) {
    return socket.state == tcp::State::kListen || !concerns(socket);
  });
  for (auto& [id, connection] : connections_) connection.socket.reset();  // sends RST
  // NOT_FOUND: it went with its socket.
  for (const DiagnosedSocket& socket : *sockets) (void)diag_->destroy(socket);
  forget_peers();
}

// A path MTU and a cookie of Fast Open outlive the connections that met them.
void KernelEnd::forget_peers() const {
  std::set<packet::IpAddress> peers(config_.peers.begin(), config_.peers.end());
  for (const auto& [id, connection] : connections_) {
    if (!connection.listener) peers.insert(connection.pair.remote.address);
  }
  // What fails is tried again, and told, when the next session begins.
  for (const packet::IpAddress& peer : peers) forget_peer(*ns_, peer).IgnoreError();
}

bool KernelEnd::concerns(const DiagnosedSocket& socket) const {
  if (!config_.of_the_machine || listener_of(socket.local) != 0) return true;
  const packet::FourTuple pair{socket.local, socket.remote};
  return std::ranges::any_of(connections_, [&pair](const auto& entry) {
    const Connection& connection = entry.second;
    const bool over = !connection.socket && connection.seen_state == tcp::State::kClosed;
    return !connection.listener && !over && connection.pair == pair;
  });
}

void KernelEnd::drain_epoll() {
  epoll_event ready[64];
  int count;
  while ((count = ::epoll_wait(epoll_.get(), ready, 64, 0)) > 0) {
    for (int i = 0; i < count; ++i) {
      auto found = connections_.find(ready[i].data.u64);
      if (found != connections_.end() && (ready[i].events & EPOLLPRI) != 0) {
        found->second.urgent_pending = true;
      }
    }
    if (count < 64) break;
  }
  activity();
}

absl::Status KernelEnd::watch(Connection& connection) {
  epoll_event event{};
  event.events = KernelSocket::epoll_events();
  event.data.u64 = connection.id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket->fd(), &event) != 0) {
    return absl::ErrnoToStatus(errno, "epoll_ctl");
  }
  return absl::OkStatus();
}

// Closing a descriptor takes it out of the epoll set.
void KernelEnd::forget_socket(Connection& connection) {
  connection.socket.reset();
  if (connection.listener) follow_state(connection);
}

absl::StatusOr<KernelEnd::Connection*> KernelEnd::lookup(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return no_such_connection(id);
  return &found->second;
}

absl::StatusOr<KernelEnd::Connection*> KernelEnd::lookup_with_socket(uint64_t id,
                                                                     std::string_view capability) {
  absl::StatusOr<Connection*> connection = lookup(id);
  if (!connection.ok()) return connection;
  // Without a socket and neither released nor ended, it is half open or waits for ACCEPT: the
  // kernel gives no call access to it.
  if (!(*connection)->socket && !(*connection)->released &&
      state_of(**connection) != tcp::State::kClosed) {
    return kernel_lacks(capability);
  }
  return connection;
}

// Looks at the oldest few only: those in TIME-WAIT must stay, and cost a question to the kernel.
void KernelEnd::forget_ended() {
  int questions = 16;
  for (auto it = connections_.begin();
       it != connections_.end() && connections_.size() >= config_.max_connections;) {
    if (!it->second.socket && questions-- == 0) return;
    const bool over = !it->second.socket && state_of(it->second) == tcp::State::kClosed;
    it = over ? connections_.erase(it) : std::next(it);
  }
}

KernelEnd::Connection& KernelEnd::add(packet::FourTuple pair, bool passive) {
  forget_ended();
  const uint64_t id = allocate_id_();
  Connection& connection = connections_[id];
  connection.id = id;
  connection.pair = pair;
  connection.passive = passive;
  for (const auto& [other_id, other] : connections_) {
    if (other_id != id && !other.listener && other.pair == pair) {
      connection.incarnation = other.incarnation + 1;
    }
  }
  return connection;
}

std::vector<packet::IpAddress> KernelEnd::addresses() const {
  std::vector<packet::IpAddress> all;
  for (const host::InterfaceAddress& own : config_.addresses) all.push_back(own.address);
  return all;
}

bool KernelEnd::is_directed_broadcast(const packet::IpAddress& address) const {
  return std::ranges::any_of(config_.addresses, [&](const host::InterfaceAddress& own) {
    return address.is_broadcast_of(own.address, own.prefix_length);
  });
}

// What the kernel has one errno for. "In use" and "in TIME-WAIT": its diagnosis tells which.
tcp::Outcome KernelEnd::tell_apart(tcp::Outcome outcome, const packet::FourTuple& pair) {
  // Refused it was; why, the kernel does not say of a directed broadcast (RFC9293-MUST-46).
  if (outcome == tcp::Outcome::kUnreachable && is_directed_broadcast(pair.remote.address)) {
    return tcp::Outcome::kInvalidRemote;
  }
  if (outcome != tcp::Outcome::kAddressInUse && outcome != tcp::Outcome::kSocketPairInTimeWait) {
    return outcome;
  }
  absl::StatusOr<std::optional<DiagnosedSocket>> held = diag_->find(pair.local, pair.remote);
  const bool in_time_wait = held.ok() && *held && (*held)->state == tcp::State::kTimeWait;
  return in_time_wait ? tcp::Outcome::kSocketPairInTimeWait : tcp::Outcome::kAddressInUse;
}

absl::StatusOr<v1::OpenResponse> KernelEnd::open(const v1::OpenRequest& request) {
  if (request.from_listener() != 0) return kernel_lacks(kCapOpenListenerToActive);
  return request.active() ? open_active(request) : open_passive(request);
}

absl::StatusOr<v1::OpenResponse> KernelEnd::open_passive(const v1::OpenRequest& request) {
  if (request.has_remote()) return kernel_lacks(kCapOpenPassiveSpecifiedRemote);
  const uint32_t backlog = request.has_backlog() ? request.backlog() : kDefaultBacklog;
  if (backlog == 0 || backlog > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("backlog: ", backlog, " is out of range; 1..65535"));
  }
  absl::StatusOr<packet::SocketAddress> local =
      from_proto(request.local(), "local", family_of(request));
  if (!local.ok()) return local.status();
  absl::StatusOr<SocketOptions> options = socket_options_from_proto(request.options());
  if (!options.ok()) return options.status();
  if (!options->reuse_address) options->reuse_address = true;
  const SocketFamily family =
      local->address.is_unspecified() ? SocketFamily::kDual : socket_family(local->address);
  absl::StatusOr<KernelSocket> socket = KernelSocket::create(*ns_, family);
  if (!socket.ok()) return socket.status();
  if (absl::Status status = socket->set_options(*options); !status.ok()) return status;
  const packet::FourTuple wanted{*local, {packet::IpAddress::any(packet::IpFamily::kV4), 0}};
  SocketResult result = socket->bind(*local);
  if (result.ok()) result = socket->listen(backlog);
  if (!result.ok()) return failed(result.outcome, wanted);

  packet::FourTuple pair = wanted;
  pair.local = socket->local();
  Connection& connection = add(pair, true);
  connection.listener = true;
  connection.cookie = socket->cookie();
  connection.socket = *std::move(socket);
  if (absl::Status status = watch(connection); !status.ok()) return status;
  follow_state(connection);
  v1::OpenResponse response = failed(tcp::Outcome::kOk, pair);
  response.set_connection(connection.id);
  return response;
}

absl::StatusOr<v1::OpenResponse> KernelEnd::open_active(const v1::OpenRequest& request) {
  const packet::IpFamily ip_family = family_of(request);
  absl::StatusOr<packet::SocketAddress> local = from_proto(request.local(), "local", ip_family);
  if (!local.ok()) return local.status();
  absl::StatusOr<packet::SocketAddress> remote = from_proto(request.remote(), "remote", ip_family);
  if (!remote.ok()) return remote.status();
  if (!request.has_remote() || remote->port == 0) {
    return failed(tcp::Outcome::kRemoteUnspecified, {*local, *remote});
  }
  if (local->address.is_unspecified()) {
    for (const host::InterfaceAddress& own : config_.addresses) {
      if (own.address.is_v4() == remote->address.is_v4()) {
        local->address = own.address;
        break;
      }
    }
  }
  absl::StatusOr<SocketOptions> options = socket_options_from_proto(request.options());
  if (!options.ok()) return options.status();
  const bool fast_open = options->fast_open_queue.value_or(0) != 0;
  options->fast_open_queue.reset();  // it is for listeners
  if (!fast_open && !request.data().empty()) return kernel_lacks(kCapOpenData, "data");
  absl::StatusOr<KernelSocket> socket = KernelSocket::create(*ns_, socket_family(remote->address));
  if (!socket.ok()) return socket.status();
  if (absl::Status status = socket->set_options(*options); !status.ok()) return status;
  const packet::FourTuple wanted{*local, *remote};
  SocketResult result = socket->bind(*local);
  uint64_t accepted = 0;
  if (result.ok() && fast_open) {
    const TransferResult sent = socket->connect(
        *remote, {reinterpret_cast<const uint8_t*>(request.data().data()), request.data().size()});
    result = {sent.outcome, sent.error};
    accepted = sent.bytes;
  } else if (result.ok()) {
    result = socket->connect(*remote);
  }
  if (!result.ok() && result.outcome != tcp::Outcome::kWouldBlock) {
    return failed(tell_apart(result.outcome, wanted), wanted);
  }

  Connection& connection = add({socket->local(), *remote}, false);
  connection.cookie = socket->cookie();
  connection.socket = *std::move(socket);
  if (absl::Status status = watch(connection); !status.ok()) return status;
  v1::OpenResponse response = failed(tcp::Outcome::kOk, connection.pair);
  response.set_connection(connection.id);
  response.set_accepted(accepted);
  return response;
}

absl::StatusOr<v1::AcceptResponse> KernelEnd::accept(uint64_t listener) {
  absl::StatusOr<Connection*> found = lookup(listener);
  if (!found.ok()) return found.status();
  v1::AcceptResponse response;
  if (!(*found)->socket || !(*found)->listener) {
    response.set_outcome(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
    return response;
  }
  KernelSocket::Accepted accepted = (*found)->socket->accept();
  response.set_outcome(to_proto(accepted.result.outcome));
  if (!accepted.socket) return response;
  (*found)->acceptable_told = false;

  // The connection may have been named while it was half open: it has kept its cookie.
  Connection* connection = nullptr;
  for (auto& [id, candidate] : connections_) {
    if (!candidate.socket && candidate.cookie == accepted.socket->cookie()) connection = &candidate;
  }
  if (connection == nullptr) {
    connection = &add({accepted.socket->local(), accepted.socket->remote()}, true);
    connection->cookie = accepted.socket->cookie();
  }
  connection->listener_id = listener;
  connection->socket = std::move(accepted.socket);
  if (absl::Status status = watch(*connection); !status.ok()) return status;
  response.set_connection(connection->id);
  *response.mutable_pair() = to_proto(connection->pair);
  return response;
}

absl::StatusOr<v1::SendResponse> KernelEnd::send(uint64_t id, std::string_view data, bool,
                                                 bool urgent) {
  absl::StatusOr<Connection*> connection = lookup_with_socket(id, kCapEmbryonicSend);
  if (!connection.ok()) return connection.status();
  if ((*connection)->listener) return kernel_lacks(kCapSendOnListener);
  v1::SendResponse response;
  if (!(*connection)->socket) {
    response.set_outcome(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
    return response;
  }
  const TransferResult result =
      (*connection)
          ->socket->send(std::span(reinterpret_cast<const uint8_t*>(data.data()), data.size()),
                         urgent);
  response.set_outcome(to_proto(result.outcome));
  response.set_accepted(result.bytes);
  note_error(**connection);
  return response;
}

absl::StatusOr<v1::ReceiveResponse> KernelEnd::receive(uint64_t id, uint32_t max_bytes) {
  absl::StatusOr<Connection*> connection = lookup_with_socket(id, kCapEmbryonicReceive);
  if (!connection.ok()) return connection.status();
  v1::ReceiveResponse response;
  if ((*connection)->listener || !(*connection)->socket) {
    response.set_outcome((*connection)->last_error == tcp::Outcome::kOk
                             ? v1::OUTCOME_CONNECTION_DOES_NOT_EXIST
                             : to_proto((*connection)->last_error));
    return response;
  }
  std::string buffer(max_bytes == 0 ? kDefaultReceiveBytes : max_bytes, '\0');
  const TransferResult result =
      (*connection)
          ->socket->receive(std::span(reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()));
  buffer.resize(result.bytes);
  response.set_outcome(to_proto(result.outcome));
  response.set_data(std::move(buffer));
  // Linux marks one octet; the user learns when the next octet to read is that one.
  response.set_urgent(result.at_urgent_mark);
  if (result.at_urgent_mark) response.set_urgent_remaining(1);
  note_error(**connection);
  return response;
}

absl::StatusOr<v1::Outcome> KernelEnd::close(uint64_t id) {
  absl::StatusOr<Connection*> found = lookup_with_socket(id, kCapEmbryonicClose);
  if (!found.ok()) return found.status();
  Connection& connection = **found;
  if (!connection.socket) return v1::OUTCOME_CONNECTION_DOES_NOT_EXIST;
  if (connection.listener) {
    connection.socket->release();
    forget_socket(connection);
    return v1::OUTCOME_OK;
  }
  return to_proto(connection.socket->close().outcome);
}

absl::StatusOr<v1::Outcome> KernelEnd::release(uint64_t id) {
  absl::StatusOr<Connection*> found = lookup_with_socket(id, kCapEmbryonicClose);
  if (!found.ok()) return found.status();
  Connection& connection = **found;
  if (!connection.socket) return v1::OUTCOME_CONNECTION_DOES_NOT_EXIST;
  note_error(connection);
  connection.released = true;
  connection.socket->release();
  forget_socket(connection);
  return v1::OUTCOME_OK;
}

absl::StatusOr<v1::Outcome> KernelEnd::abort(uint64_t id) {
  absl::StatusOr<Connection*> found = lookup_with_socket(id, kCapEmbryonicAbort);
  if (!found.ok()) return found.status();
  Connection& connection = **found;
  if (!connection.socket) return v1::OUTCOME_CONNECTION_DOES_NOT_EXIST;
  connection.socket->abort();
  forget_socket(connection);
  // ABORT in TIME-WAIT deletes the TCB (EM-TIME-WAIT-ABORT-01); the kernel does it through
  // diagnosis.
  if (std::optional<DiagnosedSocket> rest = diagnose(connection);
      rest && rest->state == tcp::State::kTimeWait) {
    (void)diag_->destroy(*rest);
  }
  if (!connection.listener) connection.last_error = tcp::Outcome::kConnectionAborted;
  return v1::OUTCOME_OK;
}

absl::StatusOr<v1::ConnectionOptions> KernelEnd::get_options(uint64_t id) {
  absl::StatusOr<Connection*> connection = lookup_with_socket(id, kCapEmbryonicReceive);
  if (!connection.ok()) return connection.status();
  if (!(*connection)->socket) {
    return absl::FailedPreconditionError(
        absl::StrCat("connection ", id, ": it was given up and has no options any more"));
  }
  return socket_options_to_proto((*connection)->socket->options());
}

absl::StatusOr<v1::ConnectionOptions> KernelEnd::set_options(uint64_t id,
                                                             const v1::ConnectionOptions& options) {
  absl::StatusOr<Connection*> connection = lookup_with_socket(id, kCapEmbryonicReceive);
  if (!connection.ok()) return connection.status();
  if (!(*connection)->socket) {
    return absl::FailedPreconditionError(
        absl::StrCat("connection ", id, ": it was given up and has no options any more"));
  }
  absl::StatusOr<SocketOptions> wanted = socket_options_from_proto(options);
  if (!wanted.ok()) return wanted.status();
  if (wanted->fast_open_queue && !(*connection)->listener) {
    return absl::FailedPreconditionError(
        "options.fast_open: it is in force from the SYN on and cannot be changed afterwards");
  }
  if (absl::Status status = (*connection)->socket->set_options(*wanted); !status.ok()) {
    return status;
  }
  return socket_options_to_proto((*connection)->socket->options());
}

}  // namespace tcproctor::server
