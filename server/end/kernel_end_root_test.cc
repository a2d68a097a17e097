// SPDX-License-Identifier: Apache-2.0
// Two kernel ends over a real veth. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
#include "server/end/kernel_end.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "server/host/interface.h"

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
    v1::OpenRequest request;
    request.set_active(true);
    request.mutable_local()->set_port(local_port);
    request.mutable_remote()->set_address("192.0.2.2");
    request.mutable_remote()->set_port(8080);
    if (reuse) request.mutable_options()->set_reuse_address(true);
    absl::StatusOr<v1::OpenResponse> response = end_[0]->open(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return *response;
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
  EXPECT_EQ(end_[0]->list().size(), 20u);
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

TEST_F(KernelEndTest, WhatTheKernelCannotDoIsNamed) {
  const uint64_t listener = listen();
  const absl::Status send = end_[1]->send(listener, "x", false, false).status();
  EXPECT_EQ(send.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(send.message().find("send.on_listener"), absl::string_view::npos) << send;
  EXPECT_EQ(end_[1]->status(99).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tcproctor::server
