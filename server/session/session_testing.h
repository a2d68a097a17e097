// SPDX-License-Identifier: Apache-2.0
// For tests: sessions on the memory link under a virtual clock. Nothing here waits for real time.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "server/session/drive_testing.h"

namespace tcproctor::server {

inline constexpr char kAddressA[] = "192.0.2.1";
inline constexpr char kAddressB[] = "192.0.2.2";

class SessionTest : public ::testing::Test {
 protected:
  std::unique_ptr<DriveClient> drive(const v1::CreateSessionRequest& request) {
    absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(request, true);
    EXPECT_TRUE(session.ok()) << session.status();
    return std::make_unique<DriveClient>(*session);
  }
  struct Established {
    uint64_t a = 0;
    uint64_t b = 0;
  };
  Established establish(DriveClient& client) {
    const v1::OpenResponse listener = client.listen(v1::END_B, 80);
    EXPECT_EQ(listener.outcome(), v1::OUTCOME_OK);
    const v1::OpenResponse active = client.connect(v1::END_A, kAddressB, 80);
    EXPECT_EQ(active.outcome(), v1::OUTCOME_OK);
    const v1::AcceptResponse accepted = client.accept(listener.connection());
    EXPECT_EQ(accepted.outcome(), v1::OUTCOME_OK);
    return {active.connection(), accepted.connection()};
  }

  // A CLOSE that lingers so long, after A has sent what B's held segments do not acknowledge.
  v1::Command lingering_close(DriveClient& client, const Established& pair, double linger_s) {
    v1::Command hold;
    hold.mutable_hold()->set_from(v1::END_B);
    hold.mutable_hold()->set_on(true);
    client.good(hold);
    EXPECT_EQ(client.send(pair.a, "hello").accepted(), 5u);
    v1::Command close;
    close.mutable_close()->mutable_connection()->set_id(pair.a);
    *close.mutable_close()->mutable_linger() = seconds_proto(linger_s);
    return close;
  }

  TestDaemon daemon_;
};

}  // namespace tcproctor::server
