// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/prefix.h"

#include <gtest/gtest.h>

namespace tcproctor::packet {
namespace {

TEST(IpPrefix, IsParsed) {
  EXPECT_EQ(IpPrefix::parse("198.18.0.0/15")->to_string(), "198.18.0.0/15");
  EXPECT_EQ(IpPrefix::parse("::/0")->to_string(), "::/0");
  EXPECT_EQ(IpPrefix::parse("2001:db8::1/128")->length, 128);
  for (const char* bad : {"", "198.18.0.0", "198.18.0.0/", "198.18.0.0/33", "198.18.0.0/-1",
                          "::/129", "/8", "host/8", "198.18.0.0/8x"}) {
    const absl::Status status = IpPrefix::parse(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find(bad), status.message().npos) << status;
  }
}

TEST(IpPrefix, ContainsAddressesOfItsFamily) {
  const IpPrefix prefix = *IpPrefix::parse("192.0.2.128/25");
  EXPECT_TRUE(prefix.contains(*IpAddress::parse("192.0.2.255")));
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("192.0.2.127")));
  EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("::")));
  EXPECT_TRUE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
}

TEST(IpPrefix, ContainsSmallerPrefixes) {
  const IpPrefix prefix = *IpPrefix::parse("192.0.2.0/24");
  EXPECT_TRUE(prefix.contains(prefix));
  EXPECT_TRUE(prefix.contains(*IpPrefix::parse("192.0.2.1/24")));
  EXPECT_TRUE(prefix.contains(*IpPrefix::parse("192.0.2.64/26")));
  EXPECT_FALSE(prefix.contains(*IpPrefix::parse("192.0.2.0/23")));
  EXPECT_FALSE(prefix.contains(*IpPrefix::parse("192.0.3.0/24")));
}

}  // namespace
}  // namespace tcproctor::packet
