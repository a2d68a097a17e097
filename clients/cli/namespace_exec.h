// SPDX-License-Identifier: Apache-2.0
// Running a program inside the network namespace of a session's end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::cli {

// Runs `command` (searched in PATH) in the end's namespaces, with this process's streams, and
// returns its exit status, 128 + signal if one killed it. While it runs, `keep_alive` is called
// every `period_ms`. Ctrl-C goes to the program alone; if this process is killed, the program gets
// SIGTERM.
//
// FAILED_PRECONDITION: the end has no namespace, or its path is not there or names another one (the
// daemon is on another machine or in a container). PERMISSION_DENIED: not allowed to enter it.
// NOT_FOUND: no such program.
absl::StatusOr<int> exec_in_namespace(const v1::EndInfo& end,
                                      const std::vector<std::string>& command, int period_ms,
                                      const std::function<void()>& keep_alive);

}  // namespace tcproctor::cli
