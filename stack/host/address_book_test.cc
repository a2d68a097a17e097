// SPDX-License-Identifier: Apache-2.0
#include "stack/host/address_book.h"

#include <gtest/gtest.h>

namespace tcproctor::host {
namespace {

using packet::IpAddress;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

HostConfig config() {
  HostConfig config;
  config.addresses = {
      {ip("192.0.2.1"), 24}, {ip("198.18.0.1"), 15}, {ip("2001:db8::1"), 64}, {ip("fe80::1"), 64}};
  config.gateway_v4 = ip("192.0.2.254");
  return config;
}

TEST(AddressBook, RefusesImpossibleConfigurations) {
  EXPECT_TRUE(AddressBook::check(config()).ok());
  const auto refuses = [](const char* address, uint8_t prefix) {
    HostConfig bad = config();
    bad.addresses.push_back({ip(address), prefix});
    const absl::Status status = AddressBook::check(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_NE(status.message().find("addresses[4]"), status.message().npos) << status;
  };
  refuses("224.0.0.1", 24);
  refuses("255.255.255.255", 32);
  refuses("0.0.0.0", 24);
  refuses("127.0.0.1", 8);
  refuses("10.0.0.255", 24);
  refuses("10.0.0.1", 33);
  refuses("10.0.0.1", 0);
  refuses("ff02::1", 64);
  refuses("192.0.2.1", 24);
  EXPECT_FALSE(AddressBook::check(HostConfig{}).ok());
  HostConfig gateway = config();
  gateway.gateway_v6 = ip("192.0.2.254");
  EXPECT_FALSE(AddressBook::check(gateway).ok());
}

TEST(AddressBook, KnowsWhoMayNotBeASource) {
  const AddressBook book(config());
  for (const char* bad :
       {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.255",
        "198.19.255.255", "192.0.2.1", "::", "::1", "ff02::1", "2001:db8::1"}) {
    EXPECT_FALSE(book.is_valid_source(ip(bad))) << bad;
  }
  for (const char* good : {"192.0.2.2", "198.18.0.255", "203.0.113.255", "2001:db8::2"}) {
    EXPECT_TRUE(book.is_valid_source(ip(good))) << good;
  }
}

TEST(AddressBook, ChoosesSourceAndNextHop) {
  const AddressBook book(config());
  EXPECT_EQ(book.source_for(ip("192.0.2.9")), ip("192.0.2.1"));
  EXPECT_EQ(book.source_for(ip("198.19.0.9")), ip("198.18.0.1"));
  EXPECT_EQ(book.source_for(ip("203.0.113.1")), ip("192.0.2.1"));
  EXPECT_EQ(book.source_for(ip("fe80::9")), ip("fe80::1"));
  EXPECT_EQ(book.source_for(ip("2001:db9::9")), ip("2001:db8::1"));
  EXPECT_EQ(book.next_hop(ip("192.0.2.9")), ip("192.0.2.9"));
  EXPECT_EQ(book.next_hop(ip("203.0.113.1")), ip("192.0.2.254"));
  EXPECT_EQ(book.next_hop(ip("2001:db9::9")), std::nullopt);

  HostConfig raw = config();
  raw.link_layer = LinkLayer::kRawIp;
  EXPECT_EQ(AddressBook(raw).next_hop(ip("2001:db9::9")), ip("2001:db9::9"));
}

TEST(AddressBook, NoAddressOfThatFamily) {
  HostConfig only_v4;
  only_v4.addresses = {{ip("192.0.2.1"), 24}};
  EXPECT_EQ(AddressBook(only_v4).source_for(ip("2001:db8::2")), std::nullopt);
}

}  // namespace
}  // namespace tcproctor::host
