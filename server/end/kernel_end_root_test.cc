// SPDX-License-Identifier: Apache-2.0
// Two kernel ends over a real veth. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
#include "server/end/kernel_end.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "server/host/interface.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

class KernelEndTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
      ASSERT_TRUE(ns.ok()) << "this test needs root: " << ns.status();
      ns_[i] = *std::move(ns);
    }
    InterfaceSpec spec[2];
    for (int i = 0; i < 2; ++i) {
      spec[i].name = "tcp0";
      spec[i].addresses = {{packet::IpAddress::v4(192, 0, 2, static_cast<uint8_t>(i + 1)), 24}};
    }
    absl::StatusOr<VethPair> pair = create_veth(*ns_[0], spec[0], *ns_[1], spec[1]);
    ASSERT_TRUE(pair.ok()) << pair.status();
    absl::StatusOr<std::unique_ptr<run::EventLoop>> loop = run::EventLoop::create();
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
    for (int i = 0; i < 2; ++i) {
      KernelEndConfig config;
      config.side = i == 0 ? v1::END_A : v1::END_B;
      config.addresses = spec[i].addresses;
      config.max_connections = 20;
      auto end = KernelEnd::create(
          ns_[i], *loop_, config, [this] { return next_id_++; },
          [this] { return absl::Now() - start_; });
      ASSERT_TRUE(end.ok()) << end.status();
      end_[i] = *std::move(end);
    }
  }

  uint64_t listen() {
    v1::OpenRequest request;
    request.mutable_local()->set_port(8080);
    absl::StatusOr<v1::OpenResponse> response = end_[1]->open(request);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outcome(), v1::OUTCOME_OK);
    return response->connection();
  }

  v1::OpenResponse connect(uint32_t local_port, bool reuse = false) {
    v1::OpenRequest request = active_open(local_port);
    if (reuse) request.mutable_options()->set_reuse_address(true);
    return open(0, request);
  }

  v1::OpenResponse open(int end, const v1::OpenRequest& request) {
    absl::StatusOr<v1::OpenResponse> response = end_[end]->open(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::OpenResponse());
  }

  static v1::OpenRequest active_open(uint32_t local_port) {
    v1::OpenRequest request;
    request.set_active(true);
    request.mutable_local()->set_port(local_port);
    request.mutable_remote()->set_address("192.0.2.2");
    request.mutable_remote()->set_port(8080);
    return request;
  }

  // A listener on port 8080 with these options, and what ACCEPT gives within half a second.
  uint64_t listen(const v1::ConnectionOptions& options) {
    v1::OpenRequest request;
    request.mutable_local()->set_port(8080);
    *request.mutable_options() = options;
    return open(1, request).connection();
  }
  uint64_t accept(uint64_t listener) {
    for (int i = 0; i < 500; ++i) {
      const absl::StatusOr<v1::AcceptResponse> accepted = end_[1]->accept(listener);
      if (accepted.ok() && accepted->outcome() == v1::OUTCOME_OK) return accepted->connection();
      absl::SleepFor(absl::Milliseconds(1));
    }
    return 0;
  }

  // The state within half a second, or the last one seen.
  v1::TcpState wait_state(int end, uint64_t id, v1::TcpState wanted) {
    v1::TcpState state = v1::TCP_STATE_UNSPECIFIED;
    for (int i = 0; i < 500 && state != wanted; ++i) {
      absl::StatusOr<v1::ConnectionStatus> status = end_[end]->status(id);
      EXPECT_TRUE(status.ok()) << status.status();
      state = status->state();
      if (state != wanted) absl::SleepFor(absl::Milliseconds(1));
    }
    return state;
  }

  std::vector<v1::ConnectionEvent> events(int end) {
    std::vector<v1::ConnectionEvent> all;
    v1::ConnectionEvent event;
    while (end_[end]->next_event(event)) all.push_back(event);
    return all;
  }

  const absl::Time start_ = absl::Now();
  uint64_t next_id_ = 1;
  std::shared_ptr<NetworkNamespace> ns_[2];
  std::unique_ptr<run::EventLoop> loop_;
  std::unique_ptr<KernelEnd> end_[2];
};

TEST_F(KernelEndTest, LifeOfAConnection) {
  const uint64_t listener = listen();
  EXPECT_EQ(wait_state(1, listener, v1::TCP_STATE_LISTEN), v1::TCP_STATE_LISTEN);
  const uint64_t client = connect(40000).connection();
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  absl::StatusOr<v1::AcceptResponse> accepted = end_[1]->accept(listener);
  ASSERT_TRUE(accepted.ok());
  ASSERT_EQ(accepted->outcome(), v1::OUTCOME_OK);
  const uint64_t server = accepted->connection();
  EXPECT_EQ(end_[1]->accept(listener)->outcome(), v1::OUTCOME_WOULD_BLOCK);

  EXPECT_EQ(end_[0]->send(client, "hello", true, false)->accepted(), 5u);
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(end_[1]->receive(server, 100)->data(), "hello");
  EXPECT_EQ(end_[1]->receive(server, 100)->outcome(), v1::OUTCOME_WOULD_BLOCK);

  EXPECT_EQ(*end_[0]->close(client), v1::OUTCOME_OK);
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_FIN_WAIT_2), v1::TCP_STATE_FIN_WAIT_2);
  EXPECT_EQ(wait_state(1, server, v1::TCP_STATE_CLOSE_WAIT), v1::TCP_STATE_CLOSE_WAIT);
  EXPECT_EQ(end_[1]->receive(server, 100)->outcome(), v1::OUTCOME_END_OF_STREAM);
  EXPECT_EQ(*end_[1]->close(server), v1::OUTCOME_OK);
  EXPECT_EQ(wait_state(1, server, v1::TCP_STATE_CLOSED), v1::TCP_STATE_CLOSED);
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_TIME_WAIT), v1::TCP_STATE_TIME_WAIT);

  const absl::StatusOr<v1::ConnectionStatus> status = end_[0]->status(client);
  ASSERT_EQ(status->timers_size(), 1);
  EXPECT_EQ(status->timers(0).kind(), v1::TIMER_KIND_TIME_WAIT);
  EXPECT_GT(status->timers(0).remaining().seconds(), 50);
  EXPECT_EQ(status->last_error(), v1::OUTCOME_OK);
}

TEST_F(KernelEndTest, AListenerTellsItsStates) {
  const auto changes = [](const std::vector<v1::ConnectionEvent>& told, uint64_t id) {
    std::string all;
    for (const v1::ConnectionEvent& event : told) {
      if (event.connection() != id || !event.has_state_change()) continue;
      all += v1::TcpState_Name(event.state_change().from()).substr(10) + ">" +
             v1::TcpState_Name(event.state_change().to()).substr(10) + " ";
    }
    return all;
  };
  const uint64_t listener = listen();
  EXPECT_EQ(changes(events(1), listener), "CLOSED>LISTEN ");
  EXPECT_EQ(*end_[1]->close(listener), v1::OUTCOME_OK);
  EXPECT_EQ(changes(events(1), listener), "LISTEN>CLOSED ");
}

TEST_F(KernelEndTest, AbortIsToldAsReset) {
  const uint64_t listener = listen();
  const uint64_t client = connect(40000).connection();
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  const uint64_t server = end_[1]->accept(listener)->connection();
  events(1);
  EXPECT_EQ(*end_[0]->abort(client), v1::OUTCOME_OK);
  EXPECT_EQ(wait_state(1, server, v1::TCP_STATE_CLOSED), v1::TCP_STATE_CLOSED);
  bool told = false;
  for (const v1::ConnectionEvent& event : events(1)) {
    told = told || (event.connection() == server && event.error() == v1::OUTCOME_CONNECTION_RESET);
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(end_[1]->receive(server, 1)->outcome(), v1::OUTCOME_CONNECTION_RESET);
}

TEST_F(KernelEndTest, RefusedAndTimeWaitAreTold) {
  const uint64_t refused = connect(40001).connection();
  EXPECT_EQ(wait_state(0, refused, v1::TCP_STATE_CLOSED), v1::TCP_STATE_CLOSED);
  EXPECT_EQ(end_[0]->status(refused)->last_error(), v1::OUTCOME_CONNECTION_REFUSED);

  const uint64_t listener = listen();
  const uint64_t client = connect(40000).connection();
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  const uint64_t server = end_[1]->accept(listener)->connection();
  EXPECT_EQ(*end_[0]->close(client), v1::OUTCOME_OK);
  EXPECT_EQ(wait_state(1, server, v1::TCP_STATE_CLOSE_WAIT), v1::TCP_STATE_CLOSE_WAIT);
  EXPECT_EQ(*end_[1]->close(server), v1::OUTCOME_OK);
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_TIME_WAIT), v1::TCP_STATE_TIME_WAIT);
  EXPECT_EQ(*end_[0]->release(client), v1::OUTCOME_OK);
  EXPECT_EQ(connect(40000, true).outcome(), v1::OUTCOME_SOCKET_PAIR_IN_TIME_WAIT);
  // ABORT of a listener's port: in use by another.
  v1::OpenRequest again;
  again.mutable_local()->set_port(8080);
  EXPECT_EQ(end_[1]->open(again)->outcome(), v1::OUTCOME_ADDRESS_IN_USE);
}

TEST_F(KernelEndTest, TheOldestThatAreOverAreForgotten) {
  const uint64_t listener = listen();
  std::vector<uint64_t> ended;
  for (int i = 0; i < 50; ++i) {
    const uint64_t client = connect(0).connection();
    ended.push_back(client);
    EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
    const absl::StatusOr<v1::AcceptResponse> accepted = end_[1]->accept(listener);
    ASSERT_TRUE(accepted.ok() && accepted->outcome() == v1::OUTCOME_OK);
    EXPECT_TRUE(end_[0]->abort(client).ok());
    EXPECT_TRUE(end_[1]->abort(accepted->connection()).ok());
  }
  EXPECT_EQ(end_[0]->list(0).size(), 20u);
  EXPECT_FALSE(end_[0]->owns(ended.front()));
  EXPECT_TRUE(end_[0]->owns(ended.back()));
  EXPECT_TRUE(end_[1]->owns(listener)) << "it is older than all, and alive";
}

// RFC9293-MUST-46; as our stack answers it: HostTest.OpenRefusesWhatCannotBe.
TEST_F(KernelEndTest, BroadcastAndMulticastRemotesAreInvalid) {
  v1::OpenRequest request;
  request.set_active(true);
  request.mutable_remote()->set_port(80);
  for (const char* remote : {"255.255.255.255", "192.0.2.255", "224.0.0.1", "ff02::1"}) {
    request.mutable_remote()->set_address(remote);
    const absl::StatusOr<v1::OpenResponse> response = end_[0]->open(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outcome(), v1::OUTCOME_INVALID_REMOTE) << remote;
  }
  request.mutable_remote()->set_address("198.51.100.255");  // a host, for all that is known here
  EXPECT_EQ(end_[0]->open(request)->outcome(), v1::OUTCOME_UNREACHABLE);
}

TEST_F(KernelEndTest, CongestionControlIsChosenAndTold) {
  v1::ConnectionOptions reno;
  reno.set_congestion_control(v1::CONGESTION_ALGORITHM_RENO);
  const uint64_t listener = listen(reno);
  v1::OpenRequest request = active_open(40000);
  request.mutable_options()->set_path_mtu_discovery(false);
  const uint64_t client = open(0, request).connection();
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  const uint64_t server = accept(listener);
  EXPECT_EQ(end_[1]->get_options(server)->congestion_control(), v1::CONGESTION_ALGORITHM_RENO);
  EXPECT_EQ(end_[1]->get_options(server)->path_mtu_discovery(), true);
  EXPECT_EQ(end_[0]->get_options(client)->path_mtu_discovery(), false);

  const v1::ConnectionStatus told = *end_[1]->status(server);
  EXPECT_EQ(told.congestion().algorithm(), "reno");
  EXPECT_EQ(told.congestion().phase(), v1::CONGESTION_PHASE_SLOW_START);
  EXPECT_EQ(told.recovery().state(), v1::RECOVERY_STATE_OPEN);
  EXPECT_EQ(told.path_mtu().mtu(), 1500u);
  EXPECT_FALSE(told.ecn().negotiated());
  EXPECT_GT(told.min_rtt().nanos(), 0);
  EXPECT_EQ(told.authentication().kind(), v1::AUTHENTICATION_KIND_NONE);

  ASSERT_EQ(end_[0]->send(client, std::string(1000, 'x'), true, false)->accepted(), 1000u);
  EXPECT_EQ(wait_state(1, server, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  absl::SleepFor(absl::Milliseconds(60));  // longer than the delay of an ACK
  EXPECT_GE(end_[0]->status(client)->recovery().delivered_bytes(), 1000u);

  v1::ConnectionOptions cubic;
  cubic.set_congestion_control(v1::CONGESTION_ALGORITHM_CUBIC);
  const absl::StatusOr<v1::ConnectionOptions> changed = end_[1]->set_options(server, cubic);
  if (absl::IsInvalidArgument(changed.status())) {
    GTEST_LOG_(INFO) << "this kernel has no CUBIC: " << changed.status();
  } else {
    EXPECT_EQ(changed->congestion_control(), v1::CONGESTION_ALGORITHM_CUBIC);
  }
}

TEST_F(KernelEndTest, SignedWithMd5) {
  v1::ConnectionOptions keys;
  keys.mutable_keys()->add_peers()->set_md5("secret");  // every peer
  const uint64_t listener = listen(keys);
  v1::OpenRequest request = active_open(40000);
  request.mutable_options()->mutable_keys()->add_peers()->set_peer("192.0.2.2");
  request.mutable_options()->mutable_keys()->mutable_peers(0)->set_md5("secret");
  const uint64_t client = open(0, request).connection();
  EXPECT_EQ(wait_state(0, client, v1::TCP_STATE_ESTABLISHED), v1::TCP_STATE_ESTABLISHED);
  const uint64_t server = accept(listener);
  EXPECT_EQ(end_[0]->status(client)->authentication().kind(), v1::AUTHENTICATION_KIND_MD5);
  EXPECT_EQ(end_[1]->status(server)->authentication().kind(), v1::AUTHENTICATION_KIND_MD5);
  EXPECT_FALSE(end_[0]->get_options(client)->has_keys()) << "keys are not told";

  // Another key: the listener does not hear it.
  request = active_open(40001);
  request.mutable_options()->mutable_keys()->add_peers()->set_md5("other");
  const uint64_t stranger = open(0, request).connection();
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(end_[0]->status(stranger)->state(), v1::TCP_STATE_SYN_SENT);
}

TEST_F(KernelEndTest, FastOpenCarriesDataFromTheSecondOpenOn) {
  for (const auto& ns : ns_) ASSERT_TRUE(apply_sysctls(*ns, kernel_target_defaults()).ok());
  v1::ConnectionOptions fast;
  fast.set_fast_open(true);
  const uint64_t listener = listen(fast);
  EXPECT_TRUE(end_[1]->get_options(listener)->fast_open());
  EXPECT_EQ(end_[1]->get_options(listener)->fast_open_limit(), 16u);

  v1::OpenRequest request = active_open(40000);
  *request.mutable_options() = fast;
  request.set_data("hello");
  const v1::OpenResponse first = open(0, request);  // asks for a cookie
  EXPECT_EQ(first.outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(first.accepted(), 0u);
  EXPECT_EQ(wait_state(0, first.connection(), v1::TCP_STATE_ESTABLISHED),
            v1::TCP_STATE_ESTABLISHED);
  ASSERT_NE(accept(listener), 0u);

  request.mutable_local()->set_port(40001);
  const v1::OpenResponse second = open(0, request);
  EXPECT_EQ(second.accepted(), 5u);
  EXPECT_EQ(wait_state(0, second.connection(), v1::TCP_STATE_ESTABLISHED),
            v1::TCP_STATE_ESTABLISHED);
  const uint64_t server = accept(listener);
  EXPECT_EQ(end_[1]->receive(server, 100)->data(), "hello");
  EXPECT_TRUE(end_[0]->status(second.connection())->fast_open().data_taken());
}

TEST_F(KernelEndTest, WhatTheKernelCannotDoIsNamed) {
  const uint64_t listener = listen();
  const absl::Status send = end_[1]->send(listener, "x", false, false).status();
  EXPECT_EQ(send.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(send.message().find("send.on_listener"), absl::string_view::npos) << send;
  EXPECT_EQ(end_[1]->status(99).status().code(), absl::StatusCode::kNotFound);
  v1::OpenRequest with_data = active_open(40000);
  with_data.set_data("x");
  const absl::Status data = end_[0]->open(with_data).status();
  EXPECT_EQ(data.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(data.message().find("open.data"), absl::string_view::npos) << data;
}

}  // namespace
}  // namespace tcproctor::server
