// SPDX-License-Identifier: Apache-2.0
#include "stack/mutants/planted.h"

#include <array>
#include <memory>

#include <gtest/gtest.h>

#include "stack/mutants/switch.h"

namespace tcproctor::mutants {

// This test's own, whatever the build has.
std::span<const std::string_view> names() {
  static constexpr std::array<std::string_view, 3> kNames = {"first", "second", "third"};
  return kNames;
}

namespace {

struct Inside {
  int value(uint32_t number) const { return on(number) ? 2 : 1; }
};
using Host = Doors<Inside>;

TEST(Planted, IsOnOnlyWithinItsHost) {
  Planted fault(2);
  std::unique_ptr<Host> faulty;
  {
    const Planting planting(fault);
    faulty = std::make_unique<Host>(std::make_unique<Inside>());
  }
  const Host sound(std::make_unique<Inside>());
  EXPECT_EQ((*faulty)->value(2), 2);
  EXPECT_EQ((*faulty)->value(1), 1);
  EXPECT_EQ(sound->value(2), 1);
  EXPECT_EQ(Inside().value(2), 1) << "outside of any host";
}

TEST(Planted, NotesWhatWasPassed) {
  Planted none;
  const Planting planting(none);
  const Host host(std::make_unique<Inside>());
  EXPECT_EQ(host->value(3), 1);
  EXPECT_EQ(host->value(1), 1);
  EXPECT_EQ(Inside().value(2), 1);
  EXPECT_EQ(none.passed(), (std::vector<std::string_view>{"first", "third"}));
}

TEST(Planted, NumbersBeginAtOne) {
  EXPECT_EQ(number_of("first"), 1u);
  EXPECT_EQ(number_of("third"), 3u);
  EXPECT_EQ(number_of("fourth"), 0u);
  EXPECT_EQ(number_of(""), 0u);
}

}  // namespace
}  // namespace tcproctor::mutants
