// SPDX-License-Identifier: Apache-2.0
// What is known of the MTU of paths that are narrower than the link, by destination (RFC 1191 §6.1,
// RFC 8201 §5.2). What one connection finds serves all to the same destination. Entries age, so
// that a path that became wider is found out (RFC 1191 §6.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "stack/host/secret_hash.h"
#include "stack/packet/address.h"
#include "stack/tcp/path_mtu.h"
#include "stack/tcp/time.h"

namespace tcproctor::host {

class PathMtuTable {
 public:
  static constexpr size_t kMaxEntries = 1024;  // beyond that the oldest goes
  // RFC 1191 §6.3 recommends ten minutes; RFC1191-3-5, RFC8201-4-5: never below five.
  static constexpr tcp::Duration kLifetime = std::chrono::minutes(10);

  explicit PathMtuTable(const SecretHash& hash) : entries_(0, hash) {}

  // Nothing: nothing is known of that path.
  std::optional<tcp::PathMtuNews> find(const packet::IpAddress& destination) const;
  // Its age begins anew.
  void set(tcp::Instant now, const packet::IpAddress& destination, const tcp::PathMtuNews& news);

  std::optional<tcp::Instant> next_deadline() const;
  // Forgets what is too old and appends those destinations to `aged`.
  void on_deadline(tcp::Instant now, std::vector<packet::IpAddress>& aged);

 private:
  struct Entry {
    tcp::PathMtuNews news;
    tcp::Instant set_at{};
  };
  struct Aging {
    tcp::Instant set_at;
    packet::IpAddress destination;
  };

  bool is_current(const Aging& aging) const;
  void drop_stale();

  // Looked up by address, never iterated.
  absl::flat_hash_map<packet::IpAddress, Entry, SecretHash> entries_;
  std::deque<Aging> order_;  // oldest first; one whose entry was set again is stale
};

}  // namespace tcproctor::host
