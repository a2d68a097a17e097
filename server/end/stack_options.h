// SPDX-License-Identifier: Apache-2.0
// ConnectionOptions of the API as options of our stack, and back.
#pragma once

#include "absl/status/status.h"
#include "stack/tcp/settings.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

// Overwrites in `options` what `request` has. INVALID_ARGUMENT names the field that is out of
// range; `options` is unchanged then.
absl::Status merge_options(const v1::ConnectionOptions& request, tcp::ConnectionOptions& options);
v1::ConnectionOptions options_to_proto(const tcp::ConnectionOptions& options);

}  // namespace tcproctor::server
