// SPDX-License-Identifier: Apache-2.0
// What this host as a client of TCP Fast Open keeps of servers, by their address: cookies, and
// where it did not work (RFC 7413 §4.1.3).
#pragma once

#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "stack/host/secret_hash.h"
#include "stack/packet/address.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/time.h"

namespace tcproctor::host {

class FastOpenCache {
 public:
  static constexpr size_t kMaxEntries = 1024;  // beyond that the oldest goes
  static constexpr tcp::Duration kCookieLifetime = std::chrono::hours(24);
  // RFC7413-4.1.3.1-2: for a time; whatever was in the way may be gone then.
  static constexpr tcp::Duration kDisabledFor = std::chrono::minutes(5);

  explicit FastOpenCache(const SecretHash& hash) : entries_(0, hash) {}

  tcp::FastOpenPath find(tcp::Instant now, const packet::IpAddress& server) const;
  void learn(tcp::Instant now, const packet::IpAddress& server, const tcp::FastOpenNews& news);

 private:
  struct Entry {
    tcp::FastOpenPath path;
    tcp::Instant set_at{};
    tcp::Instant failed_at{};
  };

  // Looked up by address, never iterated.
  absl::flat_hash_map<packet::IpAddress, Entry, SecretHash> entries_;
  std::deque<packet::IpAddress> order_;  // as they were entered
};

}  // namespace tcproctor::host
