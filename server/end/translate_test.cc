// SPDX-License-Identifier: Apache-2.0
#include "server/end/translate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/event.h"
#include "stack/tcp/settings.h"

namespace tcproctor::server {
namespace {

std::string proto_style(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

TEST(Translate, EveryStateHasTheSameNameInTheContract) {
  for (size_t i = 0; i < tcp::kStateNames.size(); ++i) {
    const auto state = static_cast<tcp::State>(i);
    EXPECT_EQ(v1::TcpState_Name(to_proto(state)),
              "TCP_STATE_" + proto_style(tcp::to_string(state)));
  }
}

TEST(Translate, EveryOutcomeHasTheSameNameInTheContract) {
  for (size_t i = 0; i < tcp::kOutcomeNames.size(); ++i) {
    const auto outcome = static_cast<tcp::Outcome>(i);
    EXPECT_EQ(v1::Outcome_Name(to_proto(outcome)),
              "OUTCOME_" + proto_style(tcp::to_string(outcome)));
  }
}

TEST(Translate, EnumsHaveTheOrderOfTheContract) {
  using tcp::AuthenticationKind;
  EXPECT_EQ(to_proto<v1::CongestionAlgorithm>(tcp::CongestionAlgorithm::kReno),
            v1::CONGESTION_ALGORITHM_RENO);
  EXPECT_EQ(to_proto<v1::CongestionAlgorithm>(tcp::CongestionAlgorithm::kCubic),
            v1::CONGESTION_ALGORITHM_CUBIC);
  EXPECT_EQ(to_proto<v1::InitialWindow>(tcp::InitialWindow::kRfc5681), v1::INITIAL_WINDOW_RFC5681);
  EXPECT_EQ(to_proto<v1::InitialWindow>(tcp::InitialWindow::kRfc6928), v1::INITIAL_WINDOW_RFC6928);
  EXPECT_EQ(to_proto<v1::EcnUse>(tcp::EcnUse::kOff), v1::ECN_USE_OFF);
  EXPECT_EQ(to_proto<v1::EcnUse>(tcp::EcnUse::kAccept), v1::ECN_USE_ACCEPT);
  EXPECT_EQ(to_proto<v1::EcnUse>(tcp::EcnUse::kRequest), v1::ECN_USE_REQUEST);
  EXPECT_EQ(to_proto<v1::MtuProbing>(tcp::MtuProbing::kOff), v1::MTU_PROBING_OFF);
  EXPECT_EQ(to_proto<v1::MtuProbing>(tcp::MtuProbing::kBlackHole), v1::MTU_PROBING_BLACK_HOLE);
  EXPECT_EQ(to_proto<v1::MtuProbing>(tcp::MtuProbing::kAlways), v1::MTU_PROBING_ALWAYS);
  EXPECT_EQ(to_proto<v1::AuthenticationKind>(AuthenticationKind::kNone),
            v1::AUTHENTICATION_KIND_NONE);
  EXPECT_EQ(to_proto<v1::AuthenticationKind>(AuthenticationKind::kMd5),
            v1::AUTHENTICATION_KIND_MD5);
  EXPECT_EQ(to_proto<v1::AuthenticationKind>(AuthenticationKind::kAo), v1::AUTHENTICATION_KIND_AO);
  EXPECT_EQ(to_proto<v1::ProbeKind>(tcp::ProbeKind::kKeepalive), v1::PROBE_KIND_KEEPALIVE);
  EXPECT_EQ(to_proto<v1::ProbeKind>(tcp::ProbeKind::kWindow), v1::PROBE_KIND_WINDOW);
  EXPECT_EQ(to_proto<v1::ProbeKind>(tcp::ProbeKind::kTailLoss), v1::PROBE_KIND_TAIL_LOSS);
}

TEST(Translate, EnumsComeBack) {
  tcp::EcnUse use = tcp::EcnUse::kOff;
  const auto read = [&use](v1::EcnUse proto) {
    return enum_from_proto(proto, v1::EcnUse_IsValid(proto), "ecn", use);
  };
  EXPECT_TRUE(read(v1::ECN_USE_REQUEST).ok());
  EXPECT_EQ(use, tcp::EcnUse::kRequest);
  EXPECT_TRUE(read(v1::ECN_USE_UNSPECIFIED).ok());
  EXPECT_EQ(use, tcp::EcnUse::kRequest) << "left as it is";
  EXPECT_EQ(read(static_cast<v1::EcnUse>(9)).message(), "options.ecn: 9 is none of its values");
}

TEST(Translate, AddressErrorsNameTheField) {
  v1::SocketAddress socket;
  socket.set_port(70000);
  EXPECT_EQ(from_proto(socket, "local").status().message(),
            "local.port: 70000 is out of range; 0..65535");
  socket.set_port(80);
  socket.set_address("300.1.1.1");
  const absl::Status status = from_proto(socket, "remote").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(std::string(status.message()).starts_with("remote.address: \"300.1.1.1\"")) << status;
}

TEST(Translate, RoundTrip) {
  v1::FourTuple pair;
  pair.mutable_local()->set_address("2001:db8::1");
  pair.mutable_local()->set_port(1);
  pair.mutable_remote()->set_address("2001:db8::2");
  pair.mutable_remote()->set_port(65535);
  const auto parsed = from_proto(pair, "pair");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(to_proto(*parsed).ShortDebugString(), pair.ShortDebugString());
}

}  // namespace
}  // namespace tcproctor::server
