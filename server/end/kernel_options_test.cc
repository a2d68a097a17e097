// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_options.h"

#include <gtest/gtest.h>

namespace tcproctor::server {
namespace {

TEST(KernelOptions, SynRetriesFollowLinuxTimes) {
  // Measured on Linux 6.18: SYNs at 0, 1, 2, 3, 4, 5, 7, 11 … s; six retries end at about 7 s, ten
  // at 67 s.
  EXPECT_EQ(syn_timeout_of(1), absl::Seconds(2));
  EXPECT_EQ(syn_timeout_of(4), absl::Seconds(5));
  EXPECT_EQ(syn_timeout_of(5), absl::Seconds(7));
  EXPECT_EQ(syn_timeout_of(6), absl::Seconds(11));
  EXPECT_EQ(syn_retries_for(absl::Seconds(2)), 1u);
  EXPECT_EQ(syn_retries_for(absl::Milliseconds(2001)), 2u);
  EXPECT_GE(syn_timeout_of(syn_retries_for(absl::Minutes(3))), absl::Minutes(3));
}

TEST(KernelOptions, WhatTheKernelHasOnlyAsSysctlIsNamed) {
  v1::ConnectionOptions options;
  options.set_timestamps(false);
  const absl::Status status = socket_options_from_proto(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("net.ipv4.tcp_timestamps"), absl::string_view::npos) << status;
}

TEST(KernelOptions, RangesAreChecked) {
  v1::ConnectionOptions options;
  options.set_dscp(64);
  EXPECT_EQ(socket_options_from_proto(options).status().message(),
            "options.dscp: 64 is out of range; 0..63");
  options.set_dscp(63);
  options.set_ttl(0);
  EXPECT_EQ(socket_options_from_proto(options).status().message(),
            "options.ttl: 0 is out of range; 1..255");
}

TEST(KernelOptions, AMalformedDurationIsRefused) {
  v1::ConnectionOptions options;
  options.mutable_user_timeout()->set_nanos(2'000'000'000);
  EXPECT_EQ(socket_options_from_proto(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.mutable_user_timeout()->set_nanos(0);
  EXPECT_TRUE(socket_options_from_proto(options).ok());
  options.mutable_syn_timeout()->set_seconds(-1);
  EXPECT_EQ(socket_options_from_proto(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KernelOptions, RoundTrip) {
  v1::ConnectionOptions options;
  options.set_no_delay(true);
  options.set_keepalive(true);
  options.mutable_keepalive_idle()->set_seconds(7);
  options.set_keepalive_probes(3);
  options.set_dscp(46);
  options.set_ttl(9);
  const auto parsed = socket_options_from_proto(options);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(socket_options_to_proto(*parsed).ShortDebugString(), options.ShortDebugString());
}

}  // namespace
}  // namespace tcproctor::server
