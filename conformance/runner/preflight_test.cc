// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/runner/fake_daemon_testing.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;

v1::Environment sound() {
  v1::Environment environment;
  environment.set_kernel_release("6.18.44");
  environment.set_clock_source("tsc");
  v1::EndEnvironment& end = *environment.add_ends();
  end.set_end(v1::END_B);
  (*end.mutable_settings())["net.ipv4.tcp_sack"] = "1";
  (*end.mutable_settings())["net.ipv4.tcp_rmem"] = "4096\t131072 6291456";
  (*end.mutable_given())["net.ipv4.tcp_rmem"] = "4096 131072 6291456";
  return environment;
}

Preflight preflight_of(const v1::Environment& environment) {
  FakeCandidate candidate;
  candidate.environment = environment;
  candidate.on_segment = [](FakeSession& session, const v1::Segment& segment) {
    session.answer(0x04, segment.tcp().acknowledgment_number(), 0);
  };
  FakeDaemon daemon(candidate);
  return run_preflight(daemon.channel(), Head(), "kernel", 1);
}

TEST(Preflight, ASoundEnvironmentIsTold) {
  const Preflight preflight = preflight_of(sound());
  EXPECT_EQ(preflight.fault, "");
  EXPECT_THAT(preflight.facts,
              ::testing::IsSupersetOf({Pair("B net.ipv4.tcp_sack", "1"), Pair("B offloads", "off"),
                                       Pair("capture",
                                            "200 segments sent at once, 200 answers seen, 0 frames "
                                            "lost")}));
}

TEST(Preflight, WhatIsWrongIsNamed) {
  v1::Environment environment = sound();
  environment.mutable_ends(0)->add_offloads_on("eth0 tx-tcp-segmentation");
  EXPECT_EQ(preflight_of(environment).fault,
            "end B: offloads that must be off are on: eth0 tx-tcp-segmentation");
  environment.mutable_ends(0)->set_offloads_wanted(true);
  EXPECT_EQ(preflight_of(environment).fault, "");
  (*environment.mutable_ends(0)->mutable_settings())["net.ipv4.tcp_rmem"] = "1 2 3";
  EXPECT_EQ(preflight_of(environment).fault,
            "end B: net.ipv4.tcp_rmem must be 4096 131072 6291456 and is 1 2 3");
  environment = sound();
  environment.set_lost(3);
  EXPECT_EQ(preflight_of(environment).fault, "the capture lost 3 frames");
}

TEST(Preflight, ADaemonThatDiesIsAFault) {
  FakeCandidate candidate;
  candidate.environment = sound();
  candidate.breaks_at = 2;
  FakeDaemon daemon(candidate);
  EXPECT_THAT(run_preflight(daemon.channel(), Head(), "kernel", 1).fault,
              HasSubstr("the Drive stream failed"));
}

}  // namespace
}  // namespace tcproctor::conformance
