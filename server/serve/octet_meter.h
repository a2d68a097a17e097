// SPDX-License-Identifier: Apache-2.0
// How many octets byte services may still bring onto the wire.
#pragma once

#include <cstdint>

namespace tcproctor::server {

class OctetMeter {
 public:
  virtual uint64_t octets_left() const = 0;
  virtual void count_octets(uint64_t octets) = 0;

 protected:
  ~OctetMeter() = default;
};

}  // namespace tcproctor::server
