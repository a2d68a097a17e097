// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/state_edges.h"

#include <algorithm>
#include <utility>

namespace tcproctor::conformance {
namespace {

// A connection as far as it has been told.
struct Seen {
  v1::StateChange last;
  bool reopens = false;  // it became half open while its predecessor was in TIME-WAIT
};

class Reader {
 public:
  explicit Reader(const std::map<uint64_t, std::string>& pairs) : pairs_(pairs) {}

  // The edges that the change stands for.
  std::vector<StateEdge> read(const v1::ConnectionEvent& event, const std::string& tcp) {
    const v1::StateChange& change = event.state_change();
    std::vector<StateEdge> edges = {{tcp, change.from(), change.to()}};
    Seen& seen = seen_[event.connection()];
    if (change.from() == v1::TCP_STATE_FIN_WAIT_2 && change.to() == v1::TCP_STATE_TIME_WAIT &&
        seen.last.from() == v1::TCP_STATE_FIN_WAIT_1 && change.step() != 0 &&
        change.step() == seen.last.step()) {
      edges.push_back({tcp, v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_TIME_WAIT, true});
    }
    if (change.to() == v1::TCP_STATE_SYN_RECEIVED && predecessor_waits(event)) {
      seen.reopens = true;
      edges.push_back({tcp, v1::TCP_STATE_TIME_WAIT, v1::TCP_STATE_SYN_RECEIVED});
    }
    const bool went = change.to() == v1::TCP_STATE_LISTEN || change.to() == v1::TCP_STATE_CLOSED;
    if (change.from() == v1::TCP_STATE_SYN_RECEIVED && went && seen.reopens &&
        predecessor_waits(event)) {
      edges.push_back({tcp, v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_TIME_WAIT});
    }
    seen.last = change;
    return edges;
  }

 private:
  // Whether another connection of the same sockets is in TIME-WAIT.
  bool predecessor_waits(const v1::ConnectionEvent& event) const {
    const auto pair = pairs_.find(event.connection());
    if (pair == pairs_.end()) return false;
    return std::any_of(seen_.begin(), seen_.end(), [&](const auto& entry) {
      const auto other = pairs_.find(entry.first);
      return entry.first != event.connection() && other != pairs_.end() &&
             other->second == pair->second && entry.second.last.to() == v1::TCP_STATE_TIME_WAIT;
    });
  }

  const std::map<uint64_t, std::string>& pairs_;
  std::map<uint64_t, Seen> seen_;
};

}  // namespace

std::vector<StateEdge> state_edges(const std::vector<v1::ConnectionEvent>& changes,
                                   const std::map<uint64_t, std::string>& pairs,
                                   const std::function<std::string(v1::End)>& tcp) {
  Reader reader(pairs);
  std::vector<StateEdge> edges;
  for (const v1::ConnectionEvent& event : changes) {
    for (StateEdge& edge : reader.read(event, tcp(event.end()))) edges.push_back(std::move(edge));
  }
  return edges;
}

}  // namespace tcproctor::conformance
