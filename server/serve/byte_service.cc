// SPDX-License-Identifier: Apache-2.0
#include "server/serve/byte_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

// A turn moves at most this much in each direction, so that one transfer starves nobody.
constexpr uint32_t kTurnBytes = 262144;
constexpr uint32_t kChunkBytes = 65536;
constexpr uint64_t kMaxSourceBytes = uint64_t{1} << 40;

std::span<const uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

ByteService::ByteService(End& end, uint64_t connection, v1::ServiceKind kind, uint64_t bytes,
                         uint64_t seed)
    : end_(end),
      connection_(connection),
      kind_(kind),
      left_to_send_(kind == v1::SERVICE_KIND_SOURCE ? bytes : 0),
      stream_(seed) {}

bool ByteService::turn() {
  if (ended_) return false;
  bool more = false;
  for (uint32_t moved = 0; moved < kTurnBytes && !ended_; moved += kChunkBytes) {
    const bool received = receive_some();
    const bool sent = send_some();
    more = received || sent;
    if (!more) break;
  }
  if (!ended_) end_after_close();
  return more && !ended_;
}

// An ECHO takes nothing while it still has something to give back: the peer feels the
// back-pressure.
bool ByteService::receive_some() {
  if (ended_ || peer_closed_ || (kind_ == v1::SERVICE_KIND_ECHO && !pending_.empty())) return false;
  absl::StatusOr<v1::ReceiveResponse> response = end_.receive(connection_, kChunkBytes);
  if (!response.ok()) {
    finish(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
    return false;
  }
  if (response->outcome() == v1::OUTCOME_WOULD_BLOCK) return false;
  if (response->outcome() == v1::OUTCOME_END_OF_STREAM) {
    peer_closed_ = true;
    return true;
  }
  if (response->outcome() != v1::OUTCOME_OK) {
    finish(response->outcome());
    return false;
  }
  received_ += response->data().size();
  received_hash_.update(octets(response->data()));
  if (kind_ == v1::SERVICE_KIND_ECHO) {
    pending_ = std::move(*response->mutable_data());
    pending_offset_ = 0;
  }
  return true;
}

bool ByteService::refill() {
  if (!pending_.empty()) return true;
  if (left_to_send_ == 0) return false;
  pending_.resize(std::min<uint64_t>(kChunkBytes, left_to_send_));
  stream_.read({reinterpret_cast<uint8_t*>(pending_.data()), pending_.size()});
  pending_offset_ = 0;
  left_to_send_ -= pending_.size();
  return true;
}

bool ByteService::send_some() {
  if (ended_ || !refill()) return false;
  const std::string_view rest = std::string_view(pending_).substr(pending_offset_);
  absl::StatusOr<v1::SendResponse> response = end_.send(connection_, rest, false, false);
  if (!response.ok()) {
    finish(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
    return false;
  }
  if (response->outcome() == v1::OUTCOME_WOULD_BLOCK) return false;
  if (response->outcome() != v1::OUTCOME_OK) {
    finish(response->outcome());
    return false;
  }
  const size_t accepted = response->accepted();
  sent_hash_.update(octets(rest.substr(0, accepted)));
  sent_ += accepted;
  pending_offset_ += accepted;
  if (pending_offset_ == pending_.size()) pending_.clear();
  return accepted > 0;
}

// SOURCE closes when all is handed over, SINK and ECHO after the peer; the service ends when both
// sides have closed.
void ByteService::end_after_close() {
  const bool all_given = pending_.empty() && left_to_send_ == 0;
  const bool may_close = kind_ == v1::SERVICE_KIND_SOURCE ? all_given : peer_closed_ && all_given;
  if (may_close && !closed_) {
    closed_ = true;
    (void)end_.close(connection_);
  }
  if (closed_ && peer_closed_) finish(v1::OUTCOME_OK);
}

void ByteService::finish(v1::Outcome outcome) {
  ended_ = true;
  outcome_ = outcome;
  pending_.clear();
}

v1::TrafficResponse::Flow ByteService::flow() const {
  v1::TrafficResponse::Flow flow;
  flow.set_connection(connection_);
  flow.set_received(received_);
  flow.set_sent(sent_);
  flow.set_received_sha256(received_hash_.hex());
  flow.set_sent_sha256(sent_hash_.hex());
  flow.set_ended(ended_);
  flow.set_outcome(outcome_);
  return flow;
}

absl::Status ByteServices::serve(const v1::ServeRequest& request, uint64_t connection) {
  if (request.kind() != v1::SERVICE_KIND_SINK && request.kind() != v1::SERVICE_KIND_SOURCE &&
      request.kind() != v1::SERVICE_KIND_ECHO) {
    return absl::InvalidArgumentError("kind: must be SINK, SOURCE or ECHO");
  }
  if (request.bytes() > kMaxSourceBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("bytes: ", request.bytes(), " is out of range; at most 2^40 (1 TiB)"));
  }
  if (services_.contains(connection) || listeners_.contains(connection)) {
    return absl::AlreadyExistsError(
        absl::StrCat("connection ", connection, ": a service already runs on it"));
  }
  absl::StatusOr<v1::ConnectionStatus> status = end_.status(connection);
  if (!status.ok()) return status.status();
  if (status->state() == v1::TCP_STATE_LISTEN) {
    listeners_[connection] = {request.kind(), request.bytes(), request.seed(), {}};
  } else {
    services_[connection] = std::make_unique<ByteService>(end_, connection, request.kind(),
                                                          request.bytes(), request.seed());
  }
  return absl::OkStatus();
}

void ByteServices::accept_all(uint64_t id, Listener& listener) {
  for (;;) {
    absl::StatusOr<v1::AcceptResponse> accepted = end_.accept(id);
    if (!accepted.ok() || accepted->outcome() != v1::OUTCOME_OK) return;
    const uint64_t connection = accepted->connection();
    listener.connections.push_back(connection);
    services_[connection] = std::make_unique<ByteService>(end_, connection, listener.kind,
                                                          listener.bytes, listener.seed);
  }
}

bool ByteServices::turn() {
  for (auto& [id, listener] : listeners_) accept_all(id, listener);
  bool more = false;
  for (auto& [id, service] : services_) more = service->turn() || more;
  return more;
}

absl::StatusOr<v1::TrafficResponse> ByteServices::traffic(uint64_t connection) const {
  v1::TrafficResponse response;
  if (auto found = services_.find(connection); found != services_.end()) {
    *response.add_flows() = found->second->flow();
    return response;
  }
  auto listener = listeners_.find(connection);
  if (listener == listeners_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("connection ", connection, ": no service runs on it; call Serve first"));
  }
  for (uint64_t id : listener->second.connections) {
    *response.add_flows() = services_.at(id)->flow();
  }
  return response;
}

bool ByteServices::ended(uint64_t connection) const {
  if (auto found = services_.find(connection); found != services_.end()) {
    return found->second->ended();
  }
  auto listener = listeners_.find(connection);
  if (listener == listeners_.end() || listener->second.connections.empty()) return false;
  return std::all_of(listener->second.connections.begin(), listener->second.connections.end(),
                     [this](uint64_t id) { return services_.at(id)->ended(); });
}

}  // namespace tcproctor::server
