// SPDX-License-Identifier: Apache-2.0
// Keyed hashes of addresses and socket pairs: whoever does not know the host's seed can neither
// make table entries collide nor predict what is derived from them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "stack/packet/address.h"
#include "stack/tcp/siphash.h"

namespace tcproctor::host {

class SecretHash {
 public:
  // One seed serves many purposes; each has a key of its own. The same seed gives the same run.
  SecretHash(uint64_t seed, std::string_view purpose) : secret_(derive(seed, purpose)) {}

  static tcp::Secret derive(uint64_t seed, std::string_view purpose) {
    const std::span<const uint8_t> text(reinterpret_cast<const uint8_t*>(purpose.data()),
                                        purpose.size());
    return {tcp::siphash({seed, 0}, text), tcp::siphash({seed, 1}, text)};
  }

  uint64_t operator()(uint64_t value) const {
    std::array<uint8_t, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    return tcp::siphash(secret_, bytes);
  }
  uint64_t operator()(const packet::IpAddress& address) const {
    return tcp::siphash(secret_, address.bytes());
  }
  uint64_t operator()(const packet::FourTuple& tuple) const {
    // Two addresses of one family and two ports: the length tells the families apart.
    std::array<uint8_t, 36> bytes;
    const std::span<const uint8_t> local = tuple.local.address.bytes();
    const std::span<const uint8_t> remote = tuple.remote.address.bytes();
    std::memcpy(bytes.data(), &tuple.local.port, 2);
    std::memcpy(bytes.data() + 2, &tuple.remote.port, 2);
    std::memcpy(bytes.data() + 4, local.data(), local.size());
    std::memcpy(bytes.data() + 4 + local.size(), remote.data(), remote.size());
    return tcp::siphash(secret_, {bytes.data(), 4 + local.size() + remote.size()});
  }

 private:
  tcp::Secret secret_;
};

}  // namespace tcproctor::host
