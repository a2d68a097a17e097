// SPDX-License-Identifier: Apache-2.0
// Segments kept back at the wire until they are released or dropped. What is held keeps its octets
// itself: the log may have dropped them by then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "server/wire/matcher.h"
#include "server/wire/packet_meta.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

struct HeldPacket {
  uint64_t number = 0;
  v1::End from = v1::END_UNSPECIFIED;
  PacketMeta meta;
  std::vector<uint8_t> octets;
};

class Holder {
 public:
  // Octets held of both ends together; what comes beyond is dropped (FATE_DROPPED).
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  // A second call replaces the pattern of the first. Nothing = all of that end.
  void hold(v1::End from, std::optional<Matcher> matcher);
  // What is held stays held.
  void let_pass(v1::End from);

  bool active(v1::End from) const { return side(from).on; }
  // Whether a packet of that end is to be held now.
  bool wants(v1::End from, std::span<const uint8_t> packet) const;
  // False: no room, drop it.
  bool keep(uint64_t number, v1::End from, std::span<const uint8_t> packet, const PacketMeta& meta);

  // Takes out those numbers in that order; all, oldest first, when `numbers` is empty.
  // INVALID_ARGUMENT: a number twice. FAILED_PRECONDITION: a number that is not held; nothing is
  // taken out then.
  absl::StatusOr<std::vector<HeldPacket>> take(std::span<const uint64_t> numbers);

  size_t size() const { return held_.size(); }

 private:
  struct Side {
    bool on = false;
    std::optional<Matcher> matcher;
  };
  const Side& side(v1::End end) const { return end == v1::END_A ? a_ : b_; }
  Side& side(v1::End end) { return end == v1::END_A ? a_ : b_; }

  Side a_;
  Side b_;
  std::map<uint64_t, HeldPacket> held_;  // in the order of the wire
  size_t bytes_ = 0;
};

}  // namespace tcproctor::server
