// SPDX-License-Identifier: Apache-2.0
// Offload features of a network device, through SIOCETHTOOL. A device that finishes checksums or
// cuts segments itself shows a capture partial checksums and 64 KB segments: where these are judged
// every offload must be off, and that must be verified (preflight).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/namespace.h"

namespace tcproctor::server {

// Switches everything off that alters checksums or segment sizes: rx and tx checksumming,
// scatter-gather, TSO, GSO (UDP and tunnel flavours too), GRO. What a device cannot switch is left;
// see offloads_on. There is no opposite: a device as it was made has the set that performs best
// (veth: everything but GRO).
// NOT_FOUND: no such device; PERMISSION_DENIED: CAP_NET_ADMIN is missing.
absl::Status disable_offloads(const NetworkNamespace& ns, const std::string& interface);

// The preflight: names (as `ethtool -k` prints them, e.g. "tx-tcp-segmentation") of the offloads
// above that are on now and meet plain TCP segments. Empty is what an examination needs.
absl::StatusOr<std::vector<std::string>> offloads_on(const NetworkNamespace& ns,
                                                     const std::string& interface);

// The two above through any socket of the interface's namespace.
absl::Status disable_offloads(int socket, const std::string& interface);
absl::StatusOr<std::vector<std::string>> offloads_on(int socket, const std::string& interface);

// Switches one feature by its name. NOT_FOUND: no such feature; FAILED_PRECONDITION: the device
// does not let it be changed.
absl::Status set_feature(const NetworkNamespace& ns, const std::string& interface,
                         const std::string& feature, bool on);

}  // namespace tcproctor::server
