// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/foreign_checks.h"

#include <string>

#include "conformance/script/text.h"

namespace tcproctor::conformance {

absl::StatusOr<ForeignChecks> parse_foreign_checks(std::string_view names) {
  ForeignChecks checks{.payload = false, .checksums = false, .silence = false};
  if (names == "none") return checks;
  for (const std::string& name : split(std::string(names), ',')) {
    if (name == "payload") {
      checks.payload = true;
    } else if (name == "checksums") {
      checks.checksums = true;
    } else if (name == "silence") {
      checks.silence = true;
    } else {
      return absl::InvalidArgumentError(
          cat("\"", name, "\": want some of payload, checksums, silence; or none"));
    }
  }
  return checks;
}

}  // namespace tcproctor::conformance
