// SPDX-License-Identifier: Apache-2.0
#include "stack/mutants/planted.h"

#include <algorithm>

#include "stack/mutants/switch.h"

namespace tcproctor::mutants {

constinit thread_local Planted* adopted = nullptr;
constinit thread_local Planted* current = nullptr;

uint32_t number_of(std::string_view id) {
  const auto all = names();
  const auto found = std::ranges::find(all, id);
  return found == all.end() ? 0 : static_cast<uint32_t>(found - all.begin() + 1);
}

std::vector<std::string_view> Planted::passed() const {
  std::vector<std::string_view> ids;
  for (size_t number = 1; number < passed_.size(); ++number) {
    if (passed_[number] != 0) ids.push_back(names()[number - 1]);
  }
  return ids;
}

Planting::Planting(Planted& planted) : before_(adopted) {
  adopted = &planted;
}

Planting::~Planting() {
  adopted = before_;
}

}  // namespace tcproctor::mutants
