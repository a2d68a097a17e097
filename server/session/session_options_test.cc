// SPDX-License-Identifier: Apache-2.0
// What options of a connection or an end ask for is reached through a session, and told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/session/session_testing.h"

namespace tcproctor::server {
namespace {

TEST_F(SessionTest, DataGivenWithOpenGoesOutFirst) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command open = client->connect_command(v1::END_A, kAddressB, 80);
  open.mutable_open()->set_data("hello");
  const v1::OpenResponse opened = client->good(open).open();
  EXPECT_EQ(opened.accepted(), 5u);
  EXPECT_EQ(client->receive(client->accept(listener).connection()).data(), "hello");
}

// The second OPEN has the cookie that the first was given: its data arrives with the SYN.
TEST_F(SessionTest, FastOpenIsReachedAndTold) {
  const auto client = drive(virtual_pair());
  v1::Command listen;
  v1::OpenRequest& passive = *listen.mutable_open();
  passive.set_end(v1::END_B);
  passive.mutable_local()->set_port(80);
  passive.mutable_options()->set_fast_open(true);
  const uint64_t listener = client->good(listen).open().connection();
  v1::Command open = client->connect_command(v1::END_A, kAddressB, 80);
  open.mutable_open()->mutable_options()->set_fast_open(true);
  open.mutable_open()->set_data("hello");
  const auto status_of = [&](uint64_t connection) {
    v1::Command ask;
    ask.mutable_status()->mutable_connection()->set_id(connection);
    return client->good(ask).status();
  };
  const v1::ConnectionStatus first = status_of(client->good(open).open().connection());
  EXPECT_TRUE(first.fast_open().cookie_requested());
  EXPECT_EQ(first.fast_open().data_in_syn(), 0u);
  client->accept(listener);
  const v1::ConnectionStatus second = status_of(client->good(open).open().connection());
  EXPECT_TRUE(second.fast_open().cookie_sent());
  EXPECT_EQ(second.fast_open().data_in_syn(), 5u);
  EXPECT_TRUE(second.fast_open().data_taken());
  const uint64_t accepted = client->accept(listener).connection();
  EXPECT_EQ(client->receive(accepted).data(), "hello");
  EXPECT_TRUE(status_of(accepted).fast_open().data_taken());
}

// RFC 4821: it begins with 1400 octets, and finds that the path carries more.
TEST_F(SessionTest, TheSearchForThePathMtuIsReachedAndTold) {
  const auto client = drive(virtual_pair());
  client->listen(v1::END_B, 80);
  v1::Command open = client->connect_command(v1::END_A, kAddressB, 80);
  open.mutable_open()->mutable_options()->set_mtu_probing(v1::MTU_PROBING_ALWAYS);
  open.mutable_open()->set_data(std::string(60'000, 'x'));
  v1::Command ask;
  ask.mutable_status()->mutable_connection()->set_id(client->good(open).open().connection());
  client->run_for(10);
  const v1::PathMtuState found = client->good(ask).status().path_mtu();
  EXPECT_EQ(found.mtu(), 1500u);
  EXPECT_EQ(found.search_low(), 1500u);
  EXPECT_GE(found.search_high(), 1500u);
  EXPECT_GE(found.probes_sent(), 1u);
  EXPECT_EQ(found.probes_lost(), 0u);
}

TEST_F(SessionTest, SignedWithTcpAoAndItsKeysAreTold) {
  const auto client = drive(virtual_pair());
  v1::ConnectionOptions options;
  v1::AoKey& key = *options.mutable_keys()->add_peers()->add_ao();
  key.set_send_id(7);
  key.set_recv_id(8);
  key.set_key("secret");
  v1::Command open = client->connect_command(v1::END_A, kAddressB, 80);
  *open.mutable_open()->mutable_options() = options;
  key.set_send_id(8);
  key.set_recv_id(7);
  v1::Command listen;
  listen.mutable_open()->set_end(v1::END_B);
  listen.mutable_open()->mutable_local()->set_port(80);
  *listen.mutable_open()->mutable_options() = options;
  client->good(listen);
  v1::Command ask;
  ask.mutable_status()->mutable_connection()->set_id(client->good(open).open().connection());
  const v1::ConnectionStatus status = client->good(ask).status();
  EXPECT_EQ(status.state(), v1::TCP_STATE_ESTABLISHED);
  EXPECT_EQ(status.authentication().kind(), v1::AUTHENTICATION_KIND_AO);
  EXPECT_EQ(status.authentication().current_key(), 7u);
  EXPECT_EQ(status.authentication().received_key(), 8u);
}

TEST_F(SessionTest, TheTraceTellsWhatWasDroppedAndWhy) {
  v1::CreateSessionRequest request = virtual_pair();
  request.mutable_b()->mutable_stack()->set_trace(true);
  const auto client = drive(request);
  establish(*client);
  v1::Command inject;
  v1::Segment& segment = *inject.mutable_inject()->add_train()->mutable_segment();
  inject.mutable_inject()->set_from(v1::END_A);
  segment.mutable_tcp()->set_source_port(4);
  segment.mutable_tcp()->set_destination_port(80);
  segment.mutable_tcp()->set_flags(0x10);
  segment.mutable_tcp()->set_sequence_number(100);
  segment.mutable_tcp()->set_acknowledgment_number(200);
  segment.set_payload("xyz");
  const uint64_t number = client->good(inject).inject().numbers(0);
  client->run_for(0.001);
  v1::Drop drop;
  for (const v1::Report& report : client->reports()) {
    if (report.event().has_dropped()) drop = report.event().dropped();
  }
  EXPECT_EQ(drop.section(), "RFC 9293 §3.10.7.2");
  EXPECT_EQ(drop.check(), 2u);
  EXPECT_EQ(drop.reason(), "ACK");
  EXPECT_EQ(drop.pair().remote().port(), 4u);
  EXPECT_EQ(drop.pair().local().address(), kAddressB);
  EXPECT_EQ(drop.sequence_number(), 100u);
  EXPECT_EQ(drop.acknowledgment_number(), 200u);
  EXPECT_EQ(drop.flags(), 0x10u);
  EXPECT_EQ(drop.length(), 3u);
  EXPECT_EQ(drop.number(), number);
}

}  // namespace
}  // namespace tcproctor::server
