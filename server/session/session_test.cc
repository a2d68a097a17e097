// SPDX-License-Identifier: Apache-2.0
// Sessions on the memory link under a virtual clock: nothing here waits for real time.
#include "server/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/session/session_testing.h"

namespace tcproctor::server {
namespace {

TEST_F(SessionTest, ThreeWayHandshakeIsOverBeforeTheNextCommand) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_ESTABLISHED);
  EXPECT_EQ(client->state(pair.b), v1::TCP_STATE_ESTABLISHED);
  v1::Command command;
  command.mutable_read_log();
  const v1::ReadLogResponse log = client->good(command).log();
  ASSERT_EQ(log.entries_size(), 3);
  EXPECT_EQ(log.entries(0).segment().tcp().flags(), 0x02u);
  EXPECT_EQ(log.entries(1).segment().tcp().flags(), 0x12u);
  EXPECT_EQ(log.entries(2).segment().tcp().flags(), 0x10u);
  EXPECT_EQ(log.entries(0).state_a(), v1::TCP_STATE_SYN_SENT);
  EXPECT_EQ(log.entries(1).state_b(), v1::TCP_STATE_SYN_RECEIVED);
  EXPECT_EQ(log.entries(2).state_a(), v1::TCP_STATE_ESTABLISHED);
  EXPECT_FALSE(log.entries(0).has_wall_time());
}

TEST_F(SessionTest, DataAndCloseAndTimeWaitInVirtualTime) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  EXPECT_EQ(client->send(pair.a, "hello").accepted(), 5u);
  EXPECT_EQ(client->receive(pair.b).data(), "hello");
  EXPECT_EQ(client->receive(pair.b).outcome(), v1::OUTCOME_WOULD_BLOCK);
  EXPECT_EQ(client->close(pair.a), v1::OUTCOME_OK);
  // B's acknowledgment of the FIN may be a delayed one.
  client->run_for(1);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_FIN_WAIT_2);
  EXPECT_EQ(client->state(pair.b), v1::TCP_STATE_CLOSE_WAIT);
  EXPECT_EQ(client->receive(pair.b).outcome(), v1::OUTCOME_END_OF_STREAM);
  EXPECT_EQ(client->close(pair.b), v1::OUTCOME_OK);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_TIME_WAIT);
  EXPECT_EQ(client->state(pair.b), v1::TCP_STATE_CLOSED);
  // 2 MSL are four minutes (RFC 9293 §3.6.1).
  client->run_for(239.5);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_TIME_WAIT);
  client->run_for(1);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_CLOSED);
}

TEST_F(SessionTest, LingeringEndsWithTheLastAcknowledgment) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  const v1::Command close = lingering_close(*client, pair, 60);
  const uint64_t lingering = client->start(close);
  client->run_for(10);
  EXPECT_FALSE(client->answered(lingering)) << "nothing is acknowledged yet";
  v1::Command let_pass;
  let_pass.mutable_hold()->set_from(v1::END_B);
  client->good(let_pass);
  v1::Command release;
  release.mutable_release_held();
  client->good(release);
  client->run_for(5);
  EXPECT_EQ(client->await(lingering).call().outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_FIN_WAIT_2);
  // What is closed already lingers too.
  EXPECT_EQ(client->good(close).call().outcome(), v1::OUTCOME_OK);
}

TEST_F(SessionTest, LingeringEndsWithAbort) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  const v1::Command close = lingering_close(*client, pair, 3);
  const uint64_t lingering = client->start(close);
  client->run_for(2.9);
  EXPECT_FALSE(client->answered(lingering));
  client->run_for(0.2);
  EXPECT_EQ(client->await(lingering).call().outcome(), v1::OUTCOME_CONNECTION_ABORTED);
  EXPECT_EQ(client->state(pair.a), v1::TCP_STATE_CLOSED);
  v1::Command command;
  command.mutable_read_log();
  const v1::ReadLogResponse log = client->good(command).log();
  EXPECT_EQ(log.entries(log.entries_size() - 1).segment().tcp().flags(), 0x04u) << "RST";
}

TEST_F(SessionTest, TwoHeldSynsAreASimultaneousOpen) {
  const auto client = drive(virtual_pair());
  for (const v1::End end : {v1::END_A, v1::END_B}) {
    v1::Command hold;
    hold.mutable_hold()->set_from(end);
    hold.mutable_hold()->set_on(true);
    client->good(hold);
  }
  v1::Command a_opens = client->connect_command(v1::END_A, kAddressB, 2000);
  a_opens.mutable_open()->mutable_local()->set_port(1000);
  v1::Command b_opens = client->connect_command(v1::END_B, kAddressA, 1000);
  b_opens.mutable_open()->mutable_local()->set_port(2000);
  const uint64_t a = client->good(a_opens).open().connection();
  const uint64_t b = client->good(b_opens).open().connection();
  EXPECT_EQ(client->state(a), v1::TCP_STATE_SYN_SENT);
  EXPECT_EQ(client->state(b), v1::TCP_STATE_SYN_SENT);
  v1::Command release;
  release.mutable_release_held();
  EXPECT_EQ(client->good(release).release_held().numbers_size(), 2);
  EXPECT_EQ(client->state(a), v1::TCP_STATE_SYN_RECEIVED);
  EXPECT_EQ(client->state(b), v1::TCP_STATE_SYN_RECEIVED);
  for (const v1::End end : {v1::END_A, v1::END_B}) {
    v1::Command let_pass;
    let_pass.mutable_hold()->set_from(end);
    let_pass.mutable_hold()->set_on(false);
    client->good(let_pass);
  }
  client->good(release);
  EXPECT_EQ(client->state(a), v1::TCP_STATE_ESTABLISHED);
  EXPECT_EQ(client->state(b), v1::TCP_STATE_ESTABLISHED);
}

TEST_F(SessionTest, EventsComeInTheOrderInWhichTheyHappened) {
  const auto client = drive(virtual_pair());
  establish(*client);
  std::vector<std::string> changes;
  for (const v1::Report& report : client->reports()) {
    if (!report.event().has_state_change()) continue;
    changes.push_back((report.event().end() == v1::END_A ? "A " : "B ") +
                      v1::TcpState_Name(report.event().state_change().to()).substr(10));
  }
  EXPECT_THAT(changes, ::testing::ElementsAre("B LISTEN", "A SYN_SENT", "B SYN_RECEIVED",
                                              "A ESTABLISHED", "B ESTABLISHED"));
}

TEST_F(SessionTest, ACallThatWaitsIsRegisteredAndCompletesLater) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  const uint64_t waiting = client->start(accept);
  client->connect(v1::END_A, kAddressB, 80);
  const v1::Report report = client->await(waiting);
  EXPECT_EQ(report.accept().outcome(), v1::OUTCOME_OK);
  bool registered = false;
  for (const v1::Report& each : client->reports()) {
    registered = registered || (each.operation() == waiting && each.registered());
  }
  EXPECT_TRUE(registered);
}

TEST_F(SessionTest, ATimeoutIsSessionTime) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  *accept.mutable_accept()->mutable_timeout() = seconds_proto(3600);
  const uint64_t waiting = client->start(accept);
  client->run_for(3599);
  EXPECT_FALSE(client->answered(waiting));
  client->run_for(1);
  const v1::Report report = client->await(waiting);
  EXPECT_EQ(report.accept().outcome(), v1::OUTCOME_WOULD_BLOCK);
  EXPECT_EQ(to_seconds(report.now()), 3600);
}

TEST_F(SessionTest, RunUntilEndsWithTheOperationItWaitsFor) {
  const auto client = drive(virtual_pair());
  v1::Command open = client->connect_command(v1::END_A, "192.0.2.77", 80);
  open.mutable_open()->set_wait(true);
  const uint64_t opening = client->start(open);
  v1::Command run;
  run.mutable_run_until()->add_operations(opening);
  const v1::RunUntilResponse ran = client->good(run).run_until();
  EXPECT_EQ(ran.completed(), opening);
  EXPECT_EQ(client->await(opening).open().outcome(), v1::OUTCOME_TIMED_OUT);
  // RFC9293-MUST-23: a SYN is retried for at least three minutes.
  EXPECT_GE(to_seconds(ran.now()), 180);
  EXPECT_LT(to_seconds(ran.now()), 400);
}

TEST_F(SessionTest, RunUntilIdleEndsWhenNoTimerRuns) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  client->send(pair.a, "x");
  v1::Command run;
  run.mutable_run_until()->set_idle(true);
  *run.mutable_run_until()->mutable_duration() = seconds_proto(1000);
  EXPECT_LT(to_seconds(client->good(run).run_until().now()), 10);
}

TEST_F(SessionTest, CommandsAfterAVirtualRunWaitForItsEnd) {
  const auto client = drive(virtual_pair());
  v1::Command run;
  *run.mutable_run_until()->mutable_duration() = seconds_proto(7200);
  v1::Command list;
  list.mutable_list();
  const uint64_t running = client->start(run);
  const uint64_t listing = client->start(list);
  EXPECT_EQ(to_seconds(client->await(running).now()), 7200);
  EXPECT_EQ(to_seconds(client->await(listing).now()), 7200);
}

TEST_F(SessionTest, ARunRepeatsExactlyByItsSeed) {
  auto run = [this](uint64_t seed) {
    const auto client = drive(virtual_pair(seed));
    v1::Command impair;
    impair.mutable_impair()->set_from(v1::END_A);
    impair.mutable_impair()->set_loss(0.2);
    impair.mutable_impair()->set_duplicate(0.2);
    *impair.mutable_impair()->mutable_delay() = seconds_proto(0.01);
    *impair.mutable_impair()->mutable_jitter() = seconds_proto(0.005);
    client->good(impair);
    const uint64_t listener = client->listen(v1::END_B, 80).connection();
    const uint64_t a = client->connect(v1::END_A, kAddressB, 80).connection();
    client->run_for(60);
    const uint64_t b = client->accept(listener).connection();
    client->send(a, std::string(100000, 'x'));
    client->run_for(600);
    EXPECT_EQ(client->receive(b).data().size(), 65536u);
    v1::Command log;
    log.mutable_read_log();
    return client->good(log).log().SerializeAsString();
  };
  const std::string first = run(7);
  EXPECT_EQ(first, run(7));
  EXPECT_NE(first, run(8));
}

TEST_F(SessionTest, ACancelledOperationSaysSo) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  const uint64_t waiting = client->start(accept);
  v1::Command cancel;
  cancel.mutable_cancel()->set_operation(waiting);
  EXPECT_TRUE(client->good(cancel).cancelled());
  EXPECT_EQ(client->await(waiting).accept().outcome(), v1::OUTCOME_CANCELLED);
  EXPECT_FALSE(client->good(cancel).cancelled());
}

TEST_F(SessionTest, ARunCanBeCancelledWhileItRuns) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  v1::Command options;
  options.mutable_set_options()->mutable_connection()->set_id(pair.a);
  options.mutable_set_options()->mutable_options()->set_keepalive(true);
  *options.mutable_set_options()->mutable_options()->mutable_keepalive_idle() =
      seconds_proto(0.001);
  client->good(options);
  v1::Command run;
  *run.mutable_run_until()->mutable_duration() = seconds_proto(3e9);
  const uint64_t running = client->start(run);
  v1::Command cancel;
  cancel.mutable_cancel()->set_operation(running);
  EXPECT_TRUE(client->good(cancel).cancelled());
  EXPECT_LT(to_seconds(client->await(running).run_until().now()), 3e9);
}

TEST_F(SessionTest, SessionTimeEndsBeforeItOverflows) {
  const auto client = drive(virtual_pair());
  v1::Command run;
  *run.mutable_run_until()->mutable_duration() = seconds_proto(2e9);
  EXPECT_EQ(to_seconds(client->good(run).run_until().now()), 2e9);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client->call(run).error_code(), static_cast<int>(absl::StatusCode::kOutOfRange));
  }
  *run.mutable_run_until()->mutable_duration() = seconds_proto(1e9);
  EXPECT_EQ(to_seconds(client->good(run).run_until().now()), 3e9);
}

TEST_F(SessionTest, CommandsThatWaitForARunAreBounded) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  v1::Command options;
  options.mutable_set_options()->mutable_connection()->set_id(pair.a);
  options.mutable_set_options()->mutable_options()->set_keepalive(true);
  *options.mutable_set_options()->mutable_options()->mutable_keepalive_idle() =
      seconds_proto(0.001);
  client->good(options);
  v1::Command run;
  *run.mutable_run_until()->mutable_duration() = seconds_proto(3e9);
  const uint64_t running = client->start(run);
  v1::Command list;
  list.mutable_list();
  for (size_t i = 0; i < DriveStream::kMaxBacklog; ++i) client->start(list);
  EXPECT_EQ(client->call(list).error_code(),
            static_cast<int>(absl::StatusCode::kResourceExhausted));
  v1::Command cancel;
  cancel.mutable_cancel()->set_operation(running);
  EXPECT_TRUE(client->good(cancel).cancelled());
  EXPECT_EQ(client->good(list).error_code(), 0);
}

TEST_F(SessionTest, ResetMakesEverythingFresh) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  const uint64_t waiting = client->start(accept);
  client->run_for(5);
  v1::Command reset;
  reset.mutable_reset();
  const v1::Session session = client->good(reset).session();
  EXPECT_EQ(session.id(), client->session().id());
  EXPECT_EQ(to_seconds(session.now()), 0);
  EXPECT_EQ(client->await(waiting).accept().outcome(), v1::OUTCOME_CANCELLED);
  v1::Command list;
  list.mutable_list();
  EXPECT_EQ(client->good(list).list().connections_size(), 0);
  establish(*client);
}

TEST_F(SessionTest, AConnectionIsNamedByItsPairAndIncarnation) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  const v1::ConnectionStatus a = client->status(pair.a);
  v1::Command by_pair;
  v1::ConnectionRef& ref = *by_pair.mutable_status()->mutable_connection();
  *ref.mutable_pair() = a.pair();
  ref.set_end(v1::END_A);
  EXPECT_EQ(client->good(by_pair).status().connection(), pair.a);
  ref.set_incarnation(2);
  const v1::Report missing = client->call(by_pair);
  EXPECT_EQ(missing.error_code(), static_cast<int>(absl::StatusCode::kNotFound));
  ref.clear_incarnation();
  ref.set_end(v1::END_UNSPECIFIED);
  EXPECT_EQ(client->call(by_pair).error_code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
}

TEST_F(SessionTest, AConnectionOfAnotherSessionIsToldApart) {
  const auto one = drive(virtual_pair());
  const auto other = drive(virtual_pair());
  const Established pair = establish(*one);
  v1::Command status;
  status.mutable_status()->mutable_connection()->set_id(pair.a);
  const v1::Report report = other->call(status);
  EXPECT_EQ(report.error_code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(report.error_message(), ::testing::HasSubstr("of session " + one->session().id()));
}

TEST_F(SessionTest, AScriptedEndHasNoTcp) {
  v1::CreateSessionRequest request = virtual_pair();
  request.mutable_a()->mutable_scripted();
  const auto client = drive(request);
  v1::Command open;
  open.mutable_open()->set_end(v1::END_A);
  const v1::Report report = client->call(open);
  EXPECT_EQ(report.error_code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(report.error_message(), ::testing::HasSubstr("scripted"));
}

TEST_F(SessionTest, AScriptExaminesTheStack) {
  v1::CreateSessionRequest request = virtual_pair();
  request.mutable_a()->mutable_scripted();
  const auto client = drive(request);
  client->listen(v1::END_B, 80);
  v1::Command inject;
  inject.mutable_inject()->set_from(v1::END_A);
  v1::Segment& syn = *inject.mutable_inject()->add_train()->mutable_segment();
  syn.mutable_ipv4();
  syn.mutable_tcp()->set_source_port(4000);
  syn.mutable_tcp()->set_destination_port(80);
  syn.mutable_tcp()->set_sequence_number(100);
  syn.mutable_tcp()->set_flags(0x02);
  EXPECT_EQ(client->good(inject).inject().sent(), 1u);
  v1::Command expect;
  expect.mutable_expect()->set_from(v1::END_B);
  expect.mutable_expect()->mutable_pattern()->mutable_fields()->mutable_tcp()->set_flags(0x12);
  expect.mutable_expect()
      ->mutable_pattern()
      ->mutable_fields()
      ->mutable_tcp()
      ->set_acknowledgment_number(101);
  const v1::ExpectResponse answer = client->good(expect).expect();
  EXPECT_EQ(answer.result(), v1::ExpectResponse::RESULT_MATCHED);
  EXPECT_EQ(answer.entry().state_b(), v1::TCP_STATE_SYN_RECEIVED);
  EXPECT_EQ(answer.entry().state_a(), v1::TCP_STATE_UNSPECIFIED);
}

TEST_F(SessionTest, AnExpectOverALongLogGoesOnByItself) {
  v1::CreateSessionRequest request = virtual_pair();
  request.mutable_a()->mutable_scripted();
  const auto client = drive(request);
  // Nobody listens: each SYN is answered by an RST.
  v1::Command inject;
  inject.mutable_inject()->set_from(v1::END_A);
  for (uint32_t port = 1; port <= 6000; ++port) {
    v1::Segment& syn = *inject.mutable_inject()->add_train()->mutable_segment();
    syn.mutable_ipv4();
    syn.mutable_tcp()->set_source_port(port);
    syn.mutable_tcp()->set_destination_port(80);
    syn.mutable_tcp()->set_flags(0x02);
  }
  client->good(inject);
  v1::Command expect;
  v1::ExpectRequest& asked = *expect.mutable_expect();
  asked.set_from(v1::END_B);
  asked.set_mode(v1::EXPECT_MODE_SKIP);
  asked.set_after(0);
  *asked.mutable_timeout() = seconds_proto(0);
  asked.mutable_pattern()->mutable_fields()->mutable_tcp()->set_destination_port(6000);
  EXPECT_EQ(client->good(expect).expect().entry().number(), 12000u);
  asked.mutable_pattern()->mutable_fields()->mutable_tcp()->set_destination_port(6001);
  EXPECT_EQ(client->good(expect).expect().result(), v1::ExpectResponse::RESULT_TIMED_OUT);
}

TEST_F(SessionTest, SilenceLastsInSessionTime) {
  const auto client = drive(virtual_pair());
  v1::Command silence;
  silence.mutable_expect()->set_from(v1::END_B);
  silence.mutable_expect()->set_mode(v1::EXPECT_MODE_SILENCE);
  *silence.mutable_expect()->mutable_timeout() = seconds_proto(100);
  const uint64_t waiting = client->start(silence);
  client->run_for(99);
  EXPECT_FALSE(client->answered(waiting));
  client->run_for(1);
  EXPECT_EQ(client->await(waiting).expect().result(), v1::ExpectResponse::RESULT_MATCHED);
}

TEST_F(SessionTest, ADirectWireHasNoSwitch) {
  v1::CreateSessionRequest request = virtual_pair();
  request.mutable_wire()->set_direct(true);
  const auto client = drive(request);
  establish(*client);
  v1::Command log;
  log.mutable_read_log();
  EXPECT_EQ(client->call(log).error_code(),
            static_cast<int>(absl::StatusCode::kFailedPrecondition));
}

TEST_F(SessionTest, TheLogIsReadWithTheConnections) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  v1::Command read;
  read.mutable_read_log()->mutable_list()->set_end(v1::END_A);
  v1::ReadLogResponse log = client->good(read).log();
  EXPECT_GE(log.entries_size(), 3);
  ASSERT_EQ(log.list().connections_size(), 1);
  EXPECT_EQ(log.list().connections(0).connection(), pair.a);

  // Of what is CLOSED only the later ones; what is not CLOSED always.
  read.mutable_read_log()->mutable_list()->set_closed_after(pair.a);
  EXPECT_EQ(client->good(read).log().list().connections_size(), 1);
  v1::Command abort;
  abort.mutable_abort()->mutable_connection()->set_id(pair.a);
  client->good(abort);
  EXPECT_EQ(client->good(read).log().list().connections_size(), 0);
  read.mutable_read_log()->mutable_list()->set_closed_after(pair.a - 1);
  EXPECT_EQ(client->good(read).log().list().connections_size(), 1);

  read.mutable_read_log()->mutable_list()->set_end(static_cast<v1::End>(7));
  EXPECT_EQ(client->call(read).error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
}

TEST_F(SessionTest, BytesAreServedAndDigested) {
  const auto client = drive(virtual_pair());
  const uint64_t listener = client->listen(v1::END_B, 80).connection();
  v1::Command sink;
  sink.mutable_serve()->mutable_connection()->set_id(listener);
  sink.mutable_serve()->set_kind(v1::SERVICE_KIND_SINK);
  client->good(sink);
  const uint64_t a = client->connect(v1::END_A, kAddressB, 80).connection();
  v1::Command source;
  source.mutable_serve()->mutable_connection()->set_id(a);
  source.mutable_serve()->set_kind(v1::SERVICE_KIND_SOURCE);
  source.mutable_serve()->set_bytes(3'000'001);
  source.mutable_serve()->set_seed(5);
  client->good(source);
  v1::Command wait;
  wait.mutable_traffic()->mutable_connection()->set_id(listener);
  wait.mutable_traffic()->set_wait(true);
  const uint64_t waiting = client->start(wait);
  client->run_for(100);
  const v1::TrafficResponse received = client->await(waiting).traffic();
  ASSERT_EQ(received.flows_size(), 1);
  v1::Command ask;
  ask.mutable_traffic()->mutable_connection()->set_id(a);
  const v1::TrafficResponse sent = client->good(ask).traffic();
  EXPECT_EQ(received.flows(0).received(), 3'000'001u);
  EXPECT_EQ(received.flows(0).received_sha256(), sent.flows(0).sent_sha256());
  EXPECT_EQ(received.flows(0).outcome(), v1::OUTCOME_OK);
}

void serve(DriveClient& client, uint64_t connection, v1::ServiceKind kind, uint64_t bytes = 0) {
  v1::Command command;
  command.mutable_serve()->mutable_connection()->set_id(connection);
  command.mutable_serve()->set_kind(kind);
  command.mutable_serve()->set_bytes(bytes);
  client.good(command);
}

std::string receive_at_least(DriveClient& client, uint64_t connection, size_t octets) {
  std::string all;
  while (all.size() < octets) {
    const v1::ReceiveResponse part = client.receive(connection, 1);
    if (part.outcome() != v1::OUTCOME_OK) break;
    all += part.data();
  }
  return all;
}

TEST_F(SessionTest, CharactersComeUntilThePeerCloses) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  serve(*client, pair.b, v1::SERVICE_KIND_CHARGEN);
  client->send(pair.a, "thrown away");
  const std::string text = receive_at_least(*client, pair.a, 1'000'000);
  ASSERT_GE(text.size(), 1'000'000u);
  EXPECT_EQ(text.substr(0, 75),
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n!");
  client->close(pair.a);
  client->run_for(1);
  while (client->receive(pair.a, 1).outcome() == v1::OUTCOME_OK) {
  }
  EXPECT_EQ(client->receive(pair.a).outcome(), v1::OUTCOME_END_OF_STREAM);
}

TEST_F(SessionTest, CharactersComeAsManyAsWereAskedFor) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  serve(*client, pair.b, v1::SERVICE_KIND_CHARGEN, 300'000);
  EXPECT_EQ(receive_at_least(*client, pair.a, 300'000).size(), 300'000u);
  EXPECT_EQ(client->receive(pair.a).outcome(), v1::OUTCOME_END_OF_STREAM);
}

TEST_F(SessionTest, AnEchoGivesEverythingBack) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  serve(*client, pair.b, v1::SERVICE_KIND_ECHO);
  client->send(pair.a, "back and forth");
  EXPECT_EQ(client->receive(pair.a, 1).data(), "back and forth");
  client->close(pair.a);
  client->run_for(1);
  EXPECT_EQ(client->receive(pair.a).outcome(), v1::OUTCOME_END_OF_STREAM);
}

TEST_F(SessionTest, EndsThatNeverRestAreReported) {
  const auto client = drive(virtual_pair());
  const Established pair = establish(*client);
  client->send(pair.a, "x");
  // On a wire that takes no time the octet goes back and forth for ever.
  for (const uint64_t connection : {pair.a, pair.b}) {
    v1::Command echo;
    echo.mutable_serve()->mutable_connection()->set_id(connection);
    echo.mutable_serve()->set_kind(v1::SERVICE_KIND_ECHO);
    client->good(echo);
  }
  v1::Command run;
  *run.mutable_run_until()->mutable_duration() = seconds_proto(1);
  const v1::Report report = client->call(run);
  EXPECT_EQ(report.error_code(), static_cast<int>(absl::StatusCode::kAborted));
  EXPECT_THAT(report.error_message(), ::testing::HasSubstr("never come to rest"));
}

TEST_F(SessionTest, OperationsMustGrow) {
  const auto client = drive(virtual_pair());
  v1::Command list;
  list.mutable_list();
  client->good(list);
  v1::Command run;
  run.mutable_run_until()->add_operations(99);
  EXPECT_EQ(client->call(run).error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  v1::Command nothing;
  EXPECT_EQ(client->call(nothing).error_code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
}

TEST_F(SessionTest, DeletingASessionCancelsWhatWaits) {
  absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(virtual_pair());
  ASSERT_TRUE(session.ok());
  DriveClient client(*session);
  const uint64_t listener = client.listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  const uint64_t waiting = client.start(accept);
  client.listen(v1::END_B, 81);  // the accept has been taken up
  daemon_.registry().remove(*session, session_deleted((*session)->id()), nullptr);
  EXPECT_EQ(client.await(waiting).accept().outcome(), v1::OUTCOME_CANCELLED);
  EXPECT_TRUE(absl::IsNotFound(client.await_end()));
  const auto found = daemon_.registry().find((*session)->id(), Caller{});
  EXPECT_TRUE(absl::IsNotFound(found.status()));
  EXPECT_THAT(std::string(found.status().message()), ::testing::HasSubstr("deleted"));
}

TEST_F(SessionTest, ALeaseThatRunsOutEndsWhatWaits) {
  v1::CreateSessionRequest request = virtual_pair();
  *request.mutable_lease() = seconds_proto(1);
  absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(request);
  ASSERT_TRUE(session.ok());
  DriveClient client(*session);
  const uint64_t listener = client.listen(v1::END_B, 80).connection();
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  const uint64_t waiting = client.start(accept);
  const v1::Report report = client.await(waiting);
  EXPECT_EQ(report.error_code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(report.error_message(), ::testing::HasSubstr("lease ran out"));
  EXPECT_TRUE(absl::IsNotFound(client.await_end()));
  const auto found = daemon_.registry().find((*session)->id(), Caller{});
  EXPECT_THAT(std::string(found.status().message()), ::testing::HasSubstr("lease ran out"));
}

TEST(StallProbeTest, TellsHowLongALoopWasBusy) {
  const std::unique_ptr<run::EventLoop> loop = *run::EventLoop::create();
  tcp::Duration longest{0};
  StallProbe probe(*loop, [&](tcp::Duration waited) { longest = std::max(longest, waited); });
  const run::SteadyTime start = run::steady_now();
  loop->schedule(start + std::chrono::milliseconds(12), [&] {
    while (run::steady_now() < start + std::chrono::milliseconds(62)) {
    }
  });
  loop->schedule(start + std::chrono::milliseconds(80), [&] { loop->stop(); });
  loop->run();
  EXPECT_GE(longest, std::chrono::milliseconds(45));
}

TEST(LeaseTest, IsRenewedAndRunsOut) {
  const run::SteadyTime start{};
  Lease lease(std::chrono::seconds(10), start);
  EXPECT_FALSE(lease.ran_out(start + std::chrono::seconds(9)));
  EXPECT_TRUE(lease.ran_out(start + std::chrono::seconds(10)));
  lease.renew(start + std::chrono::seconds(9));
  EXPECT_FALSE(lease.ran_out(start + std::chrono::seconds(18)));
  EXPECT_EQ(lease.remaining(start + std::chrono::seconds(18)), std::chrono::seconds(1));
  lease.renew(std::chrono::seconds(100), start + std::chrono::seconds(18));
  EXPECT_FALSE(lease.ran_out(start + std::chrono::seconds(117)));
  lease.hold();
  EXPECT_FALSE(lease.ran_out(start + std::chrono::hours(100)));
}

}  // namespace
}  // namespace tcproctor::server
