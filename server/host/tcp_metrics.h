// SPDX-License-Identifier: Apache-2.0
// What a namespace remembers of its peers beyond its connections to them: TCP RTT, ssthresh and
// cookies of Fast Open, IP the MTU of the path.
#pragma once

#include "absl/status/status.h"
#include "server/host/namespace.h"
#include "stack/packet/address.h"

namespace tcproctor::server {

// TCP forgets all of it. PERMISSION_DENIED: CAP_NET_ADMIN over the machine is missing.
absl::Status forget_tcp_metrics(const NetworkNamespace& ns);

// TCP and IP forget what they know of this peer. Where IPv4 has learnt a path MTU of it, it forgets
// those of all peers, since it has nothing finer, and learns them again. Errors as above.
absl::Status forget_peer(const NetworkNamespace& ns, const packet::IpAddress& peer);

}  // namespace tcproctor::server
