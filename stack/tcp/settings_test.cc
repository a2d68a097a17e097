// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/settings.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {
namespace {

TEST(Settings, DefaultsAreValid) {
  EXPECT_TRUE(validate(ConnectionOptions()).ok());
  EXPECT_TRUE(validate(Settings()).ok());
}

TEST(Settings, DefaultsKeepTheRules) {
  const Settings settings;
  const ConnectionOptions& options = settings.defaults;
  EXPECT_FALSE(options.keepalive);                       // RFC9293-MUST-25
  EXPECT_GE(options.keepalive_idle, Duration(2h));       // RFC9293-MUST-28
  EXPECT_EQ(options.keepalive_interval, Duration(75s));  // S001-keepalive
  EXPECT_EQ(options.keepalive_probes, 10u);
  EXPECT_LT(options.delayed_ack, Duration(500ms));  // RFC9293-MUST-40
  EXPECT_GE(options.user_timeout, Duration(100s));  // RFC9293-SHLD-11
  EXPECT_GE(options.syn_timeout, Duration(3min));   // RFC9293-MUST-23
  EXPECT_EQ(settings.msl, Duration(2min));
  EXPECT_GE(settings.max_rto, Duration(60s));  // RFC6298-2.5-1
}

TEST(Settings, WrongOptionsAreNamed) {
  const std::vector<std::pair<std::string, std::function<void(ConnectionOptions&)>>> cases = {
      {"dscp", [](auto& o) { o.dscp = 64; }},
      {"ttl", [](auto& o) { o.ttl = 0; }},
      {"send_buffer_bytes", [](auto& o) { o.send_buffer_bytes = 0; }},
      {"receive_buffer_bytes", [](auto& o) { o.receive_buffer_bytes = (1u << 30) + 1; }},
      {"mss", [](auto& o) { o.mss = 0; }},
      {"delayed_ack", [](auto& o) { o.delayed_ack = 500ms; }},
      {"user_timeout", [](auto& o) { o.user_timeout = Duration{0}; }},
      {"syn_timeout", [](auto& o) { o.syn_timeout = -1s; }},
      {"keepalive_idle", [](auto& o) { o.keepalive_idle = Duration::max(); }},
      {"keepalive_interval", [](auto& o) { o.keepalive_interval = Duration{0}; }},
      {"keepalive_probes", [](auto& o) { o.keepalive_probes = 0; }},
  };
  for (const auto& [name, spoil] : cases) {
    ConnectionOptions options;
    spoil(options);
    const absl::Status status = validate(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(status.message().substr(0, name.size()), name);
  }
}

TEST(Settings, WrongSettingsAreNamed) {
  const std::vector<std::pair<std::string, std::function<void(Settings&)>>> cases = {
      {"msl", [](auto& s) { s.msl = -1s; }},
      {"initial_buffer_bytes", [](auto& s) { s.initial_buffer_bytes = 4095; }},
      {"send_buffer_limit_bytes", [](auto& s) { s.send_buffer_limit_bytes = (1u << 30) + 1; }},
      {"receive_buffer_limit_bytes",
       [](auto& s) { s.receive_buffer_limit_bytes = (1u << 30) + 1; }},
      {"initial_rto", [](auto& s) { s.initial_rto = Duration{0}; }},
      {"min_rto", [](auto& s) { s.min_rto = Duration{0}; }},
      {"max_rto", [](auto& s) { s.max_rto = 1ms; }},
      {"challenge_ack_interval", [](auto& s) { s.challenge_ack_interval = -1s; }},
      {"orphan_fin_wait_2", [](auto& s) { s.orphan_fin_wait_2 = -1s; }},
      {"quiet_time", [](auto& s) { s.quiet_time = -1s; }},
      {"ephemeral_first", [](auto& s) { s.ephemeral_first = 65535, s.ephemeral_last = 1; }},
      {"dscp", [](auto& s) { s.defaults.dscp = 255; }},
  };
  for (const auto& [name, spoil] : cases) {
    Settings settings;
    spoil(settings);
    const absl::Status status = validate(settings);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(status.message().substr(0, name.size()), name);
  }
}

TEST(Mss, FromMtuAndWish) {  // RFC9293-MUST-67, RFC6691-2-1
  using packet::IpFamily;
  EXPECT_EQ(announced_mss(std::nullopt, IpFamily::kV4, 1500), 1460);
  EXPECT_EQ(announced_mss(std::nullopt, IpFamily::kV6, 1500), 1440);
  EXPECT_EQ(announced_mss(536, IpFamily::kV4, 1500), 536);
  EXPECT_EQ(announced_mss(9000, IpFamily::kV4, 1500), 1460);
  EXPECT_EQ(announced_mss(std::nullopt, IpFamily::kV4, 65535), 65495);
  EXPECT_EQ(default_mss(IpFamily::kV4), 536);  // RFC9293-MUST-15
  EXPECT_EQ(default_mss(IpFamily::kV6), 1220);
  EXPECT_EQ(effective_send_mss(9000, IpFamily::kV4, 1500), 1460);  // RFC9293-MUST-16
  EXPECT_EQ(effective_send_mss(1000, IpFamily::kV4, 1500), 1000);
  EXPECT_EQ(effective_send_mss(0, IpFamily::kV4, 1500), kSmallestSendMss);
}

TEST(WindowScale, ShiftForBuffer) {  // RFC7323-2.3-5
  EXPECT_EQ(window_shift_for(1), 0);
  EXPECT_EQ(window_shift_for(65535), 0);
  EXPECT_EQ(window_shift_for(65536), 1);
  EXPECT_EQ(window_shift_for(1u << 30), 14);
}

}  // namespace
}  // namespace tcproctor::tcp
