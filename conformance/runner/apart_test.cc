// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/apart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/parser.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;

Case case_with(const std::string& head, const std::string& body) {
  absl::StatusOr<Case> parsed =
      parse(cat("//: id: T\n//: title: T\n//: covers: S000-2.1\n", head, body), "t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *std::move(parsed) : Case{};
}

v1::ServerInfo daemon(const std::string& address) {
  v1::ServerInfo info;
  info.mutable_interface()->add_addresses("192.0.2.1/24");
  if (!address.empty()) info.mutable_interface()->add_end_addresses(address);
  return info;
}
Apart apart() {
  return *meet(nullptr, daemon("192.0.2.10/24"), daemon("198.51.100.10/24"));
}

TEST(Apart, BothDaemonsAreOnANetwork) {
  v1::ServerInfo nowhere;
  (*nowhere.mutable_missing())["link.interface"] = "no interface was given";
  EXPECT_EQ(meet(nullptr, nowhere, daemon("198.51.100.10/24")).status().message(),
            "the endpoint's daemon is on no network: no interface was given");
  EXPECT_EQ(meet(nullptr, daemon("192.0.2.10/24"), nowhere).status().message(),
            "the wire's daemon is on no network: no interface was given");
  EXPECT_THAT(std::string(meet(nullptr, daemon(""), daemon("")).status().message()),
              HasSubstr("no address for the scripted end"));
}

TEST(Apart, WhatAHeadAsksOfOneMachine) {
  const std::string clause = "clause \"c\"\nL = OPEN(passive)\n";
  const auto reason = [&](const std::string& head, std::string_view target) {
    return local_only(case_with(head, clause).head, target, apart());
  };
  EXPECT_EQ(reason("", kTargetKernel), "");
  EXPECT_EQ(reason("//: set: stack.msl = 1s\n", kTargetStack), "");
  EXPECT_THAT(reason("//: examines: both\n", kTargetStack), HasSubstr("both ends are a TCP"));
  const std::string set = "//: set: kernel.net.ipv4.tcp_fin_timeout = 5\n";
  EXPECT_THAT(reason(set, kTargetKernel), HasSubstr("it sets kernel.net.ipv4.tcp_fin_timeout"));
  EXPECT_EQ(reason(set, kTargetStack), "");
  EXPECT_THAT(reason("//: set: wire.mtu = 1280\n", kTargetStack), HasSubstr("it sets wire.mtu"));
  Head of_ipv6 = case_with("", clause).head;
  of_ipv6.ipv6 = true;
  EXPECT_THAT(local_only(of_ipv6, kTargetKernel, apart()), HasSubstr("no IPv6 addresses"));
}

struct OfAClause {
  const char* statement;
  const char* reason;  // empty: it can be carried out across a network
};
class ApartClause : public ::testing::TestWithParam<OfAClause> {};

TEST_P(ApartClause, IsLeftOutForAReason) {
  const Case test_case =
      case_with("", cat("clause \"c\"\nL = OPEN(passive)\n", GetParam().statement, "\n"));
  ASSERT_EQ(test_case.clauses.size(), 1u);
  const std::string reason = local_only(test_case.clauses[0]);
  if (*GetParam().reason == '\0') {
    EXPECT_EQ(reason, "");
  } else {
    EXPECT_THAT(reason, HasSubstr(GetParam().reason));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, ApartClause,
    ::testing::Values(OfAClause{"< S 0:0(0) win 65535 {ttl 255, dscp 48}", ""},
                      OfAClause{"> S. 0:0(0) ack 1 {dscp 0}", ""},
                      OfAClause{"> S. 0:0(0) ack 1 {ttl 64}", "time to live"},
                      OfAClause{"< S 0:0(0) win 65535 {dst 192.0.2.255}", "it names addresses"},
                      OfAClause{"> S. 0:0(0) ack 1 {src 192.0.2.2}", "it names addresses"},
                      OfAClause{"< S 0:0(0) win 65535 {ip_checksum 1}",
                                "does not pass on a packet with a ip_checksum"},
                      OfAClause{"< S 0:0(0) win 65535 {checksum 1}", ""},
                      OfAClause{"< S 0:0(0) win 65535\nsent {checksum 1}", "it judges a checksum"},
                      OfAClause{"< S 0:0(0) win 65535\nsent {offset 5}", ""},
                      OfAClause{"C = OPEN(passive, keys=\"peers { peer: '192.0.2.1' md5: 'x' }\")",
                                "its keys name peers by addresses"},
                      OfAClause{"C = OPEN(passive, keys=\"peers { md5: 'x' }\")", ""}));

}  // namespace
}  // namespace tcproctor::conformance
