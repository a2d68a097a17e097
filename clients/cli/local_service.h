// SPDX-License-Identifier: Apache-2.0
// What a connection can be joined to where no program is at hand: a file, or the character
// generator.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/local_socket.h"

namespace tcproctor::cli {

// Octet `offset` of RFC 864's pattern: lines of 72 of the 95 printing characters, line N beginning
// with character N mod 95, each ended by CR LF.
char chargen_octet(uint64_t offset);

// Each gives the other end of a socket whose service runs in a thread of its own until that end
// is closed, or shut down for writing.
// RFC 864: the pattern without an end; what comes is thrown away.
absl::StatusOr<LocalSocket> chargen();
// The octets of a file, then the end of the stream; what comes is thrown away.
absl::StatusOr<LocalSocket> file_source(const std::string& path);
// Writes what comes to a file, made anew, and ends its own stream after the other's.
absl::StatusOr<LocalSocket> file_sink(const std::string& path);

}  // namespace tcproctor::cli
