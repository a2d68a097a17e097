// SPDX-License-Identifier: Apache-2.0
#include "stack/host/path_mtu_table.h"

namespace tcproctor::host {

std::optional<tcp::PathMtuNews> PathMtuTable::find(const packet::IpAddress& destination) const {
  const auto it = entries_.find(destination);
  if (it == entries_.end()) return std::nullopt;
  return it->second.news;
}

void PathMtuTable::set(tcp::Instant now, const packet::IpAddress& destination,
                       const tcp::PathMtuNews& news) {
  Entry& entry = entries_[destination];
  const bool in_order = entry.news.mtu != 0 && entry.set_at == now;
  entry = {.news = news, .set_at = now};
  if (in_order) return;
  order_.push_back({.set_at = now, .destination = destination});
  drop_stale();
  if (order_.size() > 4 * kMaxEntries) {
    std::erase_if(order_, [this](const Aging& aging) { return !is_current(aging); });
  }
  while (entries_.size() > kMaxEntries) {
    entries_.erase(order_.front().destination);
    drop_stale();
  }
}

std::optional<tcp::Instant> PathMtuTable::next_deadline() const {
  if (order_.empty()) return std::nullopt;
  return order_.front().set_at + kLifetime;
}

void PathMtuTable::on_deadline(tcp::Instant now, std::vector<packet::IpAddress>& aged) {
  while (!order_.empty() && order_.front().set_at + kLifetime <= now) {
    aged.push_back(order_.front().destination);
    entries_.erase(order_.front().destination);
    drop_stale();
  }
}

bool PathMtuTable::is_current(const Aging& aging) const {
  const auto it = entries_.find(aging.destination);
  return it != entries_.end() && it->second.set_at == aging.set_at;
}

// The first in order is always one that counts.
void PathMtuTable::drop_stale() {
  while (!order_.empty() && !is_current(order_.front())) order_.pop_front();
}

}  // namespace tcproctor::host
