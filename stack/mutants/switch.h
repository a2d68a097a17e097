// SPDX-License-Identifier: Apache-2.0
// What generated sources use (conformance/mutants/generate_main.cc): the switch in front of every
// mutant, and the doors of a host, between which alone it may be on. The wire and the scripted end
// use the same codec outside of any host, so they never see a fault.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "stack/mutants/planted.h"

namespace tcproctor::mutants {

extern constinit thread_local Planted* adopted;  // of the host that is being made
extern constinit thread_local Planted* current;  // of the host that is running

inline bool is_current(uint32_t number) {
  return current != nullptr && current->is(number);
}

constexpr bool on(uint32_t number) {
  return !std::is_constant_evaluated() && is_current(number);
}

// Owns the inside of a host. What is called through -> runs with the host's fault in force.
template <typename Inside>
class Doors {
 public:
  class Call {
   public:
    Call(Inside* inside, Planted* planted)
        : inside_(inside), before_(std::exchange(current, planted)) {}
    ~Call() { current = before_; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Inside* operator->() const { return inside_; }

   private:
    Inside* const inside_;
    Planted* const before_;
  };

  explicit Doors(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
  Call operator->() const { return Call(inside_.get(), planted_); }

 private:
  std::unique_ptr<Inside> inside_;
  Planted* const planted_ = adopted;
};

}  // namespace tcproctor::mutants
