// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tcproctor::conformance {

// RFC 1952, as small as it gets.
std::string gzip(const std::string& octets);

}  // namespace tcproctor::conformance
