// SPDX-License-Identifier: Apache-2.0
// How often a session that is used without being named is to be told that somebody is there.
#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "clients/cpp/convert.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::cli {

// A third of the lease: two renewals may fail before it runs out.
inline absl::Duration renewal_period(const v1::Session& session) {
  return std::clamp(client::from_proto(session.lease()) / 3, absl::Milliseconds(100),
                    absl::Seconds(60));
}

}  // namespace tcproctor::cli
