// SPDX-License-Identifier: Apache-2.0
// What is looked at in scripts of packetdrill's dialect though packetdrill does not. Scripts of
// others were never run under these, so each can be switched.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace tcproctor::conformance {

struct ForeignChecks {
  bool payload = true;    // octets sent and read are those that were handed over
  bool checksums = true;  // of what the examined end sends
  bool silence = false;   // behind the last line the socket under test sends nothing for a while
};

// "payload,checksums,silence" or "none". INVALID_ARGUMENT says what would be right.
absl::StatusOr<ForeignChecks> parse_foreign_checks(std::string_view names);

}  // namespace tcproctor::conformance
