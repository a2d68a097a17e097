// SPDX-License-Identifier: Apache-2.0
// The seeded network between the hosts of a world: every packet may be lost, doubled, delayed,
// overtaken, damaged or too big, or vanish with all others on its path. Time is what it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stack/host/host.h"
#include "stack/sim/choices.h"

namespace tcproctor::sim {

// Of one direction of the path between two hosts. Chances in thousandths.
struct Conditions {
  tcp::Duration delay = std::chrono::milliseconds(1);
  tcp::Duration jitter{0};  // up to this much more, but packets stay in order
  uint32_t loss = 0;
  uint32_t duplicate = 0;
  uint32_t reorder = 0;  // delayed by up to reorder_by without waiting for others
  tcp::Duration reorder_by = std::chrono::milliseconds(5);
  uint32_t corrupt = 0;
  uint32_t mtu = 65535;            // octets of an IP packet; larger ones are dropped,
  bool tell_too_big = true;        // with an ICMP error or silently (a black hole)
  bool outage = false;             // nothing passes,
  bool tell_unreachable = false;   // a router says so
  uint64_t bytes_per_second = 0;   // of the bottleneck; 0: none
  uint32_t queue_bytes = 1 << 16;  // in front of the bottleneck; beyond it packets are dropped
  bool marks = false;              // ECN: half a full queue marks instead (RFC 3168 §5)
};

struct Faults {
  uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0, too_big = 0, vanished = 0,
           overflowed = 0, unreachable = 0, marked = 0;
  uint64_t total() const {
    return lost + duplicated + reordered + corrupted + too_big + vanished + overflowed +
           unreachable + marked;
  }
  Faults& operator+=(const Faults& other);
};

class Network {
 public:
  // `addresses`: of each host, IPv4 and IPv6.
  struct Attached {
    packet::IpAddress v4;
    packet::IpAddress v6;
  };
  Network(Choices& choices, std::vector<Attached> hosts, host::LinkLayer layer);

  Conditions& conditions(size_t from, size_t to) { return paths_[from * hosts_.size() + to].now; }
  // Super-segments and unfinished checksums travel as they are, or are cut as a card would.
  void keep_super_segments(bool keep) { keep_super_ = keep; }

  void send(tcp::Instant now, size_t from, std::span<const uint8_t> frame,
            const host::FrameMeta& meta);
  // A forged packet, straight to `to`.
  void inject(tcp::Instant at, size_t to, std::span<const uint8_t> frame);
  // All in flight from `from` (to `to`, if given) vanish.
  void vanish(size_t from, std::optional<size_t> to);

  struct Arrival {
    tcp::Instant at{};
    size_t from = 0;
    size_t to = 0;
    std::vector<uint8_t> bytes;
    host::FrameMeta meta;
  };
  std::optional<tcp::Instant> next() const;
  // The earliest arrival, and for whom it is; there is one.
  size_t next_to() const { return heap_.front().arrival.to; }
  Arrival take();
  // Give the bytes of an arrival back, to spare allocations.
  void recycle(std::vector<uint8_t> bytes);

  size_t in_flight() const { return heap_.size(); }
  const Faults& faults() const { return faults_; }

 private:
  static constexpr size_t kNobody = SIZE_MAX;
  struct Path {
    Conditions now;
    tcp::Instant last_arrival{};
    tcp::Instant bottleneck_free{};
  };
  struct Flying {
    Arrival arrival;
    uint64_t order = 0;
  };

  std::optional<size_t> destination(std::span<const uint8_t> frame) const;
  void carry(tcp::Instant now, size_t from, size_t to, std::span<const uint8_t> frame,
             const host::FrameMeta& meta);
  bool queue(tcp::Instant now, Path& path, std::span<const uint8_t> frame, tcp::Instant& leaves,
             bool& mark);
  void fly(tcp::Instant at, size_t from, size_t to, std::vector<uint8_t> bytes,
           const host::FrameMeta& meta);
  void damage(std::vector<uint8_t>& bytes);
  void answer_with_icmp(tcp::Instant now, size_t from, const Conditions& conditions,
                        std::span<const uint8_t> frame, bool too_big);
  std::vector<uint8_t> copy(std::span<const uint8_t> frame);
  bool set_congestion_experienced(std::vector<uint8_t>& bytes) const;

  Choices& choices_;
  const std::vector<Attached> hosts_;
  const host::LinkLayer layer_;
  const size_t link_header_;
  bool keep_super_ = false;
  std::vector<Path> paths_;
  std::vector<Flying> heap_;  // the earliest first
  std::vector<std::vector<uint8_t>> spare_;
  uint64_t order_ = 0;
  Faults faults_;
};

}  // namespace tcproctor::sim
