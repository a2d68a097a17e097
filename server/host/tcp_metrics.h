// SPDX-License-Identifier: Apache-2.0
// What a namespace's TCP remembers of its peers: RTT, ssthresh, cookies of Fast Open.
#pragma once

#include "absl/status/status.h"
#include "server/host/namespace.h"

namespace tcproctor::server {

// It forgets all of it. PERMISSION_DENIED: CAP_NET_ADMIN over the machine is missing.
absl::Status forget_tcp_metrics(const NetworkNamespace& ns);

}  // namespace tcproctor::server
