// SPDX-License-Identifier: Apache-2.0
// The byte services of a session: on connections, and on everything that listeners accept.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/end/end.h"
#include "server/serve/byte_service.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

class Serving {
 public:
  // Hosts a service on a connection or a listener of `end`. INVALID_ARGUMENT names the field;
  // ALREADY_EXISTS: it has a service.
  absl::Status serve(End& end, const v1::ServeRequest& request, uint64_t connection);
  // What moved so far on a connection, or on those of a listener. NOT_FOUND: no service there.
  absl::StatusOr<v1::TrafficResponse> traffic(uint64_t connection) const;
  // Whether a Traffic call that waits is to be answered: the service of the connection has ended;
  // of a listener: there was one connection at least, and all have ended.
  bool ended(uint64_t connection) const;
  bool accepts_of(uint64_t listener) const { return listeners_.contains(listener); }

  // Moves octets and accepts connections. True: there is more to do at once, call again next turn.
  bool work(OctetMeter& meter);
  bool empty() const { return listeners_.empty() && services_.empty(); }

 private:
  // Of flows that ended, this many are remembered.
  static constexpr size_t kMaxEnded = 10000;

  struct ListenerService {
    End* end = nullptr;
    ServiceSpec spec;
  };
  struct Hosted {
    ByteService service;
    uint64_t listener = 0;
  };
  struct EndedFlow {
    uint64_t listener = 0;
    v1::TrafficResponse::Flow flow;
  };

  void accept_all();
  void file_ended(uint64_t connection, uint64_t listener, const ByteService& service);

  std::map<uint64_t, ListenerService> listeners_;
  std::map<uint64_t, Hosted> services_;
  std::map<uint64_t, EndedFlow> ended_;
  std::deque<uint64_t> ended_order_;
};

}  // namespace tcproctor::server
