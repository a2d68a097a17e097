// SPDX-License-Identifier: Apache-2.0
// Which MAC address an on-link neighbour has, and the packets that wait to learn it (the common
// part of ARP, RFC 826, and neighbour discovery, RFC 4861). Everything is bounded, so that a flood
// of forged on-link sources costs a fixed amount and does not push out neighbours that are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "stack/host/host.h"
#include "stack/host/secret_hash.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"
#include "stack/tcp/time.h"

namespace tcproctor::host {

// A complete Ethernet frame but for its destination, which is filled in when it is known.
struct WaitingFrame {
  std::vector<uint8_t> bytes;
  FrameMeta meta;
};

class NeighbourTable {
 public:
  static constexpr size_t kMaxKnown = 1024;      // learned; permanent ones come on top
  static constexpr size_t kMaxUnresolved = 256;  // addresses being asked for
  static constexpr size_t kMaxWaiting = 16;  // frames for one of them (RFC 1122 §2.3.2.2: >= 1)
  static constexpr size_t kMaxWaitingBytes = 1 << 20;  // for all of them
  static constexpr int kMaxRequests = 3;  // RFC 4861 §10, MAX_UNICAST_SOLICIT and likewise
  static constexpr tcp::Duration kRetransmission = std::chrono::seconds(1);  // RFC 4861 §10

  explicit NeighbourTable(const SecretHash& hash) : entries_(0, hash) {}

  // A neighbour that is never asked for nor overwritten.
  void add_permanent(const Neighbour& neighbour);
  // Null when not known.
  const packet::MacAddress* find(const packet::IpAddress& address) const;

  // Keeps `frame` until `address` is known. `ask` becomes true when a request should go out now:
  // the address was not being asked for. False: a bound was reached and the frame was dropped.
  bool wait_for(tcp::Instant now, const packet::IpAddress& address, std::span<const uint8_t> frame,
                const FrameMeta& meta, bool& ask);

  // `address` was seen to be at `mac`. An address that is neither known nor asked for is only taken
  // in when `create` is set. Frames that waited for it are appended to `released`, destination
  // filled in.
  void learn(const packet::IpAddress& address, const packet::MacAddress& mac, bool create,
             std::vector<WaitingFrame>& released);

  std::optional<tcp::Instant> next_deadline() const;
  // Appends the addresses to ask for again to `ask_again` and drops those that never answered;
  // returns the number of frames dropped with them.
  size_t on_deadline(tcp::Instant now, std::vector<packet::IpAddress>& ask_again);

 private:
  struct Entry {
    bool known = false;
    bool permanent = false;
    packet::MacAddress mac;
    // While not known:
    int requests = 0;
    tcp::Instant deadline{};
    std::vector<WaitingFrame> waiting;
  };
  struct Asked {
    tcp::Instant deadline;
    packet::IpAddress address;
  };

  bool is_current(const Asked& asked) const;
  size_t forget_unresolved(const packet::IpAddress& address);
  void make_room_for_unresolved();
  void remember_known(const packet::IpAddress& address);

  // Looked up by address, never iterated.
  absl::flat_hash_map<packet::IpAddress, Entry, SecretHash> entries_;
  // In the order of their deadlines, since all wait equally long; stale ones are skipped.
  std::deque<Asked> asked_;
  std::deque<packet::IpAddress> known_order_;  // learned ones, the oldest first
  size_t unresolved_ = 0;
  size_t waiting_bytes_ = 0;
};

}  // namespace tcproctor::host
