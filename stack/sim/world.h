// SPDX-License-Identifier: Apache-2.0
// A world: hosts with our stack, their users and the network between them, under a virtual clock.
// run() is a function of the choices alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stack/host/host.h"
#include "stack/mutants/planted.h"
#include "stack/packet/tcp_header.h"
#include "stack/sim/checker.h"
#include "stack/sim/choices.h"
#include "stack/sim/network.h"
#include "stack/sim/plan.h"
#include "stack/sim/traffic.h"

namespace tcproctor::sim {

struct WorldResult {
  std::string violation;  // empty: everything held
  std::string features;
  uint64_t digest = 0;       // of every frame and event with its time
  uint64_t bytes = 0;        // delivered to users
  uint64_t connections = 0;  // closed in an orderly way by both users
  uint64_t segments = 0;     // frames that hosts sent
  uint64_t steps = 0;
  uint64_t state_changes = 0;
  Faults faults;
  Edges edges;
  tcp::Duration time{0};
};

// Lines of what happens, for --trace and for the report of a failure.
using Trace = std::function<void(const std::string& line)>;

class World {
 public:
  // `mutant`: number of the fault planted in host 0 (stack/mutants/planted.h); 0: none.
  explicit World(Choices& choices, Trace trace = nullptr, uint32_t mutant = 0);
  ~World();
  WorldResult run();

 private:
  void start_host(size_t host);
  bool step();
  void deliver();
  void let_time_pass(size_t host);
  void befall(const Mishap& mishap);
  void syn_flood(const Mishap& mishap);
  void forge(const Mishap& mishap);
  void fair_weather();
  void inject_tcp(tcp::Duration after, size_t to, const packet::TcpPacketParts& parts);
  // Hosts, users and network go on until all have said everything.
  void settle();
  bool pull(size_t host);
  bool tell_events(size_t host);
  void mix_in(uint64_t value) { digest_ = mix(digest_ ^ value); }
  void say(size_t host, std::string_view what, const std::string& detail) const;
  void say_frame(size_t host, std::string_view what, std::span<const uint8_t> frame) const;
  void end_check();

  Choices& choices_;
  const Trace trace_;
  const WorldPlan plan_;
  tcp::Instant now_{};
  Network network_;
  Checker checker_;
  Traffic traffic_;
  mutants::Planted planted_;  // in host 0; outlives it
  std::vector<std::unique_ptr<host::Host>> hosts_;
  std::vector<host::HostConfig> configs_;
  std::vector<Mishap> mishaps_;  // the next one last
  bool fair_ = false;
  bool abandoned_ = false;
  std::optional<tcp::Instant> over_since_;
  tcp::Instant progress_at_{};
  uint64_t progress_ = 0;
  uint64_t digest_ = 0;
  uint64_t segments_ = 0;
  uint64_t steps_ = 0;
  std::vector<uint8_t> buffer_;
};

// The world of a seed; when something is violated it is run again for its last events.
WorldResult run_world(uint64_t seed, uint32_t mutant = 0);

}  // namespace tcproctor::sim
