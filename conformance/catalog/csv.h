// SPDX-License-Identifier: Apache-2.0
// Comma separated values (RFC 4180): fields in quotes may hold commas, quotes ("") and line ends.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tcproctor::conformance {

struct CsvRow {
  int line = 0;  // on which it begins
  std::vector<std::string> fields;
};

// Rows after the first, which must be exactly `header`. Lines that are empty or begin with "#" are
// passed over. INVALID_ARGUMENT: "file:line: …".
absl::StatusOr<std::vector<CsvRow>> parse_csv(std::string_view text, const std::string& file,
                                              const std::vector<std::string>& header);

}  // namespace tcproctor::conformance
