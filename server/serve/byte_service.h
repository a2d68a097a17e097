// SPDX-License-Identifier: Apache-2.0
// A byte service on one connection of an end: reads to the end, sends a stream, or echoes.
#pragma once

#include <cstdint>
#include <string>

#include "server/end/end.h"
#include "server/serve/digest.h"
#include "server/serve/octet_meter.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

struct ServiceSpec {
  v1::ServiceKind kind = v1::SERVICE_KIND_SINK;
  uint64_t bytes = 0;  // SOURCE; CHARGEN, where 0 is no end
  uint64_t seed = 0;   // SOURCE
};

class ByteService {
 public:
  // Octets moved in each direction in one turn: other sessions of the loop get theirs in between.
  static constexpr size_t kTurnBytes = size_t{1} << 20;

  // `release`: nobody else has the connection, so it is given up when it is through.
  ByteService(End& end, uint64_t connection, const ServiceSpec& spec, bool release);

  // Moves what can be moved now. True: more could be moved at once, call again next turn. Where
  // the meter has nothing left for what is to be sent the connection is aborted, and the flow's
  // outcome is INSUFFICIENT_RESOURCES.
  bool work(OctetMeter& meter);
  // The service has done its part (closed, or the connection broke).
  bool ended() const { return ended_; }
  // Nothing is left to be done, not even giving the connection up.
  bool through() const { return ended_ && (!release_ || released_); }
  v1::TrafficResponse::Flow flow() const;

 private:
  static constexpr uint32_t kChunk = 256 << 10;

  bool receive_some();
  bool send_some(OctetMeter& meter);
  bool fill_pending();
  uint64_t left_to_produce() const;
  bool done() const;
  void end_with(v1::Outcome outcome);
  void release_when_closed();

  End& end_;
  const uint64_t connection_;
  const ServiceSpec spec_;
  const bool release_;
  Digest received_digest_;
  Digest sent_digest_;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
  std::string pending_;  // to be sent; from pending_offset_ on
  size_t pending_offset_ = 0;
  uint64_t produced_ = 0;  // SOURCE, CHARGEN: octets put into pending_ so far
  bool peer_closed_ = false;
  bool ended_ = false;
  bool released_ = false;
  v1::Outcome outcome_ = v1::OUTCOME_OK;
};

}  // namespace tcproctor::server
