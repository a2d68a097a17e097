// SPDX-License-Identifier: Apache-2.0
// Wire.Inject: a train of crafted segments or a flood, played by the clock of the session.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/wire/flood.h"
#include "server/wire/packet_meta.h"
#include "stack/run/scheduler.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

// Segments in one train (InjectRequest.train); also how many numbers an InjectResponse lists of a
// longer flood.
inline constexpr int kMaxTrain = 100'000;

// One segment of a train, ready to be sent.
struct PlannedPacket {
  std::string packet;
  PacketMeta meta;
  tcp::Duration offset{0};  // after the call
};

// What an injection is about to put on the wire: a train, or a flood.
struct PlannedInjection {
  std::span<const PlannedPacket> train;
  const FloodGenerator* flood = nullptr;
};
// Why it may not.
using InjectionCheck = std::function<absl::Status(const PlannedInjection& injection)>;

// Plays a train or a flood. Owned by the wire until it is done, and by its Injection.
class Player : public std::enable_shared_from_this<Player> {
 public:
  // Puts a packet on the wire; returns its number, 0 if it is not logged.
  using SendPacket =
      std::function<uint64_t(std::span<const uint8_t> packet, const PacketMeta&, bool unlogged)>;

  Player(run::Scheduler& scheduler, SendPacket send, std::function<void()> on_done);
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  // Sends what is due at once from within the call.
  void play(std::vector<PlannedPacket> train);
  void play(FloodGenerator flood);
  // What was not sent yet is not sent any more; then it is done. `on_done` is not called.
  void stop();

  bool done() const { return done_; }
  const v1::InjectResponse& response() const { return response_; }

 private:
  // Packets of a turn without pause, so that a flood leaves the loop its turns.
  static constexpr int kBurst = 256;

  std::optional<tcp::Instant> next_time() const;
  void send_next(tcp::Duration late);
  void run();

  run::Scheduler& scheduler_;
  SendPacket send_;
  std::function<void()> on_done_;
  tcp::Instant start_{};
  std::vector<PlannedPacket> train_;
  size_t position_ = 0;
  std::optional<FloodGenerator> flood_;
  std::optional<run::TimerId> timer_;
  tcp::Duration lateness_{0};
  bool done_ = false;
  v1::InjectResponse response_;
};

// The operation, polled by its caller.
class Injection {
 public:
  Injection(std::shared_ptr<Player> player, bool background)
      : player_(std::move(player)), background_(background) {}
  // A train whose caller vanished is stopped, unless it was started in the background.
  ~Injection() {
    if (!background_) player_->stop();
  }
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

  // Nothing: segments are still to be sent; ask again after activity of the wire. In the background
  // it answers at once with what was sent so far.
  std::optional<v1::InjectResponse> poll() const {
    if (!background_ && !player_->done()) return std::nullopt;
    return player_->response();
  }
  // What was sent so far.
  const v1::InjectResponse& response() const { return player_->response(); }

 private:
  const std::shared_ptr<Player> player_;
  const bool background_;
};

}  // namespace tcproctor::server
