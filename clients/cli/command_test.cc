// SPDX-License-Identifier: Apache-2.0
// Every verb from its words to the request it sends and the text, JSON and exit status it gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cli/command_testing.h"
#include "clients/cpp/convert.h"

namespace tcproctor::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(CommandTest, EveryVerbHasHelpWithAnExample) {
  for (const auto& verb : make_verbs()) {
    const std::string& name = verb->info().name;
    SCOPED_TRACE(name);
    EXPECT_THAT(verb->info().help, HasSubstr(absl::StrCat("tcproctor ", name)));
    std::vector<std::string> words = absl::StrSplit(name, ' ');
    words.emplace_back("--help");
    EXPECT_EQ(run_bare(words), kExitOk);
    EXPECT_THAT(out_, StartsWith(absl::StrCat("usage: tcproctor ", name)));
    EXPECT_THAT(out_, HasSubstr("--address ADDRESS"));
    EXPECT_EQ(absl::StrContains(out_, "--json FILE"), verb->info().has_json);
    EXPECT_THAT(err_, IsEmpty());
  }
}

TEST_F(CommandTest, Overview) {
  EXPECT_EQ(run_bare({"help"}), kExitOk);
  for (const auto& verb : make_verbs())
    EXPECT_THAT(out_, HasSubstr(absl::StrCat("\n  ", verb->info().name, " ")));
  EXPECT_THAT(out_, HasSubstr("\n  --output table|json "));
  EXPECT_EQ(run_bare({}), kExitError);
  EXPECT_THAT(err_, HasSubstr("usage:"));
}

TEST_F(CommandTest, Misuse) {
  EXPECT_EQ(run_bare({"frobnicate"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no verb \"frobnicate\""));
  EXPECT_EQ(run_bare({"session"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("\"session create\""));
  EXPECT_EQ(run({"close", "s1"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("too few operands; usage: tcproctor close SESSION CONNECTION"));
  EXPECT_EQ(run({"close", "s1", "1", "2"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("\"2\" is one operand too many"));
  // A flag of another verb is not taken silently.
  EXPECT_EQ(run({"close", "s1", "1", "--filter", "x"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no flag --filter here"));
  EXPECT_TRUE(daemon_.endpoint.close.requests().empty());
}

// Nothing is started for them: there is no daemon that could be.
TEST_F(CommandTest, WrongScriptsAreRefusedWithTheirPlaces) {
  const auto refused = [&](const std::string& script, const std::string& message) {
    const std::string file = ::testing::TempDir() + "/wrong.pkt";
    std::ofstream(file) << script;
    EXPECT_EQ(run_bare({"check", file}), kExitOutcome) << script;
    EXPECT_THAT(err_, HasSubstr(message));
    EXPECT_EQ(run_bare({"run", file}), kExitError) << script;
    EXPECT_THAT(err_, HasSubstr(message));
  };
  refused("0 clsoe(3) = 0\n", "wrong.pkt:1:3: unknown system call \"clsoe\"");
  refused("0 < S 0:0(0) win 5 <mms 5>\n", "wrong.pkt:1:21: unknown option \"mms\"");
  refused("--color=red\n0 close(3) = 0\n", "wrong.pkt:1:1: unknown flag");
  refused("0 close(3) = 0\n1 close(4) = 0\n0.5 close(5) = 0\n",
          "wrong.pkt:3:1: an impossible time");
  refused("//: id: x\n//: title: x\n//: covers: S000-2.1\nwat\n",
          "wrong.pkt:4:1: expected a statement");
  refused("//: id: x\n//: title: x\n//: covers: NOPE-7\nwait 1s\n",
          "covers an id that no catalogue has: \"NOPE-7\"");
  refused("//: id: x\n//: title: x\n//: covers: S000-2.1\n//: requires: bogus.thing\nwait 1s\n",
          "requires an unknown capability: \"bogus.thing\"");
  EXPECT_EQ(run_bare({"run", "--verify", "taste"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--verify \"taste\": want some of payload, checksums, silence"));
}

TEST_F(CommandTest, CommonFlagsMayComeFirst) {
  daemon_.sessions.get.answer(session_answer());
  EXPECT_EQ(run_bare({"--address", daemon_.address(), "--json=-", "session", "get", "s1"}),
            kExitOk);
  EXPECT_EQ(json<v1::Session>().id(), "s1");
  EXPECT_EQ(run_bare({"--address"}), kExitError);
  EXPECT_EQ(run_bare({"--seed", "1", "run"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no verb \"--seed\""));
}

TEST_F(CommandTest, NoDaemon) {
  EXPECT_EQ(run_bare({"session", "list", "--address", "unix:/nonexistent/socket"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no daemon answers at unix:/nonexistent/socket"));
  EXPECT_EQ(run_bare({"session", "list", "--address", "host:70000"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("the port must be 1..65535"));
}

TEST_F(CommandTest, StatusOfTheDaemonIsShown) {
  daemon_.sessions.get.fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "session: no \"x\""));
  EXPECT_EQ(run({"session", "get", "x"}), kExitError);
  EXPECT_EQ(err_, "tcproctor session get: session: no \"x\" [NOT_FOUND]\n");
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(CommandTest, JsonGoesWhereItIsAskedTo) {
  daemon_.sessions.get.answer(session_answer());
  EXPECT_EQ(run({"session", "get", "s1", "--json", "-"}), kExitOk);
  EXPECT_EQ(json<v1::Session>().id(), "s1");
  EXPECT_THAT(out_, HasSubstr("\"namespace_path\""));
  const std::string file = daemon_.folder() + "/out.json";
  EXPECT_EQ(run({"session", "get", "s1", "--json", file}), kExitOk);
  EXPECT_THAT(out_, StartsWith("s1  A STACK 192.0.2.1/24  B KERNEL 192.0.2.2/24  VETH"));
  std::ifstream written(file);
  out_ = {std::istreambuf_iterator<char>(written), {}};
  EXPECT_EQ(json<v1::Session>().id(), "s1");
  EXPECT_EQ(run({"session", "get", "s1", "--json", "/nonexistent/x"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--json /nonexistent/x: cannot write"));
}

TEST_F(CommandTest, SessionCreate) {
  daemon_.sessions.create.answer(session_answer());
  EXPECT_EQ(run({"session", "create",  "--a",     "scripted",    "--b",
                 "stack",   "--link",  "memory",  "--clock",     "virtual",
                 "--mtu",   "576",     "--lease", "10m",         "--seed",
                 "42",      "--label", "mine",    "--b-address", "192.0.2.9/24,2001:db8::9/64"}),
            kExitOk);
  EXPECT_EQ(out_, "s1\n");
  const v1::CreateSessionRequest request = daemon_.sessions.create.last();
  EXPECT_TRUE(request.a().has_scripted());
  EXPECT_TRUE(request.b().has_stack());
  EXPECT_EQ(request.b().addresses_size(), 2);
  EXPECT_EQ(request.wire().link(), v1::LINK_KIND_MEMORY);
  EXPECT_EQ(request.wire().mtu(), 576U);
  EXPECT_EQ(request.clock(), v1::CLOCK_VIRTUAL);
  EXPECT_EQ(client::from_proto(request.lease()), absl::Minutes(10));
  EXPECT_EQ(request.seed(), 42U);
  EXPECT_EQ(request.label(), "mine");
}

TEST_F(CommandTest, SessionCreateDefaultsAndRequest) {
  EXPECT_EQ(run({"session", "create"}), kExitOk);
  EXPECT_TRUE(daemon_.sessions.create.last().a().has_stack());
  EXPECT_TRUE(daemon_.sessions.create.last().b().has_kernel());
  EXPECT_EQ(run({"session", "create", "--clock", "virtual"}), kExitOk);
  EXPECT_TRUE(daemon_.sessions.create.last().b().has_stack());
  EXPECT_EQ(run({"session", "create", "--request", R"({"a":{"stack":{"msl":"1s"}},"label":"x"})",
                 "--a", "stack", "--label", "y"}),
            kExitOk);
  EXPECT_EQ(daemon_.sessions.create.last().a().stack().msl().seconds(), 1);
  EXPECT_EQ(daemon_.sessions.create.last().label(), "y");
}

TEST_F(CommandTest, SessionCreateRefusesUnknownKinds) {
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--a", "linux", "want stack, kernel, scripted or remote"},
           {"--link", "wifi", "want veth, tun, memory or interface"},
           {"--clock", "atomic", "want real or virtual"},
           {"--request", "{\"x\":1}", "CreateSessionRequest"}}) {
    EXPECT_EQ(run({"session", "create", wrong[0], wrong[1]}), kExitError);
    EXPECT_THAT(err_, HasSubstr(wrong[2]));
  }
  EXPECT_TRUE(daemon_.sessions.create.requests().empty());
}

TEST_F(CommandTest, SessionListRenewResetDelete) {
  v1::ListSessionsResponse list;
  *list.add_sessions() = session_answer();
  daemon_.sessions.list.answer(list);
  EXPECT_EQ(run({"session", "list"}), kExitOk);
  EXPECT_THAT(out_, StartsWith("s1  "));
  EXPECT_EQ(run({"session", "renew", "s1", "--lease", "1h"}), kExitOk);
  EXPECT_EQ(daemon_.sessions.renew.last().lease().seconds(), 3600);
  EXPECT_EQ(run({"session", "renew", "s1"}), kExitOk);
  EXPECT_FALSE(daemon_.sessions.renew.last().has_lease());
  EXPECT_EQ(run({"session", "reset", "s1"}), kExitOk);
  EXPECT_EQ(daemon_.sessions.reset.last().session(), "s1");
  EXPECT_EQ(run({"session", "delete", "s1", "s2"}), kExitOk);
  EXPECT_EQ(daemon_.sessions.remove.requests().size(), 2U);
}

TEST_F(CommandTest, OpenPassive) {
  v1::OpenResponse response;
  response.set_outcome(v1::OUTCOME_OK);
  response.set_connection(5);
  daemon_.endpoint.open.answer(response);
  EXPECT_EQ(run({"open", "s1", "--end", "B", "--local", ":80", "--backlog", "1", "--options",
                 R"({"mss":536})"}),
            kExitOk);
  EXPECT_EQ(out_, "5\n");
  const v1::OpenRequest request = daemon_.endpoint.open.last();
  EXPECT_FALSE(request.active());
  EXPECT_FALSE(request.has_remote());
  EXPECT_EQ(request.end(), v1::END_B);
  EXPECT_EQ(request.local().port(), 80U);
  EXPECT_EQ(request.backlog(), 1U);
  EXPECT_EQ(request.options().mss(), 536U);
}

TEST_F(CommandTest, OpenActiveFindsTheOtherEndsAddress) {
  daemon_.sessions.get.answer(session_answer());
  v1::OpenResponse response;
  response.set_outcome(v1::OUTCOME_CONNECTION_REFUSED);
  response.set_connection(6);
  daemon_.endpoint.open.answer(response);
  EXPECT_EQ(run({"open", "s1", "--end", "A", "--to", ":80", "--wait", "--timeout", "3s"}),
            kExitOutcome);
  EXPECT_EQ(out_, "6\n");
  EXPECT_THAT(err_, HasSubstr("CONNECTION-REFUSED"));
  const v1::OpenRequest request = daemon_.endpoint.open.last();
  EXPECT_TRUE(request.active());
  EXPECT_TRUE(request.wait());
  EXPECT_EQ(request.remote().address(), "192.0.2.2");
  EXPECT_EQ(request.timeout().seconds(), 3);
}

TEST_F(CommandTest, OpenMisuse) {
  EXPECT_EQ(run({"open", "s1", "--local", ":80"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--end is needed"));
  EXPECT_EQ(run({"open", "s1", "--end", "C", "--local", ":80"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("want A or B"));
  EXPECT_EQ(run({"open", "s1", "--end", "A", "--to", ":70000"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("0..65535"));
  EXPECT_EQ(run({"open", "s1", "--end", "A", "--to", ":80", "--from", ":90"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("contradict"));
}

TEST_F(CommandTest, Accept) {
  v1::AcceptResponse response;
  response.set_outcome(v1::OUTCOME_WOULD_BLOCK);
  daemon_.endpoint.accept.answer(response);
  EXPECT_EQ(run({"accept", "s1", "5", "--timeout", "10ms"}), kExitOutcome);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(err_, HasSubstr("WOULD-BLOCK"));
  EXPECT_EQ(daemon_.endpoint.accept.last().listener().id(), 5U);
  EXPECT_EQ(client::from_proto(daemon_.endpoint.accept.last().timeout()), absl::Milliseconds(10));
}

TEST_F(CommandTest, SendTextAndInput) {
  v1::SendResponse response;
  response.set_outcome(v1::OUTCOME_OK);
  response.set_accepted(5);
  daemon_.endpoint.send.answer(response);
  EXPECT_EQ(run({"send", "s1", "6", "hello", "--push", "--urgent"}), kExitOk);
  EXPECT_EQ(out_, "5\n");
  EXPECT_EQ(daemon_.endpoint.send.last().data(), "hello");
  EXPECT_TRUE(daemon_.endpoint.send.last().push());
  EXPECT_TRUE(daemon_.endpoint.send.last().urgent());
  input_ = "12345";
  EXPECT_EQ(run({"send", "s1", "6"}), kExitOk);
  EXPECT_EQ(daemon_.endpoint.send.last().data(), "12345");
  EXPECT_EQ(run({"send", "s1", "6", "x", "--file", "y"}), kExitError);
  EXPECT_EQ(run({"send", "s1", "6", "--file", "/nonexistent/y"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("/nonexistent/y: cannot be read"));
}

TEST_F(CommandTest, SendCutsLargeInput) {
  input_ = std::string(size_t{1} << 20, 'x') + "rest!";
  std::vector<v1::SendResponse> responses(2);
  for (v1::SendResponse& response : responses) response.set_outcome(v1::OUTCOME_OK);
  responses[0].set_accepted(size_t{1} << 20);
  responses[1].set_accepted(3);
  daemon_.endpoint.send.answer_all(responses);
  EXPECT_EQ(run({"send", "s1", "6", "--push"}), kExitOutcome);
  EXPECT_THAT(err_, HasSubstr("OK after 1048579 octets"));
  const std::vector<v1::SendRequest> requests = daemon_.endpoint.send.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_FALSE(requests[0].push());
  EXPECT_TRUE(requests[1].push());
  EXPECT_EQ(requests[1].data(), "rest!");
}

TEST_F(CommandTest, ReceiveOnceAndAll) {
  std::vector<v1::ReceiveResponse> responses(3);
  responses[0].set_outcome(v1::OUTCOME_OK);
  responses[0].set_data("ab");
  responses[1].set_outcome(v1::OUTCOME_OK);
  responses[1].set_data(std::string("c\0d", 3));
  responses[2].set_outcome(v1::OUTCOME_END_OF_STREAM);
  daemon_.endpoint.receive.answer_all(responses);
  EXPECT_EQ(run({"receive", "s1", "6", "--max", "2", "--min", "1", "--timeout", "1s"}), kExitOk);
  EXPECT_EQ(out_, "ab");
  EXPECT_EQ(daemon_.endpoint.receive.last().max_bytes(), 2U);
  daemon_.endpoint.receive.answer_all(responses);
  EXPECT_EQ(run({"receive", "s1", "6", "--all"}), kExitOk);
  EXPECT_EQ(out_, std::string("abc\0d", 5));
  EXPECT_THAT(err_, IsEmpty());
  responses[2].set_outcome(v1::OUTCOME_CONNECTION_RESET);
  daemon_.endpoint.receive.answer_all(responses);
  EXPECT_EQ(run({"receive", "s1", "6", "--all"}), kExitOutcome);
  EXPECT_THAT(err_, HasSubstr("CONNECTION-RESET"));
}

TEST_F(CommandTest, CloseReleaseAbort) {
  v1::CallResponse ok;
  ok.set_outcome(v1::OUTCOME_OK);
  daemon_.endpoint.close.answer(ok);
  daemon_.endpoint.release.answer(ok);
  ok.set_outcome(v1::OUTCOME_CONNECTION_DOES_NOT_EXIST);
  daemon_.endpoint.abort.answer(ok);
  EXPECT_EQ(run({"close", "s1", "6"}), kExitOk);
  EXPECT_EQ(out_, "OK\n");
  EXPECT_EQ(daemon_.endpoint.close.last().connection().id(), 6U);
  EXPECT_EQ(run({"release", "s1", "6"}), kExitOk);
  EXPECT_EQ(run({"abort", "s1", "B/:80-192.0.2.1:4000"}), kExitOutcome);
  EXPECT_EQ(out_, "CONNECTION-DOES-NOT-EXIST\n");
  EXPECT_EQ(daemon_.endpoint.abort.last().connection().pair().remote().port(), 4000U);
}

TEST_F(CommandTest, StatusForms) {
  v1::ConnectionStatus status;
  status.set_connection(6);
  status.set_end(v1::END_A);
  status.set_state(v1::TCP_STATE_FIN_WAIT_2);
  status.set_snd_una(99);
  status.mutable_pair()->mutable_local()->set_port(80);
  daemon_.endpoint.status.answer(status);
  EXPECT_EQ(run({"status", "s1", "6"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("       6  A  FIN-WAIT-2    *:80"));
  EXPECT_THAT(out_, HasSubstr("  snd_una 99\n"));

  v1::ListResponse list;
  *list.add_connections() = status;
  daemon_.endpoint.list.answer(list);
  EXPECT_EQ(run({"status", "s1", "--end", "B"}), kExitOk);
  EXPECT_EQ(daemon_.endpoint.list.last().end(), v1::END_B);

  v1::WaitStateResponse waited;
  waited.set_outcome(v1::OUTCOME_WOULD_BLOCK);
  *waited.mutable_status() = status;
  daemon_.endpoint.wait_state.answer(waited);
  EXPECT_EQ(run({"status", "s1", "6", "--wait", "ESTABLISHED,CLOSED", "--timeout", "1s"}),
            kExitOutcome);
  EXPECT_EQ(daemon_.endpoint.wait_state.last().states_size(), 2);
  EXPECT_EQ(run({"status", "s1", "--wait", "CLOSED"}), kExitError);
  EXPECT_EQ(run({"status", "s1", "6", "--wait", "DONE"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("state \"DONE\""));
}

TEST_F(CommandTest, Watch) {
  std::vector<v1::ConnectionEvent> events(3);
  events[0].mutable_state_change()->set_from(v1::TCP_STATE_LISTEN);
  events[0].mutable_state_change()->set_to(v1::TCP_STATE_SYN_RECEIVED);
  events[0].mutable_state_change()->set_cause("SYN");
  events[1].set_error(v1::OUTCOME_CONNECTION_RESET);
  v1::Drop& drop = *events[2].mutable_dropped();
  drop.set_section("RFC 9293 §3.10.7.4");
  drop.set_check(5);
  drop.set_reason("no ACK");
  drop.mutable_pair()->mutable_remote()->set_address("192.0.2.1");
  drop.set_flags(2);
  drop.set_sequence_number(100);
  daemon_.endpoint.watch.answer_all(events);
  EXPECT_EQ(run({"watch", "s1", "6"}), kExitOk);
  EXPECT_EQ(daemon_.endpoint.watch.last().connection(), 6U);
  EXPECT_THAT(out_, HasSubstr("LISTEN -> SYN-RECEIVED  (SYN)\n"));
  EXPECT_THAT(out_, HasSubstr("CONNECTION-RESET\n"));
  EXPECT_THAT(out_, HasSubstr("no connection  dropped: RFC 9293 §3.10.7.4 check 5 (no ACK)  "
                              "192.0.2.1:0 > *:0 S seq 100 ack 0 len 0\n"));
  EXPECT_EQ(run({"watch", "s1", "--json", "-"}), kExitOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3);
  EXPECT_EQ(run({"watch", "s1", "B/192.0.2.2:80-192.0.2.1:4"}), kExitError);
}

TEST_F(CommandTest, OptionsAreSetAndShown) {
  v1::ConnectionOptions options;
  options.set_congestion_control(v1::CONGESTION_ALGORITHM_RENO);
  options.mutable_user_timeout()->set_seconds(30);
  daemon_.endpoint.set_options.answer(options);
  daemon_.endpoint.get_options.answer(options);
  EXPECT_EQ(run({"options", "s1", "6", "congestion_control=reno", "user_timeout=30s",
                 "keys=peers { peer: '192.0.2.1' md5: 'secret' }"}),
            kExitOk);
  EXPECT_EQ(out_, "  user_timeout 30s\n  congestion_control RENO\n");
  const v1::SetOptionsRequest request = daemon_.endpoint.set_options.last();
  EXPECT_EQ(request.connection().id(), 6U);
  EXPECT_EQ(request.options().congestion_control(), v1::CONGESTION_ALGORITHM_RENO);
  EXPECT_EQ(request.options().user_timeout().seconds(), 30);
  EXPECT_EQ(request.options().keys().peers(0).md5(), "secret");
  EXPECT_EQ(run({"options", "s1", "6"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("congestion_control RENO\n"));
  EXPECT_EQ(run({"options", "s1", "6", "ecn=maybe"}), kExitError);
  EXPECT_THAT(err_,
              HasSubstr("\"maybe\" is no value for ecn: expected one of OFF, ACCEPT, REQUEST"));
  EXPECT_EQ(run({"options", "s1", "6", "no_delay"}), kExitError);
  EXPECT_EQ(run({"options", "s1", "6", "keys=peers { md5 }"}), kExitError);
}

TEST_F(CommandTest, OpenTakesOptionsByNameAndData) {
  v1::OpenResponse opened;
  opened.set_outcome(v1::OUTCOME_OK);
  opened.set_connection(6);
  opened.set_accepted(2);
  daemon_.endpoint.open.answer(opened);
  EXPECT_EQ(run({"open", "s1", "--end", "A", "--to", "192.0.2.2:80", "--set", "fast_open=on",
                 "--set", "ecn=REQUEST", "--data", "hello"}),
            kExitOk);
  const v1::OpenRequest request = daemon_.endpoint.open.last();
  EXPECT_TRUE(request.options().fast_open());
  EXPECT_EQ(request.options().ecn(), v1::ECN_USE_REQUEST);
  EXPECT_EQ(request.data(), "hello");
  EXPECT_THAT(err_, HasSubstr("2 of 5 octets were taken"));
}

TEST_F(CommandTest, CloseLingers) {
  v1::CallResponse response;
  response.set_outcome(v1::OUTCOME_CONNECTION_ABORTED);
  daemon_.endpoint.close.answer(response);
  EXPECT_EQ(run({"close", "s1", "6", "--linger", "5s"}), kExitOutcome);
  EXPECT_EQ(daemon_.endpoint.close.last().linger().seconds(), 5);
}

TEST_F(CommandTest, InjectFlags) {
  v1::InjectResponse response;
  response.add_numbers(12);
  daemon_.wire.inject.answer(response);
  EXPECT_EQ(
      run({"inject",   "s1",   "--from", "A",   "--sport",   "4000",       "--dport",    "80",
           "--flags",  "S.",   "--seq",  "100", "--ack",     "1",          "--win",      "512",
           "--mss",    "1460", "--ttl",  "1",   "--src",     "198.18.0.1", "--checksum", "0xdead",
           "--offset", "4",    "--urg",  "3",   "--payload", "hi"}),
      kExitOk);
  EXPECT_EQ(out_, "12\n");
  const v1::InjectRequest request = daemon_.wire.inject.last();
  EXPECT_EQ(request.from(), v1::END_A);
  ASSERT_EQ(request.train_size(), 1);
  const v1::Segment& segment = request.train(0).segment();
  EXPECT_EQ(segment.ipv4().source(), "198.18.0.1");
  EXPECT_FALSE(segment.ipv4().has_destination());
  EXPECT_EQ(segment.ipv4().ttl(), 1U);
  EXPECT_EQ(segment.tcp().flags(), 0x12U);
  EXPECT_EQ(segment.tcp().source_port(), 4000U);
  EXPECT_EQ(segment.tcp().destination_port(), 80U);
  EXPECT_EQ(segment.tcp().sequence_number(), 100U);
  EXPECT_EQ(segment.tcp().acknowledgment_number(), 1U);
  EXPECT_EQ(segment.tcp().window(), 512U);
  EXPECT_EQ(segment.tcp().checksum(), 0xdeadU);
  EXPECT_EQ(segment.tcp().data_offset(), 4U);
  EXPECT_EQ(segment.tcp().urgent_pointer(), 3U);
  EXPECT_EQ(segment.tcp().options(0).mss().octets(), 1460U);
  EXPECT_EQ(segment.payload(), "hi");
}

TEST_F(CommandTest, InjectOtherForms) {
  EXPECT_EQ(run({"inject", "s1", "--from", "B", "--raw", "4500 0014"}), kExitOk);
  EXPECT_EQ(daemon_.wire.inject.last().train(0).segment().raw(), std::string("\x45\0\0\x14", 4));
  EXPECT_EQ(run({"inject", "s1", "--from", "B", "--dst", "2001:db8::1", "--ttl", "9", "--flags",
                 "R", "--count", "3", "--gap", "10ms"}),
            kExitOk);
  const v1::InjectRequest train = daemon_.wire.inject.last();
  ASSERT_EQ(train.train_size(), 3);
  EXPECT_FALSE(train.train(0).has_gap());
  EXPECT_EQ(client::from_proto(train.train(2).gap()), absl::Milliseconds(10));
  EXPECT_EQ(train.train(0).segment().ipv6().hop_limit(), 9U);
  EXPECT_EQ(run({"inject", "s1", "--from", "A", "--segment", R"({"icmp":{"type":3,"code":3}})"}),
            kExitOk);
  EXPECT_FALSE(daemon_.wire.inject.last().train(0).segment().has_tcp());
  EXPECT_EQ(run({"inject", "s1", "--request", R"({"from":"END_B","flood":{"count":"9"}})"}),
            kExitOk);
  EXPECT_EQ(daemon_.wire.inject.last().flood().count(), 9U);
  EXPECT_EQ(daemon_.wire.inject.last().train_size(), 0);
}

TEST_F(CommandTest, InjectMisuse) {
  EXPECT_EQ(run({"inject", "s1", "--flags", "S"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--from is needed"));
  EXPECT_EQ(run({"inject", "s1", "--from", "A", "--flags", "SA"}), kExitError);
  EXPECT_EQ(run({"inject", "s1", "--from", "A", "--mss", "1", "--options", "01"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("contradict"));
  EXPECT_EQ(run({"inject", "s1", "--from", "A", "--raw", "4"}), kExitError);
}

std::vector<v1::LogEntry> two_entries() {
  std::vector<v1::LogEntry> entries(2);
  entries[0].set_number(1);
  entries[0].set_from(v1::END_A);
  entries[0].mutable_time()->set_nanos(1'234'000);
  entries[0].set_fate(v1::FATE_DELIVERED);
  entries[0].set_ip_checksum_valid(true);
  entries[0].set_transport_checksum_valid(true);
  entries[0].set_raw("RAW1");
  v1::Segment* segment = entries[0].mutable_segment();
  segment->mutable_ipv4()->set_source("192.0.2.1");
  segment->mutable_ipv4()->set_destination("192.0.2.2");
  segment->mutable_tcp()->set_source_port(4000);
  segment->mutable_tcp()->set_destination_port(80);
  segment->mutable_tcp()->set_flags(0x12);
  segment->mutable_tcp()->set_sequence_number(300);
  segment->mutable_tcp()->set_acknowledgment_number(101);
  segment->mutable_tcp()->set_window(512);
  segment->mutable_tcp()->add_options()->mutable_mss()->set_octets(1460);
  entries[1] = entries[0];
  entries[1].set_number(2);
  entries[1].set_fate(v1::FATE_DROPPED);
  entries[1].mutable_wall_time()->set_seconds(77);
  entries[1].set_transport_checksum_valid(false);
  return entries;
}

TEST_F(CommandTest, CaptureAsText) {
  daemon_.wire.log.answer_all(two_entries());
  EXPECT_EQ(run({"capture", "s1", "--after", "3", "--from", "A", "--follow", "--pattern",
                 R"({"payload_length":0})"}),
            kExitOk);
  EXPECT_THAT(out_,
              StartsWith("    1     0.001234  A > B  192.0.2.1:4000 > 192.0.2.2:80  S. seq 300 "
                         "ack 101 win 512 <mss 1460> len 0\n"));
  EXPECT_THAT(out_, HasSubstr("dropped  wrong checksum\n"));
  const v1::LogRequest request = daemon_.wire.log.last();
  EXPECT_EQ(request.after(), 3U);
  EXPECT_EQ(request.from(), v1::END_A);
  EXPECT_TRUE(request.follow());
  EXPECT_TRUE(request.pattern().has_payload_length());
}

TEST_F(CommandTest, CaptureAsPcap) {
  daemon_.wire.log.answer_all(two_entries());
  EXPECT_EQ(run({"capture", "s1", "-w", "-"}), kExitOk);
  const std::string expected =
      std::string("\x4d\x3c\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0", 24) +
      std::string("\0\0\0\0\x50\xd4\x12\0\4\0\0\0\4\0\0\0RAW1", 20) +
      std::string("\x4d\0\0\0\0\0\0\0\4\0\0\0\4\0\0\0RAW1", 20);
  EXPECT_EQ(out_, expected);
  const std::string file = daemon_.folder() + "/log.pcap";
  EXPECT_EQ(run({"capture", "s1", "-w", file}), kExitOk);
  std::ifstream written(file, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), expected);
  EXPECT_EQ(run({"capture", "s1", "-w", "-", "--json", "-"}), kExitError);
  EXPECT_EQ(run({"capture", "s1", "-w", "x", "--from", "A"}), kExitError);
}

TEST_F(CommandTest, FollowingEndsWithTheSession) {
  daemon_.wire.log.answer_all(two_entries());
  daemon_.wire.log.fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "session s1 was deleted"));
  EXPECT_EQ(run({"capture", "s1", "--follow"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("session s1 was deleted"));
  EXPECT_EQ(run({"capture", "s1"}), kExitError);
  daemon_.sessions.get.fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such session"));
  EXPECT_EQ(run({"capture", "s1", "--follow"}), kExitError);
}

TEST_F(CommandTest, ServeAndTraffic) {
  v1::TrafficResponse traffic;
  v1::TrafficResponse::Flow* flow = traffic.add_flows();
  flow->set_connection(6);
  flow->set_sent(100);
  flow->set_sent_sha256("ab");
  flow->set_ended(true);
  flow->set_outcome(v1::OUTCOME_OK);
  daemon_.endpoint.traffic.answer(traffic);
  EXPECT_EQ(run({"serve", "s1", "5", "echo"}), kExitOk);
  EXPECT_EQ(daemon_.endpoint.serve.last().kind(), v1::SERVICE_KIND_ECHO);
  EXPECT_TRUE(daemon_.endpoint.traffic.requests().empty());
  EXPECT_EQ(run({"serve", "s1", "6", "source", "--bytes", "100", "--seed", "7", "--wait"}),
            kExitOk);
  EXPECT_EQ(daemon_.endpoint.serve.last().bytes(), 100U);
  EXPECT_EQ(daemon_.endpoint.serve.last().seed(), 7U);
  EXPECT_TRUE(daemon_.endpoint.traffic.last().wait());
  EXPECT_EQ(out_, "connection 6: received 0, sent 100 sha256 ab, ended OK\n");
  flow->set_ended(false);
  daemon_.endpoint.traffic.answer(traffic);
  EXPECT_EQ(run({"serve", "s1", "6", "--wait", "--timeout", "1s"}), kExitOutcome);
  EXPECT_EQ(daemon_.endpoint.serve.requests().size(), 2U);
  EXPECT_EQ(run({"serve", "s1", "6", "http"}), kExitError);
}

TEST_F(CommandTest, Version) {
  v1::ServerInfo info;
  info.set_version("9.9");
  (*info.mutable_missing())["link.tun"] = "/dev/net/tun is absent";
  daemon_.sessions.info.answer(info);
  EXPECT_EQ(run({"version"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("daemon 9.9"));
  EXPECT_THAT(out_, HasSubstr("lacks link.tun: /dev/net/tun is absent"));
  EXPECT_EQ(run_bare({"version", "--address", "unix:/nonexistent/socket"}), kExitError);
}

TEST_F(CommandTest, ExecMisuse) {
  daemon_.sessions.get.answer(session_answer());
  EXPECT_EQ(run({"session", "exec", "s1", "true"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--end is needed"));
  EXPECT_EQ(run({"session", "exec", "s1", "true", "--end", "A"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no network namespace"));
}

}  // namespace
}  // namespace tcproctor::cli
