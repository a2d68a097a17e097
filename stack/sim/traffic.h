// SPDX-License-Identifier: Apache-2.0
// The users of a world: they open, send known octets, check every octet they receive by where it
// stands, close, give up; and they rely on what the stack tells them, so that an event that is
// never sent shows as a world that stands still.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include "stack/host/host.h"
#include "stack/sim/checker.h"
#include "stack/sim/choices.h"
#include "stack/sim/plan.h"

namespace tcproctor::sim {

class Traffic {
 public:
  // `addresses`: of each host.
  Traffic(const WorldPlan& plan, Choices& choices, Checker& checker,
          std::vector<Network::Attached> addresses);

  // Listeners of a host that begins; what it had before a reboot is lost.
  void host_starts(tcp::Instant now, size_t host, host::Host& stack);
  void on_event(size_t host, const host::HostEvent& event);
  // Does what events and time ask for.
  void act(tcp::Instant now, bool network_is_empty);
  std::optional<tcp::Instant> next_action() const;

  // Nothing more is to be expected of the users: each is done, has lost, or waits for a peer that
  // is gone.
  bool over() const;
  // … and nobody waits.
  bool settled() const;
  // What waits in vain is aborted, listeners are closed.
  void abandon(tcp::Instant now);

  uint64_t bytes_delivered() const { return bytes_delivered_; }
  uint64_t connections_done() const { return connections_done_; }

  // A connection that both ends have seen established; nothing when there is none.
  struct Victim {
    size_t host = 0;  // whose end is `tuple.local`
    host::ConnectionId id = 0;
    packet::FourTuple tuple;
  };
  std::optional<Victim> victim();
  std::string describe(tcp::Instant now) const;

 private:
  static constexpr tcp::Instant kNever = tcp::Instant::max();
  struct End {
    size_t host = 0;
    host::ConnectionId id = 0;
    bool before_reboot = false;  // another connection may have its id now
    bool established = false;
    bool closed = false;    // CLOSE was called
    bool finished = false;  // sent all, closed, and read to the end
    bool lost = false;      // gave up, or its host went down
    std::optional<tcp::Outcome> error;
    uint64_t submitted = 0;
    uint64_t received = 0;
    uint64_t urgent_end = 0;  // position after the last urgent octet
    bool end_of_stream = false;
    bool close_is_scheduled = false;
    bool options_changed = false;
    tcp::Instant may_write{};
    tcp::Instant may_read{};
    tcp::Instant wakes = kNever;  // an action is scheduled for then
    bool awake = false;

    bool over() const { return finished || lost || error.has_value(); }
    bool failed() const { return lost || error.has_value(); }
  };
  struct Flow {
    End ends[2];
    bool started = false;
    bool cancelled = false;
    bool may_fail = false;
    packet::FourTuple tuple;  // of the client
    uint32_t iss = 0;         // of the client
  };
  struct Listening {
    host::ConnectionId id = 0;
    bool accepts = false;  // an action is scheduled
  };
  struct Action {
    tcp::Instant at;
    uint64_t order = 0;
    enum class Kind : uint8_t { kStart, kAct, kAccept } kind = Kind::kAct;
    size_t index = 0;  // of the flow or listener
    int end = 0;
  };
  struct Later {
    bool operator()(const Action& a, const Action& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };

  void schedule(tcp::Instant at, Action::Kind kind, size_t index, int end = 0);
  void perform(tcp::Instant now, const Action& action, bool network_is_empty);
  void start(tcp::Instant now, size_t index, bool network_is_empty);
  bool open(tcp::Instant now, size_t index, int end);
  void accept(tcp::Instant now, size_t listener);
  bool take(tcp::Instant now, size_t listener, host::ConnectionId id);
  void act(tcp::Instant now, size_t index, int end);
  void write(tcp::Instant now, size_t index, int end);
  void read(tcp::Instant now, size_t index, int end);
  void verify(const Flow& flow, size_t index, int end, std::span<const uint8_t> octets);
  void reach_end_of_stream(size_t index, int end);
  void give_up(tcp::Instant now, size_t index, int end);
  void change_options(tcp::Instant now, size_t index, int end);
  void maybe_close(tcp::Instant now, size_t index, int end);
  void finish(tcp::Instant now, size_t index, int end);
  void fail(size_t index, int end, tcp::Outcome outcome, std::string_view during);
  void wake_at(tcp::Instant at, size_t index, int end);
  bool flow_over(const Flow& flow) const;
  bool end_over(const Flow& flow, int end) const;
  uint64_t key(size_t index, int from) const {
    return mix(content_ + index * 2) + (from == 0 ? 0 : mix(7));
  }
  host::Host& stack(size_t host) {
    checker_.on_call(host);
    return *stacks_[host];
  }

  const WorldPlan& plan_;
  Choices& choices_;
  Checker& checker_;
  const std::vector<Network::Attached> addresses_;
  const uint64_t content_;
  std::vector<host::Host*> stacks_;
  std::vector<Flow> flows_;
  std::vector<Listening> listeners_;
  std::priority_queue<Action, std::vector<Action>, Later> actions_;
  std::vector<std::pair<size_t, int>> awake_;  // ends that were told something
  uint64_t order_ = 0;
  bool abandoned_ = false;
  uint64_t bytes_delivered_ = 0;
  uint64_t connections_done_ = 0;
  std::vector<uint8_t> scratch_;
  std::vector<uint8_t> expected_;
};

}  // namespace tcproctor::sim
