// SPDX-License-Identifier: Apache-2.0
// "S00*,-S001-keepalive": globs over names, comma separated; "-" before one excludes. Without one
// that includes, all names are included.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/catalog/glob.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {

class NameFilter {
 public:
  explicit NameFilter(std::string_view filter) {
    for (const std::string& item : split(filter, ',')) {
      const std::string_view glob = trim(item);
      if (glob.empty()) continue;
      if (glob.front() == '-') {
        excludes_.emplace_back(glob.substr(1));
      } else {
        includes_.emplace_back(glob);
      }
    }
  }

  const std::vector<std::string>& includes() const { return includes_; }
  bool selects(std::string_view name) const {
    const auto matches = [name](const std::string& glob) { return glob_matches(glob, name); };
    return (includes_.empty() || std::ranges::any_of(includes_, matches)) &&
           std::ranges::none_of(excludes_, matches);
  }

 private:
  std::vector<std::string> includes_, excludes_;
};

}  // namespace tcproctor::conformance
