// SPDX-License-Identifier: Apache-2.0
// The keys of TCP-MD5 and TCP-AO as the API gives them, for both kinds of end.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "stack/tcp/authentication/keys.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

// INVALID_ARGUMENT names the entry that is wrong, never a key. An entry for every peer becomes one
// for each IP version.
absl::StatusOr<std::vector<tcp::PeerKeys>> peer_keys_from_proto(const v1::Keys& keys);

}  // namespace tcproctor::server
