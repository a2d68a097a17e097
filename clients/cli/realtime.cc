// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/realtime.h"

#include <sched.h>

#include <cerrno>

namespace tcproctor::cli {

RealTime::RealTime(bool wanted) {
  // Somebody who runs us under a policy of their own knows better.
  if (!wanted || sched_getscheduler(0) != SCHED_OTHER) return;
  // Round-robin, so that sessions side by side share what there is; the lowest of the priorities.
  const sched_param lowest{.sched_priority = 1};
  changed_ = sched_setscheduler(0, SCHED_RR, &lowest) == 0;
  if (!changed_) status_ = absl::ErrnoToStatus(errno, "real-time scheduling");
}

RealTime::~RealTime() {
  if (!changed_) return;
  const sched_param none{.sched_priority = 0};
  sched_setscheduler(0, SCHED_OTHER, &none);
}

}  // namespace tcproctor::cli
