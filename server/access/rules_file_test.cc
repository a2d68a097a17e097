// SPDX-License-Identifier: Apache-2.0
#include "server/access/rules_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "server/access/caller.h"

namespace tcproctor::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RulesFileTest : public ::testing::Test {
 protected:
  RulesFileTest() {
    std::string name = ::testing::TempDir() + "rules-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/clients.textproto";
  }
  ~RulesFileTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& text) const { std::ofstream(path_) << text; }
  std::string refusal(const std::string& text) const {
    write(text);
    const auto file = RulesFile::open(path_);
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(file.status().message());
  }
  std::shared_ptr<const Rights> only(const std::string& text) const {
    write(text);
    const auto file = RulesFile::open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *(*file)->find({(*file)->names().at(0)});
  }

  std::string folder_;
  std::string path_;
};

TEST_F(RulesFileTest, EachClientHasItsRule) {
  write(R"(# comments are welcome
    client { name: "ci" targets: [STACK, SCRIPTED] }
    client { name: "robot.example.org" targets: KERNEL })");
  const auto file = RulesFile::open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->names(), ElementsAre("ci", "robot.example.org"));
  EXPECT_EQ((*(*file)->find({"ci"}))->name(), "ci");
  // A certificate with several names: the first that has a rule.
  EXPECT_EQ((*(*file)->find({"other", "robot.example.org", "ci"}))->name(), "robot.example.org");
  const absl::Status none = (*file)->find({"CI", "robot"}).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(none.message()), HasSubstr("CI, robot"));
  EXPECT_EQ((*file)->find({}).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RulesFileTest, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(refusal("client {\n  nmae: \"ci\"\n}"), AllOf(HasSubstr(path_), HasSubstr("2:7: ")));
  EXPECT_THAT(refusal("client { name: \"ci\" targets: ALL }"), HasSubstr("1:"));
  EXPECT_THAT(refusal("client { targets: STACK }"), HasSubstr("client.name"));
  EXPECT_THAT(refusal("client { name: \"ci\" targets: 0 }"),
              HasSubstr("STACK, KERNEL or SCRIPTED"));
  EXPECT_THAT(refusal("client { name: \"ci\" prefixes: \"192.0.2.0\" }"),
              AllOf(HasSubstr("client \"ci\": prefixes"), HasSubstr("192.0.2.0")));
  EXPECT_THAT(refusal("client { name: \"ci\" interfaces: \"\" }"), HasSubstr("interfaces"));
  EXPECT_THAT(refusal("client { name: \"ci\" } client { name: \"ci\" }"), HasSubstr("two rules"));
  EXPECT_THAT(refusal(""), HasSubstr("there is no rule"));
  std::filesystem::remove(path_);
  EXPECT_THAT(std::string(RulesFile::open(path_).status().message()), HasSubstr("No such file"));
}

TEST_F(RulesFileTest, WhatARuleDoesNotNameIsRefused) {
  const auto rights = only(R"(client { name: "ci" targets: STACK interfaces: "veth"
                                       prefixes: ["192.0.2.0/24", "2001:db8::/32"] })");
  EXPECT_TRUE(rights->check_target(v1::END_KIND_STACK, "a").ok());
  const absl::Status target = rights->check_target(v1::END_KIND_KERNEL, "a");
  EXPECT_EQ(target.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(target.message(), "a: the rule for client \"ci\" does not have targets: KERNEL");
  EXPECT_FALSE(rights->check_target(v1::END_KIND_UNSPECIFIED, "a").ok());
  EXPECT_TRUE(rights->check_interface("veth", "wire.link").ok());
  EXPECT_THAT(std::string(rights->check_interface("eth0", "wire.link").message()),
              HasSubstr("interfaces: \"eth0\""));
  EXPECT_TRUE(rights->check_address(*packet::IpAddress::parse("192.0.2.255"), "x").ok());
  EXPECT_TRUE(rights->check_address(*packet::IpAddress::parse("2001:db8:1::"), "x").ok());
  EXPECT_THAT(
      std::string(rights->check_address(*packet::IpAddress::parse("192.0.3.0"), "x").message()),
      HasSubstr("prefixes that hold 192.0.3.0"));
  EXPECT_TRUE(rights->check_prefix(*packet::IpPrefix::parse("192.0.2.128/25"), "x").ok());
  EXPECT_FALSE(rights->check_prefix(*packet::IpPrefix::parse("192.0.0.0/16"), "x").ok());
}

TEST_F(RulesFileTest, QuotasHaveDefaults) {
  const Quota defaults = only("client { name: \"ci\" quota {} }")->quota();
  EXPECT_EQ(defaults.sessions, 16u);
  EXPECT_EQ(defaults.connections, 1024u);
  EXPECT_EQ(defaults.bytes, 268435456u);
  EXPECT_EQ(defaults.segments_per_second, 10000u);
  EXPECT_EQ(defaults.log_bytes, 67108864u);
  const Quota given = only(R"(client { name: "ci" quota {
      sessions: 0 connections: 1 bytes: 2 segments_per_second: 3 log_bytes: 4 } })")
                          ->quota();
  EXPECT_EQ(given.sessions, 0u);
  EXPECT_EQ(given.connections, 1u);
  EXPECT_EQ(given.bytes, 2u);
  EXPECT_EQ(given.segments_per_second, 3u);
  EXPECT_EQ(given.log_bytes, 4u);
}

TEST_F(RulesFileTest, AChangeIsReadAndAWrongOneIsNot) {
  write("client { name: \"ci\" }");
  const auto file = RulesFile::open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  write("client { name: \"robot\" }");
  std::this_thread::sleep_for(RulesFile::kRefresh);
  EXPECT_FALSE((*file)->find({"ci"}).ok());
  EXPECT_TRUE((*file)->find({"robot"}).ok());
  write("client { name: ");
  std::this_thread::sleep_for(RulesFile::kRefresh);
  EXPECT_TRUE((*file)->find({"robot"}).ok());
  std::filesystem::remove(path_);
  std::this_thread::sleep_for(RulesFile::kRefresh);
  EXPECT_TRUE((*file)->find({"robot"}).ok());
}

TEST_F(RulesFileTest, SessionsAreSeenByTheirMakerAndByWhoHasNoRule) {
  const Caller local;
  const Caller ci{"", only("client { name: \"ci\" }")};
  const Caller ci_after_a_reload{"", only("client { name: \"ci\" targets: STACK }")};
  const Caller robot{"", only("client { name: \"robot\" }")};
  EXPECT_TRUE(local.sees(ci));
  EXPECT_TRUE(local.sees(local));
  EXPECT_TRUE(ci.sees(ci));
  EXPECT_TRUE(ci_after_a_reload.sees(ci));
  EXPECT_FALSE(ci.sees(local));
  EXPECT_FALSE(ci.sees(robot));
}

}  // namespace
}  // namespace tcproctor::server
