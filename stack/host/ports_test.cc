// SPDX-License-Identifier: Apache-2.0
#include "stack/host/ports.h"

#include <gtest/gtest.h>

#include <set>

namespace tcproctor::host {
namespace {

using packet::IpAddress;
using packet::SocketAddress;

const IpAddress kLocal = IpAddress::v4(192, 0, 2, 1);

SocketAddress remote(uint16_t port) {
  return {IpAddress::v4(192, 0, 2, 2), port};
}

TEST(PortChooser, StaysInRangeAndUsesAllOfIt) {
  PortChooser chooser(50000, 50009, 7);
  std::set<uint16_t> taken;
  const auto is_free = [&](uint16_t port) { return !taken.contains(port); };
  for (int i = 0; i < 10; ++i) {
    const auto port = chooser.choose(kLocal, remote(80), is_free);
    ASSERT_TRUE(port.has_value());
    EXPECT_GE(*port, 50000);
    EXPECT_LE(*port, 50009);
    EXPECT_TRUE(taken.insert(*port).second);
  }
  EXPECT_FALSE(chooser.choose(kLocal, remote(80), is_free).has_value());
}

TEST(PortChooser, WholeRangeOf16Bits) {
  PortChooser chooser(65535, 65535, 7);
  EXPECT_EQ(chooser.choose(kLocal, remote(80), [](uint16_t) { return true; }), 65535);
}

// RFC6056-3.3-1: towards one destination the ports go up by one, so reuse is late; where they begin
// depends on the destination and the secret.
TEST(PortChooser, IncrementsPerDestinationFromASecretStart) {
  const auto any = [](uint16_t) { return true; };
  PortChooser chooser(49152, 65535, 7);
  const int first = *chooser.choose(kLocal, remote(80), any);
  EXPECT_EQ(*chooser.choose(kLocal, remote(80), any), first == 65535 ? 49152 : first + 1);

  std::set<int> starts;
  for (uint16_t port = 1; port <= 100; ++port) {
    starts.insert(*chooser.choose(kLocal, remote(port), any));
  }
  EXPECT_GT(starts.size(), 90u);
  std::set<int> secrets;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    secrets.insert(*PortChooser(49152, 65535, seed).choose(kLocal, remote(80), any));
  }
  EXPECT_GT(secrets.size(), 90u);
}

TEST(PortChooser, SameSeedSameChoice) {
  const auto any = [](uint16_t) { return true; };
  PortChooser a(49152, 65535, 7);
  PortChooser b(49152, 65535, 7);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(a.choose(kLocal, remote(80), any), b.choose(kLocal, remote(80), any));
  }
}

}  // namespace
}  // namespace tcproctor::host
