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

TEST(KernelOptions, WhatTheKernelLacksIsNamedAsCapability) {
  const auto refusal = [](void (*set)(v1::ConnectionOptions&)) {
    v1::ConnectionOptions options;
    set(options);
    const absl::Status status = socket_options_from_proto(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    return std::string(status.message());
  };
  using Options = v1::ConnectionOptions;
  EXPECT_EQ(refusal([](Options& o) { o.set_hystart(true); }),
            "options.hystart: the kernel cannot do it, it lacks the capability options.slow_start");
  EXPECT_EQ(refusal([](Options& o) { o.set_ecn(v1::ECN_USE_REQUEST); }),
            "options.ecn: the kernel cannot do it, it lacks the capability options.ecn; it has it "
            "for a whole namespace only, set net.ipv4.tcp_ecn in the end's KernelEnd.sysctls");
  EXPECT_EQ(refusal([](Options& o) { o.set_mtu_probing(v1::MTU_PROBING_ALWAYS); }),
            "options.mtu_probing: the kernel cannot do it, it lacks the capability "
            "options.mtu_probing; it has it for a whole namespace only, set "
            "net.ipv4.tcp_mtu_probing in the end's KernelEnd.sysctls");
  EXPECT_EQ(refusal([](Options& o) { o.mutable_advertised_user_timeout()->set_seconds(100); }),
            "options.advertised_user_timeout: the kernel cannot do it, it lacks the capability "
            "options.user_timeout_option");
  EXPECT_EQ(refusal([](Options& o) { o.mutable_keys()->add_peers()->add_ao()->set_key("secret"); }),
            "options.keys: the kernel cannot do it, it lacks the capability options.ao");
}

TEST(KernelOptions, WrongKeysAreNamedWithoutTelling) {
  const auto refusal = [](const std::string& peer, const std::string& md5) {
    v1::ConnectionOptions options;
    v1::PeerKeys& keys = *options.mutable_keys()->add_peers();
    keys.set_peer(peer);
    keys.set_md5(md5);
    const absl::Status status = socket_options_from_proto(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(refusal("nobody", "secret"),
            "options.keys.peers[0].peer: \"nobody\" is neither ADDRESS nor ADDRESS/PREFIX");
  EXPECT_EQ(refusal("192.0.2.0/33", "secret"),
            "options.keys.peers[0].peer: \"192.0.2.0/33\": the prefix length is not 0..32");
  EXPECT_EQ(refusal("192.0.2.1", std::string(81, 's')),
            "options.keys: keys for 192.0.2.1/32: an MD5 key has at most 80 octets");
  EXPECT_EQ(refusal("192.0.2.1", ""),
            "options.keys: keys for 192.0.2.1/32: want either an MD5 key or TCP-AO keys (RFC 5925 "
            "§8)");
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
  options.set_ttl(1);
  options.set_fast_open_limit(65536);
  EXPECT_EQ(socket_options_from_proto(options).status().message(),
            "options.fast_open_limit: 65536 is out of range; 1..65535");
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
  options.set_congestion_control(v1::CONGESTION_ALGORITHM_RENO);
  options.set_fast_open(true);
  options.set_fast_open_limit(3);
  options.set_path_mtu_discovery(false);
  const auto parsed = socket_options_from_proto(options);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(socket_options_to_proto(*parsed).ShortDebugString(), options.ShortDebugString());
}

}  // namespace
}  // namespace tcproctor::server
