// SPDX-License-Identifier: Apache-2.0
#include "server/wire/inject.h"

#include <algorithm>
#include <utility>

#include "server/time_proto.h"
#include "server/wire/octets.h"

namespace tcproctor::server {

Player::Player(run::Scheduler& scheduler, SendPacket send, std::function<void()> on_done)
    : scheduler_(scheduler), send_(std::move(send)), on_done_(std::move(on_done)) {}

Player::~Player() {
  if (timer_) scheduler_.cancel(*timer_);
}

void Player::play(std::vector<PlannedPacket> train) {
  start_ = scheduler_.now();
  train_ = std::move(train);
  run();
}

void Player::play(FloodGenerator flood) {
  start_ = scheduler_.now();
  flood_ = std::move(flood);
  run();
}

void Player::stop() {
  if (timer_) scheduler_.cancel(*timer_);
  timer_.reset();
  done_ = true;
}

std::optional<tcp::Instant> Player::next_time() const {
  if (flood_) {
    if (flood_->finished()) return std::nullopt;
    return start_ + flood_->next_offset();
  }
  if (position_ == train_.size()) return std::nullopt;
  return start_ + train_[position_].offset;
}

void Player::run() {
  // What is sent may make somebody drop this player.
  const std::shared_ptr<Player> alive = shared_from_this();
  timer_.reset();
  int burst = kBurst;
  while (!done_) {
    const std::optional<tcp::Instant> next = next_time();
    if (!next) {
      done_ = true;
      on_done_();
      return;
    }
    const tcp::Instant now = scheduler_.now();
    if (*next > now || burst-- == 0) {
      timer_ = scheduler_.schedule(std::max(*next, now), [weak = weak_from_this()] {
        if (const std::shared_ptr<Player> player = weak.lock()) player->run();
      });
      return;
    }
    send_next(now - *next);
  }
}

void Player::send_next(tcp::Duration late) {
  if (late > lateness_) {
    lateness_ = late;
    *response_.mutable_lateness() = to_proto(late);
  }
  uint64_t number = 0;
  if (flood_) {
    number = send_(flood_->next(), {.family = flood_->family()}, flood_->unlogged());
  } else {
    const PlannedPacket packet = std::move(train_[position_++]);
    number = send_(octets_of(packet.packet), packet.meta, false);
  }
  response_.set_sent(response_.sent() + 1);
  if (number != 0 && response_.numbers_size() < kMaxTrain) response_.add_numbers(number);
}

}  // namespace tcproctor::server
