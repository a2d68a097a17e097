// SPDX-License-Identifier: Apache-2.0
#include "server/end/translate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

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
