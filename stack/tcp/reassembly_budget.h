// SPDX-License-Identifier: Apache-2.0
// Memory of a whole host for data that came out of order. Each connection is bounded by its window;
// this bounds all of them together, so that many that each hold a gap open do not exhaust memory.
// What would exceed it is dropped as it comes: it was never acknowledged, and is sent again. What
// is held already stays, so that nothing that was SACKed is taken back (RFC2018-8-1).
#pragma once

#include <cstdint>

namespace tcproctor::tcp {

class ReassemblyBudget {
 public:
  explicit ReassemblyBudget(uint64_t limit) : limit_(limit) {}
  ReassemblyBudget(const ReassemblyBudget&) = delete;
  ReassemblyBudget& operator=(const ReassemblyBudget&) = delete;

  // Octets that all may hold, and hold now.
  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_; }

  // One holds `now` octets where it held `before`. False, and nothing changes: too many.
  bool change(uint64_t before, uint64_t now) {
    if (now > before && now - before > limit_ - used_) return false;
    used_ = used_ - before + now;
    return true;
  }

 private:
  uint64_t limit_;
  uint64_t used_ = 0;  // never above limit_
};

}  // namespace tcproctor::tcp
