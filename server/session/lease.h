// SPDX-License-Identifier: Apache-2.0
// How long a session lives without being named by a call. Real time on either clock: a lease guards
// against clients that are gone.
#pragma once

#include "stack/run/clock.h"
#include "stack/tcp/time.h"

namespace tcproctor::server {

class Lease {
 public:
  static constexpr tcp::Duration kDefault = std::chrono::seconds(30);
  static constexpr tcp::Duration kMin = std::chrono::seconds(1);
  static constexpr tcp::Duration kMax = std::chrono::hours(1);

  Lease(tcp::Duration length, run::SteadyTime now) : length_(length), ends_(now + length) {}

  void renew(run::SteadyTime now) { ends_ = now + length_; }
  void renew(tcp::Duration length, run::SteadyTime now) {
    length_ = length;
    renew(now);
  }
  // A stream that made the session keeps it alive as long as the stream lives.
  void hold() { held_ = true; }

  tcp::Duration length() const { return length_; }
  // Zero when it ran out; the whole length while held.
  tcp::Duration remaining(run::SteadyTime now) const {
    if (held_) return length_;
    return now >= ends_ ? tcp::Duration::zero() : tcp::Duration(ends_ - now);
  }
  bool ran_out(run::SteadyTime now) const { return !held_ && now >= ends_; }

 private:
  tcp::Duration length_;
  run::SteadyTime ends_;
  bool held_ = false;
};

}  // namespace tcproctor::server
