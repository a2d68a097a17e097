// SPDX-License-Identifier: Apache-2.0
// What a session leaves behind on the machine when it ends: nothing, soon.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "server/host/offload.h"
#include "server/host/two_kernels_testing.h"
#include "server/session/drive_testing.h"

namespace tcproctor::server {
namespace {

class TeardownTest : public testing::RootTest {
 protected:
  v1::CreateSessionRequest two_kernels() {
    v1::CreateSessionRequest request;
    request.mutable_a()->mutable_kernel();
    request.mutable_b()->mutable_kernel();
    return request;
  }

  // Ties a device in our own namespace to the one at `path`: it vanishes when the kernel has freed
  // that one, and not before, whatever kept it alive.
  void tie_device(const std::string& path) {
    std::thread([&] {
      const UniqueFd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
      ASSERT_TRUE(ns.valid()) << path;
      ASSERT_EQ(setns(ns.get(), CLONE_NEWNET), 0);
      const auto inside = NetworkNamespace::current();
      ASSERT_TRUE(inside.ok());
      InterfaceSpec spec;
      spec.name = "watch";
      const absl::StatusOr<VethPair> pair = create_veth(**inside, spec, *watcher_, spec);
      ASSERT_TRUE(pair.ok()) << pair.status();
    }).join();
  }
  bool is_there() const { return offloads_on(*watcher_, "watch").ok(); }

  // A connection of A that was released and whose FIN nobody answers.
  void leave_an_orphan(DriveClient& client) {
    const uint64_t listener = client.listen(v1::END_B, 80).connection();
    const uint64_t a = client.connect(v1::END_A, "192.0.2.2", 80).connection();
    ASSERT_EQ(client.accept(listener, 5).outcome(), v1::OUTCOME_OK);
    ASSERT_EQ(client.wait_state(a, v1::TCP_STATE_ESTABLISHED, 5).outcome(), v1::OUTCOME_OK);
    v1::Command hold;
    hold.mutable_hold()->set_from(v1::END_B);
    hold.mutable_hold()->set_on(true);
    client.good(hold);
    v1::Command release;
    release.mutable_release()->mutable_connection()->set_id(a);
    client.good(release);
    EXPECT_EQ(client.state(a), v1::TCP_STATE_FIN_WAIT_1);
  }

  const std::unique_ptr<NetworkNamespace> watcher_ = *NetworkNamespace::create();
  TestDaemon daemon_;
};

TEST_F(TeardownTest, AnUnansweredFinDoesNotKeepTheNamespaceAlive) {
  const absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(two_kernels(), true);
  ASSERT_TRUE(session.ok()) << session.status();
  {
    DriveClient client(*session);
    leave_an_orphan(client);
    tie_device(client.reports().at(0).session().a().namespace_path());
  }
  ASSERT_TRUE(is_there());
  daemon_.registry().remove(*session, session_deleted((*session)->id()), nullptr);
  EXPECT_TRUE(testing::eventually([this] { return !is_there(); }, std::chrono::seconds(5)));
}

TEST_F(TeardownTest, NorDoesItAfterAReset) {
  const absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(two_kernels(), true);
  ASSERT_TRUE(session.ok()) << session.status();
  DriveClient client(*session);
  leave_an_orphan(client);
  tie_device(client.reports().at(0).session().a().namespace_path());
  ASSERT_TRUE(is_there());
  v1::Command reset;
  reset.mutable_reset();
  client.good(reset);
  EXPECT_TRUE(testing::eventually([this] { return !is_there(); }, std::chrono::seconds(5)));
  EXPECT_EQ(client.listen(v1::END_B, 80).outcome(), v1::OUTCOME_OK);
}

}  // namespace
}  // namespace tcproctor::server
