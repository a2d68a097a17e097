// SPDX-License-Identifier: Apache-2.0
#include "server/serve/byte_service.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "server/serve/stream_pattern.h"

namespace tcproctor::server {
namespace {

std::span<const uint8_t> octets_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Not an end of the connection: the call could not be carried out yet.
bool must_wait(v1::Outcome outcome) {
  return outcome == v1::OUTCOME_WOULD_BLOCK;
}

}  // namespace

ByteService::ByteService(End& end, uint64_t connection, const ServiceSpec& spec, bool release)
    : end_(end), connection_(connection), spec_(spec), release_(release) {}

bool ByteService::work(OctetMeter& meter) {
  if (ended_) {
    release_when_closed();
    return false;
  }
  bool more = false;
  // A SOURCE reads nothing: what its peer sends stays in the receive buffer.
  if (spec_.kind != v1::SERVICE_KIND_SOURCE) more = receive_some();
  if (spec_.kind != v1::SERVICE_KIND_SINK && !ended_) more = send_some(meter) || more;
  if (ended_) return false;
  if (done()) {
    end_.close(connection_).IgnoreError();
    end_with(v1::OUTCOME_OK);
    release_when_closed();
    return false;
  }
  return more;
}

bool ByteService::done() const {
  if (spec_.kind == v1::SERVICE_KIND_CHARGEN && peer_closed_) return true;  // RFC 864
  if (pending_offset_ != pending_.size()) return false;
  const bool echoes = spec_.kind == v1::SERVICE_KIND_ECHO || spec_.kind == v1::SERVICE_KIND_SINK;
  return echoes ? peer_closed_ : left_to_produce() == 0;
}

bool ByteService::receive_some() {
  size_t budget = kTurnBytes;
  while (budget > 0 && !peer_closed_) {
    // An echo that its peer does not read takes no more in.
    if (spec_.kind == v1::SERVICE_KIND_ECHO && pending_.size() - pending_offset_ >= kChunk) {
      return false;
    }
    absl::StatusOr<v1::ReceiveResponse> response = end_.receive(connection_, kChunk);
    if (!response.ok()) {
      end_with(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
      return false;
    }
    if (response->outcome() == v1::OUTCOME_END_OF_STREAM) {
      peer_closed_ = true;
      return true;
    }
    if (must_wait(response->outcome())) return false;
    if (response->outcome() != v1::OUTCOME_OK) {
      end_with(response->outcome());
      return false;
    }
    const std::string& data = response->data();
    received_ += data.size();
    received_digest_.update(octets_of(data));
    if (spec_.kind == v1::SERVICE_KIND_ECHO) pending_.append(data);
    budget -= std::min(budget, data.size());
  }
  return !peer_closed_;
}

uint64_t ByteService::left_to_produce() const {
  if (spec_.kind == v1::SERVICE_KIND_SOURCE) return spec_.bytes - produced_;
  if (spec_.kind != v1::SERVICE_KIND_CHARGEN) return 0;
  return spec_.bytes == 0 ? kChunk : spec_.bytes - produced_;
}

// False: there is nothing (more) to send.
bool ByteService::fill_pending() {
  if (pending_offset_ < pending_.size()) return true;
  pending_.clear();
  pending_offset_ = 0;
  pending_.resize(std::min<uint64_t>(kChunk, left_to_produce()));
  if (pending_.empty()) return false;
  const std::span<uint8_t> out(reinterpret_cast<uint8_t*>(pending_.data()), pending_.size());
  if (spec_.kind == v1::SERVICE_KIND_SOURCE) {
    fill_stream(spec_.seed, produced_, out);
  } else {
    fill_chargen(produced_, out);
  }
  produced_ += pending_.size();
  return true;
}

bool ByteService::send_some(OctetMeter& meter) {
  size_t budget = kTurnBytes;
  while (budget > 0) {
    if (!fill_pending()) return false;
    const uint64_t left = meter.octets_left();
    if (left == 0) {
      end_.abort(connection_).IgnoreError();
      end_with(v1::OUTCOME_INSUFFICIENT_RESOURCES);
      return false;
    }
    const std::string_view rest = std::string_view(pending_).substr(pending_offset_, left);
    const absl::StatusOr<v1::SendResponse> response = end_.send(connection_, rest, false, false);
    if (!response.ok()) {
      end_with(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
      return false;
    }
    if (must_wait(response->outcome())) return false;
    if (response->outcome() != v1::OUTCOME_OK) {
      end_with(response->outcome());
      return false;
    }
    const size_t accepted = static_cast<size_t>(response->accepted());
    sent_digest_.update(octets_of(rest.substr(0, accepted)));
    sent_ += accepted;
    meter.count_octets(accepted);
    pending_offset_ += accepted;
    budget -= std::min(budget, accepted);
    if (accepted < rest.size()) return false;
  }
  return true;
}

void ByteService::end_with(v1::Outcome outcome) {
  ended_ = true;
  outcome_ = outcome;
  pending_.clear();
  pending_.shrink_to_fit();
  pending_offset_ = 0;
}

// Not earlier: a kernel socket that is given up with data on their way becomes an orphan, which
// would outlive a daemon that is killed.
void ByteService::release_when_closed() {
  if (!release_ || released_) return;
  const absl::StatusOr<v1::ConnectionStatus> status = end_.status(connection_);
  if (status.ok() && status->state() != v1::TCP_STATE_CLOSED &&
      status->state() != v1::TCP_STATE_TIME_WAIT) {
    return;
  }
  end_.release(connection_).IgnoreError();
  released_ = true;
}

v1::TrafficResponse::Flow ByteService::flow() const {
  v1::TrafficResponse::Flow flow;
  flow.set_connection(connection_);
  flow.set_received(received_);
  flow.set_sent(sent_);
  flow.set_received_sha256(received_digest_.hex());
  flow.set_sent_sha256(sent_digest_.hex());
  flow.set_ended(ended_);
  flow.set_outcome(outcome_);
  return flow;
}

}  // namespace tcproctor::server
