// SPDX-License-Identifier: Apache-2.0
// What must hold after every event of a simulation, whatever the network and the users did. It sees
// hosts from outside: STATUS, the events, the frames. The first violation is kept, in words.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "stack/host/host.h"
#include "stack/sim/offload.h"
#include "stack/tcp/sequence.h"

namespace tcproctor::sim {

// By number from * 11 + to.
using Edges = std::bitset<11 * 11>;

class Checker {
 public:
  // `forged`: segments come from nowhere, so what one end knows of the other is not compared.
  explicit Checker(size_t hosts, bool forged = false) : hosts_(hosts), forged_(forged) {}

  // A host begins, or begins anew after a reboot. Both outlive the checker or the next call of
  // this.
  void host_starts(size_t host, const host::Host& stack, const tcp::Settings& settings);
  // To be called for every event of a host, in order.
  void on_event(size_t host, const host::HostEvent& event);
  // What went in and out of a host.
  void on_frame_in(size_t host, const WireView& view);
  void on_frame_out(size_t host, const WireView& view);
  void on_call(size_t host) { hosts_[host].credit += 2; }
  // Before the user sets options, and after it: buffers may be larger or smaller from now on.
  void options_changed(tcp::Instant now, size_t host, host::ConnectionId id);
  // After a frame, call or deadline, when the host has nothing more to say or to send.
  void after_event(size_t host, tcp::Instant now);
  // The same, right after on_deadline(now): nothing is due any more.
  void after_deadline(size_t host, tcp::Instant now);
  // At the end of a world: all that is left is CLOSED.
  void at_end(size_t host, tcp::Instant now);

  void violate(std::string what);
  bool violated() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }

  const Edges& edges() const { return edges_; }
  uint64_t state_changes() const { return state_changes_; }
  static bool is_edge(tcp::State from, tcp::State to);
  // Changes whenever a connection changed state or anything was acknowledged or received: a world
  // in which it stands still for long is stuck.
  uint64_t progress() const { return progress_; }

 private:
  struct Tracked {
    tcp::State state = tcp::State::kClosed;
    bool listener = false;
    bool full = false;       // `last` was filled
    bool of_cookie = false;  // born of a SYN cookie
    tcp::Status last;
    tcp::Instant last_at{};
    tcp::SeqNum sent_edge;  // SND.UNA + SND.WND, the rightmost
    tcp::SeqNum edge;       // RCV.NXT + RCV.WND, the rightmost
    // The largest so far of what the buffers may hold, and of what they may grow to.
    uint32_t send_buffer = 0, send_buffer_limit = 0;
    uint32_t receive_buffer = 0, receive_buffer_limit = 0;
    uint32_t syn_cache = 0;
    std::optional<tcp::Instant> owes_ack;  // since then
  };
  struct Watched {
    const host::Host* stack = nullptr;
    const tcp::Settings* settings = nullptr;
    absl::btree_map<host::ConnectionId, Tracked> tcbs;  // those that are not CLOSED
    // Pure ACKs are answers: each is paid for by something that may be answered.
    int64_t credit = 0;
    tcp::Instant credit_since{};
    // By remote address (its last octets), local and remote port: the last ACK sent.
    absl::btree_map<std::pair<uint32_t, uint32_t>, tcp::SeqNum> acked;
    uint32_t frames_out = 0;  // since the last after_event
    uint32_t events = 0;
  };

  void check(size_t host, host::ConnectionId id, Tracked& tracked, tcp::Instant now);
  void check_order(const Tracked& tracked, const tcp::Status& now_is);
  void check_memory(const Tracked& tracked, const tcp::Status& now_is);
  void check_acked(Tracked& tracked, const tcp::Status& now_is, const Watched& watched,
                   tcp::Instant now);
  void check_timers(const Tracked& tracked, const tcp::Status& now_is, const Watched& watched,
                    tcp::Instant now);
  // `sent`: something new went out in this event.
  void check_against_peer(size_t host, const tcp::Status& mine, bool sent);
  void check_listing(size_t host, tcp::Instant now);
  void learn_options(size_t host, host::ConnectionId id, Tracked& tracked);
  template <typename... Parts>
  void expect(bool holds, const Parts&... parts);

  std::vector<Watched> hosts_;
  const bool forged_;
  struct About {
    size_t host = 0;
    host::ConnectionId id = 0;
    std::string_view cause;
  };
  About about_;  // whom the check at hand is about
  std::string violation_;
  Edges edges_;
  uint64_t state_changes_ = 0;
  uint64_t progress_ = 0;
};

// A TCB in one line, for messages and traces.
std::string describe(const tcp::Status& status);

}  // namespace tcproctor::sim
