// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cpp/convert.h"

namespace tcproctor::client {
namespace {

using ::testing::HasSubstr;

TEST(ParseAddress, TakesSocketsAndHosts) {
  EXPECT_EQ(*parse_address("unix:/run/tcproctor.sock"), "unix:/run/tcproctor.sock");
  EXPECT_EQ(*parse_address("unix:relative"), "unix:relative");
  EXPECT_EQ(*parse_address("localhost:7070"), "dns:localhost:7070");
  EXPECT_EQ(*parse_address("192.0.2.1:1"), "dns:192.0.2.1:1");
  EXPECT_EQ(*parse_address("[2001:db8::1]:65535"), "dns:[2001:db8::1]:65535");
}

TEST(ParseAddress, SaysWhatIsWrong) {
  const auto message = [](const std::string& address) {
    const absl::Status status = parse_address(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    return std::string(status.message());
  };
  EXPECT_THAT(message(""), HasSubstr("no port"));
  EXPECT_THAT(message("unix:"), HasSubstr("the path is empty"));
  EXPECT_THAT(message("unix:/" + std::string(107, 'x')), HasSubstr("at most 107 octets"));
  EXPECT_THAT(message("/run/tcproctor.sock"), HasSubstr("unix:PATH"));
  EXPECT_THAT(message("host"), HasSubstr("no port"));
  EXPECT_THAT(message(":80"), HasSubstr("no host"));
  EXPECT_THAT(message("host:0"), HasSubstr("1..65535"));
  EXPECT_THAT(message("host:70000"), HasSubstr("1..65535"));
  EXPECT_THAT(message("host:80x"), HasSubstr("1..65535"));
  EXPECT_THAT(message("2001:db8::1:80"), HasSubstr("brackets"));
  EXPECT_THAT(message("http://host:80"), HasSubstr("brackets"));
}

TEST(ParseAddress, LongestPathIsTaken) {
  EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x')).ok());
}

TEST(Durations, GoThereAndBack) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Hours(2), -absl::Milliseconds(1500)}) {
    EXPECT_EQ(from_proto(to_proto(duration)), duration);
  }
  EXPECT_EQ(to_proto(absl::Milliseconds(1500)).seconds(), 1);
  EXPECT_EQ(to_proto(absl::Milliseconds(1500)).nanos(), 500'000'000);
}

TEST(Durations, InfiniteIsTheLongestThereIs) {
  EXPECT_EQ(to_proto(absl::InfiniteDuration()).seconds(), 3'155'760'000);
  EXPECT_EQ(to_proto(-absl::InfiniteDuration()).seconds(), -3'155'760'000);
}

TEST(Status, KeepsCodeAndMessage) {
  EXPECT_TRUE(to_status(grpc::Status::OK).ok());
  const absl::Status status =
      to_status(grpc::Status(grpc::StatusCode::NOT_FOUND, "session: no such"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "session: no such");
}

}  // namespace
}  // namespace tcproctor::client
