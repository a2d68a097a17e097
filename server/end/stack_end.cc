// SPDX-License-Identifier: Apache-2.0
#include "server/end/stack_end.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/end/capabilities.h"
#include "server/end/stack_options.h"
#include "server/end/stack_status.h"
#include "server/end/translate.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kDefaultBacklog = 128;

absl::Status no_such_connection(uint64_t id) {
  return absl::NotFoundError(absl::StrCat("connection ", id, ": no such connection of this end"));
}

packet::IpFamily family_of(const v1::SocketAddress& socket, packet::IpFamily otherwise) {
  if (socket.address().empty()) return otherwise;
  return socket.address().find(':') == std::string::npos ? packet::IpFamily::kV4
                                                         : packet::IpFamily::kV6;
}

absl::StatusOr<host::OpenParameters> open_parameters(const v1::OpenRequest& request) {
  host::OpenParameters parameters;
  parameters.active = request.active();
  const packet::IpFamily local_family = family_of(request.local(), packet::IpFamily::kV4);
  const absl::StatusOr<packet::SocketAddress> remote =
      from_proto(request.remote(), "remote", family_of(request.remote(), local_family));
  if (!remote.ok()) return remote.status();
  if (request.has_remote()) parameters.remote = *remote;
  const absl::StatusOr<packet::SocketAddress> local =
      from_proto(request.local(), "local", remote->address.family());
  if (!local.ok()) return local.status();
  parameters.local = *local;
  parameters.backlog = request.has_backlog() ? request.backlog() : kDefaultBacklog;
  if (parameters.backlog < 1 || parameters.backlog > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("backlog: ", request.backlog(), " is outside 1..65535"));
  }
  return parameters;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StackEnd>> StackEnd::create(StackEndConfig config, link::Link& link,
                                                           run::Scheduler& scheduler,
                                                           run::EventLoop* loop) {
  auto planted = std::make_unique<mutants::Planted>(config.mutant);
  const mutants::Planting planting(*planted);
  absl::StatusOr<std::unique_ptr<host::Host>> host = host::Host::create(config.host);
  if (!host.ok()) return host.status();
  std::unique_ptr<StackEnd> end(
      new StackEnd(std::move(config), std::move(planted), *std::move(host), link, scheduler, loop));
  const absl::Status status = end->host_loop_.start();
  if (!status.ok()) return status;
  return end;
}

StackEnd::StackEnd(StackEndConfig config, std::unique_ptr<mutants::Planted> planted,
                   std::unique_ptr<host::Host> host, link::Link& link, run::Scheduler& scheduler,
                   run::EventLoop* loop)
    : config_(std::move(config)),
      planted_(std::move(planted)),
      host_(std::move(host)),
      host_loop_(*host_, link, scheduler, loop) {
  host_loop_.set_on_event([this](const host::HostEvent& event) { on_host_event(event); });
}

v1::EndInfo StackEnd::info() const {
  v1::EndInfo info;
  info.set_kind(v1::END_KIND_STACK);
  for (const std::string& text : config_.address_texts) info.add_addresses(text);
  if (config_.host.link_layer == host::LinkLayer::kEthernet) {
    info.set_mac(config_.host.mac.to_string());
  }
  for (const std::string_view name : stack_capabilities()) info.add_capabilities(std::string(name));
  if (config_.virtual_clock) info.add_capabilities(std::string(kCapClockVirtual));
  info.set_interface(config_.interface);
  info.set_namespace_path(config_.namespace_path);
  info.set_namespace_inode(config_.namespace_inode);
  info.set_user_namespace_path(config_.user_namespace_path);
  for (const std::string_view id : planted_->passed()) info.add_mutants_passed(std::string(id));
  return info;
}

std::vector<packet::IpAddress> StackEnd::addresses() const {
  std::vector<packet::IpAddress> addresses;
  for (const host::InterfaceAddress& entry : config_.host.addresses) {
    addresses.push_back(entry.address);
  }
  return addresses;
}

absl::StatusOr<v1::OpenResponse> StackEnd::open(const v1::OpenRequest& request) {
  if (request.from_listener() != 0) return open_from_listener(request);
  absl::StatusOr<host::OpenParameters> parameters = open_parameters(request);
  if (!parameters.ok()) return parameters.status();
  const uint16_t port = parameters->local.port;
  if (config_.last_port != 0 && port != 0 &&
      (port < config_.first_port || port > config_.last_port)) {
    return absl::InvalidArgumentError(absl::StrCat("local.port: ", port,
                                                   " is the machine's; this end has ",
                                                   config_.first_port, "..", config_.last_port));
  }
  parameters->options = config_.host.tcp.defaults;
  const absl::Status merged = merge_options(request.options(), parameters->options);
  if (!merged.ok()) return merged;
  parameters->data = {reinterpret_cast<const uint8_t*>(request.data().data()),
                      request.data().size()};

  const host::OpenResult result = host_->open(now(), *parameters);
  host_loop_.kick();
  v1::OpenResponse response;
  response.set_outcome(to_proto(result.outcome));
  packet::FourTuple pair{parameters->local, parameters->remote.value_or(packet::SocketAddress{})};
  if (result.outcome == tcp::Outcome::kOk) {
    response.set_connection(id_of(result.id));
    response.set_accepted(result.accepted);
    const absl::StatusOr<tcp::Status> status = host_->status(now(), result.id);
    if (status.ok()) {
      record_of(result.id, *status);
      pair = {status->local, status->remote};
    }
  }
  *response.mutable_pair() = to_proto(pair);
  return response;
}

absl::StatusOr<v1::OpenResponse> StackEnd::open_from_listener(const v1::OpenRequest& request) {
  const absl::StatusOr<host::ConnectionId> listener = host_id(request.from_listener());
  if (!listener.ok()) return listener.status();
  const absl::StatusOr<packet::SocketAddress> remote =
      from_proto(request.remote(), "remote", family_of(request.remote(), packet::IpFamily::kV4));
  if (!remote.ok()) return remote.status();
  v1::OpenResponse response;
  response.set_outcome(to_proto(host_->open_active(now(), *listener, *remote)));
  host_loop_.kick();
  response.set_connection(request.from_listener());
  const absl::StatusOr<tcp::Status> status = host_->status(now(), *listener);
  if (status.ok()) {
    record_of(*listener, *status);
    *response.mutable_pair() = to_proto(packet::FourTuple{status->local, status->remote});
  }
  return response;
}

absl::StatusOr<v1::AcceptResponse> StackEnd::accept(uint64_t listener) {
  const absl::StatusOr<host::ConnectionId> id = host_id(listener);
  if (!id.ok()) return id.status();
  const host::OpenResult result = host_->accept(now(), *id);
  host_loop_.kick();
  v1::AcceptResponse response;
  response.set_outcome(to_proto(result.outcome));
  if (result.outcome != tcp::Outcome::kOk) return response;
  response.set_connection(id_of(result.id));
  const absl::StatusOr<tcp::Status> status = host_->status(now(), result.id);
  if (status.ok()) {
    record_of(result.id, *status).listener = *id;
    *response.mutable_pair() = to_proto(packet::FourTuple{status->local, status->remote});
  }
  return response;
}

absl::StatusOr<v1::SendResponse> StackEnd::send(uint64_t connection, std::string_view data,
                                                bool push, bool urgent) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  const std::span<const uint8_t> octets(reinterpret_cast<const uint8_t*>(data.data()), data.size());
  const host::SendResult result = host_->send(now(), *id, octets, push, urgent);
  host_loop_.kick();
  v1::SendResponse response;
  response.set_outcome(to_proto(result.outcome));
  response.set_accepted(result.accepted);
  return response;
}

absl::StatusOr<v1::ReceiveResponse> StackEnd::receive(uint64_t connection, uint32_t max_bytes) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  if (buffer_.size() < max_bytes) buffer_.resize(max_bytes);
  const host::ReceiveResult result =
      host_->receive(now(), *id, std::span(buffer_).first(max_bytes));
  host_loop_.kick();
  v1::ReceiveResponse response;
  response.set_outcome(to_proto(result.outcome));
  response.set_data(buffer_.data(), result.received);
  response.set_pushed(result.pushed);
  response.set_urgent(result.urgent);
  response.set_urgent_remaining(result.urgent_remaining);
  return response;
}

absl::StatusOr<v1::Outcome> StackEnd::call(uint64_t connection,
                                           tcp::Outcome (host::Host::*method)(tcp::Instant,
                                                                              host::ConnectionId)) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  const tcp::Outcome outcome = (*host_.*method)(now(), *id);
  host_loop_.kick();
  return to_proto(outcome);
}

absl::StatusOr<v1::Outcome> StackEnd::close(uint64_t connection) {
  return call(connection, &host::Host::close);
}

absl::StatusOr<v1::Outcome> StackEnd::release(uint64_t connection) {
  return call(connection, &host::Host::release);
}

absl::StatusOr<v1::Outcome> StackEnd::abort(uint64_t connection) {
  return call(connection, &host::Host::abort);
}

absl::StatusOr<v1::ConnectionStatus> StackEnd::status(uint64_t connection) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  const absl::StatusOr<tcp::Status> status = status_in_host(*id);
  if (!status.ok()) return no_such_connection(connection);
  return status_of(*id, *status);
}

std::vector<v1::ConnectionStatus> StackEnd::list(uint64_t closed_after) {
  std::vector<v1::ConnectionStatus> all;
  for (const host::ConnectionId id : host_->list()) {
    const absl::StatusOr<tcp::Status> status = host_->status(now(), id);
    if (!status.ok()) continue;
    if (status->state == tcp::State::kClosed && id_of(id) <= closed_after) continue;
    all.push_back(status_of(id, *status));
  }
  return all;
}

absl::StatusOr<v1::ConnectionOptions> StackEnd::get_options(uint64_t connection) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  const absl::StatusOr<tcp::ConnectionOptions> options = host_->options(*id);
  if (!options.ok()) return no_such_connection(connection);
  return options_to_proto(*options);
}

absl::StatusOr<v1::ConnectionOptions> StackEnd::set_options(uint64_t connection,
                                                            const v1::ConnectionOptions& request) {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  if (!id.ok()) return id.status();
  absl::StatusOr<tcp::ConnectionOptions> options = host_->options(*id);
  if (!options.ok()) return no_such_connection(connection);
  absl::Status status = merge_options(request, *options);
  if (status.ok()) status = host_->set_options(now(), *id, *options);
  if (!status.ok()) return status;
  host_loop_.kick();
  return get_options(connection);
}

std::optional<uint64_t> StackEnd::find(const v1::FourTuple& pair, uint32_t incarnation) {
  const packet::IpFamily family =
      family_of(pair.local(), family_of(pair.remote(), packet::IpFamily::kV4));
  const absl::StatusOr<packet::SocketAddress> local = from_proto(pair.local(), "local", family);
  const absl::StatusOr<packet::SocketAddress> remote = from_proto(pair.remote(), "remote", family);
  if (!local.ok() || !remote.ok()) return std::nullopt;
  const auto found = by_pair_.find({*local, *remote});
  if (found == by_pair_.end()) return std::nullopt;
  const std::vector<host::ConnectionId>& ids = found->second;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    if (incarnation == 0 || records_.at(*id).incarnation == incarnation) return id_of(*id);
  }
  return std::nullopt;
}

bool StackEnd::owns(uint64_t connection) const {
  const absl::StatusOr<host::ConnectionId> id = host_id(connection);
  return id.ok() && (records_.contains(*id) || host_->status(now(), *id).ok());
}

v1::TcpState StackEnd::observe(const v1::FourTuple& pair) {
  const std::optional<uint64_t> id = find(pair, 0);
  if (!id) return v1::TCP_STATE_UNSPECIFIED;
  const absl::StatusOr<tcp::Status> status = status_in_host(*host_id(*id));
  return status.ok() ? to_proto(status->state) : v1::TCP_STATE_UNSPECIFIED;
}

bool StackEnd::next_event(v1::ConnectionEvent& event) {
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

absl::StatusOr<host::ConnectionId> StackEnd::host_id(uint64_t connection) const {
  if (connection <= config_.id_base || (connection - config_.id_base) % config_.id_stride != 0) {
    return no_such_connection(connection);
  }
  return (connection - config_.id_base) / config_.id_stride;
}

absl::StatusOr<tcp::Status> StackEnd::status_in_host(host::ConnectionId id) {
  absl::StatusOr<tcp::Status> status = host_->status(now(), id);
  if (status.ok()) return status;
  // The host forgets a half-open connection that ended; a user may still ask for it.
  const auto record = records_.find(id);
  if (record == records_.end()) return status;
  tcp::Status closed;
  closed.passive = record->second.listener != 0;
  closed.local = record->second.pair.local;
  closed.remote = record->second.pair.remote;
  closed.last_error = record->second.last_error;
  return closed;
}

v1::ConnectionStatus StackEnd::status_of(host::ConnectionId id, const tcp::Status& status) {
  const Record& record = record_of(id, status);
  v1::ConnectionStatus proto = status_to_proto(status);
  proto.set_connection(id_of(id));
  proto.set_end(config_.side);
  proto.set_incarnation(record.incarnation);
  if (record.listener != 0) proto.set_listener(id_of(record.listener));
  if (status.state == tcp::State::kListen) {
    *proto.mutable_half_open() = half_open_to_proto(host_->half_open(now(), id));
  }
  return proto;
}

StackEnd::Record& StackEnd::record_of(host::ConnectionId id, const tcp::Status& status) {
  const packet::FourTuple pair{status.local, status.remote};
  const auto [it, fresh] = records_.try_emplace(id);
  Record& record = it->second;
  if (!fresh && record.pair == pair) return record;
  if (!fresh) {
    // A listener that became an active OPEN.
    std::erase(by_pair_[record.pair], id);
    if (by_pair_[record.pair].empty()) by_pair_.erase(record.pair);
  }
  record.pair = pair;
  std::vector<host::ConnectionId>& ids = by_pair_[pair];
  record.incarnation = ids.empty() ? 1 : records_.at(ids.back()).incarnation + 1;
  ids.push_back(id);
  if (records_.size() > kMaxRecords) forget_oldest_record();
  return record;
}

void StackEnd::forget_oldest_record() {
  const auto oldest = records_.begin();
  const auto ids = by_pair_.find(oldest->second.pair);
  std::erase(ids->second, oldest->first);
  if (ids->second.empty()) by_pair_.erase(ids);
  records_.erase(oldest);
}

void StackEnd::on_host_event(const host::HostEvent& host_event) {
  const absl::StatusOr<tcp::Status> status = host_->status(now(), host_event.id);
  if (status.ok()) record_of(host_event.id, *status);
  const auto record = records_.find(host_event.id);
  if (record != records_.end()) {
    if (host_event.listener != 0) record->second.listener = host_event.listener;
    if (host_event.event.kind == tcp::Event::Kind::kError) {
      record->second.last_error = host_event.event.outcome;
    }
  }
  v1::ConnectionEvent event;
  if (event_to_proto(host_event, event)) {
    event.set_end(config_.side);
    if (event.has_state_change()) event.mutable_state_change()->set_step(host_event.step);
    if (host_event.id != 0) event.set_connection(id_of(host_event.id));
    if (host_event.listener != 0) event.set_listener(id_of(host_event.listener));
    if (event.has_half_open_alarm()) {
      *event.mutable_half_open_alarm() = half_open_to_proto(host_->half_open(now(), host_event.id));
    }
    events_.push_back(std::move(event));
  }
  activity();
}

}  // namespace tcproctor::server
