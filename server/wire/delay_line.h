// SPDX-License-Identifier: Apache-2.0
// Packets on their way: each is handed on at its time, those of the same time in the order in which
// they came.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "server/wire/hold.h"
#include "stack/run/scheduler.h"
#include "stack/tcp/time.h"

namespace tcproctor::server {

class DelayLine {
 public:
  using Arrived = std::function<void(const HeldPacket&)>;
  // Octets under way at a time: a second of 500 Mbit/s.
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  DelayLine(run::Scheduler& scheduler, Arrived arrived);
  ~DelayLine();
  DelayLine(const DelayLine&) = delete;
  DelayLine& operator=(const DelayLine&) = delete;

  // False: too much is under way already; the packet is lost.
  bool add(tcp::Instant due, HeldPacket packet);
  size_t size() const { return packets_.size(); }

 private:
  void arm();
  void run();

  run::Scheduler& scheduler_;
  Arrived arrived_;
  std::map<std::pair<tcp::Instant, uint64_t>, HeldPacket> packets_;
  size_t bytes_ = 0;
  uint64_t sequence_ = 0;
  std::optional<run::TimerId> timer_;
  tcp::Instant timer_time_{};
};

}  // namespace tcproctor::server
