// SPDX-License-Identifier: Apache-2.0
#include "server/wire/delay_line.h"

namespace tcproctor::server {

DelayLine::DelayLine(run::Scheduler& scheduler, Arrived arrived)
    : scheduler_(scheduler), arrived_(std::move(arrived)) {}

DelayLine::~DelayLine() {
  if (timer_) scheduler_.cancel(*timer_);
}

bool DelayLine::add(tcp::Instant due, HeldPacket packet) {
  if (bytes_ + packet.octets.size() > kMaxBytes) return false;
  bytes_ += packet.octets.size();
  packets_.emplace(std::pair(due, ++sequence_), std::move(packet));
  arm();
  return true;
}

void DelayLine::arm() {
  if (packets_.empty()) return;
  const tcp::Instant next = packets_.begin()->first.first;
  if (timer_ && timer_time_ <= next) return;
  if (timer_) scheduler_.cancel(*timer_);
  timer_time_ = next;
  timer_ = scheduler_.schedule(next, [this] { run(); });
}

void DelayLine::run() {
  timer_.reset();
  const tcp::Instant now = scheduler_.now();
  // What arrives may make an end answer, which adds packets: taken out first, one by one.
  while (!packets_.empty() && packets_.begin()->first.first <= now) {
    const HeldPacket packet = std::move(packets_.extract(packets_.begin()).mapped());
    bytes_ -= packet.octets.size();
    arrived_(packet);
  }
  arm();
}

}  // namespace tcproctor::server
