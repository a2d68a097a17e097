// SPDX-License-Identifier: Apache-2.0
#include "server/serve/serving.h"

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

constexpr uint64_t kMaxSourceBytes = uint64_t{1} << 40;

}  // namespace

absl::Status Serving::serve(End& end, const v1::ServeRequest& request, uint64_t connection) {
  if (request.kind() == v1::SERVICE_KIND_UNSPECIFIED || !v1::ServiceKind_IsValid(request.kind())) {
    return absl::InvalidArgumentError("kind: must be SINK, SOURCE, ECHO or CHARGEN");
  }
  if (request.bytes() > kMaxSourceBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("bytes: ", request.bytes(), " is over the limit of ", kMaxSourceBytes));
  }
  if (listeners_.contains(connection) || services_.contains(connection) ||
      ended_.contains(connection)) {
    return absl::AlreadyExistsError(
        absl::StrCat("connection ", connection, ": it has a byte service already"));
  }
  const absl::StatusOr<v1::ConnectionStatus> status = end.status(connection);
  if (!status.ok()) return status.status();
  const ServiceSpec spec{request.kind(), request.bytes(), request.seed()};
  if (status->state() == v1::TCP_STATE_LISTEN) {
    listeners_.emplace(connection, ListenerService{&end, spec});
  } else {
    services_.emplace(connection, Hosted{ByteService(end, connection, spec, false), 0});
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::TrafficResponse> Serving::traffic(uint64_t connection) const {
  v1::TrafficResponse response;
  const bool listener = listeners_.contains(connection);
  for (const auto& [id, flow] : ended_) {
    if (id == connection || (listener && flow.listener == connection)) {
      *response.add_flows() = flow.flow;
    }
  }
  for (const auto& [id, hosted] : services_) {
    if (id == connection || (listener && hosted.listener == connection)) {
      *response.add_flows() = hosted.service.flow();
    }
  }
  if (!listener && response.flows().empty()) {
    return absl::NotFoundError(absl::StrCat("connection ", connection,
                                            ": no byte service is hosted on it; call Serve first"));
  }
  return response;
}

bool Serving::ended(uint64_t connection) const {
  const bool listener = listeners_.contains(connection);
  bool any = false;
  for (const auto& [id, hosted] : services_) {
    if (id != connection && !(listener && hosted.listener == connection)) continue;
    if (!hosted.service.ended()) return false;
    any = true;
  }
  for (const auto& [id, flow] : ended_) {
    any = any || id == connection || (listener && flow.listener == connection);
  }
  return any;
}

bool Serving::work(OctetMeter& meter) {
  accept_all();
  bool more = false;
  for (auto it = services_.begin(); it != services_.end();) {
    more = it->second.service.work(meter) || more;
    if (it->second.service.through()) {
      file_ended(it->first, it->second.listener, it->second.service);
      it = services_.erase(it);
    } else {
      ++it;
    }
  }
  return more;
}

void Serving::accept_all() {
  for (const auto& [listener, hosted] : listeners_) {
    for (;;) {
      const absl::StatusOr<v1::AcceptResponse> accepted = hosted.end->accept(listener);
      if (!accepted.ok() || accepted->outcome() != v1::OUTCOME_OK) break;
      const uint64_t id = accepted->connection();
      services_.emplace(id, Hosted{ByteService(*hosted.end, id, hosted.spec, true), listener});
    }
  }
}

void Serving::file_ended(uint64_t connection, uint64_t listener, const ByteService& service) {
  ended_[connection] = {listener, service.flow()};
  ended_order_.push_back(connection);
  if (ended_order_.size() > kMaxEnded) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
}

}  // namespace tcproctor::server
