// SPDX-License-Identifier: Apache-2.0
// The targets a case can be run on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tcproctor::conformance {

inline constexpr std::string_view kTargetKernel = "kernel";  // host kernel, veth, real clock
inline constexpr std::string_view kTargetStack = "stack";    // our stack, veth, real clock
inline constexpr std::string_view kTargetVirtual = "stack-virtual";  // memory wire, virtual clock

// In the order of the reports.
inline std::vector<std::string> all_targets() {
  return {std::string(kTargetKernel), std::string(kTargetStack), std::string(kTargetVirtual)};
}

inline bool is_target(std::string_view name) {
  return name == kTargetKernel || name == kTargetStack || name == kTargetVirtual;
}

}  // namespace tcproctor::conformance
