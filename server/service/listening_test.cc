// SPDX-License-Identifier: Apache-2.0
// The daemon as a server: where it listens, and what it refuses to listen on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ListeningTest : public ::testing::Test {
 protected:
  ListeningTest() {
    std::string name = ::testing::TempDir() + "tcproctor-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/d.sock";
  }
  ~ListeningTest() override { std::filesystem::remove_all(folder_); }
  DaemonOptions options() const { return {.listen = {*parse_listen_address("unix:" + path_)}}; }

  std::string folder_;
  std::string path_;
};

TEST_F(ListeningTest, TheSocketIsTheOwnersAndGoesWithTheDaemon) {
  {
    const auto daemon = Daemon::start(options());
    ASSERT_TRUE(daemon.ok()) << daemon.status();
    EXPECT_EQ(std::filesystem::status(path_).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    Stubs stubs(grpc::CreateChannel("unix:" + path_, grpc::InsecureChannelCredentials()));
    EXPECT_EQ(stubs.list_sessions().sessions_size(), 0);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ListeningTest, TwoDaemonsCannotHaveOneSocket) {
  const auto daemon = Daemon::start(options());
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  const auto second = Daemon::start(options());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(path_), HasSubstr("another tcproctord")));
  Stubs stubs(grpc::CreateChannel("unix:" + path_, grpc::InsecureChannelCredentials()));
  EXPECT_EQ(stubs.list_sessions().sessions_size(), 0);
}

TEST_F(ListeningTest, PlainTcpMustBeAskedFor) {
  for (const char* address : {"0.0.0.0:0", "127.0.0.1:0"}) {
    const auto daemon = Daemon::start({.listen = {*parse_listen_address(address)}});
    EXPECT_EQ(daemon.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(daemon.status().message()), HasSubstr("--insecure-listen"));
  }
}

TEST_F(ListeningTest, HealthAndReflectionAreOnATcpListener) {
  const auto daemon =
      Daemon::start({.listen = {*parse_listen_address("localhost:0")}, .insecure_listen = true});
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  const std::string address = (*daemon)->addresses().at(0);
  EXPECT_THAT(address, ::testing::StartsWith("127.0.0.1:"));
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  // Empty messages of both services are understood: "is it well?" and, for reflection, a question
  // without content. What counts is that the method is there.
  for (const char* method : {"/grpc.health.v1.Health/Check",
                             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    const grpc::Status status = call_without_content(channel, method);
    EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  }
}

TEST(ListenAddressTest, IsParsed) {
  EXPECT_EQ(parse_listen_address("unix:/a/b")->unix_path, "/a/b");
  EXPECT_EQ(parse_listen_address("127.0.0.1:7070")->tcp.port, 7070);
  EXPECT_EQ(parse_listen_address("[::1]:7070")->to_string(), "[::1]:7070");
  EXPECT_EQ(parse_listen_address("localhost:1")->to_string(), "127.0.0.1:1");
  for (const std::string& bad : {std::string("unix:"), "unix:" + std::string(108, 'x'),
                                 std::string("nowhere"), std::string("127.0.0.1:70000")}) {
    EXPECT_EQ(parse_listen_address(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace tcproctor::server
