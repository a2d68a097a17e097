// SPDX-License-Identifier: Apache-2.0
// For tests: a look around inside of a network namespace, as another program would have it.
#pragma once

#include <sched.h>

#include <cerrno>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/host/namespace.h"

namespace tcproctor::server::testing {

// Runs `work` on a thread of its own inside the namespace and returns what it returned.
inline absl::Status run_in(const NetworkNamespace& ns, absl::FunctionRef<absl::Status()> work) {
  absl::Status status;
  std::thread([&] {
    status = ::setns(ns.fd(), CLONE_NEWNET) == 0
                 ? work()
                 : absl::ErrnoToStatus(errno, "entering a network namespace (setns)");
  }).join();
  return status;
}

}  // namespace tcproctor::server::testing
