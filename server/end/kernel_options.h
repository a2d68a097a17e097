// SPDX-License-Identifier: Apache-2.0
// ConnectionOptions of the API as socket options of the kernel, and back.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/end/kernel_socket.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

// UNIMPLEMENTED: names the capability, and what else would do, if anything does.
absl::Status kernel_lacks(std::string_view capability, std::string_view what = "this",
                          std::string_view instead = "");

// UNIMPLEMENTED names an option the kernel has only as a sysctl or not at all; INVALID_ARGUMENT one
// that is out of range. `fast_open` without a limit is for 16.
absl::StatusOr<SocketOptions> socket_options_from_proto(const v1::ConnectionOptions& options);
// fast_open is told where a queue for it is open: of a listener.
v1::ConnectionOptions socket_options_to_proto(const SocketOptions& options);

// The fewest SYN retries after which Linux 6.5 and later gives up no earlier than `timeout`: five
// intervals of 1 s (tcp_syn_linear_timeouts = 4), then 2, 4, 8 … s. 1..127.
uint32_t syn_retries_for(absl::Duration timeout);
// When it gives up after that many retries.
absl::Duration syn_timeout_of(uint32_t retries);

}  // namespace tcproctor::server
