// SPDX-License-Identifier: Apache-2.0
// What a connection can be joined to where no program is at hand: a file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/local_socket.h"

namespace tcproctor::cli {

// Each gives the other end of a socket whose service runs in a thread of its own until that end
// is closed, or shut down for writing.
// The octets of a file, then the end of the stream; what comes is thrown away.
absl::StatusOr<LocalSocket> file_source(const std::string& path);
// Writes what comes to a file, made anew, and ends its own stream after the other's.
absl::StatusOr<LocalSocket> file_sink(const std::string& path);

}  // namespace tcproctor::cli
