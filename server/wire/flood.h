// SPDX-License-Identifier: Apache-2.0
// Many alike segments from forged addresses (S001-syn-attack): one template, of which source
// address and port are drawn anew for each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "server/wire/craft.h"
#include "server/wire/random.h"
#include "stack/packet/prefix.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

inline constexpr uint64_t kMaxFlood = 10'000'000;

class FloodGenerator {
 public:
  // INVALID_ARGUMENT names the field below `flood.`. An empty source_prefix is 198.18.0.0/15 or
  // 2001:db8:ffff::/48; seed 0 is `default_seed`. Ports are drawn from 1024..65535; checksums are
  // computed anew unless the template gives them.
  static absl::StatusOr<FloodGenerator> create(const v1::Flood& flood, const CraftContext& context,
                                               uint64_t default_seed);

  bool finished() const { return sent_ == count_; }
  bool unlogged() const { return unlogged_; }
  packet::IpFamily family() const { return template_.family; }
  uint64_t count() const { return count_; }
  uint32_t rate() const { return rate_; }  // per second; 0: as fast as possible
  const packet::IpPrefix& sources() const { return sources_; }
  // Each packet is as this one but for source address, source port and checksums.
  const std::string& packet() const { return template_.packet; }
  // When the next one is due after the flood's start.
  tcp::Duration next_offset() const;
  // The next packet; valid until the next call. Only when not finished().
  std::span<const uint8_t> next();

 private:
  FloodGenerator() = default;

  Crafted template_;
  packet::IpPrefix sources_;
  uint64_t count_ = 0;
  uint64_t sent_ = 0;
  uint32_t rate_ = 0;
  bool unlogged_ = false;
  Random random_{0};
};

}  // namespace tcproctor::server
