// SPDX-License-Identifier: Apache-2.0
// The queueing discipline in front of the network devices of a namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "server/host/namespace.h"

namespace tcproctor::server {

// Every device of the namespace but the loopback gets that discipline ("pfifo", "fq") instead of
// the one it has. Empty: its default. `limit`: packets it holds; 0: it drops all. NOT_FOUND: this
// kernel does not know the kind; INVALID_ARGUMENT: it does not take the limit.
absl::Status set_queue(const NetworkNamespace& ns, const std::string& kind,
                       std::optional<uint32_t> limit);

}  // namespace tcproctor::server
