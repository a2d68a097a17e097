// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/hash/hash_testing.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

using ::testing::HasSubstr;

TEST(IpAddress, DefaultIsUnspecifiedV4) {
  const IpAddress address;
  EXPECT_TRUE(address.is_v4());
  EXPECT_TRUE(address.is_unspecified());
  EXPECT_EQ(address.to_string(), "0.0.0.0");
}

TEST(IpAddress, ParsesAndFormatsBothFamilies) {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1",
                           "::", "fe80::1:2:3", "::ffff:192.0.2.1"}) {
    EXPECT_EQ(ip_of(text).to_string(), text);
  }
  EXPECT_EQ(ip_of("192.0.2.1"), IpAddress::v4(0xC0000201));
  EXPECT_EQ(ip_of("192.0.2.1").v4_value(), 0xC0000201u);
  EXPECT_EQ(to_bytes(ip_of("2001:db8::1").bytes()), from_hex("20010db8000000000000000000000001"));
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const std::string& text :
       {std::string(""), std::string("192.0.2"), std::string("192.0.2.256"), std::string(" ::1"),
        std::string("2001:db8::1::"), std::string("fe80::1%eth0"), std::string("host"),
        std::string("192.0.2.1\0x", 11), std::string(5000, '1')}) {
    const auto address = IpAddress::parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("IP address '"));
    EXPECT_LT(address.status().message().size(), 300u);
  }
}

TEST(IpAddress, KnowsItsClass) {
  EXPECT_TRUE(ip_of("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip_of("239.255.255.255").is_multicast());
  EXPECT_FALSE(ip_of("240.0.0.1").is_multicast());
  EXPECT_FALSE(ip_of("223.255.255.255").is_multicast());
  EXPECT_TRUE(ip_of("ff02::1").is_multicast());
  EXPECT_FALSE(ip_of("fe80::1").is_multicast());
  EXPECT_TRUE(ip_of("255.255.255.255").is_broadcast());
  EXPECT_FALSE(ip_of("192.0.2.255").is_broadcast());
  EXPECT_FALSE(ip_of("ffff:ffff::").is_broadcast());
  EXPECT_TRUE(ip_of("127.1.2.3").is_loopback());
  EXPECT_TRUE(ip_of("::1").is_loopback());
  EXPECT_FALSE(ip_of("::2").is_loopback());
  EXPECT_FALSE(ip_of("128.0.0.1").is_loopback());
  EXPECT_TRUE(ip_of("::").is_unspecified());
  EXPECT_FALSE(ip_of("::1").is_unspecified());
  EXPECT_TRUE(ip_of("169.254.1.1").is_link_local());
  EXPECT_TRUE(ip_of("febf::1").is_link_local());
  EXPECT_FALSE(ip_of("fec0::1").is_link_local());
}

TEST(IpAddress, PrefixesAtEveryLength) {
  EXPECT_TRUE(ip_of("192.0.2.77").in_prefix(ip_of("192.0.2.0"), 24));
  EXPECT_FALSE(ip_of("192.0.3.77").in_prefix(ip_of("192.0.2.0"), 24));
  EXPECT_TRUE(ip_of("192.0.3.77").in_prefix(ip_of("192.0.2.0"), 23));
  EXPECT_TRUE(ip_of("1.2.3.4").in_prefix(ip_of("200.0.0.0"), 0));
  EXPECT_FALSE(ip_of("1.2.3.4").in_prefix(ip_of("1.2.3.5"), 32));
  EXPECT_TRUE(ip_of("1.2.3.4").in_prefix(ip_of("1.2.3.5"), 31));
  EXPECT_FALSE(ip_of("1.2.3.4").in_prefix(ip_of("::"), 0));
  EXPECT_TRUE(ip_of("2001:db8::5").in_prefix(ip_of("2001:db8::"), 64));
  EXPECT_FALSE(ip_of("2001:db8:0:1::5").in_prefix(ip_of("2001:db8::"), 64));
  EXPECT_TRUE(ip_of("2001:db8:0:1::5").in_prefix(ip_of("2001:db8::"), 63));
  // A length beyond the address means all of it.
  EXPECT_FALSE(ip_of("1.2.3.4").in_prefix(ip_of("1.2.3.5"), 255));
  EXPECT_TRUE(ip_of("1.2.3.4").in_prefix(ip_of("1.2.3.4"), 255));
}

TEST(IpAddress, DirectedBroadcast) {
  EXPECT_TRUE(ip_of("192.0.2.255").is_broadcast_of(ip_of("192.0.2.7"), 24));
  EXPECT_FALSE(ip_of("192.0.2.254").is_broadcast_of(ip_of("192.0.2.7"), 24));
  EXPECT_FALSE(ip_of("192.0.3.255").is_broadcast_of(ip_of("192.0.2.7"), 24));
  EXPECT_TRUE(ip_of("192.0.2.3").is_broadcast_of(ip_of("192.0.2.0"), 30));
  EXPECT_FALSE(ip_of("192.0.2.1").is_broadcast_of(ip_of("192.0.2.0"), 31));
  EXPECT_FALSE(ip_of("192.0.2.1").is_broadcast_of(ip_of("192.0.2.1"), 32));
}

TEST(IpAddress, OrdersV4BeforeV6AndThenByOctets) {
  EXPECT_LT(ip_of("9.0.0.0"), ip_of("10.0.0.0"));
  EXPECT_LT(ip_of("255.255.255.255"), ip_of("::"));
  EXPECT_LT(ip_of("::1"), ip_of("2001:db8::"));
  EXPECT_NE(ip_of("0.0.0.0"), ip_of("::"));
}

TEST(IpAddress, HashesByContent) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly({ip_of("0.0.0.0"), ip_of("::"),
                                                           ip_of("192.0.2.1"), ip_of("2001:db8::1"),
                                                           ip_of("2001:db8::2")}));
  const SocketAddress a{ip_of("192.0.2.1"), 1}, b{ip_of("192.0.2.1"), 2};
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly({FourTuple{a, b}, FourTuple{b, a}}));
}

TEST(SocketAddress, ParsesAndFormats) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:65535", "0.0.0.0:0", "[::]:0"}) {
    const auto socket = SocketAddress::parse(text);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(socket->to_string(), text);
  }
}

TEST(SocketAddress, SaysWhatIsWrong) {
  const auto message = [](std::string_view text) {
    const auto socket = SocketAddress::parse(text);
    EXPECT_FALSE(socket.ok()) << text;
    return std::string(socket.status().message());
  };
  EXPECT_THAT(message("192.0.2.1"), HasSubstr("has no port"));
  EXPECT_THAT(message("192.0.2.1:"), HasSubstr("port ''"));
  EXPECT_THAT(message("192.0.2.1:70000"),
              HasSubstr("port '70000' is not a number from 0 to 65535"));
  EXPECT_THAT(message("192.0.2.1:-1"), HasSubstr("port '-1'"));
  EXPECT_THAT(message("192.0.2.1:+1"), HasSubstr("port '+1'"));
  EXPECT_THAT(message("192.0.2.1: 1"), HasSubstr("port ' 1'"));
  EXPECT_THAT(message("192.0.2.1:99999999999999999999"), HasSubstr("port"));
  EXPECT_THAT(message("[192.0.2.1]:80"), HasSubstr("leave them out"));
  EXPECT_THAT(message("2001:db8::1:80"), HasSubstr("needs brackets"));
  EXPECT_THAT(message("[2001:db8::1:80"), HasSubstr("IP address"));
  EXPECT_THAT(message(":80"), HasSubstr("IP address ''"));
}

TEST(FourTuple, ReversesAndFormats) {
  const FourTuple tuple{{ip_of("192.0.2.1"), 1025}, {ip_of("192.0.2.2"), 80}};
  EXPECT_EQ(tuple.to_string(), "192.0.2.1:1025 > 192.0.2.2:80");
  EXPECT_EQ(tuple.reversed().to_string(), "192.0.2.2:80 > 192.0.2.1:1025");
  EXPECT_EQ(tuple.reversed().reversed(), tuple);
}

}  // namespace
}  // namespace tcproctor::packet
