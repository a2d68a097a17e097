// SPDX-License-Identifier: Apache-2.0
// Being on time on a busy machine.
#pragma once

#include "absl/status/status.h"

namespace tcproctor::cli {

// While it lives, the calling thread, the threads and the processes it makes (a private daemon) are
// scheduled before everything that is not real-time: a script's times are kept although others want
// the processor as well. They sleep nearly all of the time, so others hardly notice.
class RealTime {
 public:
  // `wanted` false: nothing changes.
  explicit RealTime(bool wanted);
  ~RealTime();
  RealTime(const RealTime&) = delete;
  RealTime& operator=(const RealTime&) = delete;

  // Why it is not so (PERMISSION_DENIED without CAP_SYS_NICE), or OK.
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
  bool changed_ = false;
};

}  // namespace tcproctor::cli
