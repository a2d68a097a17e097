// SPDX-License-Identifier: Apache-2.0
#include "stack/host/fast_open_cache.h"

namespace tcproctor::host {

tcp::FastOpenPath FastOpenCache::find(tcp::Instant now, const packet::IpAddress& server) const {
  const auto it = entries_.find(server);
  if (it == entries_.end()) return {};
  tcp::FastOpenPath path = it->second.path;
  path.failed = path.failed && now - it->second.failed_at < kDisabledFor;
  if (now - it->second.set_at >= kCookieLifetime) path.cookie = {};
  return path;
}

void FastOpenCache::learn(tcp::Instant now, const packet::IpAddress& server,
                          const tcp::FastOpenNews& news) {
  const auto [it, is_new] = entries_.try_emplace(server);
  Entry& entry = it->second;
  if (news.failed) {
    entry.path.failed = true;
    entry.failed_at = now;
  } else {
    entry = {.path = {.cookie = news.cookie, .mss = news.mss}, .set_at = now};
  }
  if (!is_new) return;
  order_.push_back(server);
  if (order_.size() <= kMaxEntries) return;
  entries_.erase(order_.front());
  order_.pop_front();
}

}  // namespace tcproctor::host
